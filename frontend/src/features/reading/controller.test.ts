import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError, NetworkError } from "@/api/errors";
import type { Presentation, Session, SubmitReply } from "@/api/types";
import { pageClock } from "@/timing/clock";
import { Journal } from "@/timing/journal";
import type { EventKind, RecordedEvent } from "@/timing/recorder";
import { FrameLoader } from "@/viewer/frame-loader";
import type { ReadingServer, SubmitBody } from "./api";
import { type ControllerOptions, ReadingController } from "./controller";
import { readingEnvironment } from "./environment";
import type { Command } from "./keyboard";
import type { EnvironmentRule } from "./minimum";
import { Outbox } from "./outbox";
import { task } from "./tasks/preference/task";
import { choose as chooseSide } from "./tasks/preference/value";
import { makeImage, makePresentation } from "./testing";

const choose = (choice: string): Command => ({ type: "task", action: chooseSide(choice) });

const ACCOUNT = "reader@example.org";
const signedIn: Session = {
  signed_in: true,
  account: { email: ACCOUNT, display_name: "", is_site_administrator: false },
  csrf_token: "t",
  awaits: [],
  second_factor_due: false,
  confirmed: true,
  confirm_by: [],
  single_sign_on: null,
};
const frame = (): Response => new Response(Int16Array.from([1, 2, 3, 4]).buffer as ArrayBuffer);

let trial = 0;
let running: ReadingController[] = [];

beforeEach(() => {
  trial += 1;
  running = [];
});
afterEach(() => {
  vi.useRealTimers();
  for (const controller of running) controller.stop();
});

interface Fake {
  readonly server: ReadingServer;
  readonly presentations: Presentation[];
  readonly replies: SubmitReply[];
  readonly submitted: SubmitBody[];
}

const nextIs = (step: SubmitReply["next"]["step"]): SubmitReply => ({
  late: false,
  feedback: null,
  next: { step, n: 2, total: 3, suggest_break: false, preload: [] },
});

function fakeServer(): Fake {
  const presentations = [makePresentation(), makePresentation({ reading: "r2", n: 13 })];
  const replies = [nextIs("reading"), nextIs("closing")];
  const submitted: SubmitBody[] = [];
  const server = {
    open: vi.fn(async () => presentations.shift() ?? makePresentation()),
    sendEvents: vi.fn(async () => undefined),
    saveDraft: vi.fn(async () => undefined),
    submit: vi.fn(async (body: SubmitBody) => {
      submitted.push(body);
      return replies.shift() ?? nextIs("done");
    }),
    commit: vi.fn(),
    amend: vi.fn(),
    takeBreak: vi.fn(async () => ({}) as never),
    resume: vi.fn(async () => ({}) as never),
  };
  return { server, presentations, replies, submitted };
}

function makeController(
  server: ReadingServer,
  fetched: string[] = [],
  outbox = new Outbox(ACCOUNT, `trial-${trial}`),
  options: Partial<ControllerOptions> = {},
): ReadingController {
  const controller = new ReadingController({
    account: ACCOUNT,
    server,
    session: async () => signedIn,
    signIn: async () => signedIn,
    outbox,
    journal: new Journal(ACCOUNT, `trial-${trial}`),
    loader: new FrameLoader(async (address) => {
      fetched.push(address);
      return frame();
    }),
    loadTask: async () => task,
    lock: () => ({ take: async () => true, release: () => undefined }),
    rule: null,
    ...options,
  });
  running.push(controller);
  return controller;
}

const allLoaded = (controller: ReadingController) =>
  vi.waitFor(() => expect(controller.getState()).toMatchObject({ stage: "loading", framesLoaded: 3 }));

test("the clock starts when every frame is in memory and the picture has been on the screen", async () => {
  const { server, submitted } = fakeServer();
  const controller = makeController(server);
  await controller.start();
  await allLoaded(controller);
  controller.painted(512.25);
  controller.command(choose("left"));
  controller.submit();
  await vi.waitFor(() => expect(submitted).toHaveLength(1));
  const [body] = submitted;
  expect(body?.answer).toEqual({ choice: "left", reason_code: null, comment: "" });
  expect(body?.events.map((event) => event.kind)).toEqual(["page_load", "first_paint", "answer_change", "submit"]);
  expect(body?.events[1]).toMatchObject({ t_ms: 512.3, data: { frame: 1 } });
  expect(body?.events.map((event) => event.sequence)).toEqual([0, 1, 2, 3]);
});

