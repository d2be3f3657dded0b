"""The one state machine of a trial, and the states of a reading.

Buttons, commands, services and documentation all read the two tables here; nobody else decides what may follow what.
The service that makes a transition checks the facts behind a precondition; this module says which there are and what
would be right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from equipoise.common.errors import StateConflictError
from equipoise.common.permissions import Permission


class TrialState(StrEnum):
    """Where a trial stands."""

    DRAFT = "draft"
    LOCKED = "locked"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"
    DATA_LOCKED = "data-locked"
    UNBLINDED = "unblinded"
    ARCHIVED = "archived"
    ABANDONED = "abandoned"


class TrialAction(StrEnum):
    """What moves a trial."""

    LOCK = "lock"
    OPEN = "open"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"
    DATA_LOCK = "data-lock"
    UNBLIND = "unblind"
    ARCHIVE = "archive"
    ABANDON = "abandon"


class Precondition(StrEnum):
    """A fact that must hold before a transition. The value is the code that people and programs see."""

    PROTOCOL_COMPLETE = "protocol_complete"
    ITEMS_DRAWN = "items_drawn"
    ITEMS_HAVE_BOTH_CANDIDATES = "items_have_both_candidates"
    PRACTICE_ITEMS_PRESENT = "practice_items_present"
    PRACTICE_PATIENTS_SEPARATE = "practice_patients_separate"
    CASES_ACCEPTED = "cases_accepted"
    REFERENCES_PRESENT = "references_present"
    PIXELS_REVIEWED = "pixels_reviewed"
    REHEARSED_OR_WAIVED = "rehearsed_or_waived"
    ALLOCATION_STORED = "allocation_stored"
    NO_READING_IS_OPEN = "no_reading_is_open"
    QUERIES_ANSWERED = "queries_answered"
    DEVIATIONS_DECIDED = "deviations_decided"
    REFERENCE_STANDARD_FINAL = "reference_standard_final"
    EXTERNAL_DATA_PRESENT = "external_data_present"
    ANALYSIS_SETS_SIGNED = "analysis_sets_signed"
    DATA_SNAPSHOT_STORED = "data_snapshot_stored"
    BUNDLE_STORED = "bundle_stored"


PRECONDITION_TEXT: dict[Precondition, str] = {
    Precondition.PROTOCOL_COMPLETE: "The protocol must name everything that protocol lock needs.",
    Precondition.ITEMS_DRAWN: "The items must be drawn from the cases by the protocol's rule and seed.",
    Precondition.ITEMS_HAVE_BOTH_CANDIDATES: "Every item must have the contours that its task shows.",
    Precondition.PRACTICE_ITEMS_PRESENT: "There must be as many practice items as the protocol plans.",
    Precondition.PRACTICE_PATIENTS_SEPARATE: "No patient of a practice item may have an item in the trial.",
    Precondition.CASES_ACCEPTED: "Every case must pass the protocol's quality limits, since it forbids failing cases.",
    Precondition.REFERENCES_PRESENT: "Every case needs a reference standard, since the allocation is drawn within it.",
    Precondition.PIXELS_REVIEWED: "Somebody must have looked at every image that may show who the patient is.",
    Precondition.REHEARSED_OR_WAIVED: "This protocol version must be rehearsed, or the rehearsal waived in writing.",
    Precondition.ALLOCATION_STORED: "The allocation must be stored and its hash must match.",
    Precondition.NO_READING_IS_OPEN: "No reading may be open: wait for the readers or mark the readings as not done.",
    Precondition.QUERIES_ANSWERED: "Every query of the blind review must be answered.",
    Precondition.DEVIATIONS_DECIDED: "The effect of every deviation on the per-protocol set must be decided.",
    Precondition.REFERENCE_STANDARD_FINAL: "The reference standard of every case must be final or indeterminate.",
    Precondition.EXTERNAL_DATA_PRESENT: (
        "Every table of external data that the protocol names must be imported as its newest version says. Import anew "
        "those that an amendment declares otherwise: their file, columns, patients or rule."
    ),
    Precondition.ANALYSIS_SETS_SIGNED: "The blind review of the analysis sets must be signed.",
    Precondition.DATA_SNAPSHOT_STORED: "The data snapshot of data lock must be stored and its hash must match.",
    Precondition.BUNDLE_STORED: "The bundle of the trial must be made, after the last of its analyses.",
}
"""What would be right, one sentence per precondition."""


@dataclass(frozen=True)
class Transition:
    """One row of the table."""

    source: TrialState
    action: TrialAction
    target: TrialState
    permission: Permission
    preconditions: tuple[Precondition, ...] = ()
    needs_password: bool = False
    needs_reason: bool = False


_LOCK_NEEDS = (
    Precondition.PROTOCOL_COMPLETE,
    Precondition.ITEMS_DRAWN,
    Precondition.ITEMS_HAVE_BOTH_CANDIDATES,
    Precondition.PRACTICE_ITEMS_PRESENT,
    Precondition.PRACTICE_PATIENTS_SEPARATE,
    Precondition.CASES_ACCEPTED,
    Precondition.REFERENCES_PRESENT,
    Precondition.PIXELS_REVIEWED,
    Precondition.REHEARSED_OR_WAIVED,
)
_DATA_LOCK_NEEDS = (
    Precondition.NO_READING_IS_OPEN,
    Precondition.QUERIES_ANSWERED,
    Precondition.DEVIATIONS_DECIDED,
    Precondition.REFERENCE_STANDARD_FINAL,
    Precondition.EXTERNAL_DATA_PRESENT,
    Precondition.ANALYSIS_SETS_SIGNED,
)
_ABANDONABLE = (
    TrialState.DRAFT,
    TrialState.LOCKED,
    TrialState.OPEN,
    TrialState.PAUSED,
    TrialState.CLOSED,
    TrialState.DATA_LOCKED,
)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        TrialState.DRAFT,
        TrialAction.LOCK,
        TrialState.LOCKED,
        Permission.TRIAL_LOCK,
        _LOCK_NEEDS,
        needs_password=True,
        needs_reason=True,
    ),
    Transition(
        TrialState.LOCKED,
        TrialAction.OPEN,
        TrialState.OPEN,
        Permission.TRIAL_OPEN,
        (Precondition.ALLOCATION_STORED,),
    ),
    Transition(
        TrialState.OPEN, TrialAction.PAUSE, TrialState.PAUSED, Permission.TRIAL_OPEN, needs_reason=True
    ),
    Transition(TrialState.PAUSED, TrialAction.RESUME, TrialState.OPEN, Permission.TRIAL_OPEN),
    Transition(
        TrialState.OPEN, TrialAction.CLOSE, TrialState.CLOSED, Permission.TRIAL_CLOSE, needs_reason=True
    ),
    Transition(
        TrialState.PAUSED, TrialAction.CLOSE, TrialState.CLOSED, Permission.TRIAL_CLOSE, needs_reason=True
    ),
    Transition(
        TrialState.CLOSED,
        TrialAction.DATA_LOCK,
        TrialState.DATA_LOCKED,
        Permission.TRIAL_DATA_LOCK,
        _DATA_LOCK_NEEDS,
        needs_password=True,
        needs_reason=True,
    ),
    Transition(
        TrialState.DATA_LOCKED,
        TrialAction.UNBLIND,
        TrialState.UNBLINDED,
        Permission.TRIAL_UNBLIND,
        (Precondition.DATA_SNAPSHOT_STORED,),
        needs_password=True,
        needs_reason=True,
    ),
    Transition(
        TrialState.UNBLINDED,
        TrialAction.ARCHIVE,
        TrialState.ARCHIVED,
        Permission.TRIAL_ARCHIVE,
        (Precondition.BUNDLE_STORED,),
        needs_password=True,
    ),
    *(
        Transition(
            state,
            TrialAction.ABANDON,
            TrialState.ABANDONED,
            Permission.TRIAL_CLOSE,
            needs_password=True,
            needs_reason=True,
        )
        for state in _ABANDONABLE
    ),
)
"""Every transition there is."""

_BY_START = {(row.source, row.action): row for row in TRANSITIONS}

BLINDED_STATES = frozenset(TrialState) - {TrialState.UNBLINDED, TrialState.ARCHIVED}
"""The states in which nothing is known by arm. An abandoned trial stays blinded."""


class TransitionRefusedError(StateConflictError):
    """The trial's state does not allow the action."""

    def __init__(self, state: TrialState, action: TrialAction) -> None:
        possible = allowed_actions(state)
        starts = sorted({row.source for row in TRANSITIONS if row.action == action})
        right = " or ".join(starts)
        now = (
            f"What can be done now: {', '.join(possible)}." if possible else "Nothing can change it any more."
        )
        super().__init__(
            f"The trial is {state}, so it cannot take the action {action}; the trial must be {right}. {now}",
            data={"state": str(state), "action": str(action), "allowed": [str(one) for one in possible]},
        )
        self.state = state
        self.action = action


