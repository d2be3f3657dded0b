/** Where an image point lies on the screen: fit, zoom to the cursor and pan, with the right aspect in millimetres. */
import { type ImageGrid, type ImagePoint, imagePoint, type ScreenPoint, screenPoint } from "./coordinates";

/** What part of the image is shown. `zoom` 1 fits the whole image into the pane; `centre` lies in the pane's middle. */
export interface View {
  readonly zoom: number;
  readonly centre: ImagePoint;
}

/** Size of a pane in CSS pixels and the number of device pixels in one of them. */
export interface PaneSize {
  readonly width: number;
  readonly height: number;
  readonly pixelRatio: number;
}

/** Device pixels per column and row, and the device position of the image's upper left corner. */
export interface DeviceTransform {
  readonly scaleX: number;
  readonly scaleY: number;
  readonly left: number;
  readonly top: number;
}

export const SMALLEST_ZOOM = 0.5;
export const LARGEST_ZOOM = 20;

export function wholeImage(grid: ImageGrid): View {
  return { zoom: 1, centre: imagePoint((grid.columns - 1) / 2, (grid.rows - 1) / 2) };
}

/** CSS pixels per millimetre at zoom 1. */
export function fitScale(grid: ImageGrid, size: PaneSize): number {
  return Math.min(size.width / (grid.columns * grid.columnSpacingMm), size.height / (grid.rows * grid.rowSpacingMm));
}

/** The zoom at which one column of the image is one device pixel wide. */
export function oneToOneZoom(grid: ImageGrid, size: PaneSize): number {
  return 1 / (fitScale(grid, size) * grid.columnSpacingMm * size.pixelRatio);
}

/** Steps below which a scale counts as 1: the picture is then copied pixel by pixel. */
const ONE_TO_ONE_TOLERANCE = 1e-6;

const nearOne = (scale: number): number => (Math.abs(scale - 1) < ONE_TO_ONE_TOLERANCE ? 1 : scale);

/**
 * The transform in device pixels. The corner is rounded to whole device pixels, so that at 1:1 no pixel is mixed with
 * its neighbour and both panes of a pair, which have equal sizes, show equal pixels.
 */
export function deviceTransform(grid: ImageGrid, view: View, size: PaneSize): DeviceTransform {
  const perMm = fitScale(grid, size) * view.zoom * size.pixelRatio;
  const scaleX = nearOne(perMm * grid.columnSpacingMm);
  const scaleY = nearOne(perMm * grid.rowSpacingMm);
  return {
    scaleX,
    scaleY,
    left: Math.round((size.width * size.pixelRatio) / 2 - (view.centre.x + 0.5) * scaleX),
    top: Math.round((size.height * size.pixelRatio) / 2 - (view.centre.y + 0.5) * scaleY),
  };
}

export function isOneToOne(transform: DeviceTransform): boolean {
  return transform.scaleX === 1 && transform.scaleY === 1;
}

/** CSS pixels per column and row. */
function screenScale(grid: ImageGrid, view: View, size: PaneSize): { x: number; y: number } {
  const perMm = fitScale(grid, size) * view.zoom;
  return { x: perMm * grid.columnSpacingMm, y: perMm * grid.rowSpacingMm };
}

export function toImage(point: ScreenPoint, grid: ImageGrid, view: View, size: PaneSize): ImagePoint {
  const scale = screenScale(grid, view, size);
  return imagePoint(
    view.centre.x + (point.x - size.width / 2) / scale.x,
    view.centre.y + (point.y - size.height / 2) / scale.y,
  );
}

export function toScreen(point: ImagePoint, grid: ImageGrid, view: View, size: PaneSize): ScreenPoint {
  const scale = screenScale(grid, view, size);
  return screenPoint(
    (point.x - view.centre.x) * scale.x + size.width / 2,
    (point.y - view.centre.y) * scale.y + size.height / 2,
  );
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** Keeps the pane's middle on the image, so that it cannot be pushed out of sight. */
function withinImage(view: View, grid: ImageGrid): View {
  return {
    zoom: view.zoom,
    centre: imagePoint(clamp(view.centre.x, 0, grid.columns - 1), clamp(view.centre.y, 0, grid.rows - 1)),
  };
}

/** Moves the image with the hand: `dx` and `dy` in CSS pixels. */
export function panned(view: View, grid: ImageGrid, size: PaneSize, dx: number, dy: number): View {
  const scale = screenScale(grid, view, size);
  const centre = imagePoint(view.centre.x - dx / scale.x, view.centre.y - dy / scale.y);
  return withinImage({ zoom: view.zoom, centre }, grid);
}

/** Zooms by `factor` with the image point under `at` staying where it is. */
export function zoomedAt(view: View, grid: ImageGrid, size: PaneSize, factor: number, at: ScreenPoint): View {
  const zoom = clamp(view.zoom * factor, SMALLEST_ZOOM, LARGEST_ZOOM);
  const fixed = toImage(at, grid, view, size);
  const scale = screenScale(grid, { zoom, centre: view.centre }, size);
  const centre = imagePoint(fixed.x - (at.x - size.width / 2) / scale.x, fixed.y - (at.y - size.height / 2) / scale.y);
  return withinImage({ zoom, centre }, grid);
}