test("after the answer the next reading opens, and after the last the screen is left", async () => {
  const { server } = fakeServer();
  const controller = makeController(server);
  await controller.start();
  for (const reading of ["r1", "r2"]) {
    await vi.waitFor(() => expect(controller.getState().presentation?.reading).toBe(reading));
    await allLoaded(controller);
    controller.painted(1);
    controller.command(choose("right"));
    controller.submit();
  }
  await vi.waitFor(() => expect(controller.getState()).toMatchObject({ stage: "left", leftFor: "closing" }));
  expect(await new Outbox(ACCOUNT, `trial-${trial}`).read()).toBeUndefined();
});

test("frames named by the last answer are loaded before the reading is opened", async () => {
  const { server, replies } = fakeServer();
  replies[0] = {
    late: false,
    feedback: null,
    next: {
      step: "reading",
      n: 2,
      total: 3,
      suggest_break: false,
      preload: [makeImage({ frames: "/frames/t2/", frame_count: 2 })],
    },
  };
  const fetched: string[] = [];
  const controller = makeController(server, fetched);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  controller.command(choose("right"));
  controller.submit();
  await vi.waitFor(() => expect(fetched).toContain("/frames/t2/1"));
});

test("an answer left behind by a closed tab is sent before anything is opened", async () => {
  const { server, submitted } = fakeServer();
  const left: SubmitBody = {
    reading: "r0",
    lease: 4,
    key: "left-behind",
    answer: { choice: "right", reason_code: null, comment: "" },
    events: [],
  };
  const outbox = new Outbox(ACCOUNT, `trial-${trial}`);
  await outbox.write({ reading: "r0", lease: 4, events: [], submit: left });
  await makeController(server).start();
  expect(submitted).toEqual([left]);
  expect(vi.mocked(server.submit).mock.invocationCallOrder[0]).toBeLessThan(
    vi.mocked(server.open).mock.invocationCallOrder[0] ?? 0,
  );
  expect((await outbox.read())?.submit ?? null).toBeNull();
});

const heard = (sequence: number, kind: EventKind): RecordedEvent => ({
  sequence,
  kind,
  t_ms: sequence,
  clock_id: "killed",
  wall_ms: 1_700_000_000_000 + sequence,
  data: {},
});
const journal = () => new Journal(ACCOUNT, `trial-${trial}`);
const denied = () => new Outbox(ACCOUNT, `trial-${trial}`, () => Promise.reject(new Error("denied")));
const firstOf = (call: unknown) => vi.mocked(call as () => unknown).mock.invocationCallOrder[0] ?? Number.NaN;

test("events that a killed tab left in the journal alone are sent before anything is opened", async () => {
  const { server } = fakeServer();
  for (const sequence of [0, 1]) journal().write("r1", 1, heard(sequence, "pointer"));
  await makeController(server).start();
  expect(server.sendEvents).toHaveBeenCalledExactlyOnceWith({
    reading: "r1",
    lease: 1,
    events: [heard(0, "pointer"), heard(1, "pointer")],
  });
  expect(firstOf(server.sendEvents)).toBeLessThan(firstOf(server.open));
});

test("events of the outbox and of the journal are sent as one, each once, in batches", async () => {
  const { server } = fakeServer();
  const outbox = new Outbox(ACCOUNT, `trial-${trial}`);
  const early = Array.from({ length: 600 }, (_, sequence) => heard(sequence, "pointer"));
  await outbox.write({ reading: "r1", lease: 3, events: early, submit: null });
  for (const sequence of [599, 600, 601]) journal().write("r1", 3, heard(sequence, "pointer"));
  await makeController(server).start();
  const sent = vi.mocked(server.sendEvents).mock.calls.map(([body]) => body);
  expect(sent.map(({ reading, lease, events }) => [reading, lease, events.length])).toEqual([
    ["r1", 3, 500],
    ["r1", 3, 102],
  ]);
  expect(sent.flatMap(({ events }) => events.map((event) => event.sequence))).toEqual([...Array(602).keys()]);
  expect(
    journal()
      .left()
      .some(({ lease }) => lease === 3),
  ).toBe(false);
});