class PreconditionsUnmetError(StateConflictError):
    """The action is possible in this state, but facts that it needs are missing. All of them are named."""

    def __init__(
        self,
        state: TrialState,
        action: TrialAction,
        unmet: tuple[Precondition, ...],
        *,
        words: Mapping[Precondition, str] | None = None,
    ) -> None:
        """``words`` says of this trial what is missing, where that is more than the table's sentence."""
        texts = {**PRECONDITION_TEXT, **(words or {})}
        super().__init__(
            f"The trial cannot take the action {action} yet. " + " ".join(texts[one] for one in unmet),
            data={
                "state": str(state),
                "action": str(action),
                "allowed": [str(one) for one in allowed_actions(state)],
                "unmet": [{"code": str(one), "message": texts[one]} for one in unmet],
            },
        )
        self.unmet = unmet


def transition_for(state: TrialState, action: TrialAction) -> Transition:
    """Return the row of the table, or refuse with what would be right."""
    row = _BY_START.get((state, action))
    if row is None:
        raise TransitionRefusedError(state, action)
    return row


def next_state(state: TrialState, action: TrialAction) -> TrialState:
    """Return the state that the action leads to, or refuse."""
    return transition_for(state, action).target


def allowed_actions(state: TrialState) -> tuple[TrialAction, ...]:
    """Return the actions that the state allows, in the table's order."""
    return tuple(row.action for row in TRANSITIONS if row.source == state)


