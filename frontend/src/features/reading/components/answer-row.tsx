import type { ReactNode } from "react";
import { messages } from "@/lib/messages";
import type { ReadingController } from "../controller";
import css from "../reading.module.css";
import { canAnswer, canSubmit, type ReadingState } from "../state";

const text = messages.reading;

/** The question and its answers: one place, the same on every case. The task puts its answers in the middle. */
export function AnswerRow(props: {
  state: ReadingState;
  controller: ReadingController;
  /** Where the task has more to say than the one sentence of the presentation. */
  question?: ReactNode;
  confirmLabel?: string;
  /** The answers need more room than three buttons: the question takes less. */
  wide?: boolean;
  children?: ReactNode;
}) {
  const { state, controller } = props;
  const { presentation } = state;
  if (!presentation) return <div className={css.row} />;
  const disabled = !canAnswer(state);
  return (
    <div className={css.row} data-wide={props.wide === true}>
      <h2 className={css.question} id="question">
        {props.question ?? presentation.question}
      </h2>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out in this row */}
      <div role="group" aria-labelledby="question" className={css.answers}>
        {props.children}
      </div>
      {presentation.confirm && (
        <button
          type="button"
          className={css.confirm}
          disabled={!canSubmit(state)}
          onClick={(event) => {
            event.currentTarget.blur();
            controller.submit(event.nativeEvent);
          }}
        >
          {props.confirmLabel ?? text.confirm} <span className={css.key}>Enter</span>
        </button>
      )}
      <span className={css.grow} />
      {presentation.cannot_assess.length > 0 && (
        <button
          type="button"
          className={css.tool}
          aria-pressed={state.reasonCode !== null}
          disabled={disabled}
          onClick={(event) => controller.command({ type: "reasons" }, event.nativeEvent)}
        >
          {text.cannotAssess} <span className={css.key}>X</span>
        </button>
      )}
      {presentation.comment && (
        <button
          type="button"
          className={css.tool}
          aria-pressed={state.comment !== ""}
          disabled={disabled}
          onClick={(event) => controller.command({ type: "comment" }, event.nativeEvent)}
        >
          {text.comment} <span className={css.key}>C</span>
        </button>
      )}
    </div>
  );
}
