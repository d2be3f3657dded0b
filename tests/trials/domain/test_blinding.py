"""What a role sees in which state, as one table."""

import pytest

from equipoise.common.permissions import Role
from trials.domain.blinding import Sight, may_see, visible_sights
from trials.domain.states import TrialState

BLINDED = [
    TrialState.LOCKED,
    TrialState.OPEN,
    TrialState.PAUSED,
    TrialState.CLOSED,
    TrialState.DATA_LOCKED,
    TrialState.ABANDONED,
]
G = Sight
EXPECTED_BLINDED = {
    Role.ADMINISTRATOR: {G.PROGRESS, G.BALANCE, G.SOURCES, G.REFERENCE_STANDARD},
    Role.DATA_MANAGER: {G.PROGRESS, G.SOURCES, G.REFERENCE_STANDARD},
    Role.BLINDED_MONITOR: {G.PROGRESS, G.BALANCE},
    Role.UNBLINDED_STATISTICIAN: {
        G.PROGRESS, G.BALANCE, G.SOURCES, G.REFERENCE_STANDARD, G.ALLOCATION_ROWS, G.ALLOCATION_SEED,
    },
    Role.READER: set(),
    Role.ALGORITHM: set(),
    Role.SITE_ADMINISTRATOR: set(),
}  # fmt: skip


@pytest.mark.parametrize("state", BLINDED)
@pytest.mark.parametrize("role", list(Role))
def test_while_blinded_nobody_sees_answers_or_arms_and_rows_are_the_statisticians(role, state):
    assert visible_sights(role, state) == EXPECTED_BLINDED[role]


def test_a_draft_has_no_rows_to_see():
    assert not may_see(Role.UNBLINDED_STATISTICIAN, Sight.ALLOCATION_ROWS, TrialState.DRAFT)


@pytest.mark.parametrize("state", [TrialState.UNBLINDED, TrialState.ARCHIVED])
def test_at_unblinding_rows_and_seed_are_published_to_the_trial(state):
    for role in (Role.ADMINISTRATOR, Role.DATA_MANAGER, Role.BLINDED_MONITOR, Role.UNBLINDED_STATISTICIAN):
        assert {G.ALLOCATION_ROWS, G.ALLOCATION_SEED, G.SOURCES} <= visible_sights(role, state)


@pytest.mark.parametrize("state", [TrialState.UNBLINDED, TrialState.ARCHIVED])
def test_results_by_arm_are_for_those_who_analyse(state):
    seeing = {role for role in Role if may_see(role, Sight.RESULTS_BY_ARM, state)}
    assert seeing == {Role.ADMINISTRATOR, Role.UNBLINDED_STATISTICIAN}


@pytest.mark.parametrize("state", list(TrialState))
@pytest.mark.parametrize("role", [Role.READER, Role.ALGORITHM, Role.SITE_ADMINISTRATOR])
def test_readers_algorithms_and_the_site_see_nothing_in_any_state(role, state):
    assert visible_sights(role, state) == frozenset()
