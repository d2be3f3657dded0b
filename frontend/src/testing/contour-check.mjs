/**
 * Drives the contouring engine in a real browser: every tool by mouse and keys, the same masks and pixels with and
 * without 3D interfaces, and a brush that follows the hand. `SHOTS=folder` keeps pictures.
 */
import assert from "node:assert/strict";
import { click, drag, latencyOf, painted, servePage, watchLatency, withContouring } from "./contour-harness.mjs";

const SHOTS = process.env.SHOTS;
const SMALL = "slices=24&rows=256&columns=256&fused=1";
const CENTRE = [179, 128];

const around = (radius, count = 24) =>
  Array.from({ length: count + 1 }, (_, n) => [
    CENTRE[0] + radius * Math.cos((2 * Math.PI * n) / count),
    CENTRE[1] + radius * Math.sin((2 * Math.PI * n) / count),
  ]);

const state = (page) =>
  page.evaluate(() => {
    const { session } = window.contouring;
    const counts = Array.from({ length: session.grid.shapeZyx[0] }, (_, z) => session.engine.mask.count(z));
    return { z: session.focus.z, tool: session.settings.tool, counts, acts: session.engine.log.map((act) => act.tool) };
  });

const pixels = (page) =>
  page.evaluate(async () => {
    const all = [...document.querySelectorAll(".pane canvas, #strip")];
    return Promise.all(
      all.map(async (canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
        return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      }),
    );
  });

/** Draws with every tool; returns the mask, the pixels and the log's tools. */
async function everyTool(page) {
  const count = async () => (await state(page)).counts[(await state(page)).z];
  await page.keyboard.press("f");
  await drag(page, around(20));
  assert.ok(Math.abs((await count()) - Math.PI * 400) < 60, "a freehand circle has its area");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("p");
  for (const point of around(14, 6).slice(0, 6)) await click(page, point);
  await page.keyboard.press("Enter");
  assert.ok((await count()) > 450, "a polygon by clicks");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("s");
  for (const point of around(12, 6).slice(0, 6)) await click(page, point);
  await click(page, around(12, 6)[0]);
  assert.ok((await count()) > 400, "a click on the first point closes a spline");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("l");
  for (const point of around(17, 5).slice(0, 5)) await click(page, point);
  await page.keyboard.press("Enter");
  assert.ok((await count()) > 500, "a livewire");
  for (const _ of [1, 2, 3]) await page.keyboard.press("PageDown");
  await page.keyboard.press("g");
  await click(page, CENTRE);
  assert.ok((await count()) > 50, "a smart click");
  await page.keyboard.press("n");
  const between = await state(page);
  assert.ok(between.counts[between.z - 1] > 0 && between.counts[between.z - 2] > 0, "interpolated slices");
  await page.keyboard.press("b");
  await page.keyboard.press("]");
  await drag(page, [CENTRE, [195, 128]]);
  await page.keyboard.press("e");
  await drag(page, [
    [195, 128],
    [190, 140],
  ]);
  await page.keyboard.press("t");
  await drag(page, [
    [160, 110],
    [170, 112],
  ]);
  await page.keyboard.press("u");
  await drag(page, [CENTRE, [150, 128]]);
  await page.keyboard.press("k");
  await page.keyboard.press("m");
  await page.keyboard.press("d");
  await page.keyboard.press("Shift+D");
  await page.keyboard.press("b");
  await page.keyboard.down("Space");
  for (const _ of [1, 2, 3, 4]) await page.keyboard.press("ArrowUp");
  await page.keyboard.up("Space");
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+Shift+Z");
  await painted(page);
  return page.evaluate(() => window.contouring.maskBase64());
}

async function toolsOnEveryMachine(base) {
  const seen = [];
  for (const noGpu of [false, true]) {
    await withContouring({ base, query: SMALL, noGpu }, async ({ page, problems }) => {
      const gl = await page.evaluate(() => document.createElement("canvas").getContext("webgl2") !== null);
      if (noGpu) assert.equal(gl, false, "without 3D interfaces there is no WebGL");
      const mask = await everyTool(page);
      await page.mouse.move(5, 5);
      await painted(page);
      const { acts } = await state(page);
      if (SHOTS) await page.screenshot({ path: `${SHOTS}/contouring-tools-${noGpu ? "no" : "with"}-3d.png` });
      seen.push({ mask, acts, pixels: await pixels(page) });
      assert.deepEqual(problems, []);
      const wanted = [
        "freehand",
        "polygon",
        "spline",
        "livewire",
        "grow",
        "interpolate",
        "brush",
        "eraser",
        "threshold",
        "nudge",
        "fill_holes",
        "smooth",
        "copy",
        "copy",
        "brush",
        "undo",
        "undo",
        "redo",
      ];
      assert.deepEqual(acts, wanted);
    });
  }
  assert.deepEqual(seen[0], seen[1], "the same acts, masks and pixels with and without 3D interfaces");
}

