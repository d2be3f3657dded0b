/** The preference task: two contours on one image, side by side; which is better. Parameters and data, said once. */
export const info = {
  name: "preference",
  version: "1",
  parameters: {
    question: { type: "string", says: "One sentence, shown once, always in the same place." },
    options: { type: "options", says: "What may be answered: value, label, key." },
    cannot_assess: { type: "reasons", says: "Coded reasons for not answering; empty if the task has none." },
    confirm: { type: "boolean", says: "Whether an answer needs Enter or the button before it is submitted." },
    comment: { type: "boolean", says: "Whether a comment may be written." },
    windows: { type: "windows", says: "Window presets in Hounsfield units, each with its key." },
    scroll: { type: "boolean", says: "Whether neighbouring slices may be looked at." },
  },
  data: {
    choice: { type: "string", says: "The chosen option's value, or cannot_assess." },
    reason_code: { type: "string|null", says: "Why it could not be assessed; null with every other choice." },
    comment: { type: "string", says: "Free text, empty if none was written." },
  },
} as const;
