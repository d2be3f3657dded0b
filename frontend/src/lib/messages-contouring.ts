/** What readers see while they outline. */
import type { ToolName } from "@/viewer/contouring/session";

const tools: Readonly<Record<ToolName, string>> = {
  brush: "Brush",
  eraser: "Erase",
  threshold: "Limited",
  freehand: "Freehand",
  polygon: "Polygon",
  spline: "Spline",
  livewire: "Livewire",
  grow: "Grow",
  nudge: "Nudge",
  window: "Window",
};

export const contouringMessages = {
  tools,
  rail: "Drawing tools",
  subtract: "Subtract",
  fill: "Fill",
  smooth: "Smooth",
  interpolate: "Interp.",
  copy: "Copy",
  undo: "Undo",
  redo: "Redo",
  axial: "Axial slice, to draw on",
  sagittal: "Sagittal plane",
  coronal: "Coronal plane",
  strip: "Slices",
  slice: (n: number, count: number): string => `Slice ${n} of ${count}`,
  brushSize: (mm: number): string => `${mm} mm`,
  brushName: "Brush diameter in millimetres",
  lowest: "from",
  highest: "to",
  lowestName: "Lowest value that the limited brush paints",
  highestName: "Highest value that the limited brush paints",
  tolerance: "tolerance",
  toleranceName: "Tolerance of the smart click in Hounsfield units",
  radius: "radius",
  radiusName: "Radius of the smart click in millimetres",
  inSlice: "in the slice",
  in3d: "in 3D",
  fused: "PET",
  fusedName: "Opacity of the second series",
  measures: (ml: number, mm: number | null): string =>
    mm === null ? "Nothing drawn" : `${ml.toFixed(1)} ml, longest ${mm.toFixed(1)} mm`,
  clock: (minutes: number, seconds: number): string => `${minutes} min ${String(seconds).padStart(2, "0")} s`,
  finish: "Finish",
  finishAnyway: "Finish all the same",
  goTo: "Go there",
  gaps: (slices: readonly number[]): string =>
    slices.length === 1
      ? `Slice ${slices[0]} lies between drawn slices and has no contour.`
      : `${slices.length} slices between drawn ones have no contour: ${slices.slice(0, 6).join(", ")}${slices.length > 6 ? " ..." : ""}.`,
  keys: [
    { keys: "B  E  T", does: "Brush, eraser, brush limited to a range of values" },
    { keys: "F  P  S  L", does: "Freehand, polygon, spline, livewire; Enter closes, Esc gives up" },
    { keys: "G  (V)", does: "Smart click; V: in the slice or in 3D" },
    { keys: "U", does: "Nudge the border: from inside outwards, from outside inwards" },
    { keys: "A", does: "Add or subtract" },
    { keys: "N", does: "Interpolate between drawn slices" },
    { keys: "D  Shift + D", does: "Copy to the next slice, to the one before" },
    { keys: "K  M  Delete", does: "Fill holes (Shift: everywhere), smooth, erase the slice" },
    { keys: "Ctrl + Z", does: "Undo; Ctrl + Shift + Z does it again" },
    { keys: "[ ]", does: "Brush size; also Alt + wheel" },
    { keys: "Arrows, Space", does: "Move the cursor (Shift: 10 pixels), draw while Space is held" },
    { keys: "Page up, down", does: "Slices; also the wheel" },
    { keys: "+ -  W", does: "Zoom; window with the left mouse button" },
    { keys: "O  { }", does: "Second series on or off, its opacity" },
  ],
  mouse: [
    { keys: "Left button", does: "Draws with the tool in hand" },
    { keys: "Ctrl + click", does: "Crosshair here; also a click on the side planes" },
    { keys: "W, then left drag", does: "Window: right is wider, down is a higher level" },
    { keys: "Middle drag, Shift + left drag", does: "Move the image" },
    { keys: "Right drag, Ctrl + wheel", does: "Zoom" },
    { keys: "Wheel", does: "Slices; Alt + wheel: brush size" },
    { keys: "Click on the strip below", does: "Go to that slice" },
  ],
} as const;

const looking = [
  { keys: "Page up, down", does: "Slices; also the wheel" },
  { keys: "Arrows", does: "Move the crosshair (Shift: 10 pixels)" },
  { keys: "+ -", does: "Zoom" },
  { keys: "H (hold)", does: "Hide the contour" },
] as const;

/** What readers see while they review a contour. */
export const reviewMessages = {
  verdict: "Accept the contour, edit it, or reject it?",
  verdicts: { accept: "Accept", edit: "Edit", reject: "Reject" },
  origins: { person: "A person", algorithm: "An algorithm", dont_know: "Don't know" },
  names: { acceptability: "acceptability", verdict: "verdict", origin: "who made it" },
  step: (step: number, steps: number): string => `Step ${step} of ${steps}`,
  changeAnswer: (name: string, answer: string): string => `Change the answer: ${name}, ${answer}`,
  undoFirst: "The contour was changed. Undo the changes (Ctrl + Z) to accept it as it was.",
  change: "Change the contour with the tools at the left.",
  done: "All is answered. Finish, or change an answer.",
  surface: "Surface of the contour in three dimensions; arrow keys turn it",
  keys: [
    { keys: "1 to 9", does: "Answer the question that stands, as written on the buttons" },
    { keys: "Backspace", does: "Take the last answer back, while nothing is drawn" },
    ...looking,
    { keys: "After Edit:", does: "The drawing tools" },
    ...contouringMessages.keys.slice(0, 11),
  ],
  mouse: [
    { keys: "Drag on the surface", does: "Turns it" },
    { keys: "Left drag before Edit", does: "Window: right is wider, down is a higher level" },
    ...contouringMessages.mouse,
  ],
} as const;
