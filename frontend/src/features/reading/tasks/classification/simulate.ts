/** A reader who needs no screen: answers a classification reading, for rehearsals and tests. */
import type { Presentation } from "@/api/types";
import type { ReadingAnswer } from "../../api";
import { setupOf } from "../task";

export interface SimulatedReader {
  /** Suspicion from 0 to 1; the decision is positive from `threshold` on. */
  readonly suspicion: number;
  readonly threshold: number;
  readonly cannotAssessShare: number;
}

/** `random` gives numbers in [0, 1); the answer is one that the task allows. */
export function simulate(presentation: Presentation, reader: SimulatedReader, random: () => number): ReadingAnswer {
  const reasons = presentation.cannot_assess;
  if (reasons.length > 0 && random() < reader.cannotAssessShare) {
    return { decision: null, rating: null, marks: [], reason_code: reasons[0]?.code ?? null, comment: "" };
  }
  const { decision, rating } = setupOf(presentation, "classification");
  const steps = rating?.scale === "points" ? rating.points.length : 101;
  const step = Math.min(steps - 1, Math.max(0, Math.round(reader.suspicion * (steps - 1))));
  return {
    decision: decision ? Number(reader.suspicion >= reader.threshold) : null,
    rating: rating ? step + (rating.scale === "points" ? 1 : 0) : null,
    marks: [],
    reason_code: null,
    comment: "",
  };
}
