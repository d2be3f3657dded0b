import { useRef } from "react";
import { messages } from "@/lib/messages";
import { decodeOutlines } from "@/viewer/outlines";
import { AnswerRow } from "../../components/answer-row";
import { SecondRow } from "../../components/second-row";
import { WindowRow } from "../../components/window-row";
import { keyLabel } from "../../keyboard";
import css from "../../reading.module.css";
import { canAnswer } from "../../state";
import { useKeyboard } from "../../use-keyboard";
import { useViewer } from "../../use-viewer";
import { setupOf, type TaskScreenProps } from "../task";
import { choose, type PreferenceValue } from "./value";

const text = messages.reading;
const SIDES = ["left", "right"] as const;

function Answers({ state, controller }: TaskScreenProps) {
  const { presentation } = state;
  if (!presentation) return null;
  const { choice } = state.value as PreferenceValue;
  return setupOf(presentation, "preference").options.map((option) => (
    <button
      type="button"
      key={option.value}
      className={css.answer}
      aria-pressed={choice === option.value}
      disabled={!canAnswer(state)}
      onClick={(event) => {
        event.currentTarget.blur();
        controller.task(choose(option.value), event.nativeEvent);
      }}
    >
      {option.label} <span className={css.key}>{keyLabel(option.key)}</span>
    </button>
  ));
}

export function PreferenceScreen({ state, controller, children }: TaskScreenProps) {
  const left = useRef<HTMLCanvasElement>(null);
  const right = useRef<HTMLCanvasElement>(null);
  const { presentation } = state;
  const setup = presentation && setupOf(presentation, "preference");
  const viewer = useViewer(controller, state, {
    canvases: [left, right],
    style: setup
      ? { colour: setup.style.colour, widthPx: setup.style.width_px, haloPx: setup.style.halo_px }
      : undefined,
    overlays: () => (setup?.panes ?? []).map((pane) => decodeOutlines(pane.outlines)),
  });
  useKeyboard(controller, viewer);
  const image = presentation?.images[0];
  const choice = (state.value as PreferenceValue | null)?.choice ?? null;
  return (
    <>
      <main className={css.panes}>
        {SIDES.map((side, index) => {
          const label = setup?.panes[index]?.label ?? side;
          return (
            <div key={side} className={css.pane} data-chosen={choice === side}>
              <canvas ref={index === 0 ? left : right} role="img" aria-label={text.pane(label)} />
              <div className={css.paneLabel} aria-hidden="true">
                {label}
              </div>
              {presentation?.scroll && image && image.frame_count > 1 && (
                <div className={css.slice}>{text.slice(state.frame - image.first_frame + 1, image.frame_count)}</div>
              )}
            </div>
          );
        })}
        {children}
      </main>
      <footer className={css.bottom}>
        <AnswerRow state={state} controller={controller}>
          <Answers state={state} controller={controller} />
        </AnswerRow>
        <SecondRow state={state} controller={controller}>
          <WindowRow state={state} controller={controller} viewer={viewer} />
        </SecondRow>
      </footer>
    </>
  );
}
