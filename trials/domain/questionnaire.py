"""Answers to a questionnaire, checked against its questions."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol.parts import decimal_text
from trials.domain.protocol.questions import Question, QuestionKind
from trials.domain.protocol.tasks import FormQuestion

_NUMBER = re.compile(r"^-?\d{1,12}([.,]\d{1,6})?$")


class _WrongAnswerError(Exception):
    """Why one answer is refused, in a sentence."""


def check_answers(
    questions: Sequence[Question], answers: Mapping[str, Any], *, pointer: str = "/answers"
) -> dict[str, Any]:
    """Return the answers in their stored form, or raise naming every wrong one by its place below ``pointer``.

    Whole numbers are stored as integers, other numbers as decimal text, unanswered questions not at all.
    """
    by_key = {question.key: question for question in questions}
    problems = {
        f"{pointer}/{key}": f"The form asks no question '{key}' here." for key in answers if key not in by_key
    }
    checked: dict[str, Any] = {}
    for key, question in by_key.items():
        answer = answers.get(key)
        if answer is None or answer in ("", []) or (isinstance(answer, str) and not answer.strip()):
            if question.required:
                problems[f"{pointer}/{key}"] = f"Please answer: {question.label}"
            continue
        try:
            checked[key] = _CHECKS[question.kind](question, answer)
        except _WrongAnswerError as error:
            problems[f"{pointer}/{key}"] = str(error)
    if problems:
        raise ValidationFailedError.of_fields(problems)
    return checked


def asked_questions(
    questions: Sequence[FormQuestion], answers: Mapping[str, Any]
) -> tuple[FormQuestion, ...]:
    """Return the questions that are asked given these answers: a condition holds only on a question that is asked."""
    asked: dict[str, FormQuestion] = {}
    for question in questions:
        condition = question.shown_if
        if condition is None or (
            condition.question in asked
            and not set(condition.answers).isdisjoint(_as_conditions(answers.get(condition.question)))
        ):
            asked[question.key] = question
    return tuple(asked.values())


def _as_conditions(answer: object) -> list[str]:
    """Return an answer as conditions name it."""
    if isinstance(answer, bool):
        return ["yes" if answer else "no"]
    if isinstance(answer, list):
        return [str(one) for one in answer]
    return [] if answer is None else [str(answer)]


def _choice(question: Question, answer: object) -> str:
    values = [option.value for option in question.options]
    if not isinstance(answer, str) or answer not in values:
        raise _WrongAnswerError(f"{question.label}: choose one of {', '.join(values)}; got {answer!r}.")
    return answer


def _multiple_choice(question: Question, answer: object) -> list[str]:
    if not isinstance(answer, list):
        raise _WrongAnswerError(f"{question.label}: give a list of choices; got {answer!r}.")
    chosen = {_choice(question, one) for one in answer}
    return [option.value for option in question.options if option.value in chosen]


def _decimal(question: Question, answer: object) -> Decimal:
    text = str(answer).strip()
    if isinstance(answer, bool) or not isinstance(answer, int | float | str) or not _NUMBER.match(text):
        raise _WrongAnswerError(f"{question.label}: give a number; got {answer!r}.")
    value = Decimal(text.replace(",", "."))
    bounds = []
    if question.minimum is not None and value < question.minimum:
        bounds.append(f"at least {decimal_text(question.minimum)}")
    if question.maximum is not None and value > question.maximum:
        bounds.append(f"at most {decimal_text(question.maximum)}")
    if bounds:
        raise _WrongAnswerError(
            f"{question.label}: the number must be {bounds[0]}; got {decimal_text(value)}."
        )
    return value


def _integer(question: Question, answer: object) -> int:
    value = _decimal(question, answer)
    if value != value.to_integral_value():
        raise _WrongAnswerError(f"{question.label}: give a whole number; got {decimal_text(value)}.")
    return int(value)


def _number(question: Question, answer: object) -> int | str:
    value = _decimal(question, answer)
    return int(value) if value == value.to_integral_value() else decimal_text(value)


def _yes_no(question: Question, answer: object) -> bool:
    if not isinstance(answer, bool):
        raise _WrongAnswerError(f"{question.label}: answer yes or no; got {answer!r}.")
    return answer


def _text(question: Question, answer: object) -> str:
    if not isinstance(answer, str):
        raise _WrongAnswerError(f"{question.label}: give text; got {answer!r}.")
    text = answer.strip()
    if len(text) > question.max_length:
        raise _WrongAnswerError(
            f"{question.label}: at most {question.max_length} characters; got {len(text)}."
        )
    return text


_CHECKS = {
    QuestionKind.CHOICE: _choice,
    QuestionKind.LIKERT: _choice,
    QuestionKind.MULTIPLE_CHOICE: _multiple_choice,
    QuestionKind.INTEGER: _integer,
    QuestionKind.NUMBER: _number,
    QuestionKind.YES_NO: _yes_no,
    QuestionKind.TEXT: _text,
}
