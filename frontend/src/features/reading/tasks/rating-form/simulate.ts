/** A reader who needs no screen: draws an answer to every question that is asked, for rehearsals and tests. */
import type { Presentation } from "@/api/types";
import type { ReadingAnswer } from "../../api";
import { setupOf } from "../task";
import { asked, type FormAnswer, type FormAnswers, type FormQuestion, YES_NO } from "./value";

function drawn(question: FormQuestion, random: () => number): FormAnswer | null {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const { kind, options } = question;
  if (kind === "yes_no") return pick(YES_NO)?.value ?? null;
  if (kind === "text") return null;
  if (kind === "multiple_choice") {
    const first = pick(options);
    return first ? [first.value] : null;
  }
  if (kind === "integer" || kind === "number") {
    const low = Number(question.minimum ?? 0);
    return Math.round(low + random() * (Number(question.maximum ?? low + 100) - low));
  }
  return pick(options)?.value ?? null;
}

/** `random` gives numbers in [0, 1); the answer is one that the task allows. */
export function simulate(presentation: Presentation, random: () => number): ReadingAnswer {
  const { questions } = setupOf(presentation, "rating-form");
  let answers: FormAnswers = {};
  for (const question of questions) {
    if (!asked(questions, answers).includes(question)) continue;
    const answer = drawn(question, random);
    if (answer !== null) answers = { ...answers, [question.key]: answer };
  }
  return { answers, reason_code: null, comment: "" };
}
