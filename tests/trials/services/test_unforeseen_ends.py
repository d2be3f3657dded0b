"""An analysis or rehearsal whose work breaks off is seen as failed; one whose database was away is tried again."""

import errno

import pytest
from django.db import OperationalError

from equipoise.jobs.execution import unforeseen_words
from equipoise.jobs.inline import jobs_run_inline
from equipoise.jobs.models import JobItem
from tests.factories import trials as factory
from trials import jobs
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.states import TrialAction
from trials.services import analysis as analysis_services
from trials.services.analysis import analysis_request
from trials.services.rehearsal import rehearsal_request

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def asked_analysis():
    world = factory.open_world(cases=3, **{"items.selection.count": 3})
    factory.read_everything(world.enrol())
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    return analysis_request(
        world.trial, name="preference", options={}, external_table=None, actor=world.actor
    )


def asked_rehearsal():
    world = factory.preference_world(cases=3, **{"items.selection.count": 3})
    return rehearsal_request(world.trial, seed=4, plan=RehearsalPlan(), actor=world.actor)


@pytest.mark.parametrize(
    ("error", "state", "item_state"),
    [
        (OSError(errno.ENOSPC, "No space left"), "failed", "failed"),
        (RuntimeError("Anna Muster"), "failed", "failed"),
        (OperationalError("the connection is lost"), "running", "running"),
    ],
)
@pytest.mark.parametrize(
    ("ask", "work"),
    [
        (asked_analysis, (analysis_services, "analysis_compute")),
        (asked_rehearsal, (jobs, "rehearsal_found")),
    ],
)
def test_row_says_why_its_work_ended(monkeypatch, ask, work, error, state, item_state):
    row = ask()

    def broken(*_, **__):
        raise error

    monkeypatch.setattr(*work, broken)
    jobs_run_inline()
    row.refresh_from_db()
    assert (row.state, JobItem.objects.get().state) == (state, item_state)
    assert row.message == (unforeseen_words(error) if state == "failed" else "")
