/** The form's answers, which questions are asked, and which one the keys speak to. */
import type { setupOf } from "../task";

export type FormQuestion = ReturnType<typeof setupOf<"rating-form">>["questions"][number];
export type FormAnswer = string | number | boolean | readonly string[];
export type FormAnswers = Readonly<Record<string, FormAnswer>>;

export interface FormValue {
  /** Of the form; the same for every reading of a trial. */
  readonly questions: readonly FormQuestion[];
  readonly answers: FormAnswers;
  /** Key of the question that number keys answer. */
  readonly current: string | null;
}

export type FormAction =
  | { readonly type: "answer"; readonly key: string; readonly answer: FormAnswer | null; readonly advance: boolean }
  | { readonly type: "move"; readonly to: string };

export const YES_NO = [
  { value: true, label: "yes" },
  { value: false, label: "no" },
] as const;

/** An answer as the protocol's conditions name it. */
function named(answer: FormAnswer | undefined): readonly string[] {
  if (answer === undefined) return [];
  if (typeof answer === "boolean") return [answer ? "yes" : "no"];
  return typeof answer === "object" ? answer : [String(answer)];
}

/** The questions that are asked given these answers; a condition holds only on a question that is asked itself. */
export function asked(questions: readonly FormQuestion[], answers: FormAnswers): FormQuestion[] {
  const shown: FormQuestion[] = [];
  for (const question of questions) {
    const { shown_if: condition } = question;
    const holds =
      !condition ||
      (shown.some((other) => other.key === condition.question) &&
        named(answers[condition.question]).some((each) => condition.answers.includes(each)));
    if (holds) shown.push(question);
  }
  return shown;
}

export function isAnswered(answer: FormAnswer | undefined): boolean {
  if (answer === undefined) return false;
  if (typeof answer === "string") return answer.trim() !== "";
  return typeof answer === "object" ? answer.length > 0 : true;
}

/** A number outside the question's range is no answer yet. */
export function isWithin(question: FormQuestion, answer: FormAnswer | undefined): boolean {
  if (typeof answer !== "number") return true;
  const { minimum, maximum } = question;
  const whole = question.kind !== "integer" || Number.isInteger(answer);
  return whole && (minimum === null || answer >= Number(minimum)) && (maximum === null || answer <= Number(maximum));
}

export function isComplete(value: FormValue): boolean {
  return asked(value.questions, value.answers).every((question) => {
    const answer = value.answers[question.key];
    return isWithin(question, answer) && (!question.required || isAnswered(answer));
  });
}

/** The answers to the questions that are asked; what was answered before a change of mind is left out. */
export function given(value: FormValue): FormAnswers {
  const entries = asked(value.questions, value.answers).flatMap((question) => {
    const answer = value.answers[question.key];
    return answer !== undefined && isAnswered(answer) ? [[question.key, answer] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** The question after (or before) another among those that are asked; the same at the ends. */
export function neighbour(questions: readonly FormQuestion[], key: string | null, step: 1 | -1): string | null {
  const at = questions.findIndex((question) => question.key === key);
  const next = Math.min(questions.length - 1, Math.max(0, at + step));
  return questions[next]?.key ?? null;
}

export function reduce(value: FormValue, action: FormAction): FormValue {
  if (action.type === "move") return value.current === action.to ? value : { ...value, current: action.to };
  const { [action.key]: _, ...others } = value.answers;
  const answers = action.answer === null ? others : { ...others, [action.key]: action.answer };
  const shown = asked(value.questions, answers);
  const current = action.advance ? neighbour(shown, action.key, 1) : action.key;
  return { ...value, answers, current };
}

/** What choosing the n-th option of a question (from 0) does; null if it has no such option. */
export function chosen(question: FormQuestion, index: number, answers: FormAnswers): FormAction | null {
  const { key, kind, options } = question;
  if (kind === "yes_no") {
    const option = YES_NO[index];
    return option ? { type: "answer", key, answer: option.value, advance: true } : null;
  }
  const option = options[index];
  if (!option) return null;
  if (kind !== "multiple_choice") return { type: "answer", key, answer: option.value, advance: true };
  const before = answers[key];
  const list = Array.isArray(before) ? (before as readonly string[]) : [];
  const answer = list.includes(option.value)
    ? list.filter((each) => each !== option.value)
    : options.map((each) => each.value).filter((each) => each === option.value || list.includes(each));
  return { type: "answer", key, answer: answer.length > 0 ? answer : null, advance: false };
}
