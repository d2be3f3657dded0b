"""Files leave the site, and programs get their keys, only by the hand of somebody who was there just now."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from equipoise.accounts.models import ServiceToken
from equipoise.audit.models import AuditEntry
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, create_token
from tests.trials.bundle.worlds import unblind
from trials.models import StoredBundle

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def world():
    return factory.open_world(practice=0, **{"practice.count": 0})


def left_open(account):
    """Return a browser whose person signed in an hour ago."""
    client = Client()
    client.force_login(account)
    session = client.session
    session["confirmed_at"] -= 3600
    session.save()
    return client


def post(client, path, body):
    return client.post(path, body, content_type="application/json")


def exports_of(trial):
    return AuditEntry.objects.filter(chain=str(trial.id), kind="export:downloaded").count()


@pytest.mark.parametrize(
    "name", ["readings.csv", "readings.json", "readings.parquet", "tables.xlsx", "truth.csv"]
)
def test_file_needs_a_fresh_sign_in_and_is_given_after_one(world, name):
    client = left_open(world.administrator)
    path = f"/api/v1/trials/{world.trial.id}/export/{name}"
    refused = client.get(path)
    assert (refused.status_code, refused.json()["data"]) == (403, {"confirm": True})
    assert exports_of(world.trial) == 0
    assert post(client, "/api/v1/session/confirm", {"password": PASSWORD}).json()["confirmed"] is True
    assert client.get(path).status_code == 200
    assert exports_of(world.trial) == 1


@pytest.mark.parametrize("name", ["audit.csv", "audit.json"])
def test_audit_trail_leaves_as_a_file_only_after_one(world, name):
    client, base = left_open(world.administrator), f"/api/v1/trials/{world.trial.id}"
    assert client.get(f"{base}/audit").status_code == 200
    refused = client.get(f"{base}/audit/{name}")
    assert (refused.status_code, refused.json()["data"]) == (403, {"confirm": True})
    assert exports_of(world.trial) == 0


def test_program_shows_its_secret_and_needs_no_more(world):
    _, secret = create_token(trial_id=world.trial.id, role=Role.DATA_MANAGER.value)
    path = f"/api/v1/trials/{world.trial.id}/export/readings.csv"
    assert Client().get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_bundle_is_neither_made_nor_taken_away_without(world):
    unblind(world)
    client, base = left_open(world.administrator), f"/api/v1/trials/{world.trial.id}"
    assert client.get(f"{base}/bundle").status_code == 200
    for refused in (
        post(client, f"{base}/bundle", {"reason": "For the archive"}),
        client.get(f"{base}/export/bundle.zip"),
    ):
        assert (refused.status_code, refused.json()["data"]) == (403, {"confirm": True})
    assert client.get(f"{base}/bundle").json()["job_id"] is None
    assert not StoredBundle.objects.exists()


def test_key_of_a_program_is_not_made_without(world):
    body = {
        "label": "pipeline",
        "role": "data_manager",
        "expires_at": (timezone.now() + timedelta(days=1)).isoformat(),
    }
    refused = post(left_open(world.administrator), f"/api/v1/trials/{world.trial.id}/tokens", body)
    assert (refused.status_code, refused.json()["data"]) == (403, {"confirm": True})
    assert ServiceToken.objects.count() == 0
