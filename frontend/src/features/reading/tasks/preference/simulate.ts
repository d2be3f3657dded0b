/** A reader who needs no screen: draws an answer to a preference reading, for rehearsals and tests. */
import type { Presentation } from "@/api/types";
import type { ReadingAnswer } from "../../api";
import { setupOf } from "../task";

export interface SimulatedReader {
  /** Chance of choosing the left pane. */
  readonly leftShare: number;
  /** Chance of not being able to assess. */
  readonly cannotAssessShare: number;
}

/** `random` gives numbers in [0, 1); the answer is one that the task allows. */
export function simulate(presentation: Presentation, reader: SimulatedReader, random: () => number): ReadingAnswer {
  const reasons = presentation.cannot_assess;
  if (reasons.length > 0 && random() < reader.cannotAssessShare) {
    const reason = reasons[Math.floor(random() * reasons.length)];
    return { choice: "cannot_assess", reason_code: reason?.code ?? null, comment: "" };
  }
  const wanted = random() < reader.leftShare ? "left" : "right";
  const { options } = setupOf(presentation, "preference");
  const option = options.find((each) => each.value === wanted) ?? options[0];
  return { choice: option?.value ?? wanted, reason_code: null, comment: "" };
}
