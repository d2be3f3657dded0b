/**
 * The events of a reading as they happen, in the browser's plain store, which is written before the next line runs: a
 * tab that is killed a moment later leaves them for the next one. What lies safely elsewhere is forgotten here, and so is
 * what nobody came back to send. The store belongs to the machine, which others use as well: it names no reader.
 *
 * Some hospital browsers allow no store at all; then nothing is kept here, and nothing else changes.
 */
import { pseudonym } from "@/lib/pseudonym";
import { pageClock } from "./clock";
import type { RecordedEvent } from "./recorder";

/** Events that one opening of a reading left behind, in order. */
export interface LeftEvents {
  readonly reading: string;
  readonly lease: number;
  readonly events: readonly RecordedEvent[];
}

/** Of one opening. Later events are not kept: the first ones hold the start of the clock. */
export const MAX_EVENTS = 2000;
/** By when a reader's events must have been sent from this machine. */
export const KEPT_DAYS = 30;

const NAME = "equipoise-journal:";
const MS_PER_DAY = 86_400_000;
const browserStore = (): Storage => window.localStorage;

interface Entry {
  readonly key: string;
  readonly reading: string;
  readonly lease: number;
  readonly sequence: number;
}

/** Of what several places kept, every event once and in order, one entry for each opening. */
export function joined(kept: readonly LeftEvents[]): LeftEvents[] {
  const openings = new Map<string, { reading: string; lease: number; events: Map<number, RecordedEvent> }>();
  for (const { reading, lease, events } of kept) {
    const name = `${reading}:${lease}`;
    const opening = openings.get(name) ?? { reading, lease, events: new Map<number, RecordedEvent>() };
    openings.set(name, opening);
    for (const event of events) opening.events.set(event.sequence, event);
  }
  return [...openings.values()]
    .filter((opening) => opening.events.size > 0)
    .sort((one, other) => one.lease - other.lease)
    .map(({ reading, lease, events }) => ({
      reading,
      lease,
      events: [...events.values()].sort((one, other) => one.sequence - other.sequence),
    }));
}

/** The rest after the events of one opening up to and including `sequence`. */
export function without(
  kept: readonly LeftEvents[],
  reading: string,
  lease: number,
  sequence = Number.POSITIVE_INFINITY,
): LeftEvents[] {
  return kept.flatMap((each) => {
    if (each.reading !== reading || each.lease !== lease) return [each];
    const events = each.events.filter((event) => event.sequence > sequence);
    return events.length > 0 ? [{ reading, lease, events }] : [];
  });
}

export class Journal {
  readonly #prefix: string;
  readonly #storage: () => Storage;
  #opening = "";
  #count = 0;

  constructor(account: string, trial: string, storage = browserStore) {
    this.#prefix = `${NAME}${pseudonym(JSON.stringify([account, trial]))}:`;
    this.#storage = storage;
  }

  write(reading: string, lease: number, event: RecordedEvent): void {
    const opening = `${this.#prefix}${reading}:${lease}:`;
    if (opening !== this.#opening) {
      this.#opening = opening;
      this.#count = 0;
    }
    if (this.#count >= MAX_EVENTS) return;
    this.#quietly((storage) => {
      storage.setItem(`${opening}${event.sequence}`, JSON.stringify(event));
      this.#count += 1;
    });
  }

  /** What lies here, of whatever opening. */
  left(): LeftEvents[] {
    const found: LeftEvents[] = [];
    this.#quietly((storage) => {
      for (const { key, reading, lease } of this.#entries(storage)) {
        const event = read(storage.getItem(key));
        if (event) found.push({ reading, lease, events: [event] });
      }
    });
    return joined(found);
  }

  /** Everything of this opening up to and including `sequence` lies safely elsewhere, or is wanted nowhere. */
  forget(reading: string, lease: number, sequence = Number.POSITIVE_INFINITY): void {
    this.#quietly((storage) => {
      const ofOpening = this.#entries(storage).filter((entry) => entry.reading === reading && entry.lease === lease);
      const over = ofOpening.filter((entry) => entry.sequence <= sequence);
      for (const { key } of over) storage.removeItem(key);
      if (this.#opening === `${this.#prefix}${reading}:${lease}:`) this.#count = ofOpening.length - over.length;
    });
  }

  #entries(storage: Storage): Entry[] {
    const entries: Entry[] = [];
    for (const key of keysFrom(storage, this.#prefix)) {
      const [reading, lease, sequence] = key.slice(this.#prefix.length).split(":");
      if (reading) entries.push({ key, reading, lease: Number(lease), sequence: Number(sequence) });
    }
    return entries;
  }

  #quietly(act: (storage: Storage) => void): void {
    quietly(this.#storage, act);
  }
}

/** Clears the machine of events, of whichever reader, that were kept for too long or cannot be read. */
export function forgetOldEvents(nowMs = pageClock.wallMs(), storage = browserStore): void {
  quietly(storage, (store) => {
    for (const key of keysFrom(store, NAME)) {
      const event = read(store.getItem(key));
      if (!event || !(nowMs - event.wall_ms <= KEPT_DAYS * MS_PER_DAY)) store.removeItem(key);
    }
  });
}

function keysFrom(storage: Storage, prefix: string): string[] {
  const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
  return keys.filter((key) => key?.startsWith(prefix) === true) as string[];
}

/** The store may be denied or full. The outbox and the server are there as well. */
function quietly(storage: () => Storage, act: (storage: Storage) => void): void {
  try {
    act(storage());
  } catch {
    // Nothing is kept here, then.
  }
}

function read(text: string | null): RecordedEvent | null {
  try {
    return JSON.parse(text ?? "null") as RecordedEvent | null;
  } catch {
    return null;
  }
}
