/** A list of questions as the protocol words them: one control per kind of answer. */
import { useId } from "react";
import type { Question } from "@/api/types";
import { messages } from "@/lib/messages";

export type AnswerValue = string | number | boolean | readonly string[];
export type Answers = Readonly<Record<string, AnswerValue>>;

const text = messages.onboarding;

const isNumber = (question: Question): boolean => question.kind === "number" || question.kind === "integer";

/** Keys of required questions that have no answer yet. */
export function unanswered(questions: readonly Question[], answers: Answers): string[] {
  return questions
    .filter((question) => question.required)
    .filter((question) => {
      const answer = answers[question.key];
      return answer === undefined || answer === "" || (Array.isArray(answer) && answer.length === 0);
    })
    .map((question) => question.key);
}

interface FieldProps {
  readonly question: Question;
  readonly value: AnswerValue | undefined;
  readonly onChange: (value: AnswerValue | undefined) => void;
}

function ChoiceField({ question, value, onChange }: FieldProps) {
  const name = useId();
  const options =
    question.kind === "yes_no"
      ? [
          { value: true, label: messages.common.yes },
          { value: false, label: messages.common.no },
        ]
      : question.options;
  return options.map((option) => (
    <label className="eq-choice" key={String(option.value)}>
      <input type="radio" name={name} checked={value === option.value} onChange={() => onChange(option.value)} />
      {option.label}
    </label>
  ));
}

function MultipleChoiceField({ question, value, onChange }: FieldProps) {
  const chosen = Array.isArray(value) ? (value as readonly string[]) : [];
  return question.options.map((option) => (
    <label className="eq-choice" key={option.value}>
      <input
        type="checkbox"
        checked={chosen.includes(option.value)}
        onChange={(event) =>
          onChange(
            event.currentTarget.checked ? [...chosen, option.value] : chosen.filter((each) => each !== option.value),
          )
        }
      />
      {option.label}
    </label>
  ));
}

function NumberField({ question, value, onChange }: FieldProps) {
  const { minimum, maximum, unit } = question;
  const limited = minimum !== null && maximum !== null;
  return (
    <div className="eq-row">
      <input
        type="number"
        className="eq-input"
        style={{ width: "10rem" }}
        aria-label={question.label}
        min={minimum ?? undefined}
        max={maximum ?? undefined}
        step={question.kind === "integer" ? 1 : "any"}
        value={typeof value === "number" ? value : ""}
        onChange={(event) => {
          const number = event.currentTarget.valueAsNumber;
          onChange(Number.isNaN(number) ? undefined : number);
        }}
      />
      <span className="eq-dim">{limited ? text.range(minimum, maximum, unit ?? "") : unit}</span>
    </div>
  );
}

function TextAnswer({ question, value, onChange }: FieldProps) {
  return (
    <textarea
      className="eq-input"
      aria-label={question.label}
      maxLength={question.max_length}
      value={typeof value === "string" ? value : ""}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function fieldOf(question: Question): (props: FieldProps) => React.ReactNode {
  if (question.kind === "multiple_choice") return MultipleChoiceField;
  if (isNumber(question)) return NumberField;
  return question.kind === "text" ? TextAnswer : ChoiceField;
}

export function QuestionList(props: {
  questions: readonly Question[];
  answers: Answers;
  missing: readonly string[];
  onChange: (answers: Answers) => void;
}) {
  const set = (key: string, value: AnswerValue | undefined): void => {
    const { [key]: _, ...others } = props.answers;
    props.onChange(value === undefined ? others : { ...others, [key]: value });
  };
  return props.questions.map((question) => {
    const Field = fieldOf(question);
    return (
      <fieldset className="eq-field" key={question.key}>
        <legend>
          {question.label}
          {question.required && <span className="eq-dim"> ({messages.common.required})</span>}
        </legend>
        {question.help && <p className="eq-dim eq-small">{question.help}</p>}
        <Field question={question} value={props.answers[question.key]} onChange={(value) => set(question.key, value)} />
        {props.missing.includes(question.key) && (
          <span className="eq-error eq-small" role="alert">
            {text.missing}
          </span>
        )}
      </fieldset>
    );
  });
}
