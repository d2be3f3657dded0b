"""Accounts, tokens, recovery and erasure."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from equipoise.accounts import services
from equipoise.accounts.models import Account, Institute, ServiceToken
from equipoise.accounts.tokens import secret_sha256
from equipoise.audit.kinds import Origin
from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from equipoise.common.errors import NotFoundError, ValidationFailedError
from equipoise.common.ids import new_id
from equipoise.common.permissions import Role
from tests.factories.accounts import (
    PASSWORD,
    AccountFactory,
    InstituteFactory,
    ServiceTokenFactory,
    create_token,
)

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_account_is_made_with_its_audit_entry_and_without_its_name_there():
    account = services.account_create(email=" Ada@Example.org ", password=PASSWORD, display_name="Ada")

    assert account.email == "Ada@Example.org"
    assert account.check_password(PASSWORD)
    assert account.id.version == 7
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.subject) == ("account:created", f"account:{account.pk}")
    assert entry.after == {"is_site_administrator": False, "has_password": True}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"email": "TAKEN@example.org"}, "/email"),
        ({"email": "new@example.org", "password": "short"}, "/password"),
        ({"email": "new@example.org", "password": "password1234"}, "/password"),
    ],
)
def test_bad_account_is_refused_and_nothing_is_written(fields, pointer):
    AccountFactory.create(email="taken@example.org")
    with pytest.raises(ValidationFailedError) as refused:
        services.account_create(**fields)
    assert list(refused.value.data["fields"]) == [pointer]
    assert Account.objects.count() == 1
    assert AuditEntry.objects.count() == 0


def test_database_refuses_two_addresses_that_differ_in_case():
    AccountFactory.create(email="ada@example.org")
    with pytest.raises(IntegrityError), transaction.atomic():
        AccountFactory.create(email="ADA@example.org")


def test_account_without_a_password_cannot_sign_in():
    assert not services.account_create(email="a@example.org").has_usable_password()


def test_institutes_of_similar_names_get_different_slugs():
    first = services.institute_create(name="Klinik Nord")
    second = services.institute_create(name="Klinik-Nord")
    assert (first.slug, second.slug) == ("klinik-nord", "klinik-nord-2")
    with pytest.raises(ValidationFailedError):
        services.institute_create(name="KLINIK NORD")
    assert Institute.objects.count() == 2


def test_token_is_shown_once_and_stored_as_a_hash():
    creator, trial = AccountFactory.create(), new_id()

    created = services.service_token_create(
        label="pipeline",
        trial_id=trial,
        role=Role.ALGORITHM,
        created_by=creator,
        expires_at=timezone.now() + timedelta(days=1),
    )

    stored = ServiceToken.objects.get()
    assert stored.secret_sha256 == secret_sha256(created.secret)
    assert created.secret.startswith("eqp_")
    assert stored.prefix == created.secret[:10]
    assert AuditEntry.objects.get().chain == str(trial)
    assert created.secret not in str(AuditEntry.objects.values())


@pytest.mark.parametrize(
    ("role", "days", "pointer"),
    [
        (Role.SITE_ADMINISTRATOR, 1, "/role"),
        (Role.ALGORITHM, -1, "/expires_at"),
        (Role.ALGORITHM, 400, "/expires_at"),
    ],
)
def test_token_of_the_wrong_role_or_time_is_refused(role, days, pointer):
    with pytest.raises(ValidationFailedError) as refused:
        services.service_token_create(
            label="x",
            trial_id=new_id(),
            role=role,
            created_by=AccountFactory.create(),
            expires_at=timezone.now() + timedelta(days=days),
        )
    assert list(refused.value.data["fields"]) == [pointer]
    assert ServiceToken.objects.count() == 0


def test_revoking_twice_leaves_one_entry():
    token = ServiceTokenFactory.create()
    services.service_token_revoke(token, actor_id=None)
    services.service_token_revoke(token, actor_id=None)
    assert AuditEntry.objects.filter(kind="token:revoked").count() == 1


def test_recovery_lets_a_locked_out_administrator_in_and_audits_itself():
    account = AccountFactory.create(email="ada@example.org", is_active=False)

    services.account_recover(
        email="ADA@example.org", password="a brand new password", reason="Left the hospital"
    )

    account.refresh_from_db()
    assert (account.is_active, account.is_site_administrator) == (True, True)
    assert account.check_password("a brand new password")
    entry = AuditEntry.objects.get(kind="account:recovered")
    assert (entry.origin, entry.before) == ("cli", {"is_active": False, "is_site_administrator": False})
    assert entry.reason_row.text == "Left the hospital"


def test_recovery_needs_an_account_and_a_reason():
    AccountFactory.create(email="ada@example.org")
    with pytest.raises(NotFoundError):
        services.account_recover(email="bob@example.org", password=PASSWORD, reason="x")
    with pytest.raises(ValidationFailedError):
        services.account_recover(email="ada@example.org", password=PASSWORD, reason=" ")
    assert AuditEntry.objects.count() == 0


def test_erasure_empties_the_row_ends_sessions_and_keeps_the_chain(client):
    account = AccountFactory.create(
        email="ada@example.org", display_name="Ada", institute=InstituteFactory.create()
    )
    other = AccountFactory.create()
    services.account_set_password(
        account, password="another long password", actor_id=account.pk, origin=Origin.WEB
    )
    client.force_login(account)
    type(client)().force_login(other)

    services.account_erase(account, actor_id=None, origin=Origin.CLI, reason="Asked for")

    account.refresh_from_db()
    assert (account.email, account.display_name, account.institute) == (
        f"erased-{account.pk}@invalid",
        "",
        None,
    )
    assert not account.has_usable_password()
    assert Session.objects.count() == 1
    assert chain_verify("site").problems == ()


@pytest.mark.parametrize("end", ["closed", "erased"])
def test_programs_of_somebody_who_is_gone_get_in_no_more(end):
    account = AccountFactory.create(email="ada@example.org")
    token, secret = create_token(created_by=account)
    other, others_secret = create_token()
    long_ago = timezone.now() - timedelta(days=3)
    before = ServiceTokenFactory.create(created_by=account, revoked_at=long_ago)

    def status_of(key):
        return Client().get("/api/v1/trials", headers={"Authorization": f"Bearer {key}"}).status_code

    assert status_of(secret) != 401
    if end == "closed":
        services.account_deactivate(email="ada@example.org", reason="Left the hospital")
    else:
        services.account_erase(account, actor_id=None, origin=Origin.CLI, reason="Asked for")

    assert status_of(secret) == 401
    assert status_of(others_secret) != 401
    entry = AuditEntry.objects.get(kind="token:revoked")
    assert (entry.chain, entry.subject) == (str(token.trial_id), f"token:{token.pk}")
    assert (entry.actor_id, entry.origin) == (None, "cli")
    before.refresh_from_db()
    other.refresh_from_db()
    assert (before.revoked_at, other.revoked_at) == (long_ago, None)


def test_a_closed_account_signs_in_no_more_and_keeps_its_name():
    account = AccountFactory.create(email="ada@example.org", display_name="Ada")
    client = Client()
    client.force_login(account)
    with pytest.raises(ValidationFailedError):
        services.account_deactivate(email="ada@example.org", reason=" ")
    services.account_deactivate(email="ada@example.org", reason="Left the hospital")

    assert Session.objects.count() == 0
    assert client.get("/api/v1/session").json()["signed_in"] is False
    assert not Client().login(username="ada@example.org", password=PASSWORD)
    account.refresh_from_db()
    assert (account.is_active, account.display_name) == (False, "Ada")
    entry = AuditEntry.objects.get(kind="account:deactivated")
    assert (entry.before, entry.after) == ({"is_active": True}, {"is_active": False})
