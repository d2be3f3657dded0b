"""Service tokens through the interface: made once, shown once, ended at once, each act in the trail."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from equipoise.accounts.models import ServiceToken
from equipoise.accounts.tokens import secret_sha256
from equipoise.audit.models import AuditEntry
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory, create_token
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1"


@pytest.fixture
def world():
    return factory.preference_world(cases=0, practice=0)


def client_of(account):
    client = Client()
    client.force_login(account)
    return client


def post(client, path, body=None, status=200):
    answer = client.post(f"{API}{path}", data=json.dumps(body or {}), content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def body(**changes):
    expires_at = (timezone.now() + timedelta(days=30)).isoformat()
    return {"label": "segmentation pipeline", "role": "algorithm", "expires_at": expires_at, **changes}


def test_secret_is_shown_once_and_opens_the_trial_until_it_is_revoked(world):
    client, path = client_of(world.administrator), f"/trials/{world.trial.id}/tokens"
    made = post(client, path, body(role="data_manager"), status=201)
    assert made["secret"].startswith("eqp_")
    assert (made["prefix"], made["state"], made["role"]) == (made["secret"][:10], "active", "data_manager")
    assert ServiceToken.objects.get().secret_sha256 == secret_sha256(made["secret"])
    listed = client.get(f"{API}{path}")
    assert made["secret"] not in listed.content.decode()
    assert [row["id"] for row in listed.json()["results"]] == [made["id"]]
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert Client().get(f"{API}/trials/{world.trial.id}/cases", headers=bearer).json() == {"results": []}
    for _ in range(2):
        assert post(client, f"{path}/{made['id']}/revoke")["state"] == "revoked"
    assert Client().get(f"{API}/trials/{world.trial.id}/cases", headers=bearer).status_code == 401
    trail = AuditEntry.objects.filter(chain=str(world.trial.id), kind__startswith="token:").order_by(
        "sequence"
    )
    assert [(one.kind, one.actor_id, one.subject) for one in trail] == [
        ("token:created", world.administrator.id, f"token:{made['id']}"),
        ("token:revoked", world.administrator.id, f"token:{made['id']}"),
    ]
    assert "segmentation pipeline" not in json.dumps([one.after for one in trail])


@pytest.mark.parametrize("role", ["administrator", "reader", "unblinded_statistician", "site_administrator"])
def test_program_is_given_no_role_of_a_person(world, role):
    refused = post(
        client_of(world.administrator), f"/trials/{world.trial.id}/tokens", body(role=role), status=400
    )
    assert list(refused["data"]["fields"]) == ["/role"]
    assert ServiceToken.objects.count() == 0


def test_expiry_lies_ahead_and_within_a_year(world):
    for days in (-1, 400):
        moment = (timezone.now() + timedelta(days=days)).isoformat()
        refused = post(
            client_of(world.administrator),
            f"/trials/{world.trial.id}/tokens",
            body(expires_at=moment),
            status=422,
        )
        assert list(refused["data"]["fields"]) == ["/expires_at"]
    assert ServiceToken.objects.count() == 0


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.DATA_MANAGER, 403),
        (Role.UNBLINDED_STATISTICIAN, 403),
        (Role.BLINDED_MONITOR, 403),
        (Role.READER, 404),
        (None, 404),
    ],
)
def test_only_administrators_of_the_trial_have_tokens_to_give(world, role, status):
    account = AccountFactory.create(institute=world.trial.institute)
    if role is not None:
        membership_create(world.trial, account, role, actor=world.actor)
    client = client_of(account)
    path = f"/trials/{world.trial.id}/tokens"
    assert client.get(f"{API}{path}").status_code == status
    post(client, path, body(), status=status)
    assert ServiceToken.objects.count() == 0


def test_programs_make_no_tokens(world):
    _, secret = create_token(trial_id=world.trial.id, role=Role.ADMINISTRATOR.value)
    answer = Client().post(
        f"{API}/trials/{world.trial.id}/tokens",
        data=json.dumps(body()),
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 403
    assert ServiceToken.objects.count() == 1


def test_token_of_another_trial_is_not_there(world):
    other, _ = create_token()
    post(
        client_of(world.administrator),
        f"/trials/{world.trial.id}/tokens/{other.id}/revoke",
        status=404,
    )
    other.refresh_from_db()
    assert other.revoked_at is None
