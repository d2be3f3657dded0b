/** The reading screen: bar, task, covers. It fills the window and never scrolls. */
import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { fetchSession } from "@/api/client";
import type { Session } from "@/api/types";
import { Journal } from "@/timing/journal";
import { FrameLoader } from "@/viewer/frame-loader";
import { readingServer } from "./api";
import {
  BreakCover,
  CorrectionCover,
  FailedCover,
  HelpCover,
  OpeningCover,
  TakenOverCover,
  UnfitCover,
} from "./components/covers";
import { SecondRow } from "./components/second-row";
import { TopBar } from "./components/top-bar";
import { READING_STEPS, ReadingController } from "./controller";
import type { EnvironmentRule } from "./minimum";
import { Outbox } from "./outbox";
import css from "./reading.module.css";
import { frameTotal, type LeftFor, type ReadingState } from "./state";
import { readingLock } from "./tab-lock";
import { loadTask } from "./tasks/registry";

export interface ReadingScreenProps {
  readonly account: string;
  readonly trial: string;
  readonly title: string;
  /** What the protocol asks of window and display, as it stood when the screen was entered. */
  readonly rule: EnvironmentRule | null;
  readonly signIn: (password: string) => Promise<Session>;
  /** The server has moved on; to a reading only where the open one was left for too long. */
  readonly onLeave: (step: LeftFor | null) => void;
}

function makeController(props: ReadingScreenProps): ReadingController {
  return new ReadingController({
    account: props.account,
    server: readingServer(props.trial),
    session: fetchSession,
    signIn: props.signIn,
    outbox: new Outbox(props.account, props.trial),
    journal: new Journal(props.account, props.trial),
    loader: new FrameLoader(),
    loadTask,
    rule: props.rule,
    lock: (onLost) => readingLock(props.account, props.trial, onLost),
  });
}

const isReading = (step: LeftFor | null): boolean => READING_STEPS.some((each) => each === step);

function mayCorrect(state: ReadingState): boolean {
  const { stage, leftFor, presentation, task } = state;
  const allowed =
    leftFor !== "display-check" && presentation?.may_amend_previous === true && task?.Correction !== undefined;
  return stage === "left" && leftFor !== "paused" && !isReading(leftFor) && allowed;
}

type Leave = ReadingScreenProps["onLeave"];

function Covers(props: { state: ReadingState; controller: ReadingController; onLeave: Leave }) {
  const { state, controller, onLeave } = props;
  if (state.stage === "taken-over") return <TakenOverCover controller={controller} />;
  if (state.stage === "failed") return <FailedCover state={state} controller={controller} />;
  if (state.stage === "unfit") return <UnfitCover state={state} />;
  if (mayCorrect(state))
    return <CorrectionCover state={state} controller={controller} onGoOn={() => onLeave(state.leftFor)} />;
  if (state.stage === "starting" || state.stage === "left") return <OpeningCover state={state} />;
  const total = state.presentation ? frameTotal(state.presentation) : 1;
  if (state.stage === "loading" && state.framesLoaded < total) {
    return <OpeningCover state={state} />;
  }
  if (state.helpOpen) return <HelpCover state={state} controller={controller} />;
  return state.stage === "paused" ? <BreakCover state={state} controller={controller} /> : null;
}

export function ReadingScreen(props: ReadingScreenProps) {
  const { onLeave } = props;
  const [controller, setController] = useState<ReadingController | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: one controller for one account and trial
  useEffect(() => {
    const made = makeController(props);
    setController(made);
    void made.start();
    return () => made.stop();
  }, [props.account, props.trial]);
  return controller ? <Running title={props.title} controller={controller} onLeave={onLeave} /> : null;
}

function Running(props: { title: string; controller: ReadingController; onLeave: Leave }) {
  const { title, controller, onLeave } = props;
  const state = useSyncExternalStore(controller.subscribe, controller.getState);
  const leaving = state.stage === "left" && !mayCorrect(state);
  const { leftFor } = state;
  useEffect(() => {
    if (leaving) onLeave(leftFor);
  }, [leaving, leftFor, onLeave]);
  const { task } = state;
  const covers = <Covers state={state} controller={controller} onLeave={onLeave} />;
  return (
    <div className={css.screen}>
      <TopBar title={title} state={state} controller={controller} />
      {task ? (
        <task.Screen state={state} controller={controller}>
          {covers}
        </task.Screen>
      ) : (
        <WithoutTask state={state} controller={controller}>
          {covers}
        </WithoutTask>
      )}
    </div>
  );
}

/** Before the first reading has come it is not known what will be asked: the frame stands, with nothing in it. */
function WithoutTask(props: { state: ReadingState; controller: ReadingController; children: ReactNode }) {
  return (
    <>
      <main className={css.panes}>{props.children}</main>
      <footer className={css.bottom}>
        <div className={css.row} />
        <SecondRow state={props.state} controller={props.controller}>
          <div className={css.row} />
        </SecondRow>
      </footer>
    </>
  );
}
