/** The image at the left, the form at the right; a stack of slices scrolls, views stand side by side. */
import { type ReactNode, type RefObject, useRef } from "react";
import { messages } from "@/lib/messages";
import { AnswerRow } from "../../components/answer-row";
import { SecondRow } from "../../components/second-row";
import { WindowRow } from "../../components/window-row";
import shared from "../../reading.module.css";
import { useKeyboard } from "../../use-keyboard";
import { usePlanarViewer } from "../../use-planar-viewer";
import { useViewer, type ViewerHandle } from "../../use-viewer";
import type { TaskScreenProps } from "../task";
import css from "./form.module.css";
import { Questions } from "./questions";
import { asked, type FormValue, isAnswered } from "./value";

const text = messages.form;

function Layout(props: TaskScreenProps & { viewer: RefObject<ViewerHandle | null>; images: ReactNode }) {
  const { state, controller, viewer } = props;
  useKeyboard(controller, viewer);
  const value = state.value as FormValue | null;
  const questions = value ? asked(value.questions, value.answers) : [];
  const done = questions.filter((question) => isAnswered(value?.answers[question.key])).length;
  return (
    <>
      <main className={css.body}>
        <div className={css.images}>{props.images}</div>
        <Questions state={state} controller={controller} />
        {props.children}
      </main>
      <footer className={shared.bottom}>
        <AnswerRow state={state} controller={controller} question={text.answered(done, questions.length)} />
        <SecondRow state={state} controller={controller}>
          <WindowRow state={state} controller={controller} viewer={viewer} />
        </SecondRow>
      </footer>
    </>
  );
}

function StackScreen(props: TaskScreenProps) {
  const { state, controller } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const viewer = useViewer(controller, state, { canvases: [canvas], overlays: () => [] });
  const image = state.presentation?.images[0];
  const images = (
    <div className={shared.pane}>
      <canvas ref={canvas} role="img" aria-label={text.image} />
      {image && image.frame_count > 1 && (
        <div className={shared.slice}>
          {messages.reading.slice(state.frame - image.first_frame + 1, image.frame_count)}
        </div>
      )}
    </div>
  );
  return <Layout {...props} viewer={viewer} images={images} />;
}

/** More views than this are not shown side by side. */
const MAX_VIEWS = 6;

function ViewsScreen(props: TaskScreenProps) {
  const { state, controller } = props;
  const one = useRef<HTMLCanvasElement>(null);
  const two = useRef<HTMLCanvasElement>(null);
  const three = useRef<HTMLCanvasElement>(null);
  const four = useRef<HTMLCanvasElement>(null);
  const five = useRef<HTMLCanvasElement>(null);
  const six = useRef<HTMLCanvasElement>(null);
  const views = state.presentation?.images[0]?.views ?? [];
  const canvases = [one, two, three, four, five, six].slice(0, Math.max(1, Math.min(views.length, MAX_VIEWS)));
  const viewer = usePlanarViewer(controller, state, {
    canvases,
    heatShown: false,
    heatOpacity: 0,
    marks: [],
    cursor: null,
    magnifier: false,
  });
  /** A view that stands alone needs no name to tell it from others. */
  const nameOf = (index: number): string | undefined => (views.length > 1 ? views[index] : undefined);
  const images = canvases.map((canvas, index) => (
    <div key={views[index] ?? "only"} className={shared.pane}>
      <canvas ref={canvas} role="img" aria-label={nameOf(index) ?? text.image} />
      <div className={shared.paneLabel} aria-hidden="true">
        {nameOf(index)}
      </div>
    </div>
  ));
  return <Layout {...props} viewer={viewer} images={images} />;
}

export function RatingFormScreen(props: TaskScreenProps) {
  const { presentation } = props.state;
  return presentation && !presentation.scroll ? <ViewsScreen {...props} /> : <StackScreen {...props} />;
}
