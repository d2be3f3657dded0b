"""One label per case from several labellers, and which questions of a form are asked."""

import pytest

from trials.domain.labels import GivenLabel, LabelSource, consensus_labels
from trials.domain.protocol.document import check_text
from trials.domain.protocol.questions import QuestionKind
from trials.domain.protocol.tasks import Consensus, ConsensusRule, FormQuestion, ShownIf
from trials.domain.questionnaire import asked_questions
from trials.selectors.templates import template

COUNTS_AS_YES = Consensus(questions=("pet",), rule=ConsensusRule.COUNTS_AS, counts_as="yes")


def given(label, *, participant="R-01", stratum="labellers", case="C-001", question="pet"):
    return GivenLabel(case, f"{case}-1", question, participant, stratum, label)


@pytest.mark.parametrize(
    "labels, agreed, label, source",
    [
        (("no", "no"), True, "no", LabelSource.AGREEMENT),
        (("yes", "no"), False, "yes", LabelSource.RULE),
        (("yes",), None, None, LabelSource.NONE),
        (("no", "no", "yes"), False, "yes", LabelSource.RULE),
    ],
)
def test_labels_are_agreed_or_settled_by_the_rule(labels, agreed, label, source):
    told = [given(value, participant=f"R-{n:02d}") for n, value in enumerate(labels, start=1)]
    (one,) = consensus_labels(told, COUNTS_AS_YES)
    assert (one.agreed, one.label, one.source) == (agreed, label, source)
    assert consensus_labels(reversed(told), COUNTS_AS_YES) == [one]


def test_without_a_rule_a_disagreement_has_no_label():
    rule = Consensus(questions=("pet",), rule=ConsensusRule.NONE)
    (one,) = consensus_labels([given("yes"), given("no", participant="R-02")], rule)
    assert (one.agreed, one.label, one.source) == (False, None, LabelSource.NONE)


def test_only_the_questions_of_the_rule_are_settled_in_its_order():
    rule = Consensus(questions=("size", "pet"), rule=ConsensusRule.COUNTS_AS, counts_as="yes")
    told = [given("no", question=question) for question in ("pet", "size", "place")]
    assert [one.question for one in consensus_labels(told, rule)] == ["size", "pet"]


def question(key, **fields):
    return FormQuestion(key=key, kind=QuestionKind.YES_NO, label=key, **fields)


def test_a_question_below_one_that_is_not_asked_is_not_asked_either():
    form = (
        question("a"),
        question("b", shown_if=ShownIf(question="a", answers=("yes",))),
        question("c", shown_if=ShownIf(question="b", answers=("no",))),
    )

    def keys(answers):
        return [one.key for one in asked_questions(form, answers)]

    assert keys({}) == ["a"]
    assert keys({"a": True}) == ["a", "b"]
    assert keys({"a": True, "b": False}) == ["a", "b", "c"]
    assert keys({"a": False, "b": False}) == ["a"]


@pytest.mark.parametrize(
    "change, pointer, words",
    [
        (("counts_as: \"yes\"", "counts_as: maybe"), "/consensus/counts_as", "one of no, yes; got 'maybe'"),
        (("questions: [pet_needed]", "questions: [pet_reason]"), "/consensus/questions", "'pet_reason' must be"),
        (("rule: counts_as\n", "rule: adjudication\n"), "/consensus/adjudicators", "(labellers); got None"),
        (("key: location", "key: comment"), "/questions/2/key", "'comment' is a column of the table already"),
    ],
)  # fmt: skip
def test_what_lock_needs_of_a_form_is_named(change, pointer, words):
    problems = check_text(template("case-labelling").text.replace(*change)).lock_problems
    assert [one.pointer for one in problems] == [f"/tasks/0{pointer}"]
    assert words in problems[0].message
