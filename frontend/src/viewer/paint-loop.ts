/** Paints at most once in an animation frame, and tells when what it painted has been on the screen. */
export class PaintLoop {
  readonly #paint: (atMs: number) => boolean;
  #animationFrame = 0;
  #afterPaint: ((presentedAtMs: number) => void) | null = null;

  /** `paint` says whether the picture is complete; it may request the next one. */
  constructor(paint: (atMs: number) => boolean) {
    this.#paint = paint;
  }

  request(): void {
    if (this.#animationFrame !== 0) return;
    this.#animationFrame = requestAnimationFrame((atMs) => {
      this.#animationFrame = 0;
      if (this.#paint(atMs)) this.#announce();
    });
  }

  /**
   * Calls back once, when a complete picture has been on the screen. The time is that of the animation frame after the
   * one that drew it: by then the drawing has been presented.
   */
  oncePresented(callback: (presentedAtMs: number) => void): void {
    this.#afterPaint = callback;
    this.request();
  }

  stop(): void {
    cancelAnimationFrame(this.#animationFrame);
    this.#afterPaint = null;
  }

  #announce(): void {
    const callback = this.#afterPaint;
    if (!callback) return;
    this.#afterPaint = null;
    requestAnimationFrame((presentedAtMs) => callback(presentedAtMs));
  }
}
