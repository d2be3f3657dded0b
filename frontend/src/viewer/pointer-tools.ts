/**
 * The mouse as in OHIF: left drag window, middle or shift + left drag pan, right drag or ctrl + wheel zoom to the
 * cursor, wheel scrolls, double click resets. Two fingers zoom and pan. Where something is drawn, the left button draws
 * and alt + wheel changes the size of what draws.
 */
import { type ScreenPoint, screenPoint } from "./coordinates";

export interface PointerHandlers {
  /** Movement in CSS pixels: right is wider, down is a higher level. */
  onWindow(dx: number, dy: number): void;
  onPan(dx: number, dy: number): void;
  onZoom(factor: number, at: ScreenPoint): void;
  /** Whole frames, positive towards higher frame numbers. */
  onScroll(frames: number): void;
  onReset(): void;
  /** A drag, pinch or run of ctrl + wheel has come to rest: what it changed can be recorded. */
  onSettled(): void;
}

/** What a pane does with the left button while a drawing tool is on. */
export interface DrawHandlers {
  /** Whether the left button draws now; if not, it does what it does elsewhere. */
  active(): boolean;
  onDown(at: ScreenPoint, event: PointerEvent): void;
  /** Every point since the last event, oldest first. */
  onMove(points: readonly ScreenPoint[]): void;
  onUp(): void;
  /** Another finger came down, or the system took the pointer away. */
  onCancel(): void;
  /** Where the pointer is while nothing is drawn; null when it has left. */
  onHover(at: ScreenPoint | null): void;
  /** Steps of alt + wheel, positive to a larger size. */
  onSize(steps: number): void;
}

type Drag = "window" | "pan" | "zoom" | "draw";

const ZOOM_PER_PIXEL = 0.008;
const ZOOM_PER_WHEEL_PIXEL = 0.002;
/** Pixels of trackpad movement that make one frame. */
const PIXELS_PER_FRAME = 40;
const WHEEL_REST_MS = 250;
const MIDDLE_BUTTON = 1;
const RIGHT_BUTTON = 2;

function dragKind(event: PointerEvent): Drag {
  if (event.button === RIGHT_BUTTON) return "zoom";
  if (event.button === MIDDLE_BUTTON || event.shiftKey) return "pan";
  return "window";
}

/** Gathers small wheel movements of trackpads into whole frames. */
export class WheelSteps {
  #rest = 0;

  steps(deltaY: number, deltaMode: number): number {
    if (deltaMode !== 0) return Math.sign(deltaY);
    if (Math.abs(deltaY) >= 2 * PIXELS_PER_FRAME) {
      this.#rest = 0;
      return Math.sign(deltaY);
    }
    this.#rest += deltaY;
    const whole = Math.trunc(this.#rest / PIXELS_PER_FRAME);
    this.#rest -= whole * PIXELS_PER_FRAME;
    return whole;
  }
}

const distance = (a: ScreenPoint, b: ScreenPoint): number => Math.hypot(a.x - b.x, a.y - b.y);
const middle = (a: ScreenPoint, b: ScreenPoint): ScreenPoint => screenPoint((a.x + b.x) / 2, (a.y + b.y) / 2);

class PointerTools {
  readonly #element: HTMLElement;
  readonly #handlers: PointerHandlers;
  readonly #draw: DrawHandlers | null;
  readonly #down = new Map<number, ScreenPoint>();
  readonly #wheel = new WheelSteps();
  #drag: Drag = "window";
  #origin: ScreenPoint = screenPoint(0, 0);
  #moved = false;
  #wheelRest: ReturnType<typeof setTimeout> | undefined;

  constructor(element: HTMLElement, handlers: PointerHandlers, draw: DrawHandlers | null) {
    this.#element = element;
    this.#handlers = handlers;
    this.#draw = draw;
  }

  #at(event: MouseEvent): ScreenPoint {
    const box = this.#element.getBoundingClientRect();
    return screenPoint(event.clientX - box.left, event.clientY - box.top);
  }

