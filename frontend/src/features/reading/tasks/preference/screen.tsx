import { useRef } from "react";
import { messages } from "@/lib/messages";
import { AnswerRow } from "../../components/answer-row";
import { CommentDrawer, NoticeDrawer, ReasonsDrawer, SignInDrawer } from "../../components/drawers";
import { WindowRow } from "../../components/window-row";
import css from "../../reading.module.css";
import { useKeyboard } from "../../use-keyboard";
import { useViewer, type ViewerHandle } from "../../use-viewer";
import type { TaskScreenProps } from "../task";

const text = messages.reading;
const UNLABELLED = ["A", "B"];
/** The layout stands before the first case has come: two panes, always. */
const SIDES = ["left", "right"] as const;

function SecondRow(props: TaskScreenProps & { viewer: React.RefObject<ViewerHandle | null> }) {
  const { state, controller, viewer } = props;
  if (state.save === "sign-in" || state.save === "other-account") return <SignInDrawer {...props} />;
  if (state.save === "refused") {
    return <NoticeDrawer notice={text.refused(state.message)} onRetry={() => controller.retry()} />;
  }
  if (state.save === "waiting" && state.stage !== "reading") return <NoticeDrawer notice={text.waitingLong} />;
  if (state.drawer === "reasons") return <ReasonsDrawer {...props} />;
  if (state.drawer === "comment") return <CommentDrawer {...props} />;
  return <WindowRow state={state} controller={controller} viewer={viewer} />;
}

export function PreferenceScreen({ state, controller, children }: TaskScreenProps) {
  const left = useRef<HTMLCanvasElement>(null);
  const right = useRef<HTMLCanvasElement>(null);
  const canvases = [left, right];
  const viewer = useViewer(controller, state, canvases);
  useKeyboard(controller, viewer);
  const { presentation } = state;
  return (
    <>
      <main className={css.panes}>
        {SIDES.map((side, index) => {
          const label = presentation?.panes[index]?.label ?? UNLABELLED[index] ?? side;
          return (
            <div key={side} className={css.pane} data-chosen={state.choice === side}>
              <canvas ref={canvases[index]} role="img" aria-label={text.pane(label)} />
              <div className={css.paneLabel} aria-hidden="true">
                {label}
              </div>
              {presentation?.scroll && presentation.image.frame_count > 1 && (
                <div className={css.slice}>
                  {text.slice(state.frame - presentation.image.first_frame + 1, presentation.image.frame_count)}
                </div>
              )}
            </div>
          );
        })}
        {children}
      </main>
      <footer className={css.bottom}>
        <AnswerRow state={state} controller={controller} />
        <SecondRow state={state} controller={controller} viewer={viewer} />
      </footer>
    </>
  );
}
