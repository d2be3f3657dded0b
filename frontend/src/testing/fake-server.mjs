/**
 * A small server that speaks the reader's part of the API from memory, for looking at the built pages and for browser
 * checks without Django. Not part of any bundle. `node src/testing/fake-server.mjs [port]` serves `dist` as well.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const DIST = fileURLToPath(new URL("../../dist", import.meta.url));
const ROWS = 512;
const COLUMNS = 512;
const FRAMES = 7;
const START_FRAME = 3;
const TOTAL = 6;
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

export const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const inside = (x, y, [cx, cy, rx, ry]) => ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1;

/** Body parts as ellipses (centre, radii) with their value in Hounsfield units; later ones lie above earlier ones. */
function anatomy(frame, seed) {
  const shift = (frame - START_FRAME) * 4;
  return [
    { ellipse: [256, 262, 218, 168], value: -90 },
    { ellipse: [256, 262, 200, 150], value: 45 },
    { ellipse: [160, 255, 84, 118], value: -820 },
    { ellipse: [352, 255, 84, 118], value: -820 },
    { ellipse: [256, 235, 46, 78], value: 40 },
    { ellipse: [256, 372, 26, 30], value: 420 },
    { ellipse: [330 + (seed % 5) * 6, 232 + shift, 34 - Math.abs(shift), 28 - Math.abs(shift) / 2], value: 35 },
    { ellipse: [180, 210, 6, 6], value: 60 },
    { ellipse: [140, 290, 4, 4], value: 60 },
  ];
}

/** A chest-like slice with grain, in Hounsfield units. */
function chestFrame(frame, seed) {
  const pixels = new Int16Array(ROWS * COLUMNS);
  const parts = anatomy(frame, seed).reverse();
  let noise = (seed * 7919 + frame * 104729 + 1) >>> 0;
  for (let y = 0; y < ROWS; y += 1) {
    for (let x = 0; x < COLUMNS; x += 1) {
      noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
      const part = parts.find(({ ellipse }) => inside(x, y, ellipse));
      pixels[y * COLUMNS + x] = (part?.value ?? -1000) + ((noise >>> 16) % 61) - 30;
    }
  }
  return Buffer.from(pixels.buffer);
}

const HEADER_BYTES = 16;
const CAPACITY = 120;

/** One loop per frame around the mass: a packet per frame, all of one length, as the server writes them. */
export function outlinePacket(seed, side) {
  const perLoop = 96;
  const packets = [];
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const shift = (frame - START_FRAME) * 4;
    const packet = Buffer.alloc(HEADER_BYTES + 8 * CAPACITY);
    packet.write("EQOL", 0, "latin1");
    packet.writeUInt16LE(1, 4);
    packet.writeUInt32LE(CAPACITY, 8);
    const points = Array.from({ length: perLoop }, (_, vertex) => {
      const angle = (2 * Math.PI * vertex) / perLoop;
      const wobble = side === "left" ? 3 * Math.sin(5 * angle + seed) : 4 * Math.cos(3 * angle + seed);
      return [
        330 + (seed % 5) * 6 + (36 - Math.abs(shift) + wobble) * Math.cos(angle),
        232 + shift + (30 - Math.abs(shift) / 2 + wobble) * Math.sin(angle),
      ];
    });
    for (let vertex = 0; vertex < CAPACITY; vertex += 1) {
      const [x, y] = points[vertex] ?? points[0];
      packet.writeFloatLE(x, HEADER_BYTES + 8 * vertex);
      packet.writeFloatLE(y, HEADER_BYTES + 8 * vertex + 4);
    }
    packets.push(packet);
  }
  return Buffer.concat(packets).toString("base64");
}

const account = { email: "reader@example.org", display_name: "R. Reader", is_site_administrator: false };

export function makeWorld() {
  return {
    signedIn: true,
    step: "consent",
    position: 1,
    lease: 0,
    reading: null,
    tokens: new Map(),
    nextToken: null,
    drafts: [],
    events: [],
    answers: [],
    keys: new Map(),
    offline: false,
    delayMs: 0,
    swap: false,
  };
}

function tokenFor(world, position) {
  for (const [token, known] of world.tokens) if (known === position) return token;
  const token = randomUUID().replaceAll("-", "");
  world.tokens.set(token, position);
  return token;
}

const question = (key, kind, label, more) => ({
  key,
  kind,
  label,
  help: null,
  required: true,
  options: [],
  minimum: null,
  maximum: null,
  unit: null,
  max_length: 1000,
  ...more,
});

