"""Single sign-on against a real provider on this machine, which checks PKCE and signs its tokens."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.test import Client
from joserfc import jwt
from joserfc.jwk import RSAKey

from equipoise.accounts.models import SingleSignOnIdentity
from tests.factories.accounts import AccountFactory

pytestmark = [pytest.mark.django_db, pytest.mark.db]

SSO, SESSION = "/api/v1/session/sso", "/api/v1/session"


class Provider:
    """An OpenID Connect provider; ``claims`` and ``key`` are what a test makes of its next token."""

    def __init__(self) -> None:
        self.key = self.published = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.claims: dict[str, object] = {}
        self.asked: dict[str, str] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path == "/keys":
                    return self.answer(200, {"keys": [provider.published.as_dict(private=False)]})
                names = {"issuer": "", "authorization_endpoint": "/authorize"}
                names |= {"token_endpoint": "/token", "jwks_uri": "/keys"}
                document = {name: provider.issuer + path for name, path in names.items()}
                return self.answer(200, {**document, "id_token_signing_alg_values_supported": ["RS256"]})

            def do_POST(self):
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if form.get("code") != "good" or challenge != provider.asked["code_challenge"]:
                    return self.answer(400, {"error": "invalid_grant"})
                return self.answer(
                    200, {"access_token": "a", "token_type": "Bearer", "id_token": provider.token()}
                )

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "equipoise",
            "sub": "ada-1",
            "iat": now,
            "exp": now + 60,
            "auth_time": now,
        }
        claims |= {
            "nonce": self.asked["nonce"],
            "email": "ada@example.org",
            "email_verified": True,
            **self.claims,
        }
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)


@pytest.fixture
def provider(settings):
    running = Provider()
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = running.issuer, "equipoise"
    yield running
    running.server.shutdown()
    running.server.server_close()


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