test("events of a lease that was taken over have been stored by the refusal, and go no more", async () => {
  const { server } = fakeServer();
  vi.mocked(server.sendEvents).mockRejectedValueOnce(new ApiError(409, "reading_taken_over", "elsewhere"));
  journal().write("r0", 1, heard(0, "pointer"));
  const controller = makeController(server);
  await controller.start();
  expect(controller.getState().presentation?.reading).toBe("r1");
  expect(server.sendEvents).toHaveBeenCalledOnce();
  expect(
    journal()
      .left()
      .some(({ reading }) => reading === "r0"),
  ).toBe(false);
});

const signedInAs = (email: string): Session => ({
  ...signedIn,
  account: { email, display_name: "", is_site_administrator: false },
});

test("events left behind are not sent under another account, and wait for their own reader", async () => {
  const { server } = fakeServer();
  journal().write("r0", 1, heard(0, "pointer"));
  let session = signedInAs("other@example.org");
  await makeController(server, [], undefined, { session: async () => session }).start();
  expect(server.sendEvents).not.toHaveBeenCalled();
  expect(journal().left()).toContainEqual({ reading: "r0", lease: 1, events: [heard(0, "pointer")] });
  session = signedIn;
  await makeController(server, [], undefined, { session: async () => session }).start();
  expect(server.sendEvents).toHaveBeenCalledWith({ reading: "r0", lease: 1, events: [heard(0, "pointer")] });
});

test("a refusal under an account that came meanwhile, or for an old token, drops no events", async () => {
  for (const refusal of [new ApiError(404, "not_found", "gone"), new ApiError(403, "csrf_failed", "old")]) {
    const { server } = fakeServer();
    journal().write("r0", 1, heard(0, "pointer"));
    let session = signedIn;
    vi.mocked(server.sendEvents).mockImplementationOnce(async () => {
      if (refusal.code === "not_found") session = signedInAs("other@example.org");
      throw refusal;
    });
    await makeController(server, [], undefined, { session: async () => session }).start();
    expect(server.sendEvents).toHaveBeenCalledOnce();
    expect(journal().left()).toContainEqual({ reading: "r0", lease: 1, events: [heard(0, "pointer")] });
  }
});

test("events that cannot be sent now outlast the next opening, and go with its own", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const { server } = fakeServer();
  vi.mocked(server.sendEvents).mockRejectedValueOnce(new ApiError(503, "unknown", "down"));
  const outbox = new Outbox(ACCOUNT, `trial-${trial}`);
  await outbox.write({ reading: "r1", lease: 9, events: [heard(0, "first_paint")], submit: null });
  const controller = makeController(server);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  await vi.waitFor(async () => expect(await outbox.read()).toMatchObject({ lease: 1 }));
  expect(journal().left()).toContainEqual({ reading: "r1", lease: 9, events: [heard(0, "first_paint")] });
  vi.advanceTimersByTime(5000);
  await vi.waitFor(() => expect(server.sendEvents).toHaveBeenCalledTimes(3));
  expect(vi.mocked(server.sendEvents).mock.calls.map(([body]) => body.lease)).toEqual([9, 1, 9]);
  await vi.waitFor(() => expect(journal().left()).toEqual([]));
});

test("the journal is emptied when the outbox is on the disk", async () => {
  const controller = makeController(fakeServer().server);
  await controller.start();
  expect(journal().left()).toMatchObject([{ reading: "r1", lease: 1, events: [{ kind: "page_load" }] }]);
  await vi.waitFor(() => expect(journal().left()).toEqual([]));
  const kept = await new Outbox(ACCOUNT, `trial-${trial}`).read();
  expect(kept?.events.map((event) => event.kind)).toEqual(["page_load"]);
});

test("where the outbox lives in memory alone, the journal keeps the events until the server has the answer", async () => {
  const { server, submitted } = fakeServer();
  let arrive = (): void => undefined;
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  vi.mocked(server.submit).mockImplementation(async (body) => {
    submitted.push(body);
    await arrived;
    return nextIs("done");
  });
  const outbox = denied();
  const controller = makeController(server, [], outbox);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  await vi.waitFor(async () => expect((await outbox.read())?.events).toHaveLength(2));
  const kinds = () =>
    journal()
      .left()
      .flatMap(({ events }) => events.map((event) => event.kind));
  expect(kinds()).toEqual(["page_load", "first_paint"]);
  controller.command(choose("left"));
  controller.submit();
  await vi.waitFor(() => expect(submitted).toHaveLength(1));
  expect(kinds()).toEqual(["page_load", "first_paint", "answer_change", "submit"]);
  arrive();
  await vi.waitFor(() => expect(kinds()).toEqual([]));
});

