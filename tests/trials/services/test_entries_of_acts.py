"""Small acts of readers, invited people and the DICOM inbox leave their entries, once each."""

import pytest

from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD
from trials.models import CasePurpose
from trials.services.acts import Actor
from trials.services.delivery import inbox_update
from trials.services.invitation import invitation_accept, invitation_create
from trials.services.participant import participant_break, participant_read_instructions, participant_resume

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def entries_of(world, *kinds):
    """Return (kind, who, subject, after) of the kinds' entries, oldest first."""
    rows = AuditEntry.objects.filter(chain=str(world.trial.id), kind__in=kinds).order_by("sequence")
    assert chain_verify(str(world.trial.id)).problems == ()
    return [(row.kind, row.actor_id, row.subject, row.after) for row in rows]


def test_reader_who_prepares_and_takes_a_break_leaves_one_entry_of_each():
    world = factory.open_world()
    reader = world.enrol()
    actor = Actor(account_id=factory.account_of(reader).id)
    for act in (participant_read_instructions, participant_break, participant_break, participant_resume):
        act(reader, actor=actor)
    participant_resume(reader, actor=actor)

    subject = f"participant:{reader.id}"
    asked = ["contours_per_month", "display", "experience_years", "speciality"]
    assert entries_of(
        world,
        "participant:questionnaire_answered",
        "participant:instructions_read",
        "participant:break_begun",
        "participant:break_ended",
    ) == [
        ("participant:questionnaire_answered", actor.account_id, subject, {"answered": asked}),
        ("participant:instructions_read", actor.account_id, subject, None),
        ("participant:break_begun", actor.account_id, subject, None),
        ("participant:break_ended", actor.account_id, subject, None),
    ]


def test_accepted_invitation_says_which_one_was_used_by_whom():
    world = factory.open_world()
    made = invitation_create(
        world.trial,
        email="ada@example.org",
        role=Role.READER,
        inviter=world.administrator,
        actor=world.actor,
    )
    account = invitation_accept(made.token, display_name="Ada", password=PASSWORD, signed_in=None)

    subject = f"invitation:{made.invitation.id}"
    assert entries_of(world, "invitation:accepted") == [
        ("invitation:accepted", account.id, subject, {"role": "reader"})
    ]


def test_new_rules_for_what_is_sent_leave_an_entry():
    world = factory.preference_world()
    inbox_update(world.trial, rules=(), purpose=CasePurpose.TRIAL, quiet_s=60, actor=world.actor)
    told = {"rules": 0, "purpose": "trial", "quiet_s": 60}
    assert entries_of(world, "inbox:updated") == [
        ("inbox:updated", world.administrator.id, f"trial:{world.trial.id}", told)
    ]
