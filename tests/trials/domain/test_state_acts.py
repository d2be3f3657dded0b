"""What a trial takes in which state is told in one place."""

import pytest

from trials.domain.state_acts import StateAct, acts_open, is_open_to
from trials.domain.states import TrialState


@pytest.mark.parametrize(
    ("act", "states"),
    [
        (StateAct.INGEST, {"draft"}),
        (StateAct.LEAVE, {"draft", "locked", "open", "paused", "closed"}),
        (StateAct.RELEASE, {"open", "paused"}),
        (StateAct.REHEARSE, {"draft", "locked"}),
        (StateAct.BUNDLE, {"unblinded"}),
        (StateAct.ANALYSE, {"unblinded", "archived"}),
    ],
)
def test_an_act_is_open_in_its_states_alone(act, states):
    assert {state.value for state in TrialState if is_open_to(state, act)} == states


def test_pages_are_told_every_act_that_the_state_takes():
    assert acts_open("unblinded") == ["adjudicate", "analyse", "bundle", "import-table"]
    assert "leave" not in acts_open("data-locked")
    assert acts_open("abandoned") == []
