/** The rating form: any image, and questions of the protocol's. Parameters and data, said once. */
export const info = {
  name: "rating-form",
  version: "1",
  parameters: {
    introduction: { type: "string|null", says: "What stands above the questions." },
    questions: { type: "questions", says: "Key, kind, label, options, range, and after which answers it is asked." },
    cannot_assess: { type: "reasons", says: "Coded reasons for not answering; empty if the task has none." },
    confirm: { type: "boolean", says: "Whether the form needs Enter or the button before it is submitted." },
    comment: { type: "boolean", says: "Whether a comment may be written." },
    windows: { type: "windows", says: "Display windows, made from the image or named by the protocol." },
    scroll: { type: "boolean", says: "Whether the image is a stack of slices." },
  },
  data: {
    answers: { type: "object", says: "Answers by question key; only of questions that were asked." },
    reason_code: { type: "string|null", says: "Why it could not be assessed; null with every other answer." },
    comment: { type: "string", says: "Free text, empty if none was written." },
  },
} as const;
