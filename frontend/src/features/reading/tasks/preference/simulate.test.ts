import { expect, test } from "vitest";
import { makePresentation } from "../../testing";
import { simulate } from "./simulate";

const drawn = (...numbers: number[]) => {
  return () => numbers.shift() ?? 0;
};

test("a simulated reader gives only answers that the task allows", () => {
  const reader = { leftShare: 0.6, cannotAssessShare: 0.1 };
  const presentation = makePresentation();
  expect(simulate(presentation, reader, drawn(0.5, 0.3))).toEqual({ choice: "left", reason_code: null, comment: "" });
  expect(simulate(presentation, reader, drawn(0.5, 0.9))).toEqual({ choice: "right", reason_code: null, comment: "" });
  expect(simulate(presentation, reader, drawn(0.05, 0.99))).toEqual({
    choice: "cannot_assess",
    reason_code: "other",
    comment: "",
  });
});
