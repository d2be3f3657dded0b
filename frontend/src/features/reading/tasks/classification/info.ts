/** The classification task: one scan, a decision, a suspicion, marks; unaided, aided, or first the one and then the other. */
export const info = {
  name: "classification",
  version: "1",
  parameters: {
    decision: { type: "decision|null", says: "The yes or no, asked first: its question, its two answers, their keys." },
    rating: { type: "rating|null", says: "The suspicion of disease: a slider from 0 to 100, or 5 or 6 points." },
    marks: { type: "marks|null", says: "Whether points or boxes may be marked, how many, and whether each is rated." },
    aid: {
      type: "aid|null",
      says: "Probability and heat map of the reading's condition; travels with the opening alone.",
    },
    first_answer: { type: "answer|null", says: "The committed answer of a sequential pair." },
  },
  data: {
    decision: { type: "0|1|null", says: "0 is the negative answer." },
    rating: { type: "integer|null", says: "0 to 100, or the number of the point, from 1." },
    marks: { type: "marks", says: "Frame and image coordinates of each; the centre of the first pixel is (0, 0)." },
    reason_code: { type: "string|null", says: "Why it could not be assessed; null with every answer." },
    comment: { type: "string", says: "Free text, empty if none was written." },
  },
} as const;