  readonly down = (event: PointerEvent): void => {
    if (event.button === MIDDLE_BUTTON) event.preventDefault();
    this.#element.setPointerCapture(event.pointerId);
    this.#origin = this.#at(event);
    this.#down.set(event.pointerId, this.#origin);
    if (this.#drag === "draw" && this.#down.size > 1) this.#draw?.onCancel();
    this.#drag = dragKind(event);
    this.#moved = false;
    if (this.#drag !== "window" || this.#down.size > 1 || !this.#draw?.active()) return;
    this.#drag = "draw";
    this.#draw.onDown(this.#origin, event);
  };

  readonly move = (event: PointerEvent): void => {
    const before = this.#down.get(event.pointerId);
    const now = this.#at(event);
    if (!before) {
      this.#draw?.onHover(now);
      return;
    }
    if (this.#drag === "draw" && this.#down.size === 1) this.#draw?.onMove(this.#gathered(event));
    else if (this.#down.size === 2) this.#pinch(event.pointerId, now);
    else this.#dragBy(before, now);
    this.#down.set(event.pointerId, now);
  };

  /** Browsers gather fast movements into one event; a stroke wants them all. */
  #gathered(event: PointerEvent): ScreenPoint[] {
    const all = typeof event.getCoalescedEvents === "function" ? event.getCoalescedEvents() : [];
    return (all.length > 0 ? all : [event]).map((each) => this.#at(each));
  }

  #pinch(moving: number, now: ScreenPoint): void {
    const still = [...this.#down].find(([id]) => id !== moving)?.[1];
    const before = this.#down.get(moving);
    if (!still || !before) return;
    this.#moved = true;
    const centre = middle(still, now);
    const old = middle(still, before);
    this.#handlers.onPan(centre.x - old.x, centre.y - old.y);
    this.#handlers.onZoom(distance(still, now) / Math.max(1, distance(still, before)), centre);
  }

  #dragBy(before: ScreenPoint, now: ScreenPoint): void {
    const dx = now.x - before.x;
    const dy = now.y - before.y;
    if (dx === 0 && dy === 0) return;
    this.#moved = true;
    if (this.#drag === "window") this.#handlers.onWindow(dx, dy);
    else if (this.#drag === "pan") this.#handlers.onPan(dx, dy);
    else this.#handlers.onZoom(Math.exp(-dy * ZOOM_PER_PIXEL), this.#origin);
  }

  readonly up = (event: PointerEvent): void => {
    if (!this.#down.delete(event.pointerId)) return;
    if (this.#drag === "draw" && this.#down.size === 0) {
      if (event.type === "pointercancel") this.#draw?.onCancel();
      else this.#draw?.onUp();
      this.#drag = "window";
      return;
    }
    if (this.#moved && this.#down.size === 0) this.#handlers.onSettled();
  };

  readonly wheel = (event: WheelEvent): void => {
    event.preventDefault();
    if (event.altKey && this.#draw) {
      const steps = this.#wheel.steps(event.deltaY || event.deltaX, event.deltaMode);
      if (steps !== 0) this.#draw.onSize(-steps);
      return;
    }
    if (!event.ctrlKey) {
      const frames = this.#wheel.steps(event.deltaY, event.deltaMode);
      if (frames !== 0) this.#handlers.onScroll(frames);
      return;
    }
    const pixels = event.deltaMode === 0 ? event.deltaY : event.deltaY * PIXELS_PER_FRAME;
    this.#handlers.onZoom(Math.exp(-pixels * ZOOM_PER_WHEEL_PIXEL), this.#at(event));
    clearTimeout(this.#wheelRest);
    this.#wheelRest = setTimeout(() => this.#handlers.onSettled(), WHEEL_REST_MS);
  };

  readonly leave = (): void => this.#draw?.onHover(null);

  readonly reset = (): void => {
    if (!this.#draw?.active()) this.#handlers.onReset();
  };
}

const noMenu = (event: Event): void => event.preventDefault();

/** Binds the tools to a pane; the returned function takes them off again. */
export function attachPointerTools(
  element: HTMLElement,
  handlers: PointerHandlers,
  draw: DrawHandlers | null = null,
): () => void {
  const tools = new PointerTools(element, handlers, draw);
  const stop = new AbortController();
  const { signal } = stop;
  element.addEventListener("pointerdown", tools.down, { signal });
  element.addEventListener("pointermove", tools.move, { signal });
  element.addEventListener("pointerup", tools.up, { signal });
  element.addEventListener("pointercancel", tools.up, { signal });
  element.addEventListener("pointerleave", tools.leave, { signal });
  element.addEventListener("wheel", tools.wheel, { passive: false, signal });
  element.addEventListener("dblclick", tools.reset, { signal });
  element.addEventListener("contextmenu", noMenu, { signal });
  return () => stop.abort();
}
