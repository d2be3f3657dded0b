"""What a reader reads is what is stored as agreed to, to the letter."""

import json

import pytest
from django.test import Client

from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from trials.models import Consent
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_the_words_shown_are_the_words_stored_and_say_until_when_readings_can_be_withdrawn():
    world = factory.open_world(**{"consent.withdrawal_of_readings_until": "31 March 2027"})
    account = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, account, Role.READER, actor=world.actor)
    client = Client()
    client.force_login(account)
    address = f"/api/v1/reader/{world.trial.slug}"
    shown = client.get(address).json()["consent"]
    assert shown["text"].endswith("\n\nYour readings can be withdrawn until: 31 March 2027")
    answer = client.post(
        f"{address}/consent",
        json.dumps({"version": shown["version"], "agreed": True}),
        content_type="application/json",
    )
    assert answer.status_code == 200, answer.content
    assert Consent.objects.get().text == shown["text"]
