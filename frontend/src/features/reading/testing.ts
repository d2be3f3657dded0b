/** A presentation as the server sends it, for tests. */
import type { Presentation, ReadingImage } from "@/api/types";

export function makeImage(overrides: Partial<ReadingImage> = {}): ReadingImage {
  return {
    frames: "/frames/t1/",
    rows: 2,
    columns: 2,
    row_spacing_mm: 1,
    column_spacing_mm: 1,
    frame_spacing_mm: 1,
    dtype: "int16",
    first_frame: 0,
    frame_count: 1,
    start_frame: 0,
    views: [],
    modality: "CT",
    ...overrides,
  };
}

export function makePresentation(overrides: Partial<Presentation> = {}): Presentation {
  return {
    reading: "r1",
    lease: 1,
    task: "preference",
    phase: "reading",
    n: 12,
    total: 100,
    seconds_left_estimate: 840,
    stage: 0,
    condition: null,
    resumed: false,
    may_amend_previous: false,
    images: [makeImage({ frames: "/frames/t1/", frame_count: 3, start_frame: 1 })],
    question: "Which contour is more accurate?",
    cannot_assess: [
      { code: "image_quality", label: "Image quality too low" },
      { code: "other", label: "Other" },
    ],
    confirm: true,
    comment: true,
    windows: [
      { key: "1", label: "Lung", width: 1500, level: -600 },
      { key: "2", label: "Mediastinum", width: 400, level: 40 },
    ],
    start_window: 0,
    inverted: false,
    value_range: { lowest: -1200, highest: 3000 },
    scroll: true,
    setup: {
      kind: "preference",
      options: [
        { value: "left", label: "A", key: "ArrowLeft" },
        { value: "right", label: "B", key: "ArrowRight" },
        { value: "none", label: "No preference", key: "ArrowDown" },
      ],
      panes: [
        { pane: "left", label: "A", outlines: "AQAAAA==" },
        { pane: "right", label: "B", outlines: "AQAAAA==" },
      ],
      style: { colour: "#FFD60A", width_px: 2, halo_px: 1 },
    },
    has_aid: false,
    aid: null,
    first_answer: null,
    leave_note: "If you leave, this case waits for you and goes on where you left it.",
    resume_within_hours: null,
    draft: null,
    ...overrides,
  };
}
