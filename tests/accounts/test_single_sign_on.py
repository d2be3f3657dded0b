"""Single sign-on against a real provider on this machine."""

import time
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from django.test import Client
from joserfc.jwk import RSAKey

from equipoise.accounts.models import SingleSignOnIdentity, TotpDevice
from equipoise.accounts.sealing import seal
from tests.accounts.authenticator import SoftKey
from tests.accounts.provider import Provider
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from trials.models import Signature

pytestmark = [pytest.mark.django_db, pytest.mark.db]

SSO, SESSION = "/api/v1/session/sso", "/api/v1/session"


@pytest.fixture
def provider(settings):
    running = Provider()
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = running.issuer, "equipoise"
    yield running
    running.close()


def sign_on(client, provider, *, confirm=False, to="/", state=None, code="good"):
    """Go to the provider and come back; return where the browser is sent then."""
    there = client.get(SSO, {"to": to, **({"confirm": "true"} if confirm else {})})
    assert there.status_code == 302, there.content
    provider.asked = {
        name: value[0] for name, value in parse_qs(urlsplit(there.headers["Location"]).query).items()
    }
    back = client.get(f"{SSO}/callback", {"code": code, "state": state or provider.asked["state"]})
    return back.headers["Location"]


def test_person_signs_on_with_state_nonce_and_pkce(provider):
    account = AccountFactory.create(email="Ada@example.org")
    client = Client()
    assert sign_on(client, provider) == "/"
    assert provider.asked["code_challenge_method"] == "S256"
    assert client.get(SESSION).json()["account"]["email"] == "Ada@example.org"
    assert SingleSignOnIdentity.objects.get(subject="ada-1").account == account
    provider.claims = {"email": "new@example.org"}
    assert sign_on(Client(), provider) == "/", "known by subject from now on"


@pytest.mark.parametrize(
    "wanted, then",
    [
        ("/trials/7/analyses", "/trials/7/analyses"),
        ("//evil.example/x", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_person_comes_back_to_the_page_wanted_if_it_is_ours(provider, wanted, then):
    AccountFactory.create(email="ada@example.org")
    assert sign_on(Client(), provider, to=wanted) == then


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"aud": "another"}, {"iss": "https://another.example"}, {"exp": 1},
        {"email_verified": False}, {"email_verified": "true"}, {"email": "stranger@example.org"}, {"sub": ""},
    ],
)  # fmt: skip
def test_token_that_does_not_fit_signs_nobody_in(provider, claims):
    AccountFactory.create(email="ada@example.org")
    provider.claims, client = claims, Client()
    assert sign_on(client, provider).startswith("/sign-in?problem=")
    assert client.get(SESSION).json()["signed_in"] is False
    assert not SingleSignOnIdentity.objects.exists()


def test_forged_signature_wrong_state_and_wrong_code_sign_nobody_in(provider):
    AccountFactory.create(email="ada@example.org")
    client = Client()
    assert sign_on(client, provider, state="forged").startswith("/sign-in?problem=")
    assert sign_on(client, provider, code="stolen").startswith("/sign-in?problem=")
    provider.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
    assert sign_on(client, provider).startswith("/sign-in?problem=")
    assert client.get(SESSION).json()["signed_in"] is False


def test_confirming_needs_a_fresh_sign_in_of_the_same_person(provider):
    AccountFactory.create(email="ada@example.org")
    client = Client()
    sign_on(client, provider)
    session = client.session
    session["confirmed_at"] -= 3600
    session.save()
    provider.claims = {"auth_time": int(time.time()) - 3600}
    assert sign_on(client, provider, confirm=True).startswith("/sign-in?problem=")
    assert client.get(SESSION).json()["confirmed"] is False
    provider.claims = {}
    assert sign_on(client, provider, confirm=True) == "/"
    assert (provider.asked["prompt"], client.get(SESSION).json()["confirmed"]) == ("login", True)


SILENT = [{"auth_time": 1}, {"auth_time": None}]
"""What a provider says, or does not, that let somebody through without asking."""


