/** The contouring task: one volume, outlined by hand; nothing is drawn beforehand. Parameters and data, said once. */
export const info = {
  name: "contouring",
  version: "1",
  parameters: {
    question: { type: "string", says: "One sentence: what is to be outlined." },
    cannot_assess: { type: "reasons", says: "Coded reasons for not answering; empty if the task has none." },
    comment: { type: "boolean", says: "Whether a comment may be written." },
    windows: { type: "windows", says: "Window presets in Hounsfield units, each with its key." },
    grids: { type: "grids", says: "Where the voxels of every image lie." },
    fused: { type: "range|null", says: "Values at the ends of the second series' colours; null without one." },
    show_volume: { type: "boolean", says: "Whether volume and longest diameter are shown while drawing." },
    show_clock: { type: "boolean", says: "Whether the time since the first picture is shown." },
  },
  data: {
    mask: { type: "bytes", says: "The drawn voxels on the image's own grid (EQMK1, base64)." },
    engine: { type: "engine", says: "By what it was drawn: name and version." },
    acts: { type: "acts", says: "Everything that was done, with times: replayed, it gives the mask." },
    slice_ms: { type: "numbers", says: "Milliseconds that each slice was looked at." },
    origins: { type: "strings", says: "Whether each slice was drawn or interpolated." },
    reason_code: { type: "string|null", says: "Why it could not be assessed; null with a contour." },
    comment: { type: "string", says: "Free text, empty if none was written." },
  },
} as const;
