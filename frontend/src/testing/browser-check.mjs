/**
 * Drives the built pages in a real browser: `npm run build && npm run test:browser`. Every check is an assertion; the
 * script ends with an error at the first that fails. `SHOTS=folder` keeps pictures of the screens.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch } from "./browser.mjs";
import { makeWorld, outlinePacket, startFakeServer } from "./fake-server.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = process.env.SHOTS;
const SIZE = { width: 1280, height: 800 };

async function withPage(options, check) {
  const world = { ...makeWorld(), ...options.world };
  const server = await startFakeServer(world);
  const browser = await launch({ noGpu: options.noGpu });
  const context = await browser.newContext({ viewport: options.viewport ?? SIZE });
  const problems = [];
  const open = async () => {
    const page = await context.newPage();
    page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
    page.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) problems.push(message.text());
    });
    return page;
  };
  const base = `http://127.0.0.1:${server.address().port}`;
  try {
    await check({ world, page: await open(), open, base, context });
    assert.deepEqual(problems, []);
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

/** Runs axe in the page's own world, past the content security policy, and refuses what is serious. */
async function accessible(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map((each) => `${each.id} (${each.impact}): ${each.nodes.map((node) => node.html).join(" | ")}`);
  });
  assert.deepEqual(found, [], name);
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png` });
}

const reading = async (page, base) => {
  await page.goto(`${base}/read/lung-contours`);
  await page.getByRole("heading", { name: /Which contour/ }).waitFor();
  await page.waitForFunction(() => {
    const button = document.querySelector("button[aria-pressed]");
    return button && !button.disabled;
  });
};

const paneHashes = (page) =>
  page.evaluate(() =>
    Promise.all(
      [...document.querySelectorAll("canvas")].map(async (canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const digest = await crypto.subtle.digest("SHA-256", data);
        return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      }),
    ),
  );

const frames = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

async function onboarding() {
  await withPage({}, async ({ page, base, world }) => {
    await page.goto(base);
    await page.getByRole("link", { name: /Lung tumour contours/ }).waitFor();
    await accessible(page, "inbox");
    await page.getByRole("link", { name: /Lung tumour contours/ }).click();
    await page.getByRole("checkbox").waitFor();
    await page.locator(".eq-prose").waitFor();
    await accessible(page, "consent");
    assert.equal(await page.evaluate(() => window.leaked), undefined, "markdown must not run scripts");
    await page.getByRole("checkbox").check();
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText("About you").waitFor();
    await page.getByRole("button", { name: "Continue" }).click();
    assert.equal(await page.getByText("Please answer this question.").count(), 2);
    await accessible(page, "questionnaire");
    await page.getByText("Radiation oncology").click();
    await page.getByRole("spinbutton").fill("7");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.locator(".eq-prose").waitFor();
    await accessible(page, "instructions");
    await page.getByRole("button", { name: "I have read the instructions" }).click();
    await page.getByRole("heading", { name: /Which contour/ }).waitFor();
    assert.equal(world.step, "practice");
  });
}

async function layout() {
  await withPage({ world: { step: "reading" } }, async ({ page, base }) => {
    await reading(page, base);
    await accessible(page, "reading");
    const seen = await page.evaluate(() => {
      const area = [...document.querySelectorAll("canvas")].reduce(
        (sum, each) => sum + each.clientWidth * each.clientHeight,
        0,
      );
      return { share: area / (innerWidth * innerHeight), scrolls: document.documentElement.scrollHeight > innerHeight };
    });
    assert.ok(seen.share >= 0.8, `images take ${seen.share} of the window`);
    assert.equal(seen.scrolls, false);
    await page.keyboard.press("ArrowLeft");
    await accessible(page, "reading-chosen");
    await page.keyboard.press("x");
    await accessible(page, "reading-reasons");
    await page.keyboard.press("Escape");
    await page.keyboard.press("c");
    await page.keyboard.type("left edge is blurred");
    await accessible(page, "reading-comment");
    await page.keyboard.press("Enter");
    await page.keyboard.press("?");
    await accessible(page, "reading-help");
    await page.keyboard.press("Escape");
    await page.keyboard.press("b");
    await page.getByRole("button", { name: "Continue reading" }).waitFor();
    await accessible(page, "reading-break");
    const covered = await page.evaluate(() => {
      const canvas = document.querySelector("canvas");
      return canvas
        .getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height)
        .data.every((v, i) => i % 4 === 3 || v === 0);
    });
    assert.equal(covered, true, "a break covers the images");
  });
}

/** At 1:1 every pixel of both panes is the formula's grey level of the frame's value. */
async function exactPixels() {
  const viewport = { width: 2 * 512 + 2, height: 34 + 512 + 86 };
  await withPage({ world: { step: "reading" }, viewport }, async ({ page, base }) => {
    await reading(page, base);
    await page.keyboard.down("h");
    await frames(page);
    const wrong = await page.evaluate(async () => {
      const names = performance.getEntriesByType("resource").map((each) => each.name);
      const address = names.find((each) => /\/frames\/\w+\/3$/.test(each));
      const values = new Int16Array(await (await fetch(address)).arrayBuffer());
      const low = -600 - 0.5 - (1500 - 1) / 2;
      const grey = (value) => Math.round(Math.min(1, Math.max(0, (value - low) / (1500 - 1))) * 255);
      return [...document.querySelectorAll("canvas")].map((canvas) => {
        const left = Math.round((canvas.width - 512) / 2);
        const top = Math.round((canvas.height - 512) / 2);
        const { data } = canvas.getContext("2d").getImageData(left, top, 512, 512);
        return values.reduce((count, value, index) => count + (data[4 * index] === grey(value) ? 0 : 1), 0);
      });
    });
    assert.deepEqual(wrong, [0, 0]);
  });
}

/** The same pixels with and without a graphics interface; both panes equal but for their outlines. */
async function samePixelsEverywhere() {
  const seen = [];
  for (const noGpu of [false, true]) {
    await withPage({ world: { step: "reading" }, noGpu }, async ({ page, base }) => {
      await reading(page, base);
      const shown = await paneHashes(page);
      assert.notEqual(shown[0], shown[1], "the outlines differ");
      await page.keyboard.down("h");
      await frames(page);
      const hidden = await paneHashes(page);
      assert.equal(hidden[0], hidden[1], "without outlines both panes are equal");
      seen.push([...shown, ...hidden]);
    });
  }
  assert.deepEqual(seen[0], seen[1]);
}

/** Mouse: window, zoom, pan and slices move both panes together; a double click resets. */
async function mouse() {
  await withPage({ world: { step: "reading" } }, async ({ page, base, world }) => {
    await reading(page, base);
    await page.keyboard.down("h");
    await frames(page);
    const start = await paneHashes(page);
    const drag = async (button, dx, dy, key) => {
      if (key) await page.keyboard.down(key);
      await page.mouse.move(300, 400);
      await page.mouse.down({ button });
      await page.mouse.move(300 + dx, 400 + dy, { steps: 4 });
      await page.mouse.up({ button });
      if (key) await page.keyboard.up(key);
      await frames(page);
      const [left, right] = await paneHashes(page);
      assert.equal(left, right);
      return left;
    };
    const states = new Set([start[0]]);
    states.add(await drag("left", 60, 20));
    states.add(await drag("middle", 40, 10));
    states.add(await drag("right", 0, -80));
    states.add(await drag("left", 30, 10, "Shift"));
    await page.mouse.move(900, 300);
    await page.mouse.wheel(0, 120);
    await frames(page);
    states.add((await paneHashes(page))[1]);
    assert.equal(states.size, 6, "every gesture changes the picture");
    await page.mouse.dblclick(300, 300);
    await frames(page);
    assert.deepEqual(await paneHashes(page), start);
    await page.keyboard.up("h");
    await page.waitForTimeout(5500);
    const kinds = new Set(world.events.map((event) => event.kind));
    for (const kind of [
      "first_paint",
      "window_change",
      "zoom_change",
      "slice_change",
      "pointer",
      "wheel",
      "outline_hidden",
    ]) {
      assert.ok(kinds.has(kind), `${kind} was recorded`);
    }
  });
}

/** Killed while offline, the answer arrives once when the reader comes back. */
async function neverLost() {
  await withPage({ world: { step: "reading" } }, async ({ page, open, base, world }) => {
    await reading(page, base);
    world.offline = true;
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "kept in this browser" }).waitFor();
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/reading-waiting.png` });
    await page.close({ runBeforeUnload: false });
    world.offline = false;
    await reading(await open(), base);
    assert.equal(world.answers.length, 1);
    assert.equal(world.answers[0].answer.choice, "right");
    const sequences = world.answers[0].events.map((event) => event.sequence);
    assert.deepEqual(
      sequences,
      [...sequences].sort((a, b) => a - b),
    );
    assert.equal(world.position, 2);
  });
}

