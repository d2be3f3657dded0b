/**
 * Runs the reading screen: opens readings, records what happens in them, saves drafts, hands answers to the outbox and
 * moves on. React only shows `getState()` and calls the methods; nothing here touches the page's elements.
 */

import { ApiError, errorText, isPassing, needsSignIn } from "@/api/errors";
import type { Presentation, ReaderStep, ReadingImage, Session, SubmitReply } from "@/api/types";
import { eventTimeMs, randomId } from "@/timing/clock";
import type { Journal } from "@/timing/journal";
import { watchPage } from "@/timing/page-watch";
import { EventRecorder, type RecordedEvent } from "@/timing/recorder";
import { FrameLoadError, type FrameLoader, type FrameRun } from "@/viewer/frame-loader";
import type { ReadingServer, SubmitBody } from "./api";
import { Delivery } from "./delivery";
import { changingPart, type EnvironmentAccount, readingEnvironment, watchEnvironment } from "./environment";
import type { Command } from "./keyboard";
import { EVENTS_PER_BATCH, Leftovers } from "./leftovers";
import { type EnvironmentRule, environmentProblems, needsGreySteps } from "./minimum";
import type { Outbox } from "./outbox";
import {
  answerOf,
  canSubmit,
  draftOf,
  goesOn,
  initialState,
  type ReadingAction,
  type ReadingState,
  recordedEvent,
  reduce,
  startVoi,
} from "./state";
import type { TabLock } from "./tab-lock";
import type { Task, TaskAction } from "./tasks/task";

const DRAFT_AFTER_MS = 800;
const DRAFT_AGAIN_AFTER_MS = 5000;
const STORE_EVENTS_AFTER_MS = 300;
const SEND_EVENTS_EVERY_MS = 5000;
const REOPEN_AFTER_MS = 3000;
/** A window that is being drawn larger is looked at, and recorded, once it has stood still for so long. */
const RESIZED_AFTER_MS = 300;
const MS_PER_HOUR = 3_600_000;
/** Actions after which the draft is saved. */
const DRAFTED: readonly ReadingAction["type"][] = ["task", "cannot_assess", "write_comment", "set_window"];
/** Steps in which there is a reading to open. */
export const READING_STEPS: readonly ReaderStep[] = ["practice", "reading", "blinding-check"];

export interface ControllerOptions {
  /** E-mail address of the reader whose answers these are. */
  readonly account: string;
  readonly server: ReadingServer;
  readonly session: () => Promise<Session>;
  readonly signIn: (password: string) => Promise<Session>;
  readonly outbox: Outbox;
  readonly journal: Journal;
  readonly loader: FrameLoader;
  /** Fetches the task of a reading; null if this page knows none of that name. */
  readonly loadTask: (name: string) => Promise<Task | null>;
  readonly lock: (onLost: () => void) => TabLock;
  /** What the protocol asks of window and display; null asks for nothing. */
  readonly rule: EnvironmentRule | null;
  readonly environment?: () => EnvironmentAccount;
}

/** The frames of an image as the viewer knows them. */
export function frameRun(image: ReadingImage): FrameRun {
  return {
    address: image.frames,
    first: image.first_frame,
    count: image.frame_count,
    start: image.start_frame,
    grid: {
      rows: image.rows,
      columns: image.columns,
      rowSpacingMm: image.row_spacing_mm,
      columnSpacingMm: image.column_spacing_mm,
    },
  };
}

export class ReadingController {
  readonly #options: ControllerOptions;
  readonly #lock: TabLock;
  readonly #delivery: Delivery;
  readonly #leftovers: Leftovers;
  readonly #listeners = new Set<() => void>();
  #state: ReadingState = initialState;
  #recorder: EventRecorder | null = null;
  #stopWatching: (() => void) | null = null;
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #storeTimer: ReturnType<typeof setTimeout> | undefined;
  #eventsTimer: ReturnType<typeof setInterval> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #resizeTimer: ReturnType<typeof setTimeout> | undefined;
  #stopWaiting: (() => void) | null = null;
  #sendingEvents = false;
  #breakTold: Promise<unknown> = Promise.resolve();
  #afterFeedback: (() => void) | null = null;
  #generation = 0;
  #stopped = false;
  #lost = false;
  /** Wall time of the last event of the open reading. */
  #heardMs = Number.POSITIVE_INFINITY;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#lock = options.lock(() => this.#lostToAnotherWindow());
    this.#leftovers = new Leftovers(options);
    this.#delivery = new Delivery({
      account: options.account,
      outbox: options.outbox,
      server: options.server,
      session: options.session,
      onState: (save, message) => this.#set({ type: "saving", save, message }),
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getState = (): ReadingState => this.#state;

