import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError, NetworkError } from "@/api/errors";
import type { Presentation, Session, SubmitReply } from "@/api/types";
import { FrameLoader } from "@/viewer/frame-loader";
import type { ReadingServer, SubmitBody } from "./api";
import { ReadingController } from "./controller";
import { Outbox } from "./outbox";
import { makePresentation } from "./testing";

const ACCOUNT = "reader@example.org";
const signedIn: Session = {
  signed_in: true,
  account: { email: ACCOUNT, display_name: "", is_site_administrator: false },
  csrf_token: "t",
};
const frame = (): Response => new Response(Int16Array.from([1, 2, 3, 4]).buffer as ArrayBuffer);

let trial = 0;
let running: ReadingController[] = [];

beforeEach(() => {
  trial += 1;
  running = [];
});
afterEach(() => {
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
  next: { step, n: 2, total: 3, preload: null },
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
    amend: vi.fn(),
    takeBreak: vi.fn(async () => ({}) as never),
    resume: vi.fn(async () => ({}) as never),
  };
  return { server, presentations, replies, submitted };
}

function makeController(server: ReadingServer, fetched: string[] = []): ReadingController {
  const controller = new ReadingController({
    account: ACCOUNT,
    server,
    session: async () => signedIn,
    signIn: async () => signedIn,
    outbox: new Outbox(ACCOUNT, `trial-${trial}`),
    loader: new FrameLoader(async (address) => {
      fetched.push(address);
      return frame();
    }),
    lock: () => ({ take: async () => true, release: () => undefined }),
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
  controller.command({ type: "choose", choice: "left", reasonCode: null });
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
    controller.command({ type: "choose", choice: "right", reasonCode: null });
    controller.submit();
  }
  await vi.waitFor(() => expect(controller.getState()).toMatchObject({ stage: "left", leftFor: "closing" }));
  expect(await new Outbox(ACCOUNT, `trial-${trial}`).read()).toBeUndefined();
});

test("frames named by the last answer are loaded before the reading is opened", async () => {
  const { server, replies } = fakeServer();
  replies[0] = {
    late: false,
    next: {
      step: "reading",
      n: 2,
      total: 3,
      preload: { frames: "/frames/t2/", rows: 2, columns: 2, first_frame: 0, frame_count: 2, start_frame: 0 },
    },
  };
  const fetched: string[] = [];
  const controller = makeController(server, fetched);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  controller.command({ type: "choose", choice: "right", reasonCode: null });
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
  await outbox.write({ reading: "r0", lease: 4, nextSequence: 9, events: [], submit: left });
  await makeController(server).start();
  expect(submitted).toEqual([left]);
  expect(vi.mocked(server.submit).mock.invocationCallOrder[0]).toBeLessThan(
    vi.mocked(server.open).mock.invocationCallOrder[0] ?? 0,
  );
  expect((await outbox.read())?.submit ?? null).toBeNull();
});

test("a lease that was taken over ends the reading here, and can be taken back", async () => {
  const { server } = fakeServer();
  vi.mocked(server.saveDraft).mockRejectedValue(new ApiError(409, "reading_taken_over", "elsewhere"));
  const controller = makeController(server);
  await controller.start();
  await allLoaded(controller);
  controller.painted(1);
  controller.command({ type: "choose", choice: "left", reasonCode: null });
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
  controller.command({ type: "choose", choice: "none", reasonCode: null });
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
