/** Serves the contouring page from source and opens it in the machine's Chromium, with or without 3D interfaces. */
import { fileURLToPath } from "node:url";
import { createServer } from "vite";
import { launch } from "./browser.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export async function servePage() {
  const server = await createServer({
    root: ROOT,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0, hmr: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  });
  await server.listen();
  return { base: `http://127.0.0.1:${server.httpServer.address().port}`, close: () => server.close() };
}

/** `query`: the volume, e.g. `slices=20&rows=256&columns=256`. Runs `use({ page, problems })` and closes everything. */
export async function withContouring({ base, query = "", noGpu = false, viewport }, use) {
  const browser = await launch({ noGpu });
  try {
    const context = await browser.newContext({ viewport: viewport ?? { width: 1280, height: 800 } });
    const page = await context.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(`${base}/src/testing/contour-page.html?${query}`);
    await page.locator("body[data-ready]").waitFor({ timeout: 60_000 });
    return await use({ page, problems });
  } finally {
    await browser.close();
  }
}

/** The mouse goes through points of the image with the left button down. */
export async function drag(page, points, steps = 6) {
  const screen = await page.evaluate((all) => all.map(([x, y]) => window.contouring.onScreen(x, y)), points);
  await page.mouse.move(screen[0].x, screen[0].y);
  await page.mouse.down();
  for (const { x, y } of screen.slice(1)) await page.mouse.move(x, y, { steps });
  await page.mouse.up();
}

export async function click(page, [x, y]) {
  const at = await page.evaluate(([px, py]) => window.contouring.onScreen(px, py), [x, y]);
  await page.mouse.click(at.x, at.y);
}

export const painted = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
const rounded = (value) => Math.round(10 * value) / 10;

function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    n: sorted.length,
    median_ms: rounded(quantile(sorted, 0.5)),
    p95_ms: rounded(quantile(sorted, 0.95)),
    max_ms: rounded(sorted.at(-1)),
  };
}

/**
 * From an input event's own time stamp to the start of the frame after the one that drew it. At 60 pictures a second it
 * cannot be below one frame.
 */
export const watchLatency = (page) =>
  page.evaluate(() => {
    window.latencies = [];
    const seen = (event) =>
      requestAnimationFrame(() =>
        requestAnimationFrame(() => window.latencies.push(performance.now() - event.timeStamp)),
      );
    for (const kind of ["pointerdown", "pointermove"]) window.addEventListener(kind, seen, { capture: true });
  });

/** Latencies of what `act` does with the mouse, in milliseconds. */
export async function latencyOf(page, act) {
  await painted(page);
  await page.evaluate(() => {
    window.latencies.length = 0;
  });
  await act();
  await painted(page);
  await painted(page);
  return summary(await page.evaluate(() => window.latencies));
}
