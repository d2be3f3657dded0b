"""What asks for a fresh proof of who acts, and what for a signature: walked over every address, in three states."""

from contextlib import suppress

import pytest
from django.db import transaction

from tests.access.matrix import DOORS, PEOPLE, PROVEN, SIGNED, T
from tests.access.test_matrix import (
    RECORDS_OF_A_REFUSAL,
    UndoneError,
    call,
    callers,
    sides,  # noqa: F401 - a fixture
    signed_in,
    written,
)
from trials.models import Signature, Trial

pytestmark = [pytest.mark.django_db, pytest.mark.db]

ASKED = {"confirm": True}


def answer_of(endpoint, letter, who, first, *, confirmed):
    """Return whether a fresh proof is asked for, and the tables written; what was done is undone."""
    asked = False
    # A world that was put into a state by hand can fail behind the door; whether the door asks is what is looked at.
    with suppress(Exception), transaction.atomic(), written() as tables:
        answer = call(endpoint, things=first.things, person=who["person"], confirmed=confirmed)
        if answer.status_code == 403:
            asked = getattr(answer, "data", {}).get("data") == ASKED
        raise UndoneError
    return asked, tables


@pytest.mark.parametrize("state", ["draft", "closed", "unblinded"])
def test_addresses_that_ask_for_a_fresh_proof_are_the_declared_ones(sides, state):  # noqa: F811 - the fixture
    first, second, outsiders = sides
    Trial.objects.filter(id=first.trial.id).update(state=state)
    asks, wrong = set(), []
    everybody = callers(first, second, outsiders)
    for endpoint, row in DOORS.items():
        for letter in sorted(set(row.who) & {*PEOPLE, "X"}):
            asked, tables = answer_of(endpoint, letter, everybody[letter], first, confirmed=False)
            if not asked:
                continue
            asks.add(endpoint)
            if not tables <= RECORDS_OF_A_REFUSAL:
                wrong.append(f"{letter} {endpoint}: refused, and yet it writes {sorted(tables)}")
            if answer_of(endpoint, letter, everybody[letter], first, confirmed=True)[0]:
                wrong.append(f"{letter} {endpoint}: asks somebody who has just shown who they are")
    assert wrong == []
    assert asks == {endpoint for endpoint, row in PROVEN.items() if state in row.states}


@pytest.mark.parametrize("act, state", SIGNED.items())
def test_signed_acts_need_the_password_however_fresh_the_session_is(sides, act, state):  # noqa: F811 - the fixture
    first, _, _ = sides
    Trial.objects.filter(id=first.trial.id).update(state=state)
    client = signed_in(first.people["A"])
    path = f"/api/v1/{act}".replace("<uuid:trial_id>", str(first.trial.id))
    body = {
        "reason": "Ready",
        "waiver": "None is needed.",
        "meaning": "protocol_approved",
        "record_sha256": "0" * 64,
    }
    for proof in ({}, {"password": ""}, {"password": "not the password"}):
        answer = client.post(path, body | proof, content_type="application/json")
        assert answer.status_code in (403, 422), (proof, answer.content)
        if answer.status_code == 422:
            assert set(answer.json()["data"].get("fields", {"/password": 0})) == {"/password"}
    assert Trial.objects.get(id=first.trial.id).state == state
    assert not Signature.objects.exists()
    assert T in act
