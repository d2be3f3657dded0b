/**
 * Runs the reading screen: opens readings, records what happens in them, saves drafts, hands answers to the outbox and
 * moves on. React only shows `getState()` and calls the methods; nothing here touches the page's elements.
 */

import { ApiError, errorText, isPassing, needsSignIn } from "@/api/errors";
import type { Preload, Presentation, ReaderStep, Session, SubmitReply } from "@/api/types";
import { eventTimeMs, randomId } from "@/timing/clock";
import { watchPage } from "@/timing/page-watch";
import { EventRecorder } from "@/timing/recorder";
import { FrameLoadError, type FrameLoader, type FrameRun } from "@/viewer/frame-loader";
import type { ReadingServer, SubmitBody } from "./api";
import { Delivery } from "./delivery";
import { readingEnvironment } from "./environment";
import type { Command } from "./keyboard";
import type { Outbox } from "./outbox";
import {
  canSubmit,
  draftOf,
  initialState,
  type ReadingAction,
  type ReadingState,
  recordedEvent,
  reduce,
  startVoi,
} from "./state";
import type { TabLock } from "./tab-lock";

const DRAFT_AFTER_MS = 800;
const DRAFT_AGAIN_AFTER_MS = 5000;
const STORE_EVENTS_AFTER_MS = 300;
const SEND_EVENTS_EVERY_MS = 5000;
const EVENTS_PER_BATCH = 500;
const REOPEN_AFTER_MS = 3000;
/** Steps in which there is a reading to open. */
export const READING_STEPS: readonly ReaderStep[] = ["practice", "reading", "blinding-check"];

export interface ControllerOptions {
  /** E-mail address of the reader whose answers these are. */
  readonly account: string;
  readonly server: ReadingServer;
  readonly session: () => Promise<Session>;
  readonly signIn: (password: string) => Promise<Session>;
  readonly outbox: Outbox;
  readonly loader: FrameLoader;
  readonly lock: (onLost: () => void) => TabLock;
}

