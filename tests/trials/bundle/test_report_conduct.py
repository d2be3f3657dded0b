"""What a report says of the conduct of a trial: what its protocol was locked on, and why readings have no answer."""

from datetime import timedelta

import pytest

from equipoise.audit.models import AuditEntry
from tests.factories import trials as factory
from trials.domain.states import TrialAction
from trials.models import Reading, Rehearsal
from trials.reports.report_design import design_section
from trials.reports.report_flow import deviations_section, flow_of
from trials.selectors.report import report_facts

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def rehearsed(trial, *, after, state):
    """Keep a rehearsal of the locked protocol that finished so long after protocol lock."""
    version = trial.protocol_versions.get(locked_at__isnull=False)
    moment = version.locked_at + after
    return Rehearsal.objects.create(
        trial=trial,
        kind="single",
        protocol_sha256=version.sha256,
        protocol_version=version.version,
        seed=7,
        state=state,
        created_at=moment,
        finished_at=moment,
    )


def test_rehearsal_after_a_waived_lock_is_not_told_as_one_before_it():
    world = factory.open_world()
    rehearsed(world.trial, after=timedelta(days=1), state="passed")
    facts = report_facts(world.trial)
    assert facts.conduct.rehearsals == ()
    [waived] = facts.conduct.waivers
    entry = AuditEntry.objects.get(kind="protocol:waived")
    assert waived.startswith(f"waived in writing on {entry.created_at.date().isoformat()} ")
    assert f"entry {entry.sequence} of the audit trail" in waived
    page = str(design_section(facts))
    assert f"none; {waived}" in page
    assert "from seed 7" not in page


def test_failed_rehearsal_before_a_waived_lock_is_told_with_the_waiver():
    world = factory.open_world()
    rehearsed(world.trial, after=timedelta(days=-1), state="failed")
    rehearsed(world.trial, after=timedelta(days=1), state="passed")
    facts = report_facts(world.trial)
    [failed] = facts.conduct.rehearsals
    assert "from seed 7, failed on " in failed
    [waived] = facts.conduct.waivers
    assert f"{failed}; {waived}" in str(design_section(facts))


def test_reading_still_blocked_at_closing_is_told_as_left_open_and_a_released_one_is_not():
    world = factory.open_world(practice=0, **{"practice.count": 0})
    reader = world.enrol()
    for steps in (
        [("blocked", ["left_open"])],
        [("blocked", ["left_open"]), ("released", ["left_open", "released"])],
    ):
        reading = factory.open_reading(reader).reading
        for state, flags in steps:
            Reading.objects.filter(id=reading.id).update(state=state, flags=flags)
    world.act(TrialAction.CLOSE)
    facts = report_facts(world.trial)
    assert facts.readings.not_done == {"left_open": 1, "trial_closed": reader.readings.count() - 1}
    told = str(deviations_section(facts))
    assert "left open for too long (blocked by the protocol)" in told
    assert (1, "not done: left open for too long (blocked by the protocol)") in next(
        box
        for box in flow_of(facts.cases, facts.readers, facts.readings).boxes()
        if box.key == "readings-unanswered"
    ).parts