  get loader(): FrameLoader {
    return this.#options.loader;
  }

  // --- Opening ------------------------------------------------------------------------------------------------

  async start(options: { steal: boolean } = { steal: false }): Promise<void> {
    this.#lost = false;
    this.#leaveBehind();
    this.#set({ type: "starting" });
    if (!(await this.#lock.take(options))) {
      this.#set({ type: "taken_over" });
      return;
    }
    if (this.#stopped) {
      this.#lock.release();
      return;
    }
    const submit = await this.#leftovers.find();
    if (submit) {
      // Its events count only while the reading is unanswered.
      await this.#leftovers.sendEvents();
      const reply = await this.#delivery.submit(submit);
      if (reply) this.#options.journal.forget(submit.reading, submit.lease);
    }
    await this.#open();
  }

  stop(): void {
    this.#stopped = true;
    this.#generation += 1;
    this.#endReading();
    this.#delivery.stop();
    this.#lock.release();
    this.#stopWaiting?.();
    clearTimeout(this.#retryTimer);
  }

  /** What this window recorded and could not send stays behind, as that of a closed one does. */
  #leaveBehind(): void {
    const { presentation } = this.#state;
    const events = this.#recorder?.pending() ?? [];
    this.#endReading();
    if (!presentation) return;
    this.#leftovers.add({ reading: presentation.reading, lease: presentation.lease, events });
  }

  async #open(): Promise<void> {
    const generation = ++this.#generation;
    this.#stopWaiting?.();
    const account = this.#account();
    const [problem] = environmentProblems(account, this.#options.rule);
    if (problem) {
      this.#waitForWindow(problem.message);
      return;
    }
    if (needsGreySteps(account.display, this.#options.rule)) {
      this.#set({ type: "leave", step: "display-check" });
      return;
    }
    try {
      await this.#leftovers.sendEvents();
      if (this.#stopped || generation !== this.#generation) return;
      const presentation = await this.#options.server.open({ ...account });
      if (generation !== this.#generation) return;
      this.#set({ type: "saving", save: "saved" });
      await this.#begin(presentation, generation);
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#openFailed(error);
    }
  }

  #account(): EnvironmentAccount {
    return (this.#options.environment ?? readingEnvironment)();
  }

  /** Nothing is opened in a window the protocol does not allow; it goes on by itself once the window is right. */
  #waitForWindow(message: string): void {
    this.#set({ type: "unfit", message });
    this.#stopWaiting?.();
    const stop = watchEnvironment(() => {
      clearTimeout(this.#resizeTimer);
      this.#resizeTimer = setTimeout(() => void this.#open(), RESIZED_AFTER_MS);
    });
    this.#stopWaiting = () => {
      clearTimeout(this.#resizeTimer);
      stop();
      this.#stopWaiting = null;
    };
  }

  /** The server refused window or display: what can be put right here is waited for, the display is tested elsewhere. */
  #environmentRefused(error: ApiError): void {
    const problems = (error.data.problems ?? []) as readonly { readonly code: string }[];
    if (problems.some(({ code }) => code === "grey_steps")) this.#set({ type: "leave", step: "display-check" });
    else this.#waitForWindow(error.message);
  }

  #openFailed(error: unknown): void {
    if (error instanceof ApiError && error.code === "environment_refused") {
      this.#environmentRefused(error);
    } else if (needsSignIn(error)) {
      this.#set({ type: "saving", save: "sign-in" });
    } else if (isPassing(error)) {
      this.#set({ type: "saving", save: "waiting" });
      this.#retryTimer = setTimeout(() => void this.#open(), REOPEN_AFTER_MS);
    } else if (error instanceof ApiError && error.code === "state_conflict") {
      this.#set({ type: "leave", step: "paused" });
    } else {
      this.#set({ type: "failed", message: errorText(error) });
    }
  }

  async #begin(presentation: Presentation, generation: number): Promise<void> {
    const task = await this.#options.loadTask(presentation.task);
    if (generation !== this.#generation) return;
    if (!task) throw new Error(`This page knows no task "${presentation.task}". Load it again.`);
    this.#endReading();
    const same = goesOn(this.#state, presentation);
    this.#set({ type: "opened", presentation, task });
    this.#startRecording(presentation);
    if (same) return;
    const runs = presentation.images.map(frameRun);
    this.loader.keepOnly(runs.map((run) => run.address));
    let loaded = 0;
    const one = (): void => {
      loaded += 1;
      if (generation === this.#generation) this.#set({ type: "frames_loaded", count: loaded });
    };
    try {
      for (const run of runs) await this.loader.loadAll(run, one);
    } catch (error) {
      if (generation !== this.#generation) return;
      const text = error instanceof FrameLoadError ? error.message : errorText(error);
      this.#set({ type: "failed", message: text });
    }
  }

  #startRecording({ reading, lease }: Presentation): void {
    const recorder = new EventRecorder({
      onEvent: (event) => {
        this.#options.journal.write(reading, lease, event);
        this.#heard(event);
      },
    });
    this.#heardMs = Number.POSITIVE_INFINITY;
    this.#recorder = recorder;
    const stopPage = watchPage({ record: (kind, data, tMs) => void recorder.record(kind, data, tMs) });
    const stopEnvironment = this.#recordEnvironment(recorder);
    this.#stopWatching = () => {
      stopPage();
      stopEnvironment();
    };
    this.#eventsTimer = setInterval(() => void this.#sendEvents(), SEND_EVENTS_EVERY_MS);
    window.addEventListener("pagehide", this.#pageHides);
    document.addEventListener("visibilitychange", this.#pageHides);
  }

  /** A window that is enlarged or shrunk during a reading is recorded and interrupts nothing. */
  #recordEnvironment(recorder: EventRecorder): () => void {
    let known = JSON.stringify(changingPart(this.#account()));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const record = (): void => {
      const now = changingPart(this.#account());
      if (JSON.stringify(now) === known) return;
      known = JSON.stringify(now);
      recorder.record("environment_change", now);
    };
    const stop = watchEnvironment(() => {
      clearTimeout(timer);
      timer = setTimeout(record, RESIZED_AFTER_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }

  #endReading(): void {
    this.#stopWatching?.();
    this.#stopWatching = null;
    this.#recorder = null;
    clearInterval(this.#eventsTimer);
    clearTimeout(this.#draftTimer);
    clearTimeout(this.#storeTimer);
    window.removeEventListener("pagehide", this.#pageHides);
    document.removeEventListener("visibilitychange", this.#pageHides);
  }

  // --- What the reader does -----------------------------------------------------------------------------------

  /** Changes the state and records the act; `event` gives the time at which it happened. */
  act(action: ReadingAction, event?: Event): void {
    this.#actAt(action, event ? eventTimeMs(event) : undefined);
  }

  /** The case cannot be drawn: nothing may be answered that was not seen. */
  displayFailed(error: unknown): void {
    this.#set({ type: "failed", message: errorText(error) });
  }

  /** The start slice has been on the screen with every frame in memory: the clock of the reading starts. */
  painted(presentedAtMs: number): void {
    if (this.#state.stage === "loading") this.#actAt({ type: "first_paint" }, presentedAtMs);
  }

  command(command: Command, event?: Event): void {
    const { presentation, voi } = this.#state;
    if (!presentation) return;
    switch (command.type) {
      case "task":
        this.task(command.action, event);
        return;
      case "none":
        return;
      case "cannot_assess":
        this.cannotAssess(command.reasonCode, event);
        return;
      case "clear":
        this.#clear(event);
        return;
      case "confirm":
        this.submit(event);
        return;
      case "preset": {
        const preset = presentation.windows[command.index];
        if (!preset) return;
        const { width, level } = preset;
        this.act({ type: "set_window", voi: { width, level, invert: voi.invert }, by: "preset" }, event);
        return;
      }
      case "next_preset": {
        const { windows } = presentation;
        const now = windows.findIndex((each) => each.width === voi.width && each.level === voi.level);
        if (windows.length > 0) this.command({ type: "preset", index: (now + 1) % windows.length }, event);
        return;
      }
      case "zoom":
      case "pan":
        return; // the viewer's; the screen hands them on
      case "invert":
        this.act({ type: "set_window", voi: { ...voi, invert: !voi.invert }, by: "invert" }, event);
        return;
      case "hide_outlines":
        this.act({ type: "hide_outlines", on: command.on }, event);
        return;
      case "reset":
        this.reset(event);
        return;
      case "comment":
        if (presentation.comment) this.act({ type: "open_drawer", drawer: "comment" }, event);
        return;
      case "reasons":
        if (presentation.cannot_assess.length > 0) this.act({ type: "open_drawer", drawer: "reasons" }, event);
        return;
      case "close_drawer":
        this.act({ type: "open_drawer", drawer: "none" }, event);
        return;
      case "break":
        void this.takeBreak(event);
        return;
      case "help":
        this.act({ type: this.#state.helpOpen ? "close_help" : "open_help" }, event);
        return;
      case "scroll":
        this.scroll(command.frames, event);
        return;
    }
  }

  /** What the reader does to the task's own part; where no confirmation is asked, a complete answer is sent. */
  task(action: TaskAction, event?: Event): void {
    const { task, presentation } = this.#state;
    this.act({ type: "task", action }, event);
    if (task?.immediate && task.isAnswer(action) && presentation?.confirm === false) this.submit(event);
  }

  cannotAssess(reasonCode: string, event?: Event): void {
    this.act({ type: "cannot_assess", reasonCode }, event);
    if (this.#state.task?.immediate && this.#state.presentation?.confirm === false) this.submit(event);
  }

  #clear(event?: Event): void {
    const { task, value, reasonCode } = this.#state;
    const action = task?.clear(value);
    if (reasonCode !== null) this.act({ type: "cannot_assess", reasonCode: null }, event);
    else if (action) this.task(action, event);
  }

  scroll(frames: number, event?: Event): void {
    if (!this.#state.presentation?.scroll || (this.#state.presentation.images[0]?.frame_count ?? 0) < 2) return;
    const before = this.#state.frame;
    const after = reduce(this.#state, { type: "show_slice", frame: before + frames }).frame;
    if (after !== before) this.act({ type: "show_slice", frame: after }, event);
  }

  reset(event?: Event): void {
    const { presentation } = this.#state;
    if (!presentation) return;
    this.act({ type: "set_window", voi: startVoi(presentation), by: "reset" }, event);
    const start = presentation.images[0]?.start_frame ?? 0;
    if (this.#state.frame !== start) this.act({ type: "show_slice", frame: start }, event);
  }

  async takeBreak(event?: Event): Promise<void> {
    if (this.#state.stage !== "reading") return;
    this.act({ type: "pause" }, event);
    // The pause stands in the reading's own record; telling the server as well only keeps reminders away.
    this.#breakTold = this.#sendEvents().then(() => this.#options.server.takeBreak().catch(() => undefined));
    await this.#breakTold;
  }

  async endBreak(event?: Event): Promise<void> {
    // In this order, however short the break was: otherwise the server would believe that it still goes on.
    await this.#breakTold;
    await this.#options.server.resume().catch(() => undefined);
    this.act({ type: "resume" }, event);
  }

  submit(event?: Event): void {
    if (!canSubmit(this.#state) || !this.#recorder) return;
    this.act({ type: "submit" }, event);
    void this.#deliver();
  }

  /** Signs in where the reader is; returns the second factors that are asked for first, if any. */
  async signIn(password: string): Promise<Session["awaits"]> {
    const session = await this.#options.signIn(password);
    if (session.awaits.length === 0) await this.signedIn(session);
    return session.awaits;
  }

  /** Somebody has signed in: sends what waited. */
  async signedIn(session: Session): Promise<void> {
    if (session.account?.email !== this.#options.account) {
      this.#set({ type: "saving", save: "other-account", message: session.account?.email ?? "" });
      return;
    }
    this.#set({ type: "saving", save: "saving" });
    if (this.#delivery.busy) {
      this.#delivery.wake();
    } else if (this.#state.stage === "starting" || this.#state.stage === "submitting") {
      await this.#open();
    } else {
      void this.#sendEvents();
      this.#saveDraftSoon();
    }
  }

  /** After a refusal or a wait: try now. */
  retry(): void {
    if (this.#delivery.busy) this.#delivery.wake();
    else void this.start();
  }

  /** Another answer to the reading just submitted, while no further one is open. */
  async amend(value: unknown): Promise<void> {
    const { presentation, task, comment } = this.#state;
    if (!presentation || !task) return;
    const answer = { ...task.answer(value), reason_code: null, comment };
    await this.#options.server.amend({ reading: presentation.reading, key: randomId(), answer });
    this.#set({ type: "amended", value });
  }

  // --- Keeping and sending ------------------------------------------------------------------------------------

  async #deliver(): Promise<void> {
    const { presentation } = this.#state;
    const recorder = this.#recorder;
    if (!presentation || !recorder) return;
    clearTimeout(this.#draftTimer);
    clearTimeout(this.#storeTimer);
    const body: SubmitBody = {
      reading: presentation.reading,
      lease: presentation.lease,
      key: randomId(),
      answer: answerOf(this.#state),
      events: recorder.pending(),
    };
    const { reading, lease, events } = body;
    const kept = this.#keep({ reading, lease, events: [], submit: body }, events);
    this.#endReading();
    if (presentation.stage === 1) {
      await this.#commit(body, kept);
      return;
    }
    const reply = await this.#delivery.submit(body, kept);
    if (reply) this.#options.journal.forget(reading, lease);
    if (reply && !this.#stopped) await this.#goOn(reply);
  }

  /** Writes into the outbox; events that it has brought to the disk need the journal no more. */
  async #keep(record: Parameters<Outbox["write"]>[0], events: readonly RecordedEvent[]): Promise<void> {
    const onDisk = await this.#options.outbox.write(record);
    const last = events.at(-1);
    if (onDisk && last) this.#options.journal.forget(record.reading, record.lease, last.sequence);
  }

  /** The first answer of a sequential pair: stored and locked before anything of the second half comes. */
  async #commit(body: SubmitBody, kept: Promise<void>): Promise<void> {
    const generation = ++this.#generation;
    const { server } = this.#options;
    const presentation = await this.#delivery.send(body, kept, (each) =>
      server.commit({ ...each, environment: { ...this.#account() } }),
    );
    if (presentation) this.#options.journal.forget(body.reading, body.lease);
    if (!presentation || this.#stopped) return;
    this.#set({ type: "saving", save: "saved" });
    if (this.#stopIfLost()) return;
    try {
      await this.#begin(presentation, generation);
    } catch (error) {
      if (generation === this.#generation) this.#openFailed(error);
    }
  }

  /** Another window has taken the reading over while the answer was on its way: stop here. */
  #stopIfLost(): boolean {
    if (!this.#lost) return false;
    this.#lock.release();
    this.#set({ type: "taken_over" });
    return true;
  }

  async #goOn(reply: SubmitReply): Promise<void> {
    this.#set({ type: "saving", save: "saved" });
    if (this.#stopIfLost()) return;
    if (reply.feedback) {
      this.#afterFeedback = () => void this.#next(reply);
      this.#set({ type: "feedback", feedback: reply.feedback });
      return;
    }
    await this.#next(reply);
  }

  /** The practice reader has seen how the answer stands to the reference standard. */
  endFeedback(): void {
    const goOn = this.#afterFeedback;
    this.#afterFeedback = null;
    goOn?.();
  }

  async #next(reply: SubmitReply): Promise<void> {
    const { step, preload } = reply.next;
    this.#set({ type: "suggest_break", on: reply.next.suggest_break });
    if (!READING_STEPS.includes(step)) {
      this.#set({ type: "leave", step });
      return;
    }
    for (const image of preload) {
      // Frames only, and under the address they will be opened with; the opening does not wait for them.
      void this.loader.loadAll(frameRun(image)).catch(() => undefined);
    }
    await this.#open();
  }

  #heard(event: RecordedEvent): void {
    const silentMs = event.wall_ms - this.#heardMs;
    this.#heardMs = event.wall_ms;
    this.#storeEventsSoon();
    const hours = this.#state.presentation?.resume_within_hours ?? null;
    if (hours !== null && silentMs > hours * MS_PER_HOUR) queueMicrotask(() => void this.#cameBack());
  }

  /** The page stood open for longer than its reading waits: what happens to the reading is the server's to say. */
  async #cameBack(): Promise<void> {
    const { presentation, stage } = this.#state;
    if (this.#stopped || !presentation || stage === "submitting" || stage === "left") return;
    this.#set({ type: "leave", step: presentation.phase });
    this.#generation += 1;
    // The server sees the absence before these events, not in the moment at which they come.
    await this.#storeEvents();
    this.#endReading();
  }

  #storeEventsSoon(): void {
    clearTimeout(this.#storeTimer);
    this.#storeTimer = setTimeout(() => void this.#storeEvents(), STORE_EVENTS_AFTER_MS);
  }

  async #storeEvents(): Promise<void> {
    const { presentation, stage } = this.#state;
    const recorder = this.#recorder;
    if (!presentation || !recorder || stage === "submitting") return;
    const { reading, lease } = presentation;
    const events = recorder.pending();
    await this.#keep({ reading, lease, events, submit: null }, events);
  }

  readonly #pageHides = (event: Event): void => {
    if (event.type === "visibilitychange" && document.visibilityState !== "hidden") return;
    void this.#storeEvents();
    void this.#sendEvents();
  };

  async #sendEvents(): Promise<void> {
    const { presentation, stage } = this.#state;
    const recorder = this.#recorder;
    const events = recorder?.pending(EVENTS_PER_BATCH) ?? [];
    const last = events.at(-1);
    if (!presentation || !recorder || !last || this.#sendingEvents || stage === "submitting") return;
    const { reading, lease } = presentation;
    this.#sendingEvents = true;
    try {
      await this.#options.server.sendEvents({ reading, lease, events });
      recorder.acknowledge(last.sequence);
      this.#options.journal.forget(reading, lease, last.sequence);
      this.#kept();
      await this.#leftovers.sendEvents();
    } catch (error) {
      this.#keepFailed(error);
    } finally {
      this.#sendingEvents = false;
    }
  }

  #saveDraftSoon(afterMs = DRAFT_AFTER_MS): void {
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => void this.#saveDraft(), afterMs);
  }

  async #saveDraft(): Promise<void> {
    const { presentation, stage } = this.#state;
    if (!presentation || (stage !== "reading" && stage !== "paused")) return;
    const draft = draftOf(this.#state);
    try {
      await this.#options.server.saveDraft({ reading: presentation.reading, lease: presentation.lease, draft });
      this.#kept();
    } catch (error) {
      this.#keepFailed(error);
      if (isPassing(error)) this.#saveDraftSoon(DRAFT_AGAIN_AFTER_MS);
    }
  }

  #kept(): void {
    if (this.#state.stage === "reading" && this.#state.save !== "saved") this.#set({ type: "saving", save: "saved" });
  }

  #keepFailed(error: unknown): void {
    if (this.#state.stage === "submitting") return;
    if (error instanceof ApiError && error.code === "reading_taken_over") this.#lostToAnotherWindow();
    else if (needsSignIn(error)) this.#set({ type: "saving", save: "sign-in" });
    else if (isPassing(error)) this.#set({ type: "saving", save: "waiting" });
  }

  #lostToAnotherWindow(): void {
    this.#lost = true;
    // An answer on its way is finished first; `#goOn` then stops.
    if (this.#stopped || this.#state.stage === "submitting") return;
    this.#generation += 1;
    this.#leaveBehind();
    this.#lock.release();
    this.#set({ type: "taken_over" });
    // The server takes the events as long as the other window has not answered.
    void this.#leftovers.sendEvents();
  }

  // --- State --------------------------------------------------------------------------------------------------

  #actAt(action: ReadingAction, tMs: number | undefined): void {
    const before = this.#state;
    const after = reduce(before, action);
    if (after === before && action.type !== "zoomed") return;
    const entry = recordedEvent(action, after);
    if (entry) this.#recorder?.record(entry.kind, entry.data, tMs);
    this.#set(action);
    const drafted = DRAFTED.includes(action.type);
    if (drafted) this.#saveDraftSoon();
  }

  #set(action: ReadingAction): void {
    const next = reduce(this.#state, action);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of this.#listeners) listener();
  }
}
