/**
 * What a reader did to the mask, one act after another: enough to make the mask again, voxel for voxel, from the same
 * image. Stored with the reading; fields are added, never renamed.
 */

export type Mode = "add" | "subtract";
/** Values in stored units (HU), ends included, that a limited brush may paint on. */
export type ValueRange = readonly [number, number];

/** Strokes: `points` are x and y in turn, in pixels, whole numbers at pixel centres. */
export type StrokeAct =
  | {
      readonly tool: "brush" | "eraser" | "threshold";
      readonly z: number;
      readonly mode: Mode;
      readonly diameterMm: number;
      readonly range: ValueRange | null;
      readonly points: readonly number[];
    }
  | { readonly tool: "nudge"; readonly z: number; readonly diameterMm: number; readonly points: readonly number[] };

/** Closed shapes; `points` of a livewire are its anchors, and `path` the whole line it found. */
export type ShapeAct =
  | {
      readonly tool: "freehand" | "polygon" | "spline";
      readonly z: number;
      readonly mode: Mode;
      readonly points: readonly number[];
    }
  | {
      readonly tool: "livewire";
      readonly z: number;
      readonly mode: Mode;
      readonly points: readonly number[];
      readonly path: readonly number[];
    };

export type OneClickAct =
  | {
      readonly tool: "grow";
      readonly z: number;
      readonly mode: Mode;
      readonly seed: readonly [number, number];
      readonly tolerance: number;
      readonly radiusMm: number;
      readonly dimensions: 2 | 3;
    }
  /** `z` null: in every slice. */
  | { readonly tool: "fill_holes"; readonly z: number | null }
  | { readonly tool: "smooth"; readonly z: number; readonly radiusMm: number }
  | { readonly tool: "erase_slice"; readonly z: number }
  | { readonly tool: "copy"; readonly from: number; readonly z: number }
  | { readonly tool: "interpolate" };

export type HistoryAct = { readonly tool: "undo" | "redo" };

export type Edit = StrokeAct | ShapeAct | OneClickAct;
export type Act = Edit | HistoryAct;

/** An act with its times on the page's monotonic clock, in milliseconds. */
export type LoggedAct = Act & { readonly startMs: number; readonly endMs: number };

/** Points are kept to a sixteenth of a pixel: the mask is made from the kept ones, so replaying is exact. */
export const POINT_UNIT = 16;

export const kept = (value: number): number => Math.round(value * POINT_UNIT) / POINT_UNIT;
