"""Authenticator apps, keys and recovery codes: set up, asked for, used once, and required where the site says so."""

import time

import pyotp
import pytest
from django.test import Client

from equipoise.accounts import services
from equipoise.accounts.models import RecoveryCode, TotpDevice
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import NotFoundError, ValidationFailedError
from tests.accounts.authenticator import SoftKey
from tests.factories.accounts import PASSWORD, AccountFactory

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1"


def post(client, path, body=None):
    return client.post(f"{API}{path}", body or {}, content_type="application/json")


def sign_in(account):
    client = Client()
    return client, post(client, "/session", {"email": account.email, "password": PASSWORD}).json()


def enrolled():
    """Return a person with an authenticator app, its secret and the recovery codes."""
    account = AccountFactory.create()
    client, _ = sign_in(account)
    secret = post(client, "/account/totp/offer").json()["secret"]
    code = pyotp.TOTP(secret).at(time.time() - 30)
    answer = post(client, "/account/totp", {"code": code})
    assert answer.status_code == 201, answer.content
    return account, secret, answer.json()["recovery_codes"]


def test_app_is_asked_for_after_the_password_and_each_code_counts_once():
    account, secret, codes = enrolled()
    assert (len(codes), len(set(codes))) == (10, 10)
    assert secret not in TotpDevice.objects.get().sealed_secret
    client, waiting = sign_in(account)
    assert (waiting["signed_in"], waiting["awaits"]) == (False, ["totp", "recovery_code"])
    assert client.get(f"{API}/trials").status_code == 401
    code = pyotp.TOTP(secret).now()
    shown = post(client, "/session/second-factor", {"factor": "totp", "code": code})
    assert shown.json()["signed_in"] is True
    other, _ = sign_in(account)
    again = post(other, "/session/second-factor", {"factor": "totp", "code": code})
    assert (again.status_code, other.get(f"{API}/session").json()["signed_in"]) == (422, False)


def test_recovery_code_works_once_and_is_stored_as_a_hash():
    account, _, codes = enrolled()
    assert not RecoveryCode.objects.filter(code_sha256__contains=codes[0].replace("-", "")).exists()
    body = {"factor": "recovery_code", "code": codes[0].upper()}
    client, _ = sign_in(account)
    assert post(client, "/session/second-factor", body).json()["signed_in"] is True
    other, _ = sign_in(account)
    assert post(other, "/session/second-factor", body).status_code == 422
    assert AuditEntry.objects.filter(kind="recovery_code:used").count() == 1


def test_wrong_codes_lock_the_account():
    account, secret, _ = enrolled()
    client, _ = sign_in(account)
    for _ in range(3):
        assert post(client, "/session/second-factor", {"factor": "totp", "code": "000000"}).status_code == 422
    right = {"factor": "totp", "code": pyotp.TOTP(secret).now()}
    assert post(client, "/session/second-factor", right).status_code == 429


def test_password_in_between_does_not_make_up_for_wrong_codes():
    account, secret, _ = enrolled()
    wrong = {"factor": "totp", "code": "000000"}
    for _ in range(3):
        client, _ = sign_in(account)
        assert post(client, "/session/second-factor", wrong).status_code == 422
    assert sign_in(account)[1]["code"] == "rate_limited"
    right = {"factor": "totp", "code": pyotp.TOTP(secret).now()}
    assert post(client, "/session/second-factor", right).status_code == 429


def test_password_given_again_does_not_either():
    account, secret, _ = enrolled()
    client, _ = sign_in(account)
    post(client, "/session/second-factor", {"factor": "totp", "code": pyotp.TOTP(secret).now()})
    thief, _ = sign_in(account)
    for _ in range(3):
        assert post(client, "/session/confirm", {"password": PASSWORD}).status_code == 200
        assert post(thief, "/session/second-factor", {"factor": "totp", "code": "000000"}).status_code == 422
    assert post(client, "/session/confirm", {"password": PASSWORD}).status_code == 429


def test_right_code_makes_up_for_wrong_ones():
    account, _, codes = enrolled()
    for code in codes[:2]:
        client, _ = sign_in(account)
        for wrong in ("000000", "111111"):
            post(client, "/session/second-factor", {"factor": "totp", "code": wrong})
        body = {"factor": "recovery_code", "code": code}
        assert post(client, "/session/second-factor", body).json()["signed_in"] is True


def test_second_factor_without_the_password_is_nothing(client):
    _, secret, _ = enrolled()
    answer = post(client, "/session/second-factor", {"factor": "totp", "code": pyotp.TOTP(secret).now()})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_key_is_given_another_name_by_its_owner_alone(settings):
    account = AccountFactory.create()
    client, _ = sign_in(account)
    key = SoftKey(settings.PUBLIC_URL, "localhost")
    made = key.create(post(client, "/account/passkeys/offer").json())
    post(client, "/account/passkeys", {"name": "Blue key", "credential": made})
    path = f"{API}/account/passkeys/{account.passkeys.get().id}"

    def rename(who, name):
        return who.patch(path, {"name": name}, content_type="application/json")

    stranger, _ = sign_in(AccountFactory.create())
    assert rename(stranger, "Mine").status_code == 404
    assert rename(client, " ").status_code == 400
    assert account.passkeys.get().label == "Blue key"
    told = rename(client, " Office key ").json()
    assert [one["name"] for one in told["passkeys"]] == ["Office key"]
    entry = AuditEntry.objects.get(kind="second_factor:renamed")
    assert (entry.actor_id, entry.after) == (account.id, {"factor": "passkey"})


