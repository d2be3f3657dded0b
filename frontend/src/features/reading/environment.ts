/**
 * What of the workplace bears on how an image is seen. Nothing that names the person. What a browser does not tell, or
 * tells in a way that could mean two things, is null: nothing here is guessed.
 */

export type Renderer = "hardware" | "software" | "none";

export interface EnvironmentAccount {
  readonly viewer: string;
  readonly window_width_px: number;
  readonly window_height_px: number;
  readonly screen_width_px: number;
  readonly screen_height_px: number;
  readonly device_pixel_ratio: number;
  readonly zoom_percent: number | null;
  readonly pinch_zoom: number | null;
  readonly colour_depth_bits: number;
  readonly renderer: Renderer | null;
  readonly renderer_name: string | null;
  /** The display as the browser knows it: size, place and colours. Two of one size side by side differ by their place. */
  readonly display: string;
  readonly touch_points: number;
  readonly processor_cores: number | null;
}

/** The zoom steps that browsers have, in percent. */
const ZOOM_STEPS = [
  25, 30, 33, 50, 67, 75, 80, 85, 90, 100, 110, 115, 120, 125, 133, 150, 170, 175, 200, 240, 250, 300, 400, 500,
];
/** Scales that systems offer for their displays. */
const SYSTEM_SCALES = [1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.5, 4];
/** Width of a window's frame on both sides together, at most, in system pixels. */
const WIDEST_FRAME = 24;
const SCALE_TOLERANCE = 0.012;

export interface ZoomFacts {
  readonly outerWidth: number;
  readonly innerWidth: number;
  readonly devicePixelRatio: number;
  /** Whether the window's outer size is told in pixels that zoom does not change. */
  readonly outerIsUnzoomed: boolean;
}

/**
 * The browser's zoom in percent, if one step alone explains both facts: the outer width in system pixels is the inner one
 * times the zoom plus a window frame, and the pixel ratio is the system's scale times the zoom. A side panel, an odd
 * system scale or a browser that zooms the outer size too make it unknown.
 */
export function estimatedZoomPercent(facts: ZoomFacts): number | null {
  const { outerWidth, innerWidth, devicePixelRatio, outerIsUnzoomed } = facts;
  if (!outerIsUnzoomed || outerWidth <= 0 || innerWidth <= 0) return null;
  const fits = ZOOM_STEPS.filter((percent) => {
    const zoom = percent / 100;
    const frame = outerWidth - innerWidth * zoom;
    const scale = devicePixelRatio / zoom;
    const framed = frame >= -zoom && frame <= WIDEST_FRAME + zoom;
    return framed && SYSTEM_SCALES.some((each) => Math.abs(scale - each) <= SCALE_TOLERANCE * each);
  });
  return fits.length === 1 ? (fits[0] ?? null) : null;
}

const SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render|software|warp\b|lavapipe/i;
const LONGEST_NAME = 200;

/** Which kind of renderer a name stands for; null where the browser hides it behind a word of its own. */
export function rendererOf(name: string | null): Renderer | null {
  if (!name) return null;
  if (SOFTWARE.test(name)) return "software";
  return /webkit webgl|^mozilla$/i.test(name) ? null : "hardware";
}

interface Probe {
  readonly renderer: Renderer | null;
  readonly name: string | null;
}

let probed: Probe | null = null;

/** Asks WebGL once per page which renderer draws; its context is given back at once. The viewer itself needs none. */
function probe(): Probe {
  if (probed) return probed;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl2") ?? canvas.getContext("webgl");
  if (!context) {
    probed = { renderer: "none", name: null };
    return probed;
  }
  const told = context.getExtension("WEBGL_debug_renderer_info");
  const word: unknown = told ? context.getParameter(told.UNMASKED_RENDERER_WEBGL) : null;
  context.getExtension("WEBGL_lose_context")?.loseContext();
  const name = typeof word === "string" && word !== "" ? word.slice(0, LONGEST_NAME) : null;
  probed = { renderer: rendererOf(name), name };
  return probed;
}

/** Gecko tells the outer size in zoomed pixels as well, so that its zoom cannot be told from the display's scale. */
function outerIsUnzoomed(): boolean {
  return typeof CSS !== "undefined" && !CSS.supports("-moz-appearance", "none");
}

function displayName(): string {
  const screen = window.screen as Screen & { readonly availLeft?: number; readonly availTop?: number };
  const place = (at: number | undefined): string => (at === undefined ? "?" : String(at));
  return `${screen.width}x${screen.height}+${place(screen.availLeft)}+${place(screen.availTop)}/${screen.colorDepth}`;
}

export function readingEnvironment(): EnvironmentAccount {
  const { renderer, name } = probe();
  return {
    viewer: "canvas2d/1",
    window_width_px: window.innerWidth,
    window_height_px: window.innerHeight,
    screen_width_px: window.screen.width,
    screen_height_px: window.screen.height,
    device_pixel_ratio: window.devicePixelRatio,
    zoom_percent: estimatedZoomPercent({
      outerWidth: window.outerWidth,
      innerWidth: window.innerWidth,
      devicePixelRatio: window.devicePixelRatio,
      outerIsUnzoomed: outerIsUnzoomed(),
    }),
    pinch_zoom: window.visualViewport?.scale ?? null,
    colour_depth_bits: window.screen.colorDepth,
    renderer,
    renderer_name: name,
    display: displayName(),
    touch_points: navigator.maxTouchPoints,
    processor_cores: navigator.hardwareConcurrency ?? null,
  };
}

/** What of the account changes while a reading is open. */
export function changingPart(account: EnvironmentAccount): Readonly<Record<string, string | number | null>> {
  const { window_width_px, window_height_px, device_pixel_ratio, zoom_percent, display } = account;
  return { window_width_px, window_height_px, device_pixel_ratio, zoom_percent, display };
}

/** Window or display may have changed: size, zoom, or another display with another pixel ratio. */
export function watchEnvironment(changed: () => void): () => void {
  const stop = new AbortController();
  window.addEventListener("resize", changed, { signal: stop.signal });
  window.visualViewport?.addEventListener("resize", changed, { signal: stop.signal });
  return () => stop.abort();
}
