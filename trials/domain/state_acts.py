"""What a trial takes in which state, beside the actions that change the state: told to the pages, kept by services."""

from collections.abc import Mapping
from enum import StrEnum

from trials.domain.protocol.amendment import AMENDABLE_STATES
from trials.domain.review import REVIEWABLE_STATES
from trials.domain.states import BLINDED_STATES, TrialState


class StateAct(StrEnum):
    """An act on a trial that its state may rule out. Keep the list alphabetized."""

    ADJUDICATE = "adjudicate"
    AMEND = "amend"
    ANALYSE = "analyse"
    BUNDLE = "bundle"
    IMPORT_TABLE = "import-table"
    INGEST = "ingest"
    LEAVE = "leave"
    REFERENCE = "reference"
    REHEARSE = "rehearse"
    RELEASE = "release"
    RESULT = "result"
    REVIEW = "review"


_BEFORE_DATA_LOCK = frozenset(
    {TrialState.DRAFT, TrialState.LOCKED, TrialState.OPEN, TrialState.PAUSED, TrialState.CLOSED}
)
"""Nothing that enters an analysis comes in, changes or goes after data lock."""

_STATES: Mapping[StateAct, frozenset[TrialState]] = {
    # Where readers disagree is listed once nobody reads any more.
    StateAct.ADJUDICATE: frozenset(
        {TrialState.CLOSED, TrialState.DATA_LOCKED, TrialState.UNBLINDED, TrialState.ARCHIVED}
    ),
    StateAct.AMEND: frozenset(AMENDABLE_STATES),
    StateAct.ANALYSE: frozenset(TrialState) - BLINDED_STATES,
    # What is kept of an archived trial stays as it is.
    StateAct.BUNDLE: frozenset({TrialState.UNBLINDED}),
    StateAct.IMPORT_TABLE: frozenset(TrialState) - {TrialState.ARCHIVED, TrialState.ABANDONED},
    StateAct.INGEST: frozenset({TrialState.DRAFT}),
    StateAct.LEAVE: _BEFORE_DATA_LOCK,
    StateAct.REFERENCE: _BEFORE_DATA_LOCK,
    # Once readers read, a rehearsal comes too late.
    StateAct.REHEARSE: frozenset({TrialState.DRAFT, TrialState.LOCKED}),
    StateAct.RELEASE: frozenset({TrialState.OPEN, TrialState.PAUSED}),
    StateAct.RESULT: _BEFORE_DATA_LOCK,
    StateAct.REVIEW: frozenset(REVIEWABLE_STATES),
}


def is_open_to(state: str, act: StateAct) -> bool:
    """Say whether a trial in that state takes the act."""
    return state in _STATES[act]


def acts_open(state: str) -> list[str]:
    """Return every act that a trial in that state takes."""
    return [act.value for act in StateAct if is_open_to(state, act)]