@pytest.mark.parametrize("claims", SILENT)
def test_sign_in_at_which_the_provider_asked_nobody_is_no_fresh_proof(provider, claims):
    AccountFactory.create(email="ada@example.org")
    client = Client()
    sign_on(client, provider)
    assert client.get(SESSION).json()["confirmed"] is True
    provider.claims = claims
    sign_on(client, provider)
    session = client.get(SESSION).json()
    assert (session["signed_in"], session["confirmed"]) == (True, False)
    assert client.post("/api/v1/account/totp/offer").status_code == 403


@pytest.mark.parametrize("claims, confirmed", [(SILENT[0], False), ({}, True)])
def test_code_after_it_adds_nothing_to_that(provider, claims, confirmed):
    account, secret = AccountFactory.create(email="ada@example.org"), pyotp.random_base32()
    TotpDevice.objects.create(account=account, sealed_secret=seal("totp", secret))
    provider.claims, client = claims, Client()
    assert sign_on(client, provider).startswith("/sign-in")
    shown = {"factor": "totp", "code": pyotp.TOTP(secret).now()}
    session = client.post(f"{SESSION}/second-factor", shown, content_type="application/json").json()
    assert (session["signed_in"], session["confirmed"]) == (True, confirmed)


@pytest.fixture
def signing(provider):
    """Return what locks the trial of somebody without a password here, and answers the status."""
    world = factory.preference_world()
    world.administrator.email = "ada@example.org"
    world.administrator.set_unusable_password()
    world.administrator.save()

    def lock(client, waiver="A test needs no rehearsal.", **proof):
        path = f"/api/v1/trials/{world.trial.id}/transitions/lock"
        body = {"reason": "Ready", "waiver": waiver, **proof}
        return client.post(path, body, content_type="application/json").status_code

    return lock


def test_signature_takes_a_sign_in_at_which_the_provider_asked(provider, signing):
    provider.claims, client = SILENT[0], Client()
    sign_on(client, provider)
    assert signing(client) == 403
    provider.claims = {}
    sign_on(client, provider, confirm=True)
    assert signing(client, waiver="") == 409
    assert not Signature.objects.exists()
    assert signing(client) == 200, "what was refused has used nothing up"
    assert Signature.objects.get().factors == ["single_sign_on"]


def test_one_sign_in_signs_once(provider, signing):
    client = Client()
    sign_on(client, provider)
    assert signing(client) == 200
    assert client.get(SESSION).json()["confirmed"] is True
    made = Signature.objects.get()

    def again():
        body = {"meaning": made.meaning, "record_sha256": made.record_sha256}
        path = f"/api/v1/trials/{made.trial_id}/signatures"
        return client.post(path, body, content_type="application/json").status_code

    assert again() == 403
    sign_on(client, provider, confirm=True)
    assert again() == 409, "signed already, which only a signer is told"


def test_key_does_not_stand_in_for_the_provider_in_a_signature(provider, signing, settings):
    provider.claims, client = {"amr": ["mfa"]}, Client()
    sign_on(client, provider)

    def post(path, body=None):
        return client.post(f"/api/v1{path}", body or {}, content_type="application/json")

    key = SoftKey(settings.PUBLIC_URL, "localhost")
    made = key.create(post("/account/passkeys/offer").json())
    assert post("/account/passkeys", {"name": "Key", "credential": made}).status_code == 201
    confirmed = post("/session/confirm", {"credential": key.get(post("/session/passkey").json())})
    assert confirmed.json()["confirmed"] is True
    assert signing(client, credential=key.get(post("/session/passkey").json())) == 403
    assert not Signature.objects.exists()
    sign_on(client, provider, confirm=True)
    assert signing(client, credential=key.get(post("/session/passkey").json())) == 200
    assert Signature.objects.get().factors == ["single_sign_on", "passkey"]


def test_site_without_a_provider_has_no_such_address(client):
    assert client.get(SSO).status_code == 404