function readerState(world) {
  return {
    trial: "lung-contours",
    title: "Lung tumour contours",
    step: world.step,
    n: world.position,
    total: TOTAL,
    phase_label: "",
    seconds_left_estimate: 840,
    consent:
      world.step === "consent"
        ? {
            version: "1.2",
            text: "# What this is about\n\nYou will see **two contours** of the same tumour side by side.\n\n- It takes about *15 minutes*.\n- You may stop at any time.\n\n<script>window.leaked = true</script>",
          }
        : null,
    questionnaire:
      world.step === "questionnaire"
        ? {
            introduction: null,
            questions: [
              question("speciality", "choice", "Speciality", {
                options: [
                  { value: "radiology", label: "Radiology" },
                  { value: "radonc", label: "Radiation oncology" },
                ],
              }),
              question("years", "integer", "Years of experience", { minimum: "0", maximum: "60", unit: "years" }),
              question("daily", "yes_no", "Do you contour every week?", { required: false }),
            ],
          }
        : null,
    instructions:
      world.step === "instructions"
        ? {
            text: "Choose the contour that follows the tumour better.\n\n1. Look\n2. Answer\n3. **Enter**",
            disclosure: "The share of diseased cases is not that of clinical practice.",
          }
        : null,
    closing: world.step === "closing" ? { question: "In general, could you tell the contours apart?" } : null,
    break_text: null,
    message: null,
    opens_at: null,
    task: "preference",
    environment: null,
    on_return: null,
    leave_note: null,
  };
}

function presentation(world) {
  const position = world.position;
  const resumed = world.reading !== null;
  world.lease += 1;
  world.reading ??= randomUUID().replaceAll("-", "");
  return {
    reading: world.reading,
    lease: world.lease,
    task: "preference",
    phase: position === 1 ? "practice" : position === TOTAL ? "blinding-check" : "reading",
    n: position,
    total: TOTAL,
    seconds_left_estimate: (TOTAL - position + 1) * 70,
    question: position === TOTAL ? "Which contour was made by the algorithm?" : "Which contour is more accurate?",
    cannot_assess: [
      { code: "image_quality", label: "Image quality too low" },
      { code: "display_fault", label: "Display fault" },
      { code: "wrong_material", label: "Wrong or incomplete material" },
      { code: "knows_patient", label: "I know this patient" },
      { code: "other", label: "Other (say why in a comment)" },
    ],
    confirm: true,
    comment: true,
    may_amend_previous: true,
    stage: 0,
    condition: null,
    images: [image(world, position)],
    inverted: false,
    value_range: { lowest: -1200, highest: 3000 },
    setup: {
      kind: "preference",
      options: [
        { value: "left", label: "A", key: "ArrowLeft" },
        { value: "right", label: "B", key: "ArrowRight" },
        ...(position === TOTAL ? [{ value: "dont_know", label: "Don't know", key: "ArrowDown" }] : []),
      ],
      panes: [
        { pane: "left", label: "A", outlines: outlinePacket(position, world.swap ? "right" : "left") },
        { pane: "right", label: "B", outlines: outlinePacket(position, world.swap ? "left" : "right") },
      ],
      style: { colour: "#FFD60A", width_px: 2, halo_px: 1 },
    },
    windows: [
      { key: "1", label: "Lung", width: 1500, level: -600 },
      { key: "2", label: "Mediastinum", width: 400, level: 40 },
      { key: "3", label: "Bone", width: 1800, level: 400 },
    ],
    start_window: 0,
    scroll: true,
    draft: world.drafts.at(-1)?.reading === world.reading ? world.drafts.at(-1).draft : null,
    resumed,
  };
}

function image(world, position) {
  return {
    frames: `/frames/${tokenFor(world, position)}/`,
    rows: ROWS,
    columns: COLUMNS,
    row_spacing_mm: 0.9,
    column_spacing_mm: 0.9,
    frame_spacing_mm: 3,
    dtype: "int16",
    first_frame: 0,
    frame_count: FRAMES,
    start_frame: START_FRAME,
    views: [],
    modality: "CT",
  };
}

const refuse = (status, code, detail, data = {}) => ({ status, body: { code, detail, data } });

function submit(world, body) {
  const hash = createHash("sha256").update(JSON.stringify(body.answer)).digest("hex");
  const known = world.keys.get(body.key);
  if (known && known.hash !== hash) return refuse(409, "idempotency_conflict", "This key was used for another answer.");
  if (!known) {
    if (body.reading !== world.reading) return refuse(404, "not_found", "There is no such reading.");
    world.answers.push(body);
    world.position += 1;
    world.reading = null;
    if (world.position > TOTAL) world.step = "done";
    else world.step = "reading";
    world.keys.set(body.key, { hash });
  }
  const more = world.step === "reading";
  return {
    status: 200,
    body: {
      late: false,
      feedback: null,
      next: {
        step: world.step,
        n: world.position,
        total: TOTAL,
        suggest_break: false,
        preload: more ? [image(world, world.position)] : [],
      },
    },
  };
}

