import { expect, test } from "vitest";
import { type ContourKey, contourCommandOf, contourReleaseOf, runCommand, TOOL_KEYS } from "./keys";
import { ContourSession, nextDiameterMm, type SessionOptions } from "./session";
import { gridOf, pictureOf } from "./testing";

const GRID = gridOf([5, 30, 30], [2, 1, 1]);

function sessionOn(more: Partial<SessionOptions> = {}): ContourSession {
  const disc = Int16Array.from({ length: 900 }, (_, at) =>
    Math.hypot((at % 30) - 15, Math.floor(at / 30) - 15) < 8 ? 60 : -800,
  );
  let ms = 0;
  return new ContourSession({ grid: GRID, frameAt: () => disc, now: () => ++ms, ...more });
}

const press = (key: string, more: Partial<ContourKey> = {}): ContourKey => ({
  key,
  repeat: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...more,
});

/** Presses keys one after another, each let go at once. */
function type(session: ContourSession, ...keys: (string | ContourKey)[]): void {
  for (const key of keys) {
    const wanted = typeof key === "string" ? press(key) : key;
    const command = contourCommandOf(wanted);
    if (!command) throw new Error(`${wanted.key} means nothing`);
    runCommand(session, command);
    const release = contourReleaseOf(wanted.key);
    if (release) runCommand(session, release);
  }
}

test("every tool has a key of its own, and the keys of the design are kept", () => {
  const session = sessionOn();
  for (const [tool, key] of Object.entries(TOOL_KEYS)) {
    type(session, key.toLowerCase());
    expect(session.settings.tool).toBe(tool);
  }
  expect(new Set(Object.values(TOOL_KEYS)).size).toBe(10);
  const { brush, eraser, freehand, livewire, threshold, grow } = TOOL_KEYS;
  expect([brush, eraser, freehand, livewire, threshold, grow].join("")).toBe("BEFLTG");
  expect(contourCommandOf(press("n"))).toEqual({ type: "interpolate" });
  expect(contourCommandOf(press("z", { ctrlKey: true }))).toEqual({ type: "undo" });
  expect(contourCommandOf(press("Z", { ctrlKey: true, shiftKey: true }))).toEqual({ type: "redo" });
  expect(contourCommandOf(press("b", { ctrlKey: true }))).toBeNull();
  expect(contourCommandOf(press("b", { repeat: true }))).toBeNull();
});

test("a contour is drawn by keys alone: cursor, space bar, enter", () => {
  const session = sessionOn({ settings: { diameterMm: 1 } });
  runCommand(session, { type: "paint", on: true });
  type(session, "ArrowRight", "ArrowRight", "ArrowDown");
  runCommand(session, { type: "paint", on: false });
  expect(pictureOf(session.engine.mask, 2).slice(15, 17)).toEqual([
    `${".".repeat(15)}###${".".repeat(12)}`,
    `${".".repeat(17)}#${".".repeat(12)}`,
  ]);
  expect(session.engine.log.length).toBe(1);
  type(
    session,
    "p",
    " ",
    press("ArrowLeft", { shiftKey: true }),
    " ",
    press("ArrowUp", { shiftKey: true }),
    " ",
    "Enter",
  );
  expect(session.engine.log.at(-1)).toMatchObject({ tool: "polygon", points: [17, 16, 7, 16, 7, 6] });
  expect(session.engine.mask.voxelsInside).toBeGreaterThan(40);
});

test("clicking near the first point closes a polygon, escape gives it up, backspace takes a point back", () => {
  const session = sessionOn({ settings: { tool: "polygon" } });
  for (const [x, y] of [
    [5, 5],
    [20, 5],
    [28, 2],
    [20, 20],
  ] as const)
    session.down(x, y, 3);
  expect(session.pending?.points.length).toBe(8);
  type(session, "Backspace");
  session.down(20, 20, 3);
  session.down(6, 6, 3);
  expect(session.pending).toBeNull();
  expect(session.engine.log.at(-1)).toMatchObject({ points: [5, 5, 20, 5, 28, 2, 20, 20] });
  session.down(1, 1, 3);
  type(session, "Escape");
  expect([session.pending, session.engine.log.length]).toEqual([null, 1]);
});

test("a freehand stroke is closed when the hand comes up", () => {
  const session = sessionOn({ settings: { tool: "freehand" } });
  session.down(5, 5);
  session.move([15, 5, 15, 15]);
  session.move([5, 15]);
  session.up();
  expect(session.engine.mask.voxelsInside).toBe(100);
  expect(session.engine.log[0]).toMatchObject({ tool: "freehand", points: [5, 5, 15, 5, 15, 15, 5, 15] });
});

test("the livewire goes round the disc by four clicks, and its log replays without the image", async () => {
  const session = sessionOn({ settings: { tool: "livewire" } });
  for (const [x, y] of [
    [7, 15],
    [15, 7],
    [23, 15],
    [15, 23],
  ] as const)
    session.down(x, y, 1);
  session.hoverAt({ x: 10, y: 20 });
  expect(session.preview.slice(0, 2)).toEqual([15, 23]);
  expect(session.close()).toBe(true);
  const area = session.engine.mask.voxelsInside;
  expect(area).toBeGreaterThan(Math.PI * 7 ** 2 * 0.9);
  expect(area).toBeLessThan(Math.PI * 9 ** 2 * 1.1);
  const blind = sessionOn({ frameAt: () => undefined });
  await blind.engine.replay(session.engine.log);
  expect(blind.engine.mask.data).toEqual(session.engine.mask.data);
});

test("the smart click takes the disc, subtract mode takes it away again, undo brings it back", async () => {
  const session = sessionOn({ settings: { tool: "grow" } });
  session.down(15, 15);
  const disc = session.engine.mask.count(2);
  expect(disc).toBe(193);
  type(session, "a");
  session.down(15, 15);
  expect(session.engine.mask.count(2)).toBe(0);
  await session.undo();
  expect(session.engine.mask.count(2)).toBe(disc);
});

test("copying goes to the neighbour and stops at the end of the volume", () => {
  const session = sessionOn({ settings: { tool: "grow" } });
  session.down(15, 15);
  type(session, "d", "d", "d");
  expect([0, 1, 2, 3, 4].map((z) => session.engine.mask.count(z))).toEqual([0, 0, 193, 193, 193]);
  expect([session.focus.z, session.engine.log.length]).toEqual([4, 3]);
});

test("scrolling ends an open stroke on its own slice", () => {
  const session = sessionOn();
  session.down(10, 10);
  session.scroll(1);
  session.move([20, 20]);
  session.up();
  expect(session.engine.log.map((act) => "z" in act && act.z)).toEqual([2]);
  expect(session.engine.mask.count(3)).toBe(0);
});

test("brush sizes go up and down the same ladder, within limits", () => {
  let size = 0.5;
  const up = Array.from({ length: 60 }, () => {
    size = nextDiameterMm(size, 1);
    return size;
  });
  expect(up.slice(0, 8)).toEqual([1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]);
  expect(up.at(-1)).toBe(100);
  expect(nextDiameterMm(0.5, -3)).toBe(0.5);
  expect(nextDiameterMm(10, 1)).toBe(11.5);
});
