"""Programs: bearer tokens open what their trial and role allow, until they end."""

from datetime import timedelta

import pytest
from django.utils import timezone

from equipoise.accounts.models import ServiceToken
from equipoise.api.actors import actor_of
from equipoise.common.ids import new_id
from equipoise.common.permissions import Permission, Role
from tests.factories.accounts import create_token

pytestmark = [pytest.mark.django_db, pytest.mark.db]

CONFIRM = "/api/v1/session/confirm"


def ask(client, secret):
    return client.get(f"/api/v1/jobs/{new_id()}", headers={"Authorization": f"Bearer {secret}"})


def test_valid_token_is_somebody_and_its_use_is_noted(client):
    token, secret = create_token()
    assert ask(client, secret).json()["code"] == "not_found"
    assert ServiceToken.objects.get(pk=token.pk).last_used_at is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"revoked_at": timezone.now()},
    ],
)
def test_ended_token_is_nobody(client, fields):
    token, secret = create_token(**fields)
    answer = ask(client, secret)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert ServiceToken.objects.get(pk=token.pk).last_used_at is None


def test_unknown_token_is_nobody(client):
    answer = ask(client, "eqp_unknown")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_actor_of_a_token_covers_its_trial_and_role_only():
    trial, other = new_id(), new_id()
    token, _ = create_token(trial_id=trial, role=Role.ALGORITHM.value)

    actor = actor_of(token)

    assert (actor.id, actor.is_program, actor.is_site_administrator) == (token.pk, True, False)
    assert actor.token_allows(trial, Permission.RESULT_SUBMIT)
    assert not actor.token_allows(trial, Permission.EXPORT_CREATE)
    assert not actor.token_allows(other, Permission.RESULT_SUBMIT)


def test_token_needs_no_csrf_token(client):
    client.handler.enforce_csrf_checks = True
    _, secret = create_token()
    answer = client.post(f"/api/v1/jobs/{new_id()}/cancel", headers={"Authorization": f"Bearer {secret}"})
    assert answer.json()["code"] == "not_found"
