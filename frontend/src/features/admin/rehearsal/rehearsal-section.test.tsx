import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Rehearsal, RehearsalList, Trial } from "@/api/types";
import { Kit } from "../kit";
import { Rehearsals } from "./rehearsal-section";

const HASH = "ab".repeat(32);

const trial = (changes: Partial<Trial>): Trial =>
  ({ id: "t", state: "draft", permissions: ["protocol:edit"], open_to: ["rehearse"], ...changes }) as Trial;

const rehearsal = (changes: Partial<Rehearsal>): Rehearsal => ({
  id: "r",
  kind: "single",
  protocol_version: 1,
  protocol_sha256: HASH,
  seed: 7,
  repeats: 1,
  plan: {},
  state: "passed",
  job_id: null,
  message: null,
  report: {
    passed: true,
    problems: [],
    material: { cases: 24, items: 24, phantoms: 24, references_simulated: 0, algorithms_simulated: [] },
    cells: { planned: 288, read: 288, not_assessable: 3, missing: [] },
    estimates: [
      {
        analysis: "mrmc",
        label: "Difference of means, aided minus unaided",
        unit: "",
        value: 0.06,
        low: -0.02,
        high: 0.14,
        set_to: 0.08,
        covers: true,
      },
    ],
    analyses: [{ name: "mrmc", title: "MRMC", role: "primary", findings: ["A finding."], problem: null }],
    pace: [{ participant: "R-01", readings: 48, minutes: 21.25 }],
    pace_in_words: "A reader needs about 21 min of reading (from 21 min to 21 min), breaks left out.",
    balance: ["Every item is even."],
    seconds: 12,
  },
  gate: null,
  created_at: "2026-03-01T10:00:00Z",
  finished_at: "2026-03-01T10:01:00Z",
  ...changes,
});

function show(list: RehearsalList, changes: Partial<Trial> = {}): void {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Kit>
        <Rehearsals trial={trial(changes)} list={list} />
      </Kit>
    </QueryClientProvider>,
  );
}

beforeAll(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
});
afterEach(cleanup);

test("what lock lacks is said, and a draft can be rehearsed once or again and again", () => {
  show({ results: [], lacking: "This version has not been rehearsed.", protocol_sha256: HASH });
  expect(screen.getByText("This version has not been rehearsed.")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Rehearse once" })).toBeTruthy();
  expect(screen.getByRole("button", { name: "Repeat it for the statistics" })).toBeTruthy();
  expect(screen.getByText(/200 simulated trials with the effect that is set/)).toBeTruthy();
});

test("a report sets the estimate beside what was set, in numbers and in a picture", () => {
  show({ results: [rehearsal({})], lacking: null, protocol_sha256: HASH });
  expect(screen.getByText("Protocol lock can lean on the rehearsal of this version.")).toBeTruthy();
  expect(screen.getByText(/A reader needs about 21 min/)).toBeTruthy();
  expect(screen.getByText(/288 of 288 readings done, 3 could not be assessed/)).toBeTruthy();
  expect(screen.getByText("0.06 (-0.02 to 0.14)")).toBeTruthy();
  expect(screen.getByRole("img", { name: /set to 0.08/ })).toBeTruthy();
  expect(screen.getByText("21.3")).toBeTruthy();
});

test("a rehearsal that did not pass says why, one of an older version says so", () => {
  const failed = rehearsal({ state: "failed", message: "3 of 288 planned readings have no answer.", report: null });
  show({ results: [failed], lacking: "x", protocol_sha256: "cd".repeat(32) });
  expect(screen.getByText("3 of 288 planned readings have no answer.")).toBeTruthy();
  expect(screen.getByText("An older version of the protocol")).toBeTruthy();
  expect(screen.getByText("Did not pass")).toBeTruthy();
});

test("a gate shows each check with what was found and what is allowed", () => {
  const gate = {
    analysis: "mrmc",
    quantity: "Difference in AUC",
    repeats: 200,
    computed: 400,
    set_to: 0.08,
    mean: 0.079,
    bias: -0.001,
    bias_mcse: 0.002,
    coverage: 0.95,
    coverage_mcse: 0.015,
    type_one: 0.12,
    type_one_mcse: 0.02,
    power: 0.71,
    power_mcse: 0.03,
    readers: 6,
    cases: 134,
    checks: [
      { name: "bias" as const, holds: true, sentence: "within", value: -0.001, low: -0.006, high: 0.006 },
      { name: "type_one" as const, holds: false, sentence: "too often", value: 0.12, low: 0.01, high: 0.09 },
    ],
    notes: ["Six readers are few."],
    seeds: "1 to 200",
    seconds: 40.2,
  };
  show({
    results: [rehearsal({ kind: "repeated", repeats: 200, state: "failed", report: null, gate })],
    lacking: "x",
    protocol_sha256: HASH,
  });
  expect(screen.getByText("200 repeats, seeds from 7")).toBeTruthy();
  expect(screen.getByText("Power at these numbers: 71.0 % (Monte-Carlo error 3.0 %)")).toBeTruthy();
  expect(screen.getByText("12.0 %")).toBeTruthy();
  expect(screen.getByText("1.0 % – 9.0 %")).toBeTruthy();
  expect(screen.getByText("too often")).toBeTruthy();
});

test("nothing can be started or removed once the trial is open", () => {
  show({ results: [rehearsal({})], lacking: null, protocol_sha256: HASH }, { state: "open", open_to: [] });
  expect(screen.queryByRole("button")).toBeNull();
});
