"""Refusals: an entry for a member, a count for everybody else, never a way to fill the disk."""

import pytest

from equipoise.audit import refusals
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditEntry, RefusalCount
from equipoise.audit.refusals import refusal_record
from equipoise.common.ids import new_id

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def membership(monkeypatch):
    """Replace the membership checks by one over a set of (actor, trial)."""
    members = set()
    monkeypatch.setattr(refusals, "_membership_checks", [lambda actor, trial: (actor, trial) in members])
    return members


def refuse(actor, trial, address="192.0.2.1"):
    return refusal_record(
        actor_id=actor,
        origin=Origin.WEB,
        subject="GET:ReadingView",
        code="not_found",
        trial_id=trial,
        address=address,
    )


def test_refusal_of_a_member_stands_in_the_trials_chain(membership):
    actor, trial = new_id(), new_id()
    membership.add((actor, trial))

    entry = refuse(actor, trial)

    assert (entry.chain, entry.kind, entry.after) == (
        str(trial),
        AuditKind.REFUSAL_RECORDED.value,
        {"code": "not_found"},
    )
    assert RefusalCount.objects.count() == 0


def test_refusals_of_strangers_are_counted_not_chained(membership):
    trial = new_id()
    for _ in range(3):
        assert refuse(new_id(), trial) is None
    assert refuse(None, None, address="192.0.2.2") is None

    assert AuditEntry.objects.count() == 0
    assert sorted(RefusalCount.objects.values_list("count", flat=True)) in ([1, 3], [1, 1, 2])


def test_count_does_not_hold_the_address(membership):
    refuse(None, None, address="192.0.2.2")
    assert "192.0.2.2" not in RefusalCount.objects.get().address_key


def test_a_members_loop_is_counted_after_twenty_entries_in_a_minute(membership):
    actor, trial = new_id(), new_id()
    membership.add((actor, trial))
    for _ in range(25):
        refuse(actor, trial)
    assert AuditEntry.objects.count() == 20
    assert sum(RefusalCount.objects.values_list("count", flat=True)) == 5
