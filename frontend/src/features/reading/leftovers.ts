/**
 * What earlier page loads, or this one before another window took over, could not bring to the server: an answer, or
 * events of which some may lie twice. Nothing of it is sent under another account.
 */
import { isOldToken, isPassing, needsSignIn } from "@/api/errors";
import type { Session } from "@/api/types";
import { type Journal, joined, type LeftEvents, without } from "@/timing/journal";
import type { ReadingServer, SubmitBody } from "./api";
import type { Outbox } from "./outbox";
import type { TabLock } from "./tab-lock";

export const EVENTS_PER_BATCH = 500;

export interface LeftoversOptions {
  readonly account: string;
  readonly server: Pick<ReadingServer, "sendEvents" | "submit">;
  readonly session: () => Promise<Session>;
  readonly outbox: Outbox;
  readonly journal: Journal;
}

export class Leftovers {
  readonly #options: LeftoversOptions;
  #left: LeftEvents[] = [];
  #sending: Promise<void> | null = null;

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  /** Gathers what lies in outbox and journal, and returns the answer, if there is one. */
  async find(): Promise<SubmitBody | null> {
    const { outbox, journal } = this.#options;
    await this.#sending;
    const record = await outbox.read();
    this.#left = joined([...this.#left, ...journal.left(), ...(record ? [record] : [])]);
    // The record is written over as soon as a reading is open; in the journal its events wait until they are sent.
    if (record) for (const event of record.events) journal.write(record.reading, record.lease, event);
    return record?.submit ?? null;
  }

  add(events: LeftEvents): void {
    this.#left = joined([...this.#left, events]);
  }

  /** Sends the events left behind; what cannot be sent now waits for the next time. */
  sendEvents(): Promise<void> {
    this.#sending ??= this.#sendEach().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  /** Says whether the session is this reader's; another one may have signed in in another tab. */
  async isOwnSession(): Promise<boolean> {
    try {
      const session = await this.#options.session();
      return session.signed_in && session.account?.email === this.#options.account;
    } catch {
      return false;
    }
  }

  async #sendEach(): Promise<void> {
    const { server, journal, outbox } = this.#options;
    if (this.#left.length === 0 || !(await this.isOwnSession())) return;
    for (let run = this.#left[0]; run; run = this.#left[0]) {
      const { reading, lease } = run;
      const events = run.events.slice(0, EVENTS_PER_BATCH);
      try {
        await server.sendEvents({ reading, lease, events });
      } catch (error) {
        const mayPass = isPassing(error) || needsSignIn(error) || isOldToken(error);
        if (mayPass || !(await this.isOwnSession())) return;
        // Refused for good: kept under the older lease as long as the reading was open, or wanted no more.
      }
      const upTo = events.at(-1)?.sequence;
      journal.forget(reading, lease, upTo);
      this.#left = without(this.#left, reading, lease, upTo);
      const isOver = !this.#left.some((each) => each.reading === reading && each.lease === lease);
      if (isOver) await outbox.discardEvents(reading, lease);
    }
  }
}

/**
 * Brings everything to the server, once, before it is asked where the reader stands: what it says of a reading left
 * open must rest on all that happened in it. Never fails; the reading screen tries again and says what is wrong.
 */
export async function bringLeftovers(options: LeftoversOptions & { readonly lock: TabLock }): Promise<void> {
  const { server, outbox, journal, lock } = options;
  // Another window reads, and brings its own.
  if (!(await lock.take({ steal: false }))) return;
  try {
    const leftovers = new Leftovers(options);
    const submit = await leftovers.find();
    // Its events count only while the reading is unanswered.
    await leftovers.sendEvents();
    if (!submit || !(await leftovers.isOwnSession())) return;
    await server.submit(submit);
    await outbox.acknowledge(submit.key);
    journal.forget(submit.reading, submit.lease);
  } catch {
    // It lies where it lay.
  } finally {
    lock.release();
  }
}
