"""The session resource: who is signed in, signing in and out, the password again, lock-out, CSRF."""

import ipaddress
import re

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, OperationalError
from django.test import Client
from django.utils import timezone

from equipoise.accounts.models import SignInAttempt
from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from tests.factories.accounts import PASSWORD, AccountFactory, create_token

pytestmark = [pytest.mark.django_db, pytest.mark.db]

SESSION = "/api/v1/session"
CONFIRM = "/api/v1/session/confirm"


def post(client, path, body, **headers):
    return client.post(path, body, content_type="application/json", headers=headers)


@pytest.fixture
def browser():
    """A client that, like a browser, needs the CSRF token."""
    client = Client(enforce_csrf_checks=True)
    client.token = client.get(SESSION).json()["csrf_token"]
    return client


def sign_in(browser, email, password=PASSWORD):
    return post(browser, SESSION, {"email": email, "password": password}, **{"X-CSRFToken": browser.token})


def test_nobody_is_signed_in_at_first(client):
    answer = client.get(SESSION)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["signed_in"], body["account"], len(body["csrf_token"])) == (False, None, 64)
    assert answer.headers["Cache-Control"] == "no-store"


def test_signing_in_begins_a_session_under_a_new_token(browser):
    account = AccountFactory.create(email="ada@example.org", display_name="Ada")

    answer = sign_in(browser, "ADA@example.org")

    assert answer.status_code == 200
    assert answer.json()["account"] == {
        "email": "ada@example.org",
        "display_name": "Ada",
        "is_site_administrator": False,
    }
    cookie = browser.cookies["equipoise_session"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert browser.get(SESSION).json()["signed_in"] is True
    entry = AuditEntry.objects.get(kind="session:signed_in")
    assert (entry.actor_id, entry.subject) == (account.pk, f"account:{account.pk}")


def test_signing_out_ends_the_session(browser):
    AccountFactory.create(email="ada@example.org")
    token = sign_in(browser, "ada@example.org").json()["csrf_token"]

    answer = browser.delete(SESSION, headers={"X-CSRFToken": token})

    assert (answer.status_code, answer.json()["signed_in"]) == (200, False)
    assert browser.get(SESSION).json()["signed_in"] is False
    assert AuditEntry.objects.filter(kind="session:signed_out").count() == 1


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_wrong_password_and_unknown_address_give_the_same_answer(browser, email):
    AccountFactory.create(email="ada@example.org")

    answer = sign_in(browser, email, "wrong")

    assert answer.status_code == 422
    assert answer.json() == {
        "code": "validation_failed",
        "detail": "E-mail address or password is wrong.",
        "data": {},
    }
    assert browser.get(SESSION).json()["signed_in"] is False


def test_sign_in_without_the_csrf_token_is_refused(browser):
    AccountFactory.create(email="ada@example.org")
    answer = post(browser, SESSION, {"email": "ada@example.org", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    assert browser.get(SESSION).json()["signed_in"] is False


def test_signed_in_unsafe_request_without_the_csrf_token_is_refused(browser):
    AccountFactory.create(email="ada@example.org")
    sign_in(browser, "ada@example.org")
    answer = post(browser, CONFIRM, {"password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


def test_three_wrong_passwords_lock_the_address_and_time_unlocks_it(browser):
    AccountFactory.create(email="ada@example.org")
    for _ in range(3):
        assert sign_in(browser, "ada@example.org", "wrong").status_code == 422

    locked = sign_in(browser, "Ada@example.org")

    assert (locked.status_code, locked.json()["code"]) == (429, "rate_limited")
    assert 0 < int(locked.headers["Retry-After"]) <= 301
    assert locked.json()["detail"] == "Too many wrong tries. Wait 5 min, then try again."
    SignInAttempt.objects.update(locked_until=timezone.now())
    assert sign_in(browser, "ada@example.org").status_code == 200


def lockouts():
    return [
        (entry.subject, entry.actor_id, entry.origin, entry.after, entry.address_row.address)
        for entry in AuditEntry.objects.filter(kind="session:locked").order_by("sequence")
    ]


def test_lockout_leaves_one_entry_by_nobody_with_the_address_beside_it(browser):
    account = AccountFactory.create(email="ada@example.org")
    for _ in range(2):
        sign_in(browser, "ada@example.org", "wrong")
    assert lockouts() == []

    for _ in range(3):
        sign_in(browser, "Ada@Example.org", "wrong")

    told = {"failures": 3, "locked_s": 300}
    assert lockouts() == [(f"account:{account.pk}", None, "web", told, "127.0.0.1")]
    assert chain_verify("site").problems == ()


def test_guessed_names_fill_no_chain_and_their_network_address_is_named_once(browser):
    for number in range(35):
        sign_in(browser, f"guess{number}@example.org", "wrong")

    told = {"failures": 30, "locked_s": 300}
    assert lockouts() == [("network_address", None, "web", told, "127.0.0.1")]


def test_lock_of_one_person_does_not_lock_a_colleague_at_the_same_address(browser):
    AccountFactory.create(email="ada@example.org")
    AccountFactory.create(email="bob@example.org")
    for _ in range(4):
        sign_in(browser, "ada@example.org", "wrong")
    assert sign_in(browser, "bob@example.org").status_code == 200


def from_address(browser, email, address, password="wrong"):
    headers = {"X-CSRFToken": browser.token, "X-Forwarded-For": address}
    return post(browser, SESSION, {"email": email, "password": password}, **headers)


def test_behind_an_own_proxy_the_address_that_guesses_is_locked_and_no_other(browser, settings):
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("127.0.0.0/8"),)
    AccountFactory.create(email="ada@example.org")
    for number in range(30):
        assert from_address(browser, f"guess{number}@example.org", "203.0.113.9").status_code == 422
    # Another address said of itself changes nothing: the proxy has added the true one to the right of it.
    guess = from_address(browser, "ada@example.org", "198.51.100.7, 203.0.113.9", PASSWORD)
    assert guess.status_code == 429
    assert from_address(browser, "ada@example.org", "203.0.113.10", PASSWORD).status_code == 200


def test_account_is_locked_whatever_addresses_the_guesses_come_from(browser, settings):
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("127.0.0.0/8"),)
    AccountFactory.create(email="ada@example.org")
    for number in range(3):
        assert from_address(browser, "ada@example.org", f"203.0.113.{number}").status_code == 422
    assert from_address(browser, "ada@example.org", "203.0.113.99", PASSWORD).status_code == 429


def test_without_a_proxy_of_the_site_the_header_is_nobodys_word(browser):
    for number in range(30):
        from_address(browser, f"guess{number}@example.org", f"203.0.113.{number}")
    assert from_address(browser, "ada@example.org", "203.0.113.99").status_code == 429


def test_counted_failures_hold_no_address(browser):
    sign_in(browser, "ada@example.org", "wrong")
    hashes = list(SignInAttempt.objects.values_list("subject_hash", flat=True))
    assert len(hashes) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", h) for h in hashes)


def test_inactive_account_cannot_sign_in(browser):
    AccountFactory.create(email="ada@example.org", is_active=False)
    assert sign_in(browser, "ada@example.org").status_code == 422


def test_missing_and_malformed_fields_are_named(browser):
    answer = post(browser, SESSION, {"email": "not an address"}, **{"X-CSRFToken": browser.token})
    assert answer.status_code == 400
    assert answer.json()["code"] == "validation_failed"
    assert answer.json()["data"]["fields"] == {
        "/email": [{"code": "invalid", "message": "Enter a valid email address."}],
        "/password": [{"code": "required", "message": "This field is required."}],
    }


def test_confirming_needs_the_right_password(browser):
    AccountFactory.create(email="ada@example.org")
    token = sign_in(browser, "ada@example.org").json()["csrf_token"]

    wrong = post(browser, CONFIRM, {"password": "wrong"}, **{"X-CSRFToken": token})
    right = post(browser, CONFIRM, {"password": PASSWORD}, **{"X-CSRFToken": token})

    assert (wrong.status_code, right.status_code) == (422, 200)
    assert AuditEntry.objects.filter(kind="session:confirmed").count() == 1


def test_confirming_when_nobody_is_signed_in_is_401(client):
    answer = post(client, CONFIRM, {"password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_ended_session_is_told_apart_from_none(client):
    client.cookies["equipoise_session"] = "a-session-that-was-deleted"
    answer = post(client, CONFIRM, {"password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (401, "session_expired")


def test_new_password_ends_other_sessions(client):
    from equipoise.accounts.services import account_set_password
    from equipoise.audit.kinds import Origin

    account = AccountFactory.create()
    client.force_login(account)
    assert client.get(SESSION).json()["signed_in"] is True
    account_set_password(account, password="another long password", actor_id=account.pk, origin=Origin.WEB)
    assert client.get(SESSION).json()["signed_in"] is False


def test_program_cannot_confirm_a_password(client):
    _, secret = create_token()
    answer = post(client, CONFIRM, {"password": PASSWORD}, Authorization=f"Bearer {secret}")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    "cause, status, code",
    [(OperationalError, 503, "internal_error"), (DatabaseError, 401, "session_expired")],
)
def test_a_session_that_cannot_be_saved_is_no_bad_request(browser, monkeypatch, cause, status, code):
    """The framework tells a lost database and an ended session alike; a program must send the first again."""
    account = AccountFactory.create()
    save = SessionStore.save

    def failing(store, must_create=False):
        if must_create:
            return save(store, must_create)
        try:
            raise cause("gone")
        except DatabaseError:
            raise UpdateError  # noqa: B904 - as the framework raises it

    monkeypatch.setattr(SessionStore, "save", failing)
    answer = sign_in(browser, account.email)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


PASSWORD_PATH = "/api/v1/account/password"
NEW_PASSWORD = "a brand new password"


def test_new_password_keeps_this_browser_and_ends_the_others(client):
    account = AccountFactory.create()
    client.force_login(account)
    other = Client()
    other.force_login(account)

    answer = post(client, PASSWORD_PATH, {"current": PASSWORD, "password": NEW_PASSWORD})

    assert (answer.status_code, answer.json()["password"]) == (200, True)
    assert client.get(SESSION).json()["signed_in"] is True
    assert other.get(SESSION).json()["signed_in"] is False
    account.refresh_from_db()
    assert account.check_password(NEW_PASSWORD)
    entry = AuditEntry.objects.get(kind="account:password_changed")
    assert (entry.actor_id, entry.subject) == (account.pk, f"account:{account.pk}")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"current": "wrong", "password": NEW_PASSWORD}, 422),
        ({"current": PASSWORD, "password": "short"}, 422),
        ({"password": NEW_PASSWORD}, 400),
    ],
)
def test_password_is_not_changed_without_the_old_one_or_to_a_weak_one(client, body, status):
    account = AccountFactory.create()
    client.force_login(account)
    assert post(client, PASSWORD_PATH, body).status_code == status
    account.refresh_from_db()
    assert account.check_password(PASSWORD)


def test_guessing_the_old_password_locks(client):
    account = AccountFactory.create()
    client.force_login(account)
    for _ in range(3):
        post(client, PASSWORD_PATH, {"current": "wrong", "password": NEW_PASSWORD})
    locked = post(client, PASSWORD_PATH, {"current": PASSWORD, "password": NEW_PASSWORD})
    assert locked.status_code == 429


def test_account_without_a_password_has_none_to_change(client):
    account = AccountFactory.create()
    account.set_unusable_password()
    account.save()
    client.force_login(account)
    refused = post(client, PASSWORD_PATH, {"current": "x", "password": NEW_PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (409, "state_conflict")
    account.refresh_from_db()
    assert not account.has_usable_password()
