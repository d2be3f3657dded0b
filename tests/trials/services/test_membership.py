"""A role ends: at once, for a reason, with the tokens that hung on it; a reader's as by withdrawal."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from typer.testing import CliRunner

from equipoise.accounts.models import ServiceToken
from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from equipoise.cli import trial as command
from equipoise.cli import trial_shared
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory, create_token
from trials.domain.states import TrialAction
from trials.models import Membership, Reading
from trials.services.invitation import membership_create
from trials.services.membership import membership_revoke

pytestmark = [pytest.mark.django_db, pytest.mark.db]

WHY = "Left the hospital"


def client_of(account):
    client = Client()
    client.force_login(account)
    return client


def post(client, path, body, status):
    answer = client.post(f"/api/v1/trials/{path}", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def revoked():
    return [
        (entry.before["role"], entry.reason_row.text)
        for entry in AuditEntry.objects.filter(kind="membership:revoked").order_by("sequence")
    ]


def colleague_of(world, role):
    person = AccountFactory.create(institute=world.trial.institute)
    return person, membership_create(world.trial, person, role, actor=world.actor)


def test_member_loses_the_role_at_once_and_can_be_given_it_again():
    world = factory.open_world()
    person, held = colleague_of(world, Role.DATA_MANAGER)
    theirs, administrators = client_of(person), client_of(world.administrator)
    trial = f"/api/v1/trials/{world.trial.id}"
    assert theirs.get(trial).status_code == 200
    listed = administrators.get(f"{trial}/members").json()["results"]
    people = {(one["role"], one["email"]) for one in listed}
    assert people >= {("administrator", world.administrator.email), ("data_manager", person.email)}
    assert "reader" not in {role for role, _ in people}
    post(administrators, f"{world.trial.id}/members/{held.id}/revoke", {"reason": ""}, 400)
    told = post(administrators, f"{world.trial.id}/members/{held.id}/revoke", {"reason": WHY}, 200)
    assert [one["id"] for one in told["results"] if one["ended_at"]] == [str(held.id)]
    post(administrators, f"{world.trial.id}/members/{held.id}/revoke", {"reason": WHY}, 409)
    assert theirs.get(trial).status_code == 404
    assert revoked() == [("data_manager", WHY)]

    again = membership_create(world.trial, person, Role.DATA_MANAGER, actor=world.actor)
    assert (again.id, again.ended_at) == (held.id, None)
    assert theirs.get(trial).status_code == 200
    assert AuditEntry.objects.filter(kind="membership:granted", subject=f"membership:{held.id}").count() == 2
    assert chain_verify(str(world.trial.id)).problems == ()


def test_programs_lose_their_keys_with_the_right_to_make_some():
    world = factory.open_world()
    person, held = colleague_of(world, Role.ADMINISTRATOR)
    other = membership_create(world.trial, person, Role.DATA_MANAGER, actor=world.actor)
    soon = {"expires_at": timezone.now() + timedelta(days=1), "role": "algorithm"}
    create_token(trial_id=world.trial.id, created_by=person, **soon)
    create_token(trial_id=world.trial.id, created_by=world.administrator, **soon)
    membership_revoke(other, reason=WHY, actor=world.actor)
    assert ServiceToken.objects.filter(revoked_at=None).count() == 2, "an administrator may still make some"
    membership_revoke(held, reason=WHY, actor=world.actor)
    assert ServiceToken.objects.get(revoked_at=None).created_by == world.administrator


def test_the_last_administrator_stays():
    world = factory.open_world()
    own = Membership.objects.get(trial=world.trial, account=world.administrator, role=Role.ADMINISTRATOR)
    with pytest.raises(StateConflictError, match="last administrator"):
        membership_revoke(own, reason=WHY, actor=world.actor)
    with pytest.raises(ValidationFailedError):
        membership_revoke(own, reason=" ", actor=world.actor)
    own.refresh_from_db()
    assert (own.ended_at, revoked()) == (None, [])


def test_reader_leaves_as_by_withdrawal_and_what_was_submitted_stays():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    factory.open_reading(reader)
    membership_revoke(reader.membership, reason=WHY, actor=world.actor)
    reader.refresh_from_db()
    assert (reader.state, reader.slot.state) == ("withdrawn", "closed")
    states = list(Reading.objects.filter(participant=reader).values_list("state", flat=True))
    assert (states.count("submitted"), set(states)) == (1, {"submitted", "not-done"})
    kinds = list(AuditEntry.objects.filter(kind__in=["participant:withdrawn", "membership:revoked"]))
    assert [entry.kind for entry in kinds] == ["participant:withdrawn", "membership:revoked"]
    with pytest.raises(StateConflictError, match="never given twice"):
        membership_create(world.trial, reader.membership.account, Role.READER, actor=world.actor)


def test_after_data_lock_a_readers_role_ends_and_nothing_of_the_readings_changes():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    world.act(TrialAction.CLOSE)
    world.act(TrialAction.DATA_LOCK)
    before = list(Reading.objects.order_by("id").values())
    membership_revoke(reader.membership, reason=WHY, actor=world.actor)
    reader.refresh_from_db()
    reader.membership.refresh_from_db()
    assert reader.membership.ended_at is not None
    assert (reader.state, list(Reading.objects.order_by("id").values())) == ("reading", before)


def test_role_ends_by_command(monkeypatch):
    monkeypatch.setattr(trial_shared, "start", lambda: None)
    world = factory.open_world()
    person, held = colleague_of(world, Role.BLINDED_MONITOR)
    named = [world.trial.slug, "--as", world.administrator.email]
    ask = ["--member", person.email, "--reason", WHY, "--role"]
    run = CliRunner()
    assert run.invoke(command.app, ["revoke", *named, *ask, "data_manager"]).exit_code != 0
    done = run.invoke(command.app, ["revoke", *named, *ask, "blinded_monitor"])
    assert (done.exit_code, done.output) == (0, f"The role blinded_monitor of {person.email} has ended.\n")
    held.refresh_from_db()
    assert held.ended_at is not None
    assert AuditEntry.objects.get(kind="membership:revoked").origin == "cli"
    listed = run.invoke(command.app, ["members", *named])
    assert f"blinded_monitor {person.email} since" in listed.output
    assert ", ended " in listed.output
