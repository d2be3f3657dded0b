/** The questions beside the image; the marked one shows which number keys answer it. */
import { useEffect, useRef } from "react";
import { messages } from "@/lib/messages";
import type { ReadingController } from "../../controller";
import shared from "../../reading.module.css";
import { canAnswer, type ReadingState } from "../../state";
import { setupOf } from "../task";
import css from "./form.module.css";
import {
  asked,
  chosen,
  type FormAction,
  type FormAnswer,
  type FormQuestion,
  type FormValue,
  isWithin,
  YES_NO,
} from "./value";

const text = messages.form;

interface FieldProps {
  readonly question: FormQuestion;
  readonly answer: FormAnswer | undefined;
  readonly marked: boolean;
  readonly disabled: boolean;
  readonly onChoose: (index: number, event: Event) => void;
  readonly onWrite: (answer: FormAnswer | null) => void;
  readonly onFocus: () => void;
}

function Choices({ question, answer, marked, disabled, onChoose }: FieldProps) {
  const options =
    question.kind === "yes_no"
      ? YES_NO.map((each) => ({ value: each.value, label: text[each.label] }))
      : question.options;
  const isChosen = (value: string | boolean): boolean =>
    typeof answer === "object" ? answer.includes(String(value)) : answer === value;
  return (
    <div className={css.options}>
      {options.map((option, index) => (
        <button
          type="button"
          key={String(option.value)}
          className={shared.tool}
          aria-pressed={isChosen(option.value)}
          disabled={disabled}
          onClick={(event) => {
            event.currentTarget.blur();
            onChoose(index, event.nativeEvent);
          }}
        >
          {option.label}
          {marked && index < 9 && <span className={shared.key}>{index + 1}</span>}
        </button>
      ))}
    </div>
  );
}

function NumberField({ question, answer, disabled, onWrite, onFocus }: FieldProps) {
  const { minimum, maximum, unit } = question;
  return (
    <div className={css.options}>
      <input
        type="number"
        className="eq-input"
        aria-label={question.label}
        aria-invalid={!isWithin(question, answer)}
        min={minimum ?? undefined}
        max={maximum ?? undefined}
        step={question.kind === "integer" ? 1 : "any"}
        disabled={disabled}
        value={typeof answer === "number" ? answer : ""}
        onFocus={onFocus}
        onChange={(event) => {
          const number = event.currentTarget.valueAsNumber;
          onWrite(Number.isNaN(number) ? null : number);
        }}
        onKeyDown={leaveOnEnter}
      />
      <span className="eq-dim">
        {minimum !== null && maximum !== null ? text.range(minimum, maximum, unit ?? "") : unit}
      </span>
    </div>
  );
}

/** Enter and Escape leave a field, so that the keys speak to the form again. */
function leaveOnEnter(event: React.KeyboardEvent<HTMLElement>): void {
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.preventDefault();
  event.stopPropagation();
  event.currentTarget.blur();
}

function TextField({ question, answer, disabled, onWrite, onFocus }: FieldProps) {
  return (
    <textarea
      className="eq-input"
      aria-label={question.label}
      maxLength={question.max_length}
      rows={2}
      disabled={disabled}
      value={typeof answer === "string" ? answer : ""}
      onFocus={onFocus}
      onChange={(event) => onWrite(event.currentTarget.value || null)}
      onKeyDown={leaveOnEnter}
    />
  );
}

function fieldOf(question: FormQuestion): (props: FieldProps) => React.ReactNode {
  if (question.kind === "text") return TextField;
  return question.kind === "number" || question.kind === "integer" ? NumberField : Choices;
}

function OneQuestion(props: FieldProps) {
  const { question, marked } = props;
  const element = useRef<HTMLFieldSetElement>(null);
  const Field = fieldOf(question);
  useEffect(() => {
    if (!marked) return;
    element.current?.scrollIntoView({ block: "nearest" });
    element.current?.querySelector<HTMLElement>("input, textarea")?.focus();
  }, [marked]);
  return (
    <fieldset ref={element} className={css.question} data-marked={marked}>
      <legend>
        {question.label}
        {!question.required && <span className="eq-dim"> {text.optional}</span>}
      </legend>
      {question.help && <p className="eq-dim eq-small">{question.help}</p>}
      <Field {...props} />
    </fieldset>
  );
}

export function Questions({ state, controller }: { state: ReadingState; controller: ReadingController }) {
  const { presentation } = state;
  if (!presentation) return <aside className={css.form} />;
  const { introduction, questions } = setupOf(presentation, "rating-form");
  const value = state.value as FormValue;
  const disabled = !canAnswer(state);
  const act = (action: FormAction, event?: Event): void => controller.task(action, event);
  return (
    <aside className={css.form} aria-label={text.form}>
      {introduction && <p>{introduction}</p>}
      {asked(questions, value.answers).map((question) => (
        <OneQuestion
          key={question.key}
          question={question}
          answer={value.answers[question.key]}
          marked={value.current === question.key && !disabled}
          disabled={disabled}
          onChoose={(index, event) => {
            const action = chosen(question, index, value.answers);
            if (action) act(action, event);
          }}
          onWrite={(answer) => act({ type: "answer", key: question.key, answer, advance: false })}
          onFocus={() => act({ type: "move", to: question.key })}
        />
      ))}
    </aside>
  );
}
