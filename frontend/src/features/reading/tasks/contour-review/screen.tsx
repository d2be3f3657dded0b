/** One contour on its volume: the question that stands and its answers below, what was answered before beside them. */
import type { Presentation } from "@/api/types";
import { contouringMessages, reviewMessages as text } from "@/lib/messages-contouring";
import { AnswerRow } from "../../components/answer-row";
import { SecondRow } from "../../components/second-row";
import { WindowRow } from "../../components/window-row";
import { asksGaps, Gaps, Hand, useWork } from "../../drawing/work";
import frame from "../../reading.module.css";
import { canAnswer } from "../../state";
import { setupOf, type TaskScreenProps } from "../task";
import css from "./review.module.css";
import { SurfaceCheck } from "./surface-check";
import { mayDraw, optionsOf, type Question, questionsOf, type ReviewAction, type ReviewValue, standing } from "./value";

function questionText(value: ReviewValue, presentation: Presentation): string {
  const question = standing(value, presentation);
  if (question === "acceptability") return presentation.question;
  if (question === "verdict") return text.verdict;
  if (question === "origin") return setupOf(presentation, "contour-review").origin_question ?? "";
  return value.verdict === "edit" && !value.changed ? text.change : text.done;
}

/** An answer in a word or two. */
function shortAnswer(question: Question, value: ReviewValue, steps: number): string {
  if (question === "acceptability") return text.step(value.acceptability ?? 0, steps);
  if (question === "verdict") return value.verdict === null ? "" : text.verdicts[value.verdict];
  return value.origin === null ? "" : text.origins[value.origin];
}

function Answers({ state, controller }: TaskScreenProps) {
  const { presentation } = state;
  const value = state.value as ReviewValue | null;
  if (!presentation || !value) return null;
  const { acceptability } = setupOf(presentation, "contour-review");
  const question = standing(value, presentation);
  const disabled = !canAnswer(state);
  const act = (action: ReviewAction, event: Event): void => controller.task(action, event);
  return (
    <div className={css.answers}>
      {questionsOf(presentation)
        .filter((each) => each !== question && value[each] !== null)
        .map((each) => (
          <button
            type="button"
            key={each}
            className={css.given}
            disabled={disabled}
            aria-label={text.changeAnswer(text.names[each], shortAnswer(each, value, acceptability.length))}
            onClick={(event) => {
              event.currentTarget.blur();
              act({ type: "reopen", question: each }, event.nativeEvent);
            }}
          >
            {shortAnswer(each, value, acceptability.length)}
          </button>
        ))}
      {question &&
        optionsOf(question, value, presentation).map((option) => (
          <button
            type="button"
            key={`${question}-${option.key}`}
            className={css.option}
            aria-pressed={option.pressed}
            disabled={disabled || option.off}
            title={option.off ? text.undoFirst : undefined}
            onClick={(event) => {
              event.currentTarget.blur();
              act(option.action, event.nativeEvent);
            }}
          >
            {option.label} <span className={frame.key}>{option.key}</span>
          </button>
        ))}
    </div>
  );
}

export function ContourReviewScreen(props: TaskScreenProps) {
  const { state, controller } = props;
  const { presentation } = state;
  const value = state.value as ReviewValue | null;
  const setup = presentation && setupOf(presentation, "contour-review");
  const drawing = mayDraw(value);
  const { images, viewer } = useWork(props, setup, {
    mayDraw: drawing,
    aside: value && setup?.surface_check ? <SurfaceCheck desk={value.desk} turning={!drawing} /> : null,
  });
  return (
    <>
      {images}
      <footer className={frame.bottom} data-low="true">
        <AnswerRow
          state={state}
          controller={controller}
          question={value && presentation && questionText(value, presentation)}
          confirmLabel={contouringMessages.finish}
          wide
        >
          <Answers state={state} controller={controller} />
        </AnswerRow>
        <SecondRow state={state} controller={controller}>
          {asksGaps(value) ? (
            <Gaps state={state} controller={controller} />
          ) : (
            <div className={css.windows}>
              <WindowRow
                state={state}
                controller={controller}
                viewer={viewer}
                // The tools take their room where there is a second series' opacity too.
                sliders={!(drawing && setup?.fused)}
              >
                {value && setup && (
                  <div className={css.tools}>
                    <Hand desk={value.desk} setup={setup} disabled={!canAnswer(state)} mayDraw={drawing} />
                  </div>
                )}
              </WindowRow>
            </div>
          )}
        </SecondRow>
      </footer>
    </>
  );
}