test("the journal forgets what the server has acknowledged, and nothing later", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const { server } = fakeServer();
  const controller = makeController(server, [], denied());
  await controller.start();
  await allLoaded(controller);
  vi.mocked(server.sendEvents).mockImplementationOnce(async () => controller.painted(1));
  vi.advanceTimersByTime(5000);
  await vi.waitFor(() =>
    expect(journal().left()).toMatchObject([{ reading: "r1", lease: 1, events: [{ kind: "first_paint" }] }]),
  );
});

test("a window that loses its reading sends what it still had", async () => {
  const { server } = fakeServer();
  vi.mocked(server.saveDraft).mockRejectedValue(new ApiError(409, "reading_taken_over", "elsewhere"));
  const controller = makeController(server);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  controller.command(choose("left"));
  await vi.waitFor(() => expect(controller.getState().stage).toBe("taken-over"), 3000);
  await vi.waitFor(() => expect(server.sendEvents).toHaveBeenCalledOnce());
  const [body] = vi.mocked(server.sendEvents).mock.calls[0] ?? [];
  expect(body?.events.map((event) => event.kind)).toEqual(["page_load", "first_paint", "answer_change"]);
});

test("a lease that was taken over ends the reading here, and can be taken back", async () => {
  const { server } = fakeServer();
  vi.mocked(server.saveDraft).mockRejectedValue(new ApiError(409, "reading_taken_over", "elsewhere"));
  const controller = makeController(server);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  controller.command(choose("left"));
  await vi.waitFor(() => expect(controller.getState().stage).toBe("taken-over"), 3000);
  await controller.start({ steal: true });
  expect(controller.getState().presentation?.reading).toBe("r2");
});

test("an opening that was lost is tried again, and says that it waits", async () => {
  const { server } = fakeServer();
  vi.mocked(server.open).mockRejectedValueOnce(new NetworkError());
  const controller = makeController(server);
  await controller.start();
  expect(controller.getState()).toMatchObject({ stage: "starting", save: "waiting" });
  await vi.waitFor(() => expect(controller.getState().presentation?.reading).toBe("r1"), 5000);
});

test("where no confirmation is asked, choosing answers", async () => {
  const { server, presentations, submitted } = fakeServer();
  presentations[0] = makePresentation({ confirm: false });
  const controller = makeController(server);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  controller.command(choose("none"));
  await vi.waitFor(() => expect(submitted[0]?.answer.choice).toBe("none"));
});

test("a break covers the images at once and tells the server", async () => {
  const { server } = fakeServer();
  const controller = makeController(server);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  const pausing = controller.takeBreak();
  expect(controller.getState().stage).toBe("paused");
  await pausing;
  expect(server.takeBreak).toHaveBeenCalledOnce();
  await controller.endBreak();
  expect(controller.getState().stage).toBe("reading");
});

const RULE: EnvironmentRule = {
  minimum_window: { width_px: 1280, height_px: 720 },
  minimum_colour_depth_bits: null,
  grey_steps: "none",
  grey_steps_failing: "warn",
  fit_displays: [],
};

test("nothing is opened in too small a window, the reason is said, and it goes on by itself when it is right", async () => {
  const { server } = fakeServer();
  let width = 900;
  const controller = makeController(server, [], undefined, {
    rule: RULE,
    environment: () => ({
      ...readingEnvironment(),
      window_width_px: width,
      window_height_px: 800,
      zoom_percent: null,
    }),
  });
  await controller.start();
  expect(controller.getState()).toMatchObject({
    stage: "unfit",
    message:
      "The window is 900 x 800 CSS pixels; this trial needs at least 1280 x 720. Enlarge the window or set the zoom to 100 %.",
  });
  width = 1000;
  window.dispatchEvent(new Event("resize"));
  await vi.waitFor(() => expect(controller.getState().message).toContain("The window is 1000 x 800"));
  expect(server.open).not.toHaveBeenCalled();
  width = 1280;
  window.dispatchEvent(new Event("resize"));
  await allLoaded(controller);
  expect(vi.mocked(server.open).mock.calls[0]?.[0]).toMatchObject({ window_width_px: 1280, window_height_px: 800 });
});