/** An ended session: the password in place, and the answer goes on. */
async function passwordInPlace() {
  await withPage({ world: { step: "reading" } }, async ({ page, base, world }) => {
    await reading(page, base);
    world.signedIn = false;
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    const password = page.getByLabel("Password");
    await password.waitFor();
    await accessible(page, "reading-sign-in");
    await password.fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("E-mail address or password are wrong.").waitFor();
    await password.fill("correct horse");
    await page.keyboard.press("Enter");
    await page.getByText("2 of 6").waitFor();
    assert.equal(world.answers.length, 1);
  });
}

async function twoWindows() {
  await withPage({ world: { step: "reading" } }, async ({ page, open, base, world }) => {
    await reading(page, base);
    const second = await open();
    await second.goto(`${base}/read/lung-contours`);
    await second.getByRole("heading", { name: "This reading was opened in another window" }).waitFor();
    await accessible(second, "reading-taken-over");
    await second.getByRole("button", { name: "Continue in this window" }).click();
    await page.getByRole("heading", { name: "This reading was opened in another window" }).waitFor();
    await second.getByRole("heading", { name: /Which contour/ }).waitFor();
    assert.equal(world.lease, 2);
  });
}

/** With the sides exchanged, everything but the drawn pixels is the same. */
async function blinded() {
  const pages = [];
  for (const swap of [false, true]) {
    await withPage({ world: { step: "reading", swap, position: 2 } }, async ({ page, base }) => {
      await reading(page, base);
      await frames(page);
      const token = /frames\/(\w+)\//;
      const text = await page.evaluate(() =>
        JSON.stringify([
          document.documentElement.outerHTML,
          document.title,
          location.pathname,
          // One key for every event that is not sent yet, under the reading's random name.
          [...new Set(Object.keys(localStorage).map((key) => key.replace(/:[0-9a-f]{32}:.*$/, ":a-reading")))].sort(),
          Object.keys(sessionStorage),
        ]),
      );
      pages.push(createHash("sha256").update(text.replaceAll(base, "").replace(token, "frames/")).digest("hex"));
    });
  }
  assert.equal(pages[0], pages[1]);
  assert.equal(outlinePacket(2, "left").length, outlinePacket(2, "right").length);
}

