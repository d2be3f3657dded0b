/** A presentation as the server sends it, for tests. */
import type { Presentation } from "@/api/types";

export function makePresentation(overrides: Partial<Presentation> = {}): Presentation {
  return {
    reading: "r1",
    lease: 1,
    task: "preference",
    phase: "reading",
    n: 12,
    total: 100,
    seconds_left_estimate: 840,
    resumed: false,
    may_amend_previous: false,
    image: {
      frames: "/frames/t1/",
      rows: 2,
      columns: 2,
      row_spacing_mm: 1,
      column_spacing_mm: 1,
      dtype: "int16",
      first_frame: 0,
      frame_count: 3,
      start_frame: 1,
    },
    question: "Which contour is more accurate?",
    options: [
      { value: "left", label: "A", key: "ArrowLeft" },
      { value: "right", label: "B", key: "ArrowRight" },
      { value: "none", label: "No preference", key: "ArrowDown" },
    ],
    cannot_assess: [
      { code: "image_quality", label: "Image quality too low" },
      { code: "other", label: "Other" },
    ],
    confirm: true,
    comment: true,
    panes: [
      { pane: "left", label: "A", outlines: "AQAAAA==" },
      { pane: "right", label: "B", outlines: "AQAAAA==" },
    ],
    style: { colour: "#FFD60A", width_px: 2, halo_px: 1 },
    windows: [
      { key: "1", label: "Lung", width: 1500, level: -600 },
      { key: "2", label: "Mediastinum", width: 400, level: 40 },
    ],
    start_window: 0,
    scroll: true,
    draft: null,
    ...overrides,
  };
}
