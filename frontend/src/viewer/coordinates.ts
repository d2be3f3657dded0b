/**
 * The two spaces of the viewer. They never mix: a point of one cannot be passed where the other is expected.
 *
 * Image space counts columns and rows; the centre of the first pixel is (0, 0), so that pixel (x, y) covers
 * [x - 0.5, x + 0.5]. Screen space counts CSS pixels from the upper left corner of a pane.
 */
import type { Brand } from "@/lib/brand";

export type ImagePoint = Brand<{ readonly x: number; readonly y: number }, "ImagePoint">;
export type ScreenPoint = Brand<{ readonly x: number; readonly y: number }, "ScreenPoint">;
export type FrameNumber = Brand<number, "FrameNumber">;

export const imagePoint = (x: number, y: number): ImagePoint => ({ x, y }) as ImagePoint;
export const screenPoint = (x: number, y: number): ScreenPoint => ({ x, y }) as ScreenPoint;
export const frameNumber = (n: number): FrameNumber => n as FrameNumber;

/** Size and spacing of the pixel grid that every frame of an item shares. */
export interface ImageGrid {
  readonly rows: number;
  readonly columns: number;
  readonly rowSpacingMm: number;
  readonly columnSpacingMm: number;
}