test("a window that the server refuses is waited for with the server's words", async () => {
  const { server } = fakeServer();
  const refused = new ApiError(409, "environment_refused", "The window is too small for the server.", {
    problems: [{ code: "window_too_small", message: "The window is too small for the server." }],
  });
  vi.mocked(server.open).mockRejectedValueOnce(refused);
  const controller = makeController(server);
  await controller.start();
  expect(controller.getState()).toMatchObject({ stage: "unfit", message: "The window is too small for the server." });
  window.dispatchEvent(new Event("resize"));
  await allLoaded(controller);
});

test("a display whose grey steps were not looked at leaves the screen, by the rule here or by the server's", async () => {
  const { server } = fakeServer();
  const here = makeController(server, [], undefined, {
    rule: { ...RULE, minimum_window: null, grey_steps: "offered" },
  });
  await here.start();
  expect(here.getState()).toMatchObject({ stage: "left", leftFor: "display-check" });
  expect(server.open).not.toHaveBeenCalled();
  const problems = [{ code: "grey_steps", message: "Not tested." }];
  vi.mocked(server.open).mockRejectedValueOnce(new ApiError(409, "environment_refused", "Not tested.", { problems }));
  const there = makeController(server);
  await there.start();
  expect(there.getState()).toMatchObject({ stage: "left", leftFor: "display-check" });
});

test("a window that is resized during a reading is recorded once it stands still, and interrupts nothing", async () => {
  const { server, submitted } = fakeServer();
  let width = 1280;
  const environment = () => ({ ...readingEnvironment(), window_width_px: width, window_height_px: 800 });
  const controller = makeController(server, [], undefined, { rule: RULE, environment });
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  for (width of [1200, 1000, 800]) window.dispatchEvent(new Event("resize"));
  await new Promise((done) => setTimeout(done, 400));
  window.dispatchEvent(new Event("resize"));
  await new Promise((done) => setTimeout(done, 400));
  expect(controller.getState().stage).toBe("reading");
  controller.command(choose("left"));
  controller.submit();
  await vi.waitFor(() => expect(submitted).toHaveLength(1));
  const changes = submitted[0]?.events.filter(({ kind }) => kind === "environment_change");
  expect(changes?.map(({ data }) => data.window_width_px)).toEqual([800]);
  await vi.waitFor(() => expect(controller.getState().stage).toBe("unfit"));
});

const HOUR_MS = 3_600_000;

/** The reading screen with a case on it, and a wall clock that the test moves. */
async function atACase(presentation: Presentation) {
  const { server, presentations } = fakeServer();
  presentations[0] = presentation;
  const begin = pageClock.wallMs();
  let passed = 0;
  const clock = vi.spyOn(pageClock, "wallMs").mockImplementation(() => begin + passed);
  const controller = makeController(server);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  return {
    server,
    controller,
    pass: (ms: number) => {
      passed += ms;
    },
    restore: () => clock.mockRestore(),
  };
}

test("a page that stood open for longer than its reading waits hands the reading back to the server", async () => {
  const { server, controller, pass, restore } = await atACase(makePresentation({ resume_within_hours: 2 }));
  controller.command(choose("left"));
  pass(2 * HOUR_MS + 1000);
  controller.scroll(1);
  await vi.waitFor(() => expect(controller.getState()).toMatchObject({ stage: "left", leftFor: "reading" }));
  controller.submit();
  restore();
  expect(server.submit).not.toHaveBeenCalled();
  expect(server.open).toHaveBeenCalledOnce();
});

test("a break that lasted too long does not bring the images back", async () => {
  const { controller, pass, restore } = await atACase(makePresentation({ resume_within_hours: 2 }));
  await controller.takeBreak();
  pass(3 * HOUR_MS);
  await controller.endBreak();
  await vi.waitFor(() => expect(controller.getState()).toMatchObject({ stage: "left", leftFor: "reading" }));
  restore();
});

test.each([
  ["within the limit", 2, 1.9],
  ["in a trial whose readings always go on", null, 500],
])("a page goes on as it stands %s", async (_, limit, hours) => {
  const { controller, pass, restore } = await atACase(makePresentation({ resume_within_hours: limit }));
  pass(hours * HOUR_MS);
  controller.command(choose("left"));
  await Promise.resolve();
  restore();
  expect(controller.getState()).toMatchObject({ stage: "reading", value: expect.anything() });
});
