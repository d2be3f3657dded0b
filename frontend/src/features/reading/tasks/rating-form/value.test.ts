import { expect, test } from "vitest";
import { asked, chosen, type FormQuestion, type FormValue, given, isComplete, reduce } from "./value";

const question = (key: string, overrides: Partial<FormQuestion> = {}): FormQuestion => ({
  key,
  kind: "yes_no",
  label: key,
  help: null,
  required: true,
  options: [],
  minimum: null,
  maximum: null,
  unit: null,
  max_length: 1000,
  shown_if: null,
  ...overrides,
});
const options = ["a", "b", "c"].map((value) => ({ value, label: value }));
const questions = [
  question("pet"),
  question("why", { kind: "multiple_choice", options, shown_if: { question: "pet", answers: ["yes"] } }),
  question("share", { kind: "integer", minimum: "0", maximum: "100", required: false }),
];
const empty: FormValue = { questions, answers: {}, current: "pet" };
const keys = (value: FormValue) => asked(value.questions, value.answers).map((each) => each.key);

test("a question is asked only after the answers that lead to it", () => {
  expect(keys(empty)).toEqual(["pet", "share"]);
  expect(keys({ ...empty, answers: { pet: true } })).toEqual(["pet", "why", "share"]);
});

test("choosing answers and moves on; several choices stay where they are", () => {
  const first = chosen(question("pet"), 0, {});
  expect(first).toEqual({ type: "answer", key: "pet", answer: true, advance: true });
  const next = reduce(empty, first as NonNullable<typeof first>);
  expect(next.current).toBe("why");
  const why = questions[1] as FormQuestion;
  const third = reduce(next, chosen(why, 2, next.answers) as NonNullable<ReturnType<typeof chosen>>);
  const both = reduce(third, chosen(why, 0, third.answers) as NonNullable<ReturnType<typeof chosen>>);
  expect([both.current, both.answers.why]).toEqual(["why", ["a", "c"]]);
  const none = [2, 0].reduce(
    (value, index) => reduce(value, chosen(why, index, value.answers) as NonNullable<ReturnType<typeof chosen>>),
    both,
  );
  expect(none.answers).toEqual({ pet: true });
  expect(chosen(why, 7, {})).toBeNull();
});

test("a form is complete when what is required is answered and every number is within its range", () => {
  expect(isComplete(empty)).toBe(false);
  expect(isComplete({ ...empty, answers: { pet: false } })).toBe(true);
  expect(isComplete({ ...empty, answers: { pet: true } })).toBe(false);
  expect(isComplete({ ...empty, answers: { pet: false, share: 101 } })).toBe(false);
  expect(isComplete({ ...empty, answers: { pet: false, share: 1.5 } })).toBe(false);
});

test("answers to questions that are no longer asked are kept for a change of mind and not sent", () => {
  const value: FormValue = { ...empty, answers: { pet: false, why: ["a"] } };
  expect(given(value)).toEqual({ pet: false });
  expect(given({ ...value, answers: { ...value.answers, pet: true } })).toEqual({ pet: true, why: ["a"] });
});