class ReadingState(StrEnum):
    """Where a reading stands."""

    PLANNED = "planned"
    OPEN = "open"
    SUBMITTED = "submitted"
    NOT_ASSESSABLE = "not-assessable"
    NOT_DONE = "not-done"
    VOIDED = "voided"
    BLOCKED = "blocked"
    """Left open for longer than the protocol allows: not shown any more, missing unless it is released."""
    RELEASED = "released"
    """Blocked, and released by an administrator: it comes next and goes on where it was left."""


DATA_EXCLUDED = "data_excluded"
"""Flag of a reading whose reader asked that it not be used."""


class ReadingAction(StrEnum):
    """What moves a reading."""

    OPEN = "open"
    SUBMIT = "submit"
    SUBMIT_CANNOT_ASSESS = "submit-cannot-assess"
    GIVE_UP = "give-up"
    VOID = "void"
    BLOCK = "block"
    RELEASE = "release"


READING_TRANSITIONS: dict[tuple[ReadingState, ReadingAction], ReadingState] = {
    (ReadingState.PLANNED, ReadingAction.OPEN): ReadingState.OPEN,
    (ReadingState.OPEN, ReadingAction.OPEN): ReadingState.OPEN,
    (ReadingState.OPEN, ReadingAction.SUBMIT): ReadingState.SUBMITTED,
    (ReadingState.OPEN, ReadingAction.SUBMIT_CANNOT_ASSESS): ReadingState.NOT_ASSESSABLE,
    (ReadingState.PLANNED, ReadingAction.GIVE_UP): ReadingState.NOT_DONE,
    (ReadingState.OPEN, ReadingAction.GIVE_UP): ReadingState.NOT_DONE,
    (ReadingState.OPEN, ReadingAction.BLOCK): ReadingState.BLOCKED,
    (ReadingState.PLANNED, ReadingAction.BLOCK): ReadingState.BLOCKED,
    (ReadingState.BLOCKED, ReadingAction.RELEASE): ReadingState.RELEASED,
    (ReadingState.RELEASED, ReadingAction.OPEN): ReadingState.OPEN,
    (ReadingState.RELEASED, ReadingAction.BLOCK): ReadingState.BLOCKED,
    (ReadingState.BLOCKED, ReadingAction.GIVE_UP): ReadingState.NOT_DONE,
    (ReadingState.RELEASED, ReadingAction.GIVE_UP): ReadingState.NOT_DONE,
    (ReadingState.SUBMITTED, ReadingAction.VOID): ReadingState.VOIDED,
    (ReadingState.NOT_ASSESSABLE, ReadingAction.VOID): ReadingState.VOIDED,
}
"""An opened reading is resumed (open to open), never reissued as new. Voiding needs a blind reason code, a second
person and a trial before data lock; giving up needs a reason: the services ask for both. A planned or released reading
is blocked only with the first half of its pair."""

AWAITED_STATES = (ReadingState.PLANNED, ReadingState.RELEASED)
"""The states of readings that are still to be opened."""

ANSWERED_STATES = frozenset({ReadingState.SUBMITTED, ReadingState.NOT_ASSESSABLE})
"""The states in which a response exists and counts."""
FINISHED_STATES = ANSWERED_STATES | {ReadingState.NOT_DONE, ReadingState.VOIDED}


class ReadingTransitionRefusedError(StateConflictError):
    """The reading's state does not allow the action."""

    def __init__(self, state: ReadingState, action: ReadingAction) -> None:
        possible = [str(one) for start, one in READING_TRANSITIONS if start == state]
        now = (
            f"What can be done now: {', '.join(possible)}." if possible else "Nothing can change it any more."
        )
        super().__init__(
            f"The reading is {state}, so it cannot take the action {action}. {now}",
            data={"state": str(state), "action": str(action), "allowed": possible},
        )


def next_reading_state(state: ReadingState, action: ReadingAction) -> ReadingState:
    """Return the state that the action leads to, or refuse."""
    target = READING_TRANSITIONS.get((state, action))
    if target is None:
        raise ReadingTransitionRefusedError(state, action)
    return target
