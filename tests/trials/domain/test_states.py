"""The state machine: what may follow what, and what a refusal says."""

import pytest

from equipoise.common.permissions import ROLE_PERMISSIONS, Permission
from trials.domain.states import (
    PRECONDITION_TEXT,
    READING_TRANSITIONS,
    TRANSITIONS,
    Precondition,
    PreconditionsUnmetError,
    ReadingAction,
    ReadingState,
    ReadingTransitionRefusedError,
    TransitionRefusedError,
    TrialAction,
    TrialState,
    allowed_actions,
    next_reading_state,
    next_state,
    transition_for,
)

S, A = TrialState, TrialAction
TABLE = {
    (S.DRAFT, A.LOCK): S.LOCKED,
    (S.LOCKED, A.OPEN): S.OPEN,
    (S.OPEN, A.PAUSE): S.PAUSED,
    (S.PAUSED, A.RESUME): S.OPEN,
    (S.OPEN, A.CLOSE): S.CLOSED,
    (S.PAUSED, A.CLOSE): S.CLOSED,
    (S.CLOSED, A.DATA_LOCK): S.DATA_LOCKED,
    (S.DATA_LOCKED, A.UNBLIND): S.UNBLINDED,
    (S.UNBLINDED, A.ARCHIVE): S.ARCHIVED,
    (S.DRAFT, A.ABANDON): S.ABANDONED,
    (S.LOCKED, A.ABANDON): S.ABANDONED,
    (S.OPEN, A.ABANDON): S.ABANDONED,
    (S.PAUSED, A.ABANDON): S.ABANDONED,
    (S.CLOSED, A.ABANDON): S.ABANDONED,
    (S.DATA_LOCKED, A.ABANDON): S.ABANDONED,
}


@pytest.mark.parametrize("state", list(TrialState))
@pytest.mark.parametrize("action", list(TrialAction))
def test_every_pair_of_state_and_action_leads_where_the_table_says_or_is_refused(state, action):
    if (state, action) in TABLE:
        assert next_state(state, action) is TABLE[state, action]
    else:
        with pytest.raises(TransitionRefusedError) as refusal:
            next_state(state, action)
        assert refusal.value.data["state"] == state.value
        assert refusal.value.data["allowed"] == [one.value for one in allowed_actions(state)]


def test_a_refusal_says_why_and_what_would_be_right():
    with pytest.raises(TransitionRefusedError) as refusal:
        next_state(TrialState.DRAFT, TrialAction.UNBLIND)
    assert refusal.value.message == (
        "The trial is draft, so it cannot take the action unblind; the trial must be data-locked. "
        "What can be done now: lock, abandon."
    )
    with pytest.raises(TransitionRefusedError, match=r"Nothing can change it any more\."):
        next_state(TrialState.ARCHIVED, TrialAction.OPEN)


def test_the_acts_that_cannot_be_undone_ask_for_the_password_and_a_reason():
    asks = {(row.source, row.action) for row in TRANSITIONS if row.needs_password and row.needs_reason}
    assert {(S.DRAFT, A.LOCK), (S.CLOSED, A.DATA_LOCK), (S.DATA_LOCKED, A.UNBLIND)} <= asks
    assert all((state, A.ABANDON) in asks for state, action in TABLE if action is A.ABANDON)


def test_every_transition_needs_a_permission_that_some_role_holds():
    held = {permission for permissions in ROLE_PERMISSIONS.values() for permission in permissions}
    assert {row.permission for row in TRANSITIONS} <= held
    assert transition_for(S.DATA_LOCKED, A.UNBLIND).permission is Permission.TRIAL_UNBLIND


def test_every_precondition_has_a_sentence_and_is_used():
    assert set(PRECONDITION_TEXT) == set(Precondition)
    assert {one for row in TRANSITIONS for one in row.preconditions} == set(Precondition)


def test_unmet_preconditions_are_all_named_at_once():
    error = PreconditionsUnmetError(
        S.DRAFT, A.LOCK, (Precondition.ITEMS_DRAWN, Precondition.REHEARSED_OR_WAIVED)
    )
    assert [one["code"] for one in error.data["unmet"]] == ["items_drawn", "rehearsed_or_waived"]
    assert "The items must be drawn" in error.message
    assert "waived in writing" in error.message


def test_an_opened_reading_is_resumed_and_never_planned_again():
    assert next_reading_state(ReadingState.OPEN, ReadingAction.OPEN) is ReadingState.OPEN
    assert ReadingState.PLANNED not in READING_TRANSITIONS.values()


def test_cannot_assess_is_a_state_of_its_own():
    assert (
        next_reading_state(ReadingState.OPEN, ReadingAction.SUBMIT_CANNOT_ASSESS)
        is ReadingState.NOT_ASSESSABLE
    )


@pytest.mark.parametrize("state", [ReadingState.NOT_DONE, ReadingState.VOIDED])
def test_a_reading_that_is_over_stays_over(state):
    with pytest.raises(ReadingTransitionRefusedError) as refusal:
        next_reading_state(state, ReadingAction.OPEN)
    assert refusal.value.data["allowed"] == []


def test_a_blocked_reading_is_released_or_given_up_and_opens_only_once_released():
    assert next_reading_state(ReadingState.OPEN, ReadingAction.BLOCK) is ReadingState.BLOCKED
    with pytest.raises(ReadingTransitionRefusedError) as refusal:
        next_reading_state(ReadingState.BLOCKED, ReadingAction.OPEN)
    assert refusal.value.data["allowed"] == ["release", "give-up"]
    released = next_reading_state(ReadingState.BLOCKED, ReadingAction.RELEASE)
    assert next_reading_state(released, ReadingAction.OPEN) is ReadingState.OPEN
    assert next_reading_state(released, ReadingAction.GIVE_UP) is ReadingState.NOT_DONE
