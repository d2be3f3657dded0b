import { expect, test } from "vitest";
import type { Question } from "@/api/types";
import { unanswered } from "./questions";

const question = (key: string, required: boolean): Question => ({
  key,
  kind: "text",
  label: key,
  help: null,
  required,
  options: [],
  minimum: null,
  maximum: null,
  unit: null,
  max_length: 10,
});

test("required questions without an answer are named; no and zero are answers", () => {
  const questions = [
    question("a", true),
    question("b", true),
    question("c", true),
    question("d", true),
    question("e", false),
  ];
  expect(unanswered(questions, { a: "", b: 0, c: false, d: [] })).toEqual(["a", "d"]);
});