function readerAnswer(world, method, path, body) {
  const rest = path.replace("/api/v1/reader/lung-contours", "");
  if (path === "/api/v1/reader") {
    return {
      status: 200,
      body: [
        {
          trial: "lung-contours",
          title: "Lung tumour contours",
          step: world.step,
          n: world.position,
          total: TOTAL,
          minutes_left: 14,
          message: null,
        },
      ],
    };
  }
  const stale = body?.lease !== undefined && body.lease < world.lease;
  switch (`${method} ${rest}`) {
    case "GET ":
      return { status: 200, body: readerState(world) };
    case "POST /consent":
      if (body.agreed) world.step = "questionnaire";
      return { status: 200, body: readerState(world) };
    case "POST /questionnaire":
      world.step = "instructions";
      return { status: 200, body: readerState(world) };
    case "POST /instructions":
      world.step = "practice";
      return { status: 200, body: readerState(world) };
    case "POST /break":
      return { status: 200, body: { ...readerState(world), step: "break" } };
    case "POST /resume":
      return { status: 200, body: readerState(world) };
    case "POST /current/open":
      return { status: 200, body: presentation(world) };
    case "POST /current/events":
      if (stale) return refuse(409, "reading_taken_over", "This reading was opened in another window.");
      world.events.push(...body.events);
      return { status: 200, body: { received: body.events.length, state: "open" } };
    case "PUT /current/draft":
      if (stale) return refuse(409, "reading_taken_over", "This reading was opened in another window.");
      world.drafts.push(body);
      return { status: 204 };
    case "POST /current/submit":
      return submit(world, body);
    case "POST /current/amend":
      world.answers.push({ ...body, amended: true });
      return {
        status: 200,
        body: {
          late: false,
          feedback: null,
          next: { step: world.step, n: world.position, total: TOTAL, suggest_break: false, preload: [] },
        },
      };
    default:
      return refuse(404, "not_found", "There is nothing here.");
  }
}

function apiAnswer(world, method, url, body) {
  const path = url.pathname;
  const session = {
    signed_in: world.signedIn,
    account: world.signedIn ? account : null,
    csrf_token: "fake-csrf",
    awaits: [],
    second_factor_due: false,
    confirmed: world.signedIn,
    confirm_by: ["password"],
    single_sign_on: null,
  };
  if (path === "/api/v1/session") {
    if (method === "POST") {
      if (body.password !== "correct horse")
        return refuse(401, "not_signed_in", "E-mail address or password are wrong.");
      world.signedIn = true;
      return { status: 200, body: { ...session, signed_in: true, account } };
    }
    if (method === "DELETE") {
      world.signedIn = false;
      return { status: 204 };
    }
    return { status: 200, body: session };
  }
  if (path.startsWith("/api/v1/invitations/")) {
    if (method === "POST") return { status: 200, body: { ...session, signed_in: true, account } };
    return {
      status: 200,
      body: {
        trial_title: "Lung tumour contours",
        role: "reader",
        email: account.email,
        expires_at: "2026-12-31T12:00:00Z",
        account_exists: false,
      },
    };
  }
  if (!world.signedIn) return refuse(401, "session_expired", "Your session has ended: sign in again.");
  if (path.startsWith("/api/v1/reader")) return readerAnswer(world, method, path, body);
  if (path === "/api/v1/trials") return { status: 200, body: { results: [] } };
  return refuse(404, "not_found", "There is nothing here.");
}

function staticAnswer(path, response) {
  const wanted = join(DIST, path);
  const file = path !== "/" && existsSync(wanted) && extname(wanted) ? wanted : join(DIST, "index.html");
  response.writeHead(200, {
    "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    "Content-Security-Policy": CSP,
  });
  response.end(readFileSync(file));
}

const frameCache = new Map();

function frameAnswer(world, path, response) {
  const [, , token, number] = path.split("/");
  const position = world.tokens.get(token);
  if (position === undefined) {
    response.writeHead(404).end();
    return;
  }
  const key = `${position}/${number}`;
  if (!frameCache.has(key)) frameCache.set(key, gzipSync(chestFrame(Number(number), position), { level: 1 }));
  response.writeHead(200, {
    "Content-Type": "application/octet-stream",
    "Content-Encoding": "gzip",
    "Cache-Control": "private, max-age=600, immutable",
  });
  response.end(frameCache.get(key));
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  return text && (request.headers["content-type"] ?? "").includes("json") ? JSON.parse(text) : {};
}

export function startFakeServer(world, port = 0) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (world.offline && url.pathname.startsWith("/api/")) {
      request.socket.destroy();
      return;
    }
    const body = await bodyOf(request);
    if (url.pathname.startsWith("/frames/")) return frameAnswer(world, url.pathname, response);
    if (!url.pathname.startsWith("/api/")) return staticAnswer(url.pathname, response);
    if (world.delayMs) await new Promise((resolve) => setTimeout(resolve, world.delayMs));
    const answer = apiAnswer(world, request.method, url, body);
    if (answer.raw) {
      response.writeHead(200, { "Content-Type": answer.type });
      response.end(answer.raw);
      return;
    }
    response.writeHead(answer.status, { "Content-Type": "application/json", ...(answer.headers ?? {}) });
    response.end(answer.body === undefined ? "" : JSON.stringify(answer.body));
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startFakeServer(makeWorld(), Number(process.argv[2] ?? 8899));
  console.log(`http://127.0.0.1:${server.address().port}/`);
}
