"""Queries, deviations and adjudication lists as rules."""

import pytest

from equipoise.common.errors import StateConflictError, ValidationFailedError
from trials.domain.adjudication import Disagreement, Judgement, adjudication_list
from trials.domain.review import Act, ReviewAct, ReviewKind, Severity, require_act, standing_after

OPEN, ANSWER, CLOSE, REOPEN = ReviewAct


def test_deviation_is_decided_by_its_closing_and_undecided_by_its_reopening():
    acts = [Act(OPEN), Act(ANSWER, Severity.MINOR), Act(CLOSE, None, True)]
    assert [standing_after(acts[:n]).excludes for n in (1, 2, 3)] == [None, None, True]
    closed = standing_after(acts)
    assert (closed.state, closed.severity) == ("closed", "minor")
    reopened = standing_after([*acts, Act(REOPEN)])
    assert (reopened.state, reopened.severity, reopened.excludes) == ("open", "minor", None)
    again = standing_after([*acts, Act(REOPEN), Act(CLOSE, Severity.MAJOR, False)])
    assert (again.state, again.severity, again.excludes) == ("closed", "major", False)


@pytest.mark.parametrize(
    ("kind", "before", "act", "fields"),
    [
        (ReviewKind.DEVIATION, [Act(OPEN)], Act(CLOSE), {"/severity", "/excludes"}),
        (ReviewKind.DEVIATION, [Act(OPEN, Severity.MAJOR)], Act(CLOSE), {"/excludes"}),
        (ReviewKind.DEVIATION, [Act(OPEN)], Act(ANSWER, Severity.MINOR, True), {"/excludes"}),
        (ReviewKind.QUERY, [Act(OPEN)], Act(CLOSE, Severity.MINOR, True), {"/severity", "/excludes"}),
    ],
)
def test_classification_is_asked_for_where_it_belongs_and_nowhere_else(kind, before, act, fields):
    with pytest.raises(ValidationFailedError) as refused:
        require_act(kind, standing_after(before), act)
    assert set(refused.value.data["fields"]) == fields


def test_closed_query_is_not_answered_again_without_being_reopened():
    closed = standing_after([Act(OPEN), Act(CLOSE)])
    with pytest.raises(StateConflictError) as refused:
        require_act(ReviewKind.QUERY, closed, Act(ANSWER))
    assert refused.value.data == {"state": "closed", "allowed": ["reopen"]}
    require_act(ReviewKind.QUERY, closed, Act(REOPEN))


def judgements(*rows):
    return [
        Judgement("C-1", item, "decision", condition, reader, label)
        for item, condition, reader, label in rows
    ]


def test_readers_are_compared_within_a_condition_and_which_one_is_not_told():
    rows = judgements(
        ("i-1", "aided", "R-1", "1"),
        ("i-1", "unaided", "R-2", "0"),
        ("i-2", "aided", "R-1", "1"),
        ("i-2", "aided", "R-2", "0"),
        ("i-2", "aided", "R-3", "1"),
        ("i-2", "unaided", "R-1", "1"),
        ("i-2", "unaided", "R-4", "1"),
        ("i-3", "unaided", "R-1", "0"),
        ("i-3", "unaided", "R-2", "0"),
    )
    found = adjudication_list(rows)
    assert found.compared == 2
    assert found.disagreements == (Disagreement("C-1", "i-2", "decision", readers=4, minority=1),)
    swapped = [
        Judgement(**{**vars(one), "condition": {"aided": "unaided"}.get(one.condition, "aided")})
        for one in rows
    ]
    assert adjudication_list(swapped) == found
    inverted = [Judgement(**{**vars(one), "label": {"1": "0"}.get(one.label, "1")}) for one in rows]
    assert adjudication_list(inverted) == found
