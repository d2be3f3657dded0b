"""Before unblinding, what administrators and monitors may fetch tells no answer, and nothing from which one follows."""

import hashlib

import pytest
import rfc8785
from django.test import Client

from equipoise.audit.models import AuditEntry
from equipoise.common.errors import StateConflictError
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from trials.domain.states import TrialAction
from trials.models import Reading
from trials.selectors.allocation import allocation_document
from trials.selectors.tables import readings_rows
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1/trials"


def read_world():
    world = factory.open_world()
    reader = world.enrol()
    factory.read_everything(reader, choose=lambda reading: "left" if reading.position % 2 else "right")
    return world


def test_balance_as_read_shows_no_direction_before_unblinding():
    world = read_world()
    before = allocation_document(world.trial, world.administrator)["read"]
    assert before["per_item"] == []
    assert before["per_reader"] == []
    assert before["sentences"] == [
        "The sides of candidate b differ by at most 1 over any reader and by at most 1 over any item, as read."
    ]
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    after = allocation_document(world.trial, world.administrator)["read"]
    assert len(after["per_item"]) == 6
    assert [count["left"] + count["right"] for count in after["per_reader"]] == [7]


def test_export_before_unblinding_holds_no_answer():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    factory.answer(
        reader, factory.open_reading(reader), choice="left", comment="the left one is the network's"
    )
    blinded = [row for row in readings_rows(world.trial, unblinded=False) if row["state"] == "submitted"]
    assert len(blinded) == 1
    for column in (
        "choice_side",
        "preferred",
        "comment",
        "corrected_preferred",
        "left_source",
        "left_contour_id",
    ):
        assert blinded[0][column] is None, column
    assert blinded[0]["wall_s"] == 5.0
    opened = [row for row in readings_rows(world.trial, unblinded=True) if row["state"] == "submitted"]
    assert opened[0]["choice_side"] == "left"
    assert opened[0]["comment"] == "the left one is the network's"


def test_audit_entry_of_an_answer_cannot_be_guessed_back_to_it():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader), choice="left")
    entry = AuditEntry.objects.get(chain=str(world.trial.id), kind="reading:submitted")
    guesses = {
        hashlib.sha256(rfc8785.dumps({"choice": choice, "reason_code": None})).hexdigest()
        for choice in ("left", "right", "none", "dont_know")
    }
    assert entry.after["answer_sha256"] not in guesses
    response = Reading.objects.get(state="submitted").responses.get()
    body = {"answer": response.answer, "key": str(response.idempotency_key)}
    assert entry.after["answer_sha256"] == hashlib.sha256(rfc8785.dumps(body)).hexdigest()


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.DATA_MANAGER, Role.UNBLINDED_STATISTICIAN])
def test_reader_is_given_no_role_that_shows_sources(role):
    world = factory.open_world()
    reader = world.enrol()
    account = factory.account_of(reader)
    with pytest.raises(StateConflictError, match="reads in this trial"):
        membership_create(world.trial, account, role, actor=world.actor)
    assert list(account.memberships.values_list("role", flat=True)) == ["reader"]
    membership_create(world.trial, account, Role.BLINDED_MONITOR, actor=world.actor)


def test_withdrawn_reader_is_not_invited_back_silently():
    from trials.services.participant import participant_withdraw

    world = factory.open_world()
    reader = world.enrol()
    account = factory.account_of(reader)
    participant_withdraw(reader, reason_code="no_time", reason="Left", actor=world.actor)
    with pytest.raises(StateConflictError, match="has left"):
        membership_create(world.trial, account, Role.READER, actor=world.actor)


def test_sealed_seed_is_shown_to_the_statistician_alone_and_every_look_is_recorded():
    world = factory.open_world()
    monitor = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, monitor, Role.BLINDED_MONITOR, actor=world.actor)
    seen = {}
    for name, account in (("a", world.administrator), ("m", monitor), ("s", world.statistician)):
        client = Client()
        client.force_login(account)
        seen[name] = client.get(f"{API}/{world.trial.id}/allocation").json()["seed"]
    assert seen["a"] is None
    assert seen["m"] is None
    assert seen["s"] == world.trial.sealed_seed.seed_hex
    entries = AuditEntry.objects.filter(chain=str(world.trial.id), kind="allocation:viewed")
    assert [entry.actor_id for entry in entries] == [world.statistician.id]
