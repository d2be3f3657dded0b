/** The reading screen: bar, task, covers. It fills the window and never scrolls. */
import { useEffect, useState, useSyncExternalStore } from "react";
import { fetchSession } from "@/api/client";
import type { Session } from "@/api/types";
import { messages } from "@/lib/messages";
import { FrameLoader } from "@/viewer/frame-loader";
import { readingServer } from "./api";
import { BreakCover, CorrectionCover, FailedCover, HelpCover, OpeningCover, TakenOverCover } from "./components/covers";
import { TopBar } from "./components/top-bar";
import { ReadingController } from "./controller";
import { Outbox } from "./outbox";
import css from "./reading.module.css";
import type { ReadingState } from "./state";
import { tabLock } from "./tab-lock";
import { taskOf } from "./tasks/registry";

export interface ReadingScreenProps {
  readonly account: string;
  readonly trial: string;
  readonly title: string;
  readonly signIn: (password: string) => Promise<Session>;
  /** The server has moved on to something that is not a reading. */
  readonly onLeave: () => void;
}

function makeController(props: ReadingScreenProps): ReadingController {
  return new ReadingController({
    account: props.account,
    server: readingServer(props.trial),
    session: fetchSession,
    signIn: props.signIn,
    outbox: new Outbox(props.account, props.trial),
    loader: new FrameLoader(),
    lock: (onLost) => tabLock(`equipoise:reading:${props.account}:${props.trial}`, onLost),
  });
}

function mayCorrect(state: ReadingState): boolean {
  return state.stage === "left" && state.leftFor !== "paused" && state.presentation?.may_amend_previous === true;
}

function Covers(props: { state: ReadingState; controller: ReadingController; onLeave: () => void }) {
  const { state, controller, onLeave } = props;
  if (state.stage === "taken-over") return <TakenOverCover controller={controller} />;
  if (state.stage === "failed") return <FailedCover state={state} controller={controller} />;
  if (mayCorrect(state)) return <CorrectionCover state={state} controller={controller} onGoOn={onLeave} />;
  if (state.stage === "starting" || state.stage === "left") return <OpeningCover state={state} />;
  if (state.stage === "loading" && state.framesLoaded < (state.presentation?.image.frame_count ?? 1)) {
    return <OpeningCover state={state} />;
  }
  if (state.helpOpen) return <HelpCover controller={controller} />;
  return state.stage === "paused" ? <BreakCover controller={controller} /> : null;
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

function Running(props: { title: string; controller: ReadingController; onLeave: () => void }) {
  const { title, controller, onLeave } = props;
  const state = useSyncExternalStore(controller.subscribe, controller.getState);
  const leaving = state.stage === "left" && !mayCorrect(state);
  useEffect(() => {
    if (leaving) onLeave();
  }, [leaving, onLeave]);
  const task = taskOf(state.presentation?.task);
  return (
    <div className={css.screen}>
      <TopBar title={title} state={state} controller={controller} />
      {task ? (
        <task.Screen state={state} controller={controller}>
          <Covers state={state} controller={controller} onLeave={onLeave} />
        </task.Screen>
      ) : (
        <p role="alert">{messages.common.unexpected}</p>
      )}
    </div>
  );
}
