import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type EnvironmentRule, environmentProblems, needsGreySteps } from "./minimum";

interface Example {
  readonly name: string;
  readonly environment: Readonly<Record<string, unknown>>;
  readonly asked: Pick<EnvironmentRule, "minimum_window" | "minimum_colour_depth_bits">;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

/** The table that the server's rule is held to as well. */
const examples = JSON.parse(
  readFileSync("../tests/trials/domain/samples/environments.json", "utf-8"),
) as readonly Example[];

test.each(examples)("the server's words: $name", ({ environment, asked, problems }) => {
  expect(environmentProblems(environment, asked)).toEqual(problems);
});

test("a protocol that asks for nothing refuses nothing", () => {
  expect(environmentProblems({}, null)).toEqual([]);
});

const rule = (changes: Partial<EnvironmentRule>): EnvironmentRule => ({
  minimum_window: null,
  minimum_colour_depth_bits: null,
  grey_steps: "offered",
  grey_steps_failing: "warn",
  fit_displays: ["a"],
  ...changes,
});

test("the grey steps are looked at once per display, and only where the protocol says so", () => {
  expect(needsGreySteps("a", rule({}))).toBe(false);
  expect(needsGreySteps("b", rule({}))).toBe(true);
  expect(needsGreySteps("b", rule({ grey_steps: "required" }))).toBe(true);
  expect(needsGreySteps("b", rule({ grey_steps: "none" }))).toBe(false);
  expect(needsGreySteps("b", null)).toBe(false);
});
