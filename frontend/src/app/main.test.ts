import { expect, test, vi } from "vitest";
import { pageClock } from "@/timing/clock";
import { Journal, KEPT_DAYS } from "@/timing/journal";

vi.mock("./application", () => ({ Application: () => null }));
vi.mock("./router", () => ({ router: { navigate: vi.fn() } }));

test("a page load clears the machine of events that nobody sent in time", async () => {
  const journal = new Journal("reader@example.org", "t");
  const event = (sequence: number, daysAgo: number) => ({
    sequence,
    kind: "key" as const,
    t_ms: 0,
    clock_id: "c1",
    wall_ms: pageClock.wallMs() - daysAgo * 86_400_000,
    data: {},
  });
  journal.write("r1", 1, event(0, KEPT_DAYS + 1));
  journal.write("r1", 1, event(1, KEPT_DAYS - 1));
  document.body.innerHTML = '<div id="root"></div>';
  await import("./main");
  expect(journal.left().flatMap(({ events }) => events.map((each) => each.sequence))).toEqual([1]);
});