/** Undone to the start and done again, the mask is what it was; replayed from its log in a new page too. */
async function backAndForth(base) {
  await withContouring({ base, query: SMALL }, async ({ page }) => {
    const mask = await everyTool(page);
    const empty = await page.evaluate(async () => {
      while (window.contouring.session.engine.undoable > 0) await window.contouring.session.undo();
      return window.contouring.session.engine.mask.voxelsInside;
    });
    assert.equal(empty, 0);
    const log = await page.evaluate(async () => {
      while (window.contouring.session.engine.redoable > 1) await window.contouring.session.redo();
      return JSON.stringify(window.contouring.session.engine.log);
    });
    assert.notEqual(await page.evaluate(() => window.contouring.maskBase64()), "");
    await page.reload();
    await page.locator("body[data-ready]").waitFor();
    const again = await page.evaluate(async (acts) => {
      await window.contouring.session.engine.replay(JSON.parse(acts));
      return window.contouring.maskBase64();
    }, log);
    assert.equal(again, mask);
  });
}

/** Linked planes, window, zoom, pan, alt + wheel, strip, surface. */
async function lookingAround(base) {
  await withContouring({ base, query: SMALL }, async ({ page, problems }) => {
    await page.keyboard.press("f");
    await drag(page, around(20));
    const focus = () => page.evaluate(() => window.contouring.session.focus);
    const before = await focus();
    const box = await page.locator("#sagittal").boundingBox();
    await page.mouse.click(box.x + box.width / 2 + 20, box.y + box.height / 2 - 10);
    const jumped = await focus();
    assert.equal(jumped.x, before.x);
    assert.ok(jumped.y !== before.y && jumped.z !== before.z, "a click on the sagittal plane moves the crosshair");
    const axial = await page.locator("#axial").boundingBox();
    const at = [axial.x + 200, axial.y + 300];
    await page.mouse.move(...at);
    const size = () => page.evaluate(() => window.contouring.session.settings.diameterMm);
    const small = await size();
    await page.keyboard.down("Alt");
    await page.mouse.wheel(0, -120);
    await page.keyboard.up("Alt");
    assert.ok((await size()) > small, "alt and wheel change the brush");
    await page.mouse.wheel(0, 120);
    await painted(page);
    assert.equal((await focus()).z, jumped.z + 1, "the wheel scrolls");
    await page.keyboard.press("w");
    await page.mouse.down();
    await page.mouse.move(at[0] + 50, at[1] + 20, { steps: 3 });
    await page.mouse.up();
    assert.deepEqual(await page.evaluate(() => window.contouring.viewport.voi), {
      width: 450,
      level: 60,
      invert: false,
    });
    await page.mouse.down({ button: "right" });
    await page.mouse.move(at[0] + 50, at[1] - 80, { steps: 3 });
    await page.mouse.up({ button: "right" });
    await page.evaluate(() => {
      const { surface, surfaceOf } = window.contouring;
      surface.setMesh(surfaceOf());
    });
    await painted(page);
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/contouring-zoomed.png` });
    const strip = await page.locator("#strip").boundingBox();
    await page.mouse.click(strip.x + 10, strip.y + 15);
    assert.equal((await focus()).z, 0, "a click on the strip goes there");
    assert.deepEqual(problems, []);
  });
}

/** The brush on a volume of 512 x 512 x 130 is seen within 50 ms, without any 3D interface. */
async function followsTheHand(base) {
  await withContouring({ base, query: "slices=130", noGpu: true }, async ({ page }) => {
    await watchLatency(page);
    for (const [key, tool] of Object.entries({ b: "brush", f: "freehand" })) {
      await page.keyboard.press(key);
      const ring = Array.from({ length: 41 }, (_, n) => [
        358 + 40 * Math.cos((Math.PI * n) / 20),
        256 + 40 * Math.sin((Math.PI * n) / 20),
      ]);
      const latency = await latencyOf(page, () => drag(page, ring, 4));
      console.log(`  ${tool}: ${JSON.stringify(latency)}`);
      assert.ok(latency.median_ms < 50, `${tool}: median ${latency.median_ms} ms from input to painted frame`);
    }
  });
}

const checks = { toolsOnEveryMachine, backAndForth, lookingAround, followsTheHand };
const wanted = process.argv.slice(2);
const server = await servePage();
try {
  for (const [name, check] of Object.entries(checks)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await check(server.base);
    console.log(`passed: ${name}`);
  }
} finally {
  await server.close();
}
