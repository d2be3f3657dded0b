"""A person is erased: no table holds address or name any more, and what was read is there as it was."""

import pytest
from django.test import Client

from equipoise.accounts.models import Account, Passkey, SingleSignOnIdentity, TotpDevice
from equipoise.accounts.services import account_create
from equipoise.api.models import IdempotentAnswer
from equipoise.audit.models import AuditAddress, AuditEntry
from equipoise.audit.selectors import chain_verify
from equipoise.common.errors import NotFoundError, StateConflictError, ValidationFailedError
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from tests.trials.api.test_administration import API, signed_in
from tests.trials.test_identifier_search import everything_in_the_database
from trials.models import Draft, Response, ResponseComment, Signature, SignatureName, StoredBundle
from trials.services.erasure import person_erase
from trials.services.invitation import invitation_accept, invitation_create
from trials.services.participant import participant_withdraw

pytestmark = [pytest.mark.django_db, pytest.mark.db]

EMAIL, NAME, PASSWORD = "grace.hopper@example.org", "Grace Höpper", "a long password for tests"
WORDS = (b"grace.hopper", b"h\xc3\xb6pper", b"h\\u00f6pper", b"grace")


def tables_that_tell():
    return sorted(
        {table for table, row in everything_in_the_database() if any(w in row.lower() for w in WORDS)}
    )


@pytest.fixture
def world():
    return factory.open_world()


def known_everywhere(world):
    """Return a reader whose address and name stand wherever the site can hold them."""
    reader = world.enrol()
    account = factory.account_of(reader)
    Account.objects.filter(pk=account.pk).update(email=EMAIL, display_name=NAME)
    account.refresh_from_db()
    browser = Client()
    administrator = signed_in(world.administrator)
    invited = administrator.post(
        f"{API}/trials/{world.trial.id}/invitations",
        {"email": EMAIL, "role": Role.READER.value},
        content_type="application/json",
        headers={"Idempotency-Key": "once"},
    )
    assert invited.status_code == 201, invited.content
    browser.force_login(account)
    TotpDevice.objects.create(account=account, sealed_secret="sealed")
    Passkey.objects.create(
        account=account,
        label=f"{NAME}'s key",
        credential_id=b"1",
        credential_sha256="1" * 64,
        public_key=b"2",
    )
    SingleSignOnIdentity.objects.create(account=account, issuer="https://id.example", subject=EMAIL)
    factory.answer(reader, factory.open_reading(reader))
    ResponseComment.objects.create(response=Response.objects.get(), text=f"I, {NAME}, know her", answers={})
    opened = factory.open_reading(reader)
    Draft.objects.create(
        reading=opened.reading, lease=1, body={"comment": NAME}, saved_at=world.trial.created_at
    )
    made = Signature.objects.create(
        trial=world.trial,
        meaning="protocol_approved",
        record="Protocol 1",
        record_sha256="1" * 64,
        signer=account,
        name_hash="2" * 64,
        factors=["password"],
        signed_at=world.trial.created_at,
        sha256="3" * 64,
    )
    SignatureName.objects.create(signature=made, salt="4" * 32, name=NAME)
    StoredBundle.objects.create(
        trial=world.trial,
        files_key="bundle",
        file_sha256="5" * 64,
        size_bytes=1,
        manifest_sha256="6" * 64,
        file_count=1,
        made_at=world.trial.created_at,
    )
    assert browser.get(f"{API}/trials/{world.trial.id}/audit").status_code == 404, "and noted"
    participant_withdraw(reader, reason_code="own_wish", reason=f"{EMAIL} asked for it", actor=world.actor)
    return reader, account, browser


def test_no_table_holds_who_it_was_and_every_reading_stays(world):
    reader, account, browser = known_everywhere(world)
    assert len(tables_that_tell()) >= 7
    before = list(Response.objects.values())
    assert AuditAddress.objects.filter(entry__actor_id=account.pk).exists()
    others = set(AuditAddress.objects.exclude(entry__actor_id=account.pk))

    erased = person_erase(email=EMAIL.upper(), reason="Asked for by the person")

    assert tables_that_tell() == []
    assert (erased.accounts, erased.invitations, erased.words) == (1, 1, 2)
    assert set(AuditAddress.objects.all()) == others != set()
    assert erased.bundled == (world.trial.slug,)
    assert list(Response.objects.values()) == before
    reader.refresh_from_db()
    assert (reader.code, reader.readings.exists()) == ("R-01", True)
    assert browser.get(f"{API}/session").json()["signed_in"] is False
    assert not IdempotentAnswer.objects.exists()
    for chain in ("site", str(world.trial.id)):
        assert chain_verify(chain).problems == ()
    entry = AuditEntry.objects.get(kind="account:erased")
    assert (entry.subject, entry.reason_row.text) == (f"account:{account.pk}", "Asked for by the person")
    with pytest.raises(NotFoundError):
        person_erase(email=EMAIL, reason="Once more")


def test_person_who_was_only_invited_is_erased_and_the_link_stays_closed_to_the_address(world):
    new = invitation_create(
        world.trial, email=EMAIL, role=Role.DATA_MANAGER, inviter=world.administrator, actor=world.actor
    )
    erased = person_erase(email=EMAIL, reason="A wrong address")
    assert (erased.accounts, erased.invitations) == (0, 1)
    assert tables_that_tell() == []
    with pytest.raises(NotFoundError):
        invitation_accept(new.token, password=PASSWORD, display_name="Grace", signed_in=None)


def test_reason_must_not_name_the_person_and_the_last_administrator_stays(world):
    account = account_create(email=EMAIL, display_name=NAME, is_site_administrator=True)
    Account.objects.exclude(pk=account.pk).update(is_site_administrator=False)
    with pytest.raises(ValidationFailedError):
        person_erase(email=EMAIL, reason=f"{NAME} asked")
    with pytest.raises(ValidationFailedError):
        person_erase(email=EMAIL, reason=" ")
    with pytest.raises(StateConflictError):
        person_erase(email=EMAIL, reason="Asked for")
    account.refresh_from_db()
    assert (account.email, account.display_name) == (EMAIL, NAME)


def test_short_name_is_not_looked_for_in_texts(world):
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    ResponseComment.objects.create(response=Response.objects.get(), text="All the same", answers={})
    account_create(email=EMAIL, display_name="Al")
    assert person_erase(email=EMAIL, reason="Asked for").words == 0
    assert ResponseComment.objects.exists()


def test_site_administrator_erases_on_the_page_after_a_fresh_sign_in(world, settings):
    _, account, _ = known_everywhere(world)
    administrator = AccountFactory.create(is_site_administrator=True)
    client, body = signed_in(administrator), {"email": EMAIL, "reason": "Asked for by the person"}

    def post(who):
        return who.post(f"{API}/people/erase", body, content_type="application/json")

    assert post(signed_in(world.administrator)).status_code == 403, "a trial's administrator"
    settings.CONFIRMATION_SECONDS = 0
    refused = post(client)
    assert (refused.status_code, refused.json()["data"]) == (403, {"confirm": True})
    account.refresh_from_db()
    assert account.email == EMAIL
    settings.CONFIRMATION_SECONDS = 300
    assert post(client).json() == {
        "accounts": 1,
        "invitations": 1,
        "words": 2,
        "bundled": [world.trial.slug],
    }
    assert tables_that_tell() == []
    entry = AuditEntry.objects.get(kind="account:erased")
    assert (entry.actor_id, entry.origin) == (administrator.id, "web")
    assert post(client).status_code == 404
