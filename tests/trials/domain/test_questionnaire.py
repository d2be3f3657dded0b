"""Answers to the questionnaire: stored forms and refusals, all at once."""

from decimal import Decimal

import pytest

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol.questions import Option, Question, QuestionKind
from trials.domain.questionnaire import check_answers

OPTIONS = (Option(value="a", label="A"), Option(value="b", label="B"), Option(value="c", label="C"))


def question(kind, **changes):
    return Question(**({"key": "q", "kind": kind, "label": "Q"} | changes))


@pytest.mark.parametrize(
    ("kind", "answer", "stored"),
    [
        (QuestionKind.CHOICE, "b", "b"),
        (QuestionKind.LIKERT, "a", "a"),
        (QuestionKind.MULTIPLE_CHOICE, ["c", "a", "c"], ["a", "c"]),
        (QuestionKind.INTEGER, 4, 4),
        (QuestionKind.INTEGER, "4", 4),
        (QuestionKind.NUMBER, 4.5, "4.5"),
        (QuestionKind.NUMBER, "4,50", "4.5"),
        (QuestionKind.NUMBER, 4.0, 4),
        (QuestionKind.YES_NO, False, False),
        (QuestionKind.TEXT, "  hello ", "hello"),
    ],
)
def test_answers_are_stored_in_one_form(kind, answer, stored):
    options = (
        OPTIONS if kind in {QuestionKind.CHOICE, QuestionKind.LIKERT, QuestionKind.MULTIPLE_CHOICE} else ()
    )
    result = check_answers([question(kind, options=options)], {"q": answer})
    assert result == {"q": stored}
    assert type(result["q"]) is type(stored)


@pytest.mark.parametrize(
    ("kind", "answer", "message"),
    [
        (QuestionKind.CHOICE, "z", "Q: choose one of a, b, c; got 'z'."),
        (QuestionKind.CHOICE, ["a"], "Q: choose one of a, b, c; got ['a']."),
        (QuestionKind.MULTIPLE_CHOICE, "a", "Q: give a list of choices; got 'a'."),
        (QuestionKind.INTEGER, 4.5, "Q: give a whole number; got 4.5."),
        (QuestionKind.INTEGER, True, "Q: give a number; got True."),
        (QuestionKind.NUMBER, "many", "Q: give a number; got 'many'."),
        (QuestionKind.NUMBER, "nan", "Q: give a number; got 'nan'."),
        (QuestionKind.NUMBER, "1e9", "Q: give a number; got '1e9'."),
        (QuestionKind.NUMBER, 61, "Q: the number must be at most 60; got 61."),
        (QuestionKind.NUMBER, -1, "Q: the number must be at least 0; got -1."),
        (QuestionKind.YES_NO, "yes", "Q: answer yes or no; got 'yes'."),
        (QuestionKind.TEXT, 5, "Q: give text; got 5."),
        (QuestionKind.TEXT, "xxxxxx", "Q: at most 5 characters; got 6."),
    ],
)
def test_wrong_answers_are_refused_with_what_would_be_right(kind, answer, message):
    changes = {"options": OPTIONS} if "choice" in kind else {"max_length": 5}
    if kind is QuestionKind.NUMBER:
        changes = {"minimum": Decimal(0), "maximum": Decimal(60)}
    with pytest.raises(ValidationFailedError) as error:
        check_answers([question(kind, **changes)], {"q": answer})
    assert error.value.data["fields"] == {"/answers/q": [{"code": "invalid", "message": message}]}


@pytest.mark.parametrize("empty", [None, "", "  ", []])
def test_a_required_question_must_be_answered_and_another_need_not(empty):
    with pytest.raises(ValidationFailedError, match="Please answer: Q"):
        check_answers([question(QuestionKind.TEXT)], {"q": empty})
    assert check_answers([question(QuestionKind.TEXT, required=False)], {"q": empty}) == {}


def test_false_and_zero_are_answers():
    questions = [question(QuestionKind.YES_NO), question(QuestionKind.INTEGER, key="n")]
    assert check_answers(questions, {"q": False, "n": 0}) == {"q": False, "n": 0}


def test_all_wrong_answers_are_named_at_once_unknown_ones_too():
    questions = [question(QuestionKind.TEXT), question(QuestionKind.INTEGER, key="n")]
    with pytest.raises(ValidationFailedError) as error:
        check_answers(questions, {"n": "x", "other": 1})
    assert sorted(error.value.data["fields"]) == ["/answers/n", "/answers/other", "/answers/q"]
