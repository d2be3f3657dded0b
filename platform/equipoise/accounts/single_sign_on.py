"""Single sign-on by OpenID Connect: authorization code flow with state, nonce and PKCE (S256).

Authlib speaks the protocol and checks the provider's signed token; here stands whom the token's claims mean. An
account is found by issuer and subject; the first time, by the e-mail address if the provider says that it is
verified. Nobody gets an account by signing on: one is invited.
"""

import logging
import time
from functools import lru_cache
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from joserfc.errors import JoseError
from requests import RequestException

from equipoise.accounts.models import Account, SingleSignOnIdentity
from equipoise.accounts.sessions import SINGLE_SIGN_ON, session_begin, session_confirmed
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import SITE_CHAIN, entry_append
from equipoise.common.errors import DomainError, ErrorCode, NotFoundError

logging.getLogger("authlib").setLevel(
    logging.WARNING
)  # at its most talkative it writes the code verifier down

CALLBACK = "/api/v1/session/sso/callback"
_CONFIRMING, _TO = "sso_confirming", "sso_to"
_FRESH_S = 120
"""How old the provider's own sign-in may be to count as a fresh one."""
STRONG_METHODS = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fpt", "face", "iris", "pop"})
"""Of RFC 8176's ``amr`` values, those that are, or name, a second factor."""


class SingleSignOnError(DomainError):
    """The provider's answer cannot be taken. What it was exactly stands in no answer."""

    code = ErrorCode.VALIDATION_FAILED


def is_offered() -> bool:
    """Whether the site has a provider."""
    return bool(settings.OIDC_ISSUER)


@lru_cache(maxsize=4)
def _client(issuer: str, client_id: str, client_secret: str) -> Any:
    oauth = OAuth()
    return oauth.register(
        name="site",
        client_id=client_id,
        client_secret=client_secret or None,
        server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email",
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": "client_secret_basic" if client_secret else "none",
        },
    )


def _provider() -> Any:
    if not is_offered():
        raise NotFoundError("This site has no single sign-on.")
    return _client(settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)


def sso_begin(request: HttpRequest, *, confirm: bool, to: str) -> HttpResponseRedirect:
    """Send the browser to the provider; to confirm, the provider is asked to sign the person in afresh.

    ``to`` is the page of ours that comes afterwards; any other address is forgotten.
    """
    client = _provider()
    request.session[_CONFIRMING] = confirm
    is_ours = to.startswith("/") and url_has_allowed_host_and_scheme(to, allowed_hosts=None)
    request.session[_TO] = to if is_ours else "/"
    afresh = {"prompt": "login", "max_age": "0"} if confirm else {}
    try:
        answer: HttpResponseRedirect = client.authorize_redirect(
            request, f"{settings.PUBLIC_URL}{CALLBACK}", **afresh
        )
    except (AuthlibBaseError, RequestException, ValueError, KeyError, RuntimeError):
        raise SingleSignOnError("The identity provider cannot be reached.") from None
    return answer


def sso_finish(request: HttpRequest) -> Account | None:
    """Take the provider's answer: begin a session (None: a second factor is awaited), or confirm the one there is."""
    confirming = request.session.pop(_CONFIRMING, False)
    claims = _claims(request)
    account = _account_of(claims)
    strong = bool(STRONG_METHODS & set(claims.get("amr") or ()))
    fresh = _is_fresh(claims)
    if not confirming:
        by = SINGLE_SIGN_ON if fresh else None
        return session_begin(request, account, second_factor=strong, confirmed_by=by)
    if request.user != account:
        raise SingleSignOnError("Somebody else signed on than who is signed in here.")
    if not fresh:
        raise SingleSignOnError("The identity provider did not ask for your password again.")
    session_confirmed(request, account, by=SINGLE_SIGN_ON)
    return account


def _is_fresh(claims: dict[str, Any]) -> bool:
    """Whether the provider says that it asked the person just now; it may also let them through without a word."""
    signed_on = claims.get("auth_time")
    return isinstance(signed_on, int) and -_FRESH_S <= time.time() - signed_on <= _FRESH_S


def sso_page(request: HttpRequest) -> str:
    """Return the page that comes after the provider's."""
    return str(request.session.get(_TO, "/"))


def _claims(request: HttpRequest) -> dict[str, Any]:
    client = _provider()
    try:
        issuer = client.load_server_metadata().get("issuer")
        if issuer != settings.OIDC_ISSUER:
            raise SingleSignOnError("The identity provider goes by another name than the site's settings.")
        token = client.authorize_access_token(
            request,
            claims_options={
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
                "sub": {"essential": True},
                "exp": {"essential": True},
                "nonce": {"essential": True},
            },
            timeout=10,
        )
    except (AuthlibBaseError, JoseError, RequestException, ValueError, KeyError, TypeError, RuntimeError):
        raise SingleSignOnError("The identity provider's answer cannot be taken; sign in again.") from None
    claims = token.get("userinfo")
    if not claims or not claims.get("sub"):
        raise SingleSignOnError("The identity provider did not say who you are.")
    return dict(claims)


def _account_of(claims: dict[str, Any]) -> Account:
    known = (
        SingleSignOnIdentity.objects.select_related("account")
        .filter(issuer=settings.OIDC_ISSUER, subject=claims["sub"])
        .first()
    )
    account = known.account if known else _account_of_address(claims)
    if account is None or not account.is_active:
        raise SingleSignOnError("There is no account for you here yet; ask to be invited first.")
    if known is None:
        with transaction.atomic():
            SingleSignOnIdentity.objects.create(
                account=account, issuer=settings.OIDC_ISSUER, subject=claims["sub"]
            )
            entry_append(
                chain=SITE_CHAIN,
                kind=AuditKind.SINGLE_SIGN_ON_LINKED,
                actor_id=account.pk,
                origin=Origin.WEB,
                subject=f"account:{account.pk}",
            )
    return account


def _account_of_address(claims: dict[str, Any]) -> Account | None:
    """Return the account of a verified address that no other identity of the provider has taken."""
    if claims.get("email_verified") is not True or not claims.get("email"):
        return None
    account = Account.objects.filter(email__iexact=str(claims["email"])).first()
    if account is not None and account.identities.filter(issuer=settings.OIDC_ISSUER).exists():
        return None
    return account
