/**
 * What happened inside one reading, in order. Events get a sequence number when they happen and keep it, so that a
 * batch can be sent again without anything counted twice. Nothing is derived here: durations are the server's.
 */
import { type Clock, clockId, pageClock } from "./clock";

export type EventKind =
  | "first_paint"
  | "pointer"
  | "key"
  | "wheel"
  | "slice_change"
  | "window_change"
  | "zoom_change"
  | "answer_change"
  | "comment_focus"
  | "comment_blur"
  | "hidden"
  | "visible"
  | "blur"
  | "focus"
  | "pause"
  | "resume"
  | "offline"
  | "online"
  | "page_load"
  | "page_hide"
  | "sleep_detected"
  | "outline_hidden"
  | "overlay_change"
  | "magnifier_change"
  | "tool_change"
  | "environment_change"
  | "submit";

export type EventData = Readonly<Record<string, string | number | boolean | null>>;

export interface RecordedEvent {
  readonly sequence: number;
  readonly kind: EventKind;
  /** Monotonic milliseconds under `clock_id`. */
  readonly t_ms: number;
  readonly clock_id: string;
  readonly wall_ms: number;
  readonly data: EventData;
}

const TENTHS = 10;

export class EventRecorder {
  readonly #clock: Clock;
  readonly #clockId: string;
  readonly #onEvent: (event: RecordedEvent) => void;
  #next = 0;
  #events: RecordedEvent[] = [];

  /** `onEvent` is handed every event as soon as it is recorded. */
  constructor(options: { onEvent?: (event: RecordedEvent) => void; clock?: Clock; clockId?: string } = {}) {
    this.#clock = options.clock ?? pageClock;
    this.#clockId = options.clockId ?? clockId;
    this.#onEvent = options.onEvent ?? (() => undefined);
  }

  /** `tMs`: when it happened, if that is known better than "now" (an input's own time stamp, a frame's time). */
  record(kind: EventKind, data: EventData = {}, tMs: number = this.#clock.monotonicMs()): RecordedEvent {
    const event: RecordedEvent = {
      sequence: this.#next,
      kind,
      t_ms: Math.round(tMs * TENTHS) / TENTHS,
      clock_id: this.#clockId,
      wall_ms: Math.round(this.#clock.wallMs()),
      data,
    };
    this.#next += 1;
    this.#events.push(event);
    this.#onEvent(event);
    return event;
  }

  /** Events that no answer has acknowledged, oldest first. */
  pending(limit = Number.POSITIVE_INFINITY): readonly RecordedEvent[] {
    return this.#events.slice(0, limit);
  }

  /** The server has these: up to and including `sequence`. */
  acknowledge(sequence: number): void {
    this.#events = this.#events.filter((event) => event.sequence > sequence);
  }
}