/** The frames of an item as the viewer knows them. */
export function frameRun(presentation: Presentation): FrameRun {
  const { image } = presentation;
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

function preloadRun(preload: Preload): FrameRun {
  return {
    address: preload.frames,
    first: preload.first_frame,
    count: preload.frame_count,
    start: preload.start_frame,
    grid: { rows: preload.rows, columns: preload.columns, rowSpacingMm: 1, columnSpacingMm: 1 },
  };
}

export class ReadingController {
  readonly #options: ControllerOptions;
  readonly #lock: TabLock;
  readonly #delivery: Delivery;
  readonly #listeners = new Set<() => void>();
  #state: ReadingState = initialState;
  #recorder: EventRecorder | null = null;
  #stopWatching: (() => void) | null = null;
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #storeTimer: ReturnType<typeof setTimeout> | undefined;
  #eventsTimer: ReturnType<typeof setInterval> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #sendingEvents = false;
  #breakTold: Promise<unknown> = Promise.resolve();
  #generation = 0;
  #stopped = false;
  #lost = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#lock = options.lock(() => this.#lostToAnotherWindow());
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
    this.#set({ type: "starting" });
    if (!(await this.#lock.take(options))) {
      this.#set({ type: "taken_over" });
      return;
    }
    if (this.#stopped) {
      this.#lock.release();
      return;
    }
    await this.#sendLeftovers();
    await this.#open();
  }

  stop(): void {
    this.#stopped = true;
    this.#generation += 1;
    this.#endReading();
    this.#delivery.stop();
    this.#lock.release();
    clearTimeout(this.#retryTimer);
  }

  /** What an earlier page load could not bring to the server goes first: an answer, or events. */
  async #sendLeftovers(): Promise<void> {
    const record = await this.#options.outbox.read();
    if (!record) return;
    if (record.submit) {
      await this.#delivery.submit(record.submit);
      return;
    }
    if (record.events.length === 0) return;
    try {
      await this.#options.server.sendEvents({ reading: record.reading, lease: record.lease, events: record.events });
    } catch (error) {
      if (isPassing(error) || needsSignIn(error)) return;
    }
    await this.#options.outbox.discardEvents();
  }

  async #open(): Promise<void> {
    const generation = ++this.#generation;
    try {
      const presentation = await this.#options.server.open(readingEnvironment());
      if (generation !== this.#generation) return;
      this.#set({ type: "saving", save: "saved" });
      await this.#begin(presentation, generation);
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#openFailed(error);
    }
  }

  #openFailed(error: unknown): void {
    if (needsSignIn(error)) {
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
    this.#endReading();
    this.#set({ type: "opened", presentation });
    await this.#startRecording(presentation);
    const run = frameRun(presentation);
    this.loader.keepOnly([run.address]);
    try {
      await this.loader.loadAll(run, (count) => {
        if (generation === this.#generation) this.#set({ type: "frames_loaded", count });
      });
    } catch (error) {
      if (generation !== this.#generation) return;
      const text = error instanceof FrameLoadError ? error.message : errorText(error);
      this.#set({ type: "failed", message: text });
    }
  }

  async #startRecording(presentation: Presentation): Promise<void> {
    const kept = await this.#options.outbox.read();
    const same = kept && kept.reading === presentation.reading && kept.lease === presentation.lease;
    const recorder = new EventRecorder({
      onEvent: () => this.#storeEventsSoon(),
      next: same ? kept.nextSequence : 0,
      pending: same ? kept.events : [],
    });
    this.#recorder = recorder;
    this.#stopWatching = watchPage({ record: (kind, data, tMs) => void recorder.record(kind, data, tMs) });
    this.#eventsTimer = setInterval(() => void this.#sendEvents(), SEND_EVENTS_EVERY_MS);
    window.addEventListener("pagehide", this.#pageHides);
    document.addEventListener("visibilitychange", this.#pageHides);
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
      case "choose":
        this.choose(command.choice, command.reasonCode, event);
        return;
      case "clear":
        if (this.#state.choice !== null) this.act({ type: "choose", choice: null }, event);
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

  choose(choice: string, reasonCode: string | null, event?: Event): void {
    this.act({ type: "choose", choice, reasonCode }, event);
    if (this.#state.presentation?.confirm === false) this.submit(event);
  }

  scroll(frames: number, event?: Event): void {
    if (!this.#state.presentation?.scroll || this.#state.presentation.image.frame_count < 2) return;
    const before = this.#state.frame;
    const after = reduce(this.#state, { type: "show_slice", frame: before + frames }).frame;
    if (after !== before) this.act({ type: "show_slice", frame: after }, event);
  }

  reset(event?: Event): void {
    const { presentation } = this.#state;
    if (!presentation) return;
    this.act({ type: "set_window", voi: startVoi(presentation), by: "reset" }, event);
    if (this.#state.frame !== presentation.image.start_frame) {
      this.act({ type: "show_slice", frame: presentation.image.start_frame }, event);
    }
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

  /** Signs in where the reader is, and sends what waited. */
  async signIn(password: string): Promise<void> {
    const session = await this.#options.signIn(password);
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
  async amend(choice: string): Promise<void> {
    const { presentation, comment } = this.#state;
    if (!presentation) return;
    const answer = { choice, reason_code: null, comment };
    await this.#options.server.amend({ reading: presentation.reading, key: randomId(), answer });
    this.#set({ type: "amended", choice });
  }

  // --- Keeping and sending ------------------------------------------------------------------------------------

  async #deliver(): Promise<void> {
    const { presentation, choice, reasonCode, comment } = this.#state;
    const recorder = this.#recorder;
    if (!presentation || !recorder || choice === null) return;
    clearTimeout(this.#draftTimer);
    clearTimeout(this.#storeTimer);
    const body: SubmitBody = {
      reading: presentation.reading,
      lease: presentation.lease,
      key: randomId(),
      answer: { choice, reason_code: reasonCode, comment },
      events: recorder.pending(),
    };
    const kept = this.#options.outbox.write({
      reading: body.reading,
      lease: body.lease,
      nextSequence: recorder.next,
      events: [],
      submit: body,
    });
    this.#endReading();
    const reply = await this.#delivery.submit(body, kept);
    if (reply && !this.#stopped) await this.#goOn(reply);
  }

  async #goOn(reply: SubmitReply): Promise<void> {
    this.#set({ type: "saving", save: "saved" });
    if (this.#lost) {
      this.#lock.release();
      this.#set({ type: "taken_over" });
      return;
    }
    const { step, preload } = reply.next;
    if (!READING_STEPS.includes(step)) {
      this.#set({ type: "leave", step });
      return;
    }
    if (preload) {
      // Frames only, and under the address they will be opened with; the opening does not wait for them.
      void this.loader.loadAll(preloadRun(preload)).catch(() => undefined);
    }
    await this.#open();
  }

  #storeEventsSoon(): void {
    clearTimeout(this.#storeTimer);
    this.#storeTimer = setTimeout(() => void this.#storeEvents(), STORE_EVENTS_AFTER_MS);
  }

  async #storeEvents(): Promise<void> {
    const { presentation, stage } = this.#state;
    const recorder = this.#recorder;
    if (!presentation || !recorder || stage === "submitting") return;
    await this.#options.outbox.write({
      reading: presentation.reading,
      lease: presentation.lease,
      nextSequence: recorder.next,
      events: recorder.pending(),
      submit: null,
    });
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
    this.#sendingEvents = true;
    try {
      await this.#options.server.sendEvents({ reading: presentation.reading, lease: presentation.lease, events });
      recorder.acknowledge(last.sequence);
      this.#kept();
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
    this.#endReading();
    this.#lock.release();
    this.#set({ type: "taken_over" });
  }

  // --- State --------------------------------------------------------------------------------------------------

  #actAt(action: ReadingAction, tMs: number | undefined): void {
    const before = this.#state;
    const after = reduce(before, action);
    if (after === before && action.type !== "zoomed") return;
    const entry = recordedEvent(action, after);
    if (entry) this.#recorder?.record(entry.kind, entry.data, tMs);
    this.#set(action);
    const drafted = action.type === "choose" || action.type === "write_comment" || action.type === "set_window";
    if (drafted) this.#saveDraftSoon();
  }

  #set(action: ReadingAction): void {
    const next = reduce(this.#state, action);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of this.#listeners) listener();
  }
}
