"""What a role may see of a trial in which state: the one function that decides it."""

from enum import StrEnum

from equipoise.common.permissions import Permission, Role, role_allows
from trials.domain.states import TrialState


class Sight(StrEnum):
    """Something that blinding may hide."""

    PROGRESS = "progress"
    """Who has read how much, pace, missing data, flags. Never an answer."""
    BALANCE = "balance"
    """Counts of sides per reader and item, as allocated and as read; the seed's commitment."""
    SOURCES = "sources"
    """Which contour of a case came from whom."""
    ALLOCATION_ROWS = "allocation_rows"
    """Orders and sides of the slots."""
    ALLOCATION_SEED = "allocation_seed"
    ANSWERS = "answers"
    """Responses without the sources behind them (what was chosen on which side, comments, times)."""
    RESULTS_BY_ARM = "results_by_arm"
    """Anything that compares candidates or conditions."""
    REFERENCE_STANDARD = "reference_standard"


_RESULT_STATES = frozenset({TrialState.UNBLINDED, TrialState.ARCHIVED})
_SEALED_STATES = frozenset({TrialState.DRAFT})
_NEEDS = {
    Sight.PROGRESS: Permission.MONITOR_VIEW,
    Sight.BALANCE: Permission.ALLOCATION_VIEW_BALANCE,
    Sight.SOURCES: Permission.CASE_VIEW_SOURCES,
    Sight.ALLOCATION_ROWS: Permission.ALLOCATION_VIEW_ROWS,
    Sight.ALLOCATION_SEED: Permission.ALLOCATION_VIEW_ROWS,
    Sight.ANSWERS: Permission.MONITOR_VIEW,
    Sight.RESULTS_BY_ARM: Permission.ANALYSIS_VIEW,
    Sight.REFERENCE_STANDARD: Permission.CASE_VIEW_SOURCES,
}
"""The permission without which a role never sees the thing."""

_AFTER_UNBLINDING_NEEDS = {
    Sight.ALLOCATION_ROWS: Permission.TRIAL_VIEW,
    Sight.ALLOCATION_SEED: Permission.TRIAL_VIEW,
    Sight.SOURCES: Permission.TRIAL_VIEW,
}
"""Published at unblinding: any member of the trial who may see the trial may see these."""


def may_see(role: Role, sight: Sight, state: TrialState) -> bool:
    """Say whether the role may see the thing while the trial is in the state.

    Until unblinding, rows and seed are the unblinded statistician's alone, and nobody sees the answers of the whole
    trial or anything by arm: that statistician runs the looks that the plan names through their own service, which
    logs them. A trial that was abandoned stays blinded. A reader sees nothing of this in any state.
    """
    unblinded = state in _RESULT_STATES
    if unblinded and sight in _AFTER_UNBLINDING_NEEDS and role_allows(role, _AFTER_UNBLINDING_NEEDS[sight]):
        return True
    if not role_allows(role, _NEEDS[sight]):
        return False
    if sight in {Sight.ALLOCATION_ROWS, Sight.ALLOCATION_SEED}:
        return state not in _SEALED_STATES
    if sight in {Sight.ANSWERS, Sight.RESULTS_BY_ARM}:
        return unblinded
    return True


def visible_sights(role: Role, state: TrialState) -> frozenset[Sight]:
    """Return everything the role may see in the state."""
    return frozenset(sight for sight in Sight if may_see(role, sight, state))
