/**
 * Records what the page can see of the reader's attention: hidden and shown, left and returned, offline, input, and a
 * machine that slept. Spans are recorded, never subtracted here.
 */
import { type Clock, eventTimeMs, pageClock } from "./clock";
import type { EventData, EventKind } from "./recorder";

export interface Recording {
  record(kind: EventKind, data?: EventData, tMs?: number): void;
}

/** Pointer movement is input, but one event in this many milliseconds says so. */
export const POINTER_EVERY_MS = 500;
export const WHEEL_EVERY_MS = 250;
/** The sleep watch looks this often. */
export const SLEEP_CHECK_MS = 5000;
/** Wall clock ahead of the monotonic one by more than this between two looks: the machine slept. */
export const SLEEP_DRIFT_MS = 2000;
/** A visible page whose timer comes this late has been stopped with the machine. */
export const SLEEP_GAP_MS = 30_000;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement;
}

/** Lets one event through and then none until the interval is over. */
export class Throttle {
  readonly #everyMs: number;
  #last = Number.NEGATIVE_INFINITY;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  passes(atMs: number): boolean {
    if (atMs - this.#last < this.#everyMs) return false;
    this.#last = atMs;
    return true;
  }
}

/** Compares both clocks at every look; a gap between them, or a timer that stood still, is a sleep. */
export class SleepWatch {
  readonly #clock: Clock;
  #monotonic: number;
  #wall: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#monotonic = clock.monotonicMs();
    this.#wall = clock.wallMs();
  }

  /** What was slept since the last look, or null. `visible`: hidden pages are held back by the browser itself. */
  look(visible: boolean): { gap_ms: number; seen_by: "clocks" | "timer" } | null {
    const monotonic = this.#clock.monotonicMs();
    const wall = this.#clock.wallMs();
    const passed = monotonic - this.#monotonic;
    const drift = wall - this.#wall - passed;
    this.#monotonic = monotonic;
    this.#wall = wall;
    if (drift > SLEEP_DRIFT_MS) return { gap_ms: Math.round(drift), seen_by: "clocks" };
    if (visible && passed > SLEEP_GAP_MS) return { gap_ms: Math.round(passed - SLEEP_CHECK_MS), seen_by: "timer" };
    return null;
  }
}

function watchInput(recording: Recording, signal: AbortSignal): void {
  const moves = new Throttle(POINTER_EVERY_MS);
  const wheels = new Throttle(WHEEL_EVERY_MS);
  const options = { signal, capture: true, passive: true } as const;
  const pointer = (event: PointerEvent): void => {
    recording.record(
      "pointer",
      { action: event.type, button: event.button, device: event.pointerType },
      eventTimeMs(event),
    );
  };
  window.addEventListener("pointerdown", pointer, options);
  window.addEventListener("pointerup", pointer, options);
  window.addEventListener(
    "pointermove",
    (event) => {
      if (moves.passes(eventTimeMs(event))) pointer(event);
    },
    options,
  );
  window.addEventListener(
    "wheel",
    (event) => {
      if (wheels.passes(eventTimeMs(event))) recording.record("wheel", { zoom: event.ctrlKey }, eventTimeMs(event));
    },
    options,
  );
  window.addEventListener(
    "keydown",
    (event) => {
      if (event.repeat) return;
      recording.record("key", isTyping(event.target) ? { typing: true } : { key: event.key }, eventTimeMs(event));
    },
    options,
  );
}

function watchAttention(recording: Recording, signal: AbortSignal): void {
  const at = (kind: EventKind) => (event: Event) => recording.record(kind, {}, eventTimeMs(event));
  document.addEventListener(
    "visibilitychange",
    (event) => recording.record(document.visibilityState === "hidden" ? "hidden" : "visible", {}, eventTimeMs(event)),
    { signal },
  );
  window.addEventListener("blur", at("blur"), { signal });
  window.addEventListener("focus", at("focus"), { signal });
  window.addEventListener("offline", at("offline"), { signal });
  window.addEventListener("online", at("online"), { signal });
  window.addEventListener("pagehide", at("page_hide"), { signal });
}

/** Starts watching; the returned function stops it. The first event states how things stand now. */
export function watchPage(recording: Recording, clock: Clock = pageClock): () => void {
  const stop = new AbortController();
  recording.record("page_load", {
    visible: document.visibilityState !== "hidden",
    focused: document.hasFocus(),
    online: navigator.onLine,
  });
  watchAttention(recording, stop.signal);
  watchInput(recording, stop.signal);
  const sleep = new SleepWatch(clock);
  const timer = setInterval(() => {
    const slept = sleep.look(document.visibilityState !== "hidden");
    if (slept) recording.record("sleep_detected", slept);
  }, SLEEP_CHECK_MS);
  return () => {
    stop.abort();
    clearInterval(timer);
  };
}
