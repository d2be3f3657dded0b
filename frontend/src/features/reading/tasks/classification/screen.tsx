/** One pane per view with its sides of the body, the decision and the suspicion below, and the aid where there is one. */
import { type RefObject, useMemo, useRef } from "react";
import { messages } from "@/lib/messages";
import { frameNumber } from "@/viewer/coordinates";
import { AnswerRow } from "../../components/answer-row";
import { SecondRow } from "../../components/second-row";
import { WindowRow } from "../../components/window-row";
import { frameRun } from "../../controller";
import shared from "../../reading.module.css";
import { canAnswer, frameTotal, windowRange } from "../../state";
import { useKeyboard } from "../../use-keyboard";
import { type MarkPoint, usePlanarViewer } from "../../use-planar-viewer";
import { setupOf, type TaskScreenProps } from "../task";
import { AidRow, hasAidRow } from "./aid-row";
import css from "./classification.module.css";
import { Histogram } from "./histogram";
import { RatingPoints, RatingSlider } from "./rating";
import { asks, type ClassificationAction, type ClassificationValue, emptyValue } from "./value";

const text = messages.classification;

/** A view's name, and which side of the patient lies at the left edge of its picture. */
const VIEWS: Readonly<Record<string, { label: string; left: string; right: string }>> = {
  anterior: { label: "AP", left: "R", right: "L" },
  posterior: { label: "PA", left: "L", right: "R" },
};

/** A press shorter than this is a point, whatever the hand trembled. */
const SMALLEST_BOX_PX = 4;

function Answers({ state, controller }: TaskScreenProps) {
  const { presentation } = state;
  if (!presentation) return null;
  const { decision, rating } = setupOf(presentation, "classification");
  const value = state.value as ClassificationValue;
  const disabled = !canAnswer(state);
  const act = (action: ClassificationAction, event?: Event): void => controller.task(action, event);
  const rate = {
    value: value.rating,
    disabled,
    lowest: rating?.lowest ?? "",
    highest: rating?.highest ?? "",
    onRate: (to: number, done: boolean, event?: Event) => act({ type: "rate", rating: to, done }, event),
  };
  return (
    <>
      {decision?.options.map((option) => (
        <button
          type="button"
          key={option.value}
          className={shared.answer}
          aria-pressed={value.decision === option.value}
          disabled={disabled}
          onClick={(event) => {
            event.currentTarget.blur();
            act({ type: "decide", decision: option.value }, event.nativeEvent);
          }}
        >
          {option.label} <span className={shared.key}>{option.key.toUpperCase()}</span>
        </button>
      ))}
      {rating?.scale === "slider" && <RatingSlider {...rate} />}
      {rating?.scale === "points" && <RatingPoints {...rate} points={rating.points} />}
    </>
  );
}

function Tools({ state, controller }: TaskScreenProps) {
  const { presentation } = state;
  if (!presentation) return null;
  const { marks, magnifier } = setupOf(presentation, "classification");
  const value = state.value as ClassificationValue;
  const disabled = !canAnswer(state);
  const act = (action: ClassificationAction, event: Event): void => controller.task(action, event);
  return (
    <>
      {magnifier && (
        <button
          type="button"
          className={shared.tool}
          aria-pressed={value.magnifier}
          disabled={disabled}
          onClick={(event) => {
            event.currentTarget.blur();
            act({ type: "magnifier", on: !value.magnifier }, event.nativeEvent);
          }}
        >
          {text.magnifier} <span className={shared.key}>M</span>
        </button>
      )}
      {marks && (
        <button
          type="button"
          className={shared.tool}
          aria-pressed={value.cursor !== null}
          disabled={disabled}
          onClick={(event) => {
            event.currentTarget.blur();
            act({ type: "mark_tool", on: value.cursor === null }, event.nativeEvent);
          }}
        >
          {text.mark(value.marks.length)} <span className={shared.key}>L</span>
        </button>
      )}
    </>
  );
}

function markOf(from: MarkPoint, to: MarkPoint, shape: "point" | "box"): ClassificationAction {
  const tiny = Math.abs(to.x - from.x) < SMALLEST_BOX_PX && Math.abs(to.y - from.y) < SMALLEST_BOX_PX;
  const half = SMALLEST_BOX_PX * 2;
  if (shape === "point") return { type: "add_mark", mark: { frame: from.frame, x: from.x, y: from.y } };
  const end = tiny ? { x: from.x + half, y: from.y + half } : to;
  const start = tiny ? { x: from.x - half, y: from.y - half } : from;
  return { type: "add_mark", mark: { frame: from.frame, x: start.x, y: start.y, x2: end.x, y2: end.y } };
}

export function ClassificationScreen({ state, controller, children }: TaskScreenProps) {
  const first = useRef<HTMLCanvasElement>(null);
  const second = useRef<HTMLCanvasElement>(null);
  const { presentation } = state;
  const value = (state.value as ClassificationValue | null) ?? emptyValue;
  const setup = presentation && setupOf(presentation, "classification");
  const image = presentation?.images[0];
  const views = image?.views ?? ["", ""];
  const refs: RefObject<HTMLCanvasElement | null>[] = [first, second].slice(0, Math.max(1, views.length));
  const shape = setup?.marks?.shape;
  const viewer = usePlanarViewer(controller, state, {
    canvases: refs,
    heatShown: value.overlay,
    heatOpacity: value.opacity,
    marks: value.marks,
    cursor: value.cursor,
    magnifier: value.magnifier,
    ...(value.cursor && shape ? { onMark: (from, to) => controller.task(markOf(from, to, shape)) } : {}),
  });
  useKeyboard(controller, viewer);
  const complete = presentation !== null && state.framesLoaded >= frameTotal(presentation);
  const range = useMemo(() => windowRange(presentation), [presentation]);
  const frames = useMemo(() => {
    if (!image || !complete) return [];
    const run = frameRun(image);
    return Array.from({ length: run.count }, (_, n) =>
      controller.loader.ready(run, frameNumber(run.first + n)),
    ).flatMap((pixels) => pixels ?? []);
  }, [image, complete, controller]);
  const question =
    presentation && setup && asks(value, presentation) === "rating" ? setup.rating?.question : presentation?.question;
  return (
    <>
      <main className={shared.panes} data-views={refs.length}>
        {refs.map((ref, index) => {
          const name = views[index] ?? "";
          const view = VIEWS[name];
          const label = view?.label ?? (views.length > 1 && name ? name : text.image);
          return (
            <div key={name || index} className={shared.pane}>
              <canvas ref={ref} role="img" aria-label={text.view(label)} />
              <div className={shared.paneLabel} aria-hidden="true">
                {label}
              </div>
              {view && (
                <>
                  <span className={`${css.side} ${css.left}`}>{view.left}</span>
                  <span className={`${css.side} ${css.right}`}>{view.right}</span>
                </>
              )}
            </div>
          );
        })}
        {children}
      </main>
      <footer className={shared.bottom} data-rows={presentation && hasAidRow(presentation) ? 3 : 2}>
        <AidRow state={state} controller={controller} />
        <AnswerRow
          state={state}
          controller={controller}
          question={question}
          wide
          {...(presentation?.stage === 1 ? { confirmLabel: text.commit } : {})}
        >
          <Answers state={state} controller={controller} />
        </AnswerRow>
        <SecondRow state={state} controller={controller}>
          <WindowRow state={state} controller={controller} viewer={viewer}>
            {setup?.histogram && <Histogram frames={frames} voi={state.voi} range={range} />}
            <Tools state={state} controller={controller} />
          </WindowRow>
        </SecondRow>
      </footer>
    </>
  );
}
