/**
 * The clocks of the page. Durations come from the monotonic clock, whose zero is the page load; the wall clock stands
 * beside it so that a sleeping machine can be noticed. Nothing outside `src/timing` reads either.
 */

/** Names this page load: monotonic times compare only under one clock. */
export const clockId: string = randomId();

export interface Clock {
  /** Milliseconds since this page was loaded. */
  monotonicMs(): number;
  /** Milliseconds since 1970 by the machine's own clock. */
  wallMs(): number;
}

export const pageClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** When the input happened, not when the page came to handle it; on the monotonic clock. */
export function eventTimeMs(event: Event): number {
  return event.timeStamp;
}

/** A random version-4 UUID; also where `crypto.randomUUID` is missing because the page came over plain HTTP. */
export function randomId(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
