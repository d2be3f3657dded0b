import { messages } from "@/lib/messages";
import type { ReadingController } from "../controller";
import { keyLabel } from "../keyboard";
import css from "../reading.module.css";
import { CANNOT_ASSESS, canAnswer, canSubmit, type ReadingState } from "../state";

const text = messages.reading;

/** The question and its answers: one place, the same on every case. */
export function AnswerRow({ state, controller }: { state: ReadingState; controller: ReadingController }) {
  const { presentation, choice, comment } = state;
  if (!presentation) return <div className={css.row} />;
  const disabled = !canAnswer(state);
  return (
    <div className={css.row}>
      <h2 className={css.question} id="question">
        {presentation.question}
      </h2>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out in this row */}
      <div role="group" aria-labelledby="question" className={css.answers}>
        {presentation.options.map((option) => (
          <button
            type="button"
            key={option.value}
            className={css.answer}
            aria-pressed={choice === option.value}
            disabled={disabled}
            onClick={(event) => {
              event.currentTarget.blur();
              controller.choose(option.value, null, event.nativeEvent);
            }}
          >
            {option.label} <span className={css.key}>{keyLabel(option.key)}</span>
          </button>
        ))}
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
          {text.confirm} <span className={css.key}>Enter</span>
        </button>
      )}
      <span className={css.grow} />
      {presentation.cannot_assess.length > 0 && (
        <button
          type="button"
          className={css.tool}
          aria-pressed={choice === CANNOT_ASSESS}
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
          aria-pressed={comment !== ""}
          disabled={disabled}
          onClick={(event) => controller.command({ type: "comment" }, event.nativeEvent)}
        >
          {text.comment} <span className={css.key}>C</span>
        </button>
      )}
    </div>
  );
}
