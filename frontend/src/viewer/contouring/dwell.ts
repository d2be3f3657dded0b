/** How long each slice was looked at: the page visible, the images uncovered, the slice shown. */

export class DwellTimes {
  readonly #totalMs = new Map<number, number>();
  #slice: number | null = null;
  #sinceMs: number | null = null;

  /** Time of an earlier page. */
  add(before: Readonly<Record<string, number>>): void {
    for (const [z, ms] of Object.entries(before)) {
      this.#totalMs.set(Number(z), (this.#totalMs.get(Number(z)) ?? 0) + ms);
    }
  }

  show(z: number, tMs: number): void {
    this.#settle(tMs);
    this.#slice = z;
  }

  /** Running while the reader can see the images. */
  setRunning(running: boolean, tMs: number): void {
    if (running === (this.#sinceMs !== null)) return;
    this.#settle(tMs);
    this.#sinceMs = running ? tMs : null;
  }

  /** Milliseconds by slice number, up to now. */
  totals(tMs: number): Record<string, number> {
    this.#settle(tMs);
    return Object.fromEntries([...this.#totalMs].sort(([a], [b]) => a - b).map(([z, ms]) => [z, Math.round(ms)]));
  }

  #settle(tMs: number): void {
    if (this.#sinceMs === null) return;
    if (this.#slice !== null) {
      const before = this.#totalMs.get(this.#slice) ?? 0;
      this.#totalMs.set(this.#slice, before + Math.max(0, tMs - this.#sinceMs));
    }
    this.#sinceMs = tMs;
  }
}
