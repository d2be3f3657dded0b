/** The rating form: number keys answer the marked question, arrows move between questions, Enter sends the form. */
import { messages } from "@/lib/messages";
import { defineTask, setupOf } from "../task";
import { info } from "./info";
import { RatingFormScreen } from "./screen";
import {
  asked,
  chosen,
  type FormAction,
  type FormAnswers,
  type FormValue,
  given,
  isComplete,
  neighbour,
  reduce,
} from "./value";

export const task = defineTask<FormValue, FormAction>({
  info,
  begin(presentation, draft) {
    const { questions } = setupOf(presentation, "rating-form");
    return { questions, answers: (draft?.answers ?? {}) as FormAnswers, current: questions[0]?.key ?? null };
  },
  reduce,
  record(action, value) {
    if (action.type !== "answer") return null;
    const answer = value.answers[action.key];
    // What is written in words is the answer's, never the record's: the record cannot be erased.
    const told = typeof answer === "object" ? answer.join(";") : (answer ?? null);
    const isText = value.questions.some((question) => question.key === action.key && question.kind === "text");
    return { kind: "answer_change", data: { question: action.key, answer: isText ? null : told } };
  },
  isAnswer: (action) => action.type === "answer",
  clear(value) {
    const { current } = value;
    return current !== null && value.answers[current] !== undefined
      ? { type: "answer", key: current, answer: null, advance: false }
      : null;
  },
  isComplete,
  answer: (value) => ({ answers: given(value) }),
  cannotAssess: { answers: null },
  draft: (value) => ({ answers: value.answers }),
  key(value, press) {
    const questions = asked(value.questions, value.answers);
    const question = questions.find((each) => each.key === value.current) ?? questions[0];
    if (!question) return null;
    if (press.key === "ArrowDown" || press.key === "ArrowUp") {
      const to = neighbour(questions, question.key, press.key === "ArrowDown" ? 1 : -1);
      return to === null ? { type: "none" } : { type: "task", action: { type: "move", to } as FormAction };
    }
    if (!/^[1-9]$/.test(press.key)) return null;
    const action = press.repeat ? null : chosen(question, Number(press.key) - 1, value.answers);
    return action ? { type: "task", action } : { type: "none" };
  },
  help: messages.formKeys,
  immediate: false,
  Screen: RatingFormScreen,
});
