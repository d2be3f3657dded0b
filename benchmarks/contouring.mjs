/**
 * How fast the contouring engine follows the hand, in the machine's Chromium with software rendering:
 *
 *     node benchmarks/contouring.mjs [--no-3d] [--slices 130]
 *
 * Latency is from the input event's own time stamp to the start of the animation frame after the one that drew it, when
 * the drawing has been handed to the screen; at 60 pictures a second it cannot be below one frame. Also the main
 * thread's own time per input, memory, and the turning surface. Prints one JSON object.
 */
import { readFileSync } from "node:fs";
import os from "node:os";
import { drag, latencyOf, servePage, watchLatency, withContouring } from "../frontend/src/testing/contour-harness.mjs";

const args = process.argv.slice(2);
const noGpu = args.includes("--no-3d");
const slices = args.includes("--slices") ? Number(args[args.indexOf("--slices") + 1]) : 130;
const CENTRE = [358, 256];

const ring = (radius, count) =>
  Array.from({ length: count + 1 }, (_, n) => [
    CENTRE[0] + radius * Math.cos((2 * Math.PI * n) / count),
    CENTRE[1] + radius * Math.sin((2 * Math.PI * n) / count),
  ]);

const rounded = (value) => Math.round(10 * value) / 10;

async function residentMiB(page) {
  const client = await page.context().browser().newBrowserCDPSession();
  const { processInfo } = await client.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter((each) => each.type === "renderer");
  const sizes = renderers.map(({ id }) => {
    const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"));
    return Number(found?.[1] ?? 0) / 1024;
  });
  return rounded(Math.max(...sizes));
}

async function measure(page) {
  const result = {};
  const set = (settings) => page.evaluate((each) => window.contouring.session.set(each), settings);
  await watchLatency(page);
  for (const diameterMm of [6, 10, 30]) {
    await set({ tool: "brush", diameterMm });
    result[`brush_${diameterMm}_mm`] = await latencyOf(page, () => drag(page, ring(40, 40), 4));
  }
  await page.keyboard.press("PageDown");
  await set({ tool: "freehand" });
  result.freehand = await latencyOf(page, () => drag(page, ring(60, 40), 4));
  await page.keyboard.press("PageDown");
  await set({ tool: "livewire" });
  await drag(page, [ring(42, 8)[0]]);
  result.livewire = await latencyOf(page, async () => {
    for (const [x, y] of ring(42, 60).slice(0, 30)) {
      const at = await page.evaluate(([px, py]) => window.contouring.onScreen(px, py), [x, y]);
      await page.mouse.move(at.x, at.y, { steps: 3 });
    }
  });
  await page.keyboard.press("Escape");
  await set({ tool: "nudge", diameterMm: 20 });
  await page.keyboard.press("PageUp");
  result.nudge = await latencyOf(page, () => drag(page, [CENTRE, [CENTRE[0] + 70, CENTRE[1]]], 60));
  result.scripted = await page.evaluate(() => {
    const timed = (act) => {
      const before = performance.now();
      act();
      return Math.round(10 * (performance.now() - before)) / 10;
    };
    const { session, surface, surfaceOf } = window.contouring;
    const { engine, focus } = session;
    const first = { z: focus.z - 20, mode: "add" };
    const circle = (r) =>
      Array.from({ length: 80 }, (_, n) => [
        358 + r * Math.cos((n * Math.PI) / 40),
        256 + r * Math.sin((n * Math.PI) / 40),
      ]).flat();
    engine.apply({ tool: "polygon", ...first, points: circle(30) });
    engine.apply({ tool: "polygon", z: focus.z + 20, mode: "add", points: circle(60) });
    const interpolate_ms = timed(() => engine.apply({ tool: "interpolate" }));
    const grow_3d_ms = timed(() =>
      engine.apply({
        tool: "grow",
        z: focus.z,
        mode: "add",
        seed: [358, 256],
        tolerance: 120,
        radiusMm: 40,
        dimensions: 3,
      }),
    );
    const diameter_ms = timed(() => engine.longestDiameter);
    const encode_ms = timed(() => window.contouring.maskBase64());
    let mesh;
    const mesh_ms = timed(() => {
      mesh = surfaceOf();
    });
    surface.setMesh(mesh);
    const frames = Array.from({ length: 20 }, () => {
      surface.turnBy(0.05, 0);
      return timed(() => surface.paint());
    }).sort((a, b) => a - b);
    return {
      interpolate_ms,
      grow_3d_ms,
      diameter_ms,
      encode_ms,
      history_kib: Math.round(engine.historyBytes / 1024),
      mesh_ms,
      surface_triangles: surface.triangleCount,
      surface_frame_ms: frames[10],
    };
  });
  result.undo_ms = await page.evaluate(async () => {
    const before = performance.now();
    await window.contouring.session.undo();
    return Math.round(10 * (performance.now() - before)) / 10;
  });
  result.renderer_resident_mib = await residentMiB(page);
  return result;
}

const server = await servePage();
try {
  const figures = await withContouring(
    { base: server.base, query: `slices=${slices}`, noGpu, viewport: { width: 1280, height: 800 } },
    async ({ page }) => ({ empty_resident_mib: await residentMiB(page), ...(await measure(page)) }),
  );
  console.log(
    JSON.stringify(
      {
        volume: [slices, 512, 512],
        three_d: noGpu ? "none" : "software",
        processors: os.cpus().length,
        load: os.loadavg().map(rounded),
        ...figures,
      },
      null,
      1,
    ),
  );
} finally {
  await server.close();
}
