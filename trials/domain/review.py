"""Queries and protocol deviations: what they are about, in which state, and what may follow.

A query asks somebody about something in the trial's data; a deviation says that something was not as the protocol
has it. Both are opened, answered and closed before data lock, blind to everything by arm; nothing of them is ever
edited. A deviation is closed by deciding how severe it is and whether it takes what it is about out of the
per-protocol set.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from equipoise.common.errors import StateConflictError, ValidationFailedError
from trials.domain.states import TrialState


class ReviewKind(StrEnum):
    """Which of the two."""

    QUERY = "query"
    DEVIATION = "deviation"


class ReviewState(StrEnum):
    """Where a record stands."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


class ReviewAct(StrEnum):
    """What is done to a record. Each act is a row with who, when and why."""

    OPEN = "open"
    ANSWER = "answer"
    CLOSE = "close"
    REOPEN = "reopen"


class Severity(StrEnum):
    """Of a deviation."""

    MINOR = "minor"
    MAJOR = "major"


TOPICS: dict[ReviewKind, dict[str, str]] = {
    ReviewKind.QUERY: {
        "missing_reading": "A reading is missing",
        "time": "A time is not plausible",
        "environment": "Display or surroundings",
        "reader": "Something about the reader",
        "case_material": "Image, contour or covariate of a case",
        "reference_standard": "Reference standard of a case",
        "other": "Other",
    },
    ReviewKind.DEVIATION: {
        "wrong_person": "Somebody else read",
        "eligibility": "The reader does not meet the criteria",
        "training": "Instructions or practice were not followed",
        "environment": "Display or surroundings not as asked",
        "order": "Order or washout was not kept",
        "interruption": "The reading was interrupted",
        "unblinding": "The reader knew what should be concealed",
        "case_material": "The case was not as planned",
        "technical": "Technical fault",
        "other": "Other",
    },
}
"""What a record is about, by kind: the code and the words people see."""

REVIEW_TRANSITIONS: dict[tuple[ReviewState, ReviewAct], ReviewState] = {
    (ReviewState.OPEN, ReviewAct.ANSWER): ReviewState.ANSWERED,
    (ReviewState.OPEN, ReviewAct.CLOSE): ReviewState.CLOSED,
    (ReviewState.ANSWERED, ReviewAct.ANSWER): ReviewState.ANSWERED,
    (ReviewState.ANSWERED, ReviewAct.CLOSE): ReviewState.CLOSED,
    (ReviewState.ANSWERED, ReviewAct.REOPEN): ReviewState.OPEN,
    (ReviewState.CLOSED, ReviewAct.REOPEN): ReviewState.OPEN,
}
REVIEWABLE_STATES = (
    TrialState.DRAFT,
    TrialState.LOCKED,
    TrialState.OPEN,
    TrialState.PAUSED,
    TrialState.CLOSED,
)
"""Before data lock: whatever decides about an analysis set is decided by then."""


@dataclass(frozen=True)
class ReviewStanding:
    """Where a record stands after its acts."""

    state: ReviewState
    severity: Severity | None
    excludes: bool | None
    """Whether it takes what it is about out of the per-protocol set; None until that is decided."""


@dataclass(frozen=True)
class Act:
    """One act, as far as it decides where the record stands."""

    act: ReviewAct
    severity: Severity | None = None
    excludes: bool | None = None


def acts_allowed(state: ReviewState) -> tuple[ReviewAct, ...]:
    """Return what may be done to a record in a state."""
    return tuple(act for start, act in REVIEW_TRANSITIONS if start == state)


def standing_after(acts: Iterable[Act]) -> ReviewStanding:
    """Return where a record stands after its acts, the first of which opened it.

    A reopened deviation has to be decided anew: until then its effect is not decided.
    """
    state, severity, excludes = ReviewState.OPEN, None, None
    for one in acts:
        state = ReviewState.OPEN if one.act == ReviewAct.OPEN else REVIEW_TRANSITIONS[state, one.act]
        severity = one.severity or severity
        excludes = (
            None if one.act == ReviewAct.REOPEN else one.excludes if one.excludes is not None else excludes
        )
    return ReviewStanding(state, severity, excludes)


def require_act(kind: ReviewKind, before: ReviewStanding | None, act: Act) -> None:
    """Refuse an act that the record's state does not allow, or that lacks or has too much of a classification."""
    if before is not None and (before.state, act.act) not in REVIEW_TRANSITIONS:
        allowed = [str(one) for one in acts_allowed(before.state)]
        raise StateConflictError(
            f"The {kind} is {before.state}; what can be done now: {', '.join(allowed)}.",
            data={"state": str(before.state), "allowed": allowed},
        )
    problems = {}
    if kind == ReviewKind.QUERY:
        if act.severity is not None:
            problems["/severity"] = "A query has no severity; a deviation has."
        if act.excludes is not None:
            problems["/excludes"] = "A query takes nothing out of an analysis set; a deviation may."
    elif act.act == ReviewAct.CLOSE:
        if act.severity is None and (before is None or before.severity is None):
            problems["/severity"] = (
                "Say whether the deviation is minor or major: it is closed by that decision."
            )
        if act.excludes is None:
            problems["/excludes"] = "Say whether it takes what it is about out of the per-protocol set."
    elif act.excludes is not None:
        problems["/excludes"] = "The effect on the per-protocol set is decided when the deviation is closed."
    if problems:
        raise ValidationFailedError.of_fields(problems)
