"""Single sign-on against a real provider on this machine."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from joserfc.jwk import RSAKey

from equipoise.accounts.models import SingleSignOnIdentity
from tests.accounts.provider import Provider
from tests.factories.accounts import AccountFactory

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


def test_site_without_a_provider_has_no_such_address(client):
    assert client.get(SSO).status_code == 404