/** To the end: every answer arrives once, in order; the last one may be corrected. */
async function toTheEnd() {
  await withPage({ world: { step: "reading" } }, async ({ page, base, world }) => {
    await reading(page, base);
    for (let n = 1; n <= 6; n += 1) {
      await page.getByText(`${n} of 6`).waitFor();
      await page.waitForFunction(() => !document.querySelector("button[aria-pressed]").disabled);
      await page.keyboard.press(n % 2 ? "ArrowLeft" : "ArrowRight");
      await page.keyboard.press("Enter");
    }
    await page.getByText("Your last answer is saved.").waitFor();
    await accessible(page, "reading-last");
    await page.getByRole("button", { name: "Don't know" }).first().click();
    await page.getByText("The correction is saved.").waitFor();
    await page.getByRole("button", { name: "Continue", exact: true }).click();
    await page.getByRole("heading", { name: "You have finished" }).waitFor();
    await accessible(page, "done");
    assert.deepEqual(
      world.answers.map((each) => [each.answer.choice, each.amended === true]),
      [
        ["left", false],
        ["right", false],
        ["left", false],
        ["right", false],
        ["left", false],
        ["right", false],
        ["dont_know", true],
      ],
    );
    const paints = world.answers.slice(0, 6).map((each) => each.key);
    assert.equal(new Set(paints).size, 6);
  });
}

const checks = {
  onboarding,
  layout,
  exactPixels,
  samePixelsEverywhere,
  mouse,
  neverLost,
  passwordInPlace,
  twoWindows,
  blinded,
  toTheEnd,
};
const wanted = process.argv.slice(2);
for (const [name, check] of Object.entries(checks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  await check();
  console.log(`passed: ${name}`);
}