def test_key_signs_in_and_a_copied_or_foreign_answer_does_not(settings):
    account = AccountFactory.create()
    client, _ = sign_in(account)
    key = SoftKey(settings.PUBLIC_URL, "localhost")
    made = key.create(post(client, "/account/passkeys/offer").json())
    answer = post(client, "/account/passkeys", {"name": "Blue key", "credential": made})
    assert answer.status_code == 201, answer.content
    assert [one["name"] for one in answer.json()["passkeys"]] == ["Blue key"]

    browser, waiting = sign_in(account)
    assert waiting["awaits"] == ["passkey", "recovery_code"]
    proof = key.get(post(browser, "/session/passkey").json())
    body = {"factor": "passkey", "credential": proof}
    assert post(browser, "/session/second-factor", body).json()["signed_in"] is True

    thief, _ = sign_in(account)
    post(thief, "/session/passkey")
    assert post(thief, "/session/second-factor", body).status_code == 422
    phished = SoftKey("https://equip0ise.example", "localhost")
    phished.private, phished.id, phished.count = key.private, key.id, key.count
    body["credential"] = phished.get(post(thief, "/session/passkey").json())
    assert post(thief, "/session/second-factor", body).status_code == 422
    assert thief.get(f"{API}/session").json()["signed_in"] is False


def test_role_that_needs_a_second_factor_reaches_nothing_without_one(settings):
    settings.SECOND_FACTOR_ROLES = ("site_administrator",)
    account = AccountFactory.create(is_site_administrator=True)
    client, session = sign_in(account)
    assert session["second_factor_due"] is True
    refused = client.get(f"{API}/trials")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    secret = post(client, "/account/totp/offer").json()["secret"]
    assert post(client, "/account/totp", {"code": pyotp.TOTP(secret).now()}).status_code == 201
    assert client.get(f"{API}/trials").status_code == 200
    bystander, session = sign_in(AccountFactory.create())
    assert session["second_factor_due"] is False
    assert bystander.get(f"{API}/trials").status_code == 200


def test_second_factor_is_changed_only_by_somebody_who_was_there_just_now():
    account = AccountFactory.create()
    client, _ = sign_in(account)
    session = client.session
    session["confirmed_at"] -= 3600
    session.save()
    answer = post(client, "/account/totp/offer")
    assert (answer.status_code, answer.json()["data"]) == (403, {"confirm": True})
    assert post(client, "/session/confirm", {"password": PASSWORD}).json()["confirmed"] is True
    assert post(client, "/account/totp/offer").status_code == 200


@pytest.mark.parametrize("clock, age_s", [("seen_at", 121 * 60), ("started_at", 13 * 3600)])
def test_session_that_was_left_or_is_old_ends(clock, age_s):
    client, _ = sign_in(AccountFactory.create())
    session = client.session
    session[clock] -= age_s
    session.save()
    answer = client.get(f"{API}/trials")
    assert (answer.status_code, answer.json()["code"]) == (401, "session_expired")
    assert AuditEntry.objects.filter(kind="session:expired").count() == 1
    assert client.get(f"{API}/session").json()["signed_in"] is False


def test_reset_lets_a_person_who_lost_everything_begin_anew_and_ends_what_the_thief_has():
    account, secret, _ = enrolled()
    thief, _ = sign_in(account)
    post(thief, "/session/second-factor", {"factor": "totp", "code": pyotp.TOTP(secret).now()})
    assert thief.get(f"{API}/trials").status_code == 200

    services.second_factors_reset(email=account.email.upper(), reason="Phone and codes were stolen")

    assert thief.get(f"{API}/trials").status_code == 401
    assert sign_in(account)[1]["signed_in"] is True
    assert not RecoveryCode.objects.exists()
    entry = AuditEntry.objects.get(kind="second_factor:reset")
    assert (entry.actor_id, entry.origin, entry.subject) == (None, "cli", f"account:{account.pk}")
    assert entry.reason_row.text == "Phone and codes were stolen"


def test_reset_needs_an_account_and_a_reason():
    account, _, _ = enrolled()
    with pytest.raises(NotFoundError):
        services.second_factors_reset(email="nobody@example.org", reason="Lost")
    with pytest.raises(ValidationFailedError):
        services.second_factors_reset(email=account.email, reason=" ")
    assert TotpDevice.objects.filter(account=account).exists()
    assert not AuditEntry.objects.filter(kind="second_factor:reset").exists()
