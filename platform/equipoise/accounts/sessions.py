"""Signing in and out, how long a session lasts, and the fresh proof of identity that weighty acts ask for."""

import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.http import HttpRequest

from equipoise.accounts.attempts import (
    WrongPasswordError,
    attempt_subjects,
    attempts_clear,
    counted_attempt,
    failure_count,
    refuse_if_locked,
)
from equipoise.accounts.models import Account
from equipoise.accounts.roles import second_factor_is_required
from equipoise.accounts.second_factor import (
    SecondFactor,
    passkey_is_right,
    recovery_code_is_right,
    second_factors_of,
    totp_is_right,
)
from equipoise.accounts.services import account_set_password
from equipoise.accounts.trail import own_act_record
from equipoise.api.errors import NotSignedInError
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.common.errors import DomainError, ErrorCode, StateConflictError

_STARTED_AT, _SEEN_AT = "started_at", "seen_at"
_CONFIRMED_AT, _CONFIRMED_BY = "confirmed_at", "confirmed_by"
_PENDING, _SECOND_FACTOR = "pending", "second_factor"
SINGLE_SIGN_ON = "single_sign_on"
"""What confirmed a person whom the site's identity provider has just asked."""
PENDING_S = 300
"""How long after the password a second factor may be shown."""
SEEN_EVERY_S = 60
"""A session's last use is written at most so often: reads must not become writes."""
_BACKEND = "django.contrib.auth.backends.ModelBackend"


class NotConfirmedError(DomainError):
    """The act needs the person again. If ``data["confirm"]`` is true: ask for password or key and repeat."""

    code = ErrorCode.PERMISSION_DENIED
    http_status = 403


class SecondFactorRequiredError(DomainError):
    """The site asks this person's role for a second factor, and none was shown or none is set up."""

    code = ErrorCode.SECOND_FACTOR_REQUIRED
    http_status = 403


# ---------------------------------------------------------------- signing in and out


def session_sign_in(request: HttpRequest, *, email: str, password: str) -> Account | None:
    """Check a password, and begin a session under a new key, or wait for the second factor (None).

    What fails is counted, for the account and for the network address, until the person is signed in: the password
    alone does not make up for wrong codes.
    """
    subjects = attempt_subjects(request, email)
    refuse_if_locked(subjects)
    account = authenticate(request, username=email.strip(), password=password)
    if not isinstance(account, Account):
        failure_count(subjects)
        raise WrongPasswordError("E-mail address or password is wrong.")
    signed_in = session_begin(request, account, second_factor=False, confirmed_by="password")
    if signed_in is not None:
        attempts_clear(subjects[:1])
    return signed_in


def session_begin(
    request: HttpRequest, account: Account, *, second_factor: bool, confirmed_by: str | None
) -> Account | None:
    """Begin the session of a person whose first factor was right.

    ``second_factor`` says that another one was shown as well (a provider vouches for it). Otherwise a person who has
    one is asked for it first: nobody is signed in until then. ``confirmed_by`` is the first factor if it was shown just
    now, and None if a provider let the person through without asking: such a sign-in is no fresh proof.
    """
    if not second_factor and second_factors_of(account):
        logout(request)
        request.session.cycle_key()
        request.session[_PENDING] = {
            "account": str(account.pk),
            "at": time.time(),
            "confirmed_by": confirmed_by,
        }
        return None
    with transaction.atomic():
        login(request, account, backend=_BACKEND)
        request.session[_SECOND_FACTOR] = second_factor
        request.session[_CONFIRMED_BY] = confirmed_by
        if confirmed_by is None:
            del request.session[_CONFIRMED_AT]
        own_act_record(account, AuditKind.SESSION_SIGNED_IN, {"second_factor": second_factor})
    return account


def session_pending(request: HttpRequest) -> Account | None:
    """Return the person whose second factor is awaited."""
    pending = request.session.get(_PENDING)
    if not isinstance(pending, dict) or not 0 <= time.time() - pending["at"] < PENDING_S:
        return None
    return Account.objects.filter(pk=UUID(pending["account"]), is_active=True).first()


def session_second_factor(
    request: HttpRequest, *, factor: SecondFactor, code: str = "", credential: dict[str, Any] | None = None
) -> Account:
    """Check the second factor that is awaited, and begin the session."""
    account = session_pending(request)
    if account is None:
        raise NotSignedInError("Sign in with your password first.")
    with counted_attempt(request, account.email):
        if not _factor_is_right(request, account, factor, code, credential):
            raise WrongPasswordError("This code or key is not right.")
    first = request.session.pop(_PENDING).get("confirmed_by")
    signed_in = session_begin(request, account, second_factor=True, confirmed_by=first)
    assert signed_in is not None
    return signed_in


def _factor_is_right(
    request: HttpRequest,
    account: Account,
    factor: SecondFactor,
    code: str,
    credential: dict[str, Any] | None,
) -> bool:
    if factor is SecondFactor.TOTP:
        return totp_is_right(account, code)
    if factor is SecondFactor.RECOVERY_CODE:
        return recovery_code_is_right(account, code)
    return credential is not None and passkey_is_right(account, request.session, credential)


def session_sign_out(request: HttpRequest) -> None:
    """End the session; its data is gone on the server too."""
    user = request.user
    with transaction.atomic():
        logout(request)
        if isinstance(user, Account):
            own_act_record(user, AuditKind.SESSION_SIGNED_OUT)


# ---------------------------------------------------------------- how long it lasts


def _clock_start(sender: object, request: HttpRequest, user: object, **_: Any) -> None:
    """Start a session's clock by whatever door somebody came in. To have just signed in is a fresh proof, too."""
    now = time.time()
    request.session[_STARTED_AT] = request.session[_SEEN_AT] = request.session[_CONFIRMED_AT] = now
    request.session[_CONFIRMED_BY] = None


user_logged_in.connect(_clock_start, dispatch_uid="equipoise.accounts.sessions.clock")


def session_has_expired(request: HttpRequest) -> bool:
    """Whether the session is older than the site allows, or was not used for too long. Its use is noted."""
    now = time.time()
    started, seen = request.session.get(_STARTED_AT), request.session.get(_SEEN_AT)
    if started is None or seen is None:
        return True
    if not 0 <= now - started < settings.SESSION_COOKIE_AGE or now - seen >= settings.SESSION_IDLE_SECONDS:
        return True
    if now - seen >= min(SEEN_EVERY_S, settings.SESSION_IDLE_SECONDS / 10):
        request.session[_SEEN_AT] = now
    return False


def session_expire(request: HttpRequest) -> None:
    """End a session that has expired."""
    user = request.user
    with transaction.atomic():
        logout(request)
        if isinstance(user, Account):
            own_act_record(user, AuditKind.SESSION_EXPIRED)


# ---------------------------------------------------------------- the second factor that the site asks for


def second_factor_is_due(request: HttpRequest, account: Account) -> bool:
    """Whether the site asks this person for a second factor that this session has not seen."""
    return second_factor_is_required(account) and not request.session.get(_SECOND_FACTOR)


def second_factor_seen(request: HttpRequest) -> None:
    """Note that the person has just set a second factor up, which shows that they have it."""
    request.session[_SECOND_FACTOR] = True


# ---------------------------------------------------------------- a fresh proof


def session_confirm(
    request: HttpRequest, *, password: str = "", credential: dict[str, Any] | None = None
) -> None:
    """Accept the signed-in person's password or key again, for acts that ask for it."""
    account = request.user
    assert isinstance(account, Account)
    subjects = attempt_subjects(request, account.email)
    refuse_if_locked(subjects)
    if credential is not None:
        right, words = passkey_is_right(account, request.session, credential), "The key is not right."
    else:
        right, words = account.check_password(password), "The password is wrong."
    if not right:
        failure_count(subjects)
        raise WrongPasswordError(words)
    if credential is not None or not second_factors_of(account):
        attempts_clear(subjects[:1])
    session_confirmed(request, account, by="password" if credential is None else "passkey")


def session_confirmed(request: HttpRequest, account: Account, *, by: str) -> None:
    """Note a fresh proof of identity."""
    with transaction.atomic():
        request.session[_CONFIRMED_AT], request.session[_CONFIRMED_BY] = time.time(), by
        own_act_record(account, AuditKind.SESSION_CONFIRMED, {"by": by})


def session_is_confirmed(request: HttpRequest) -> bool:
    """Whether the person was there recently enough for an act that asks for it."""
    confirmed = request.session.get(_CONFIRMED_AT)
    return confirmed is not None and 0 <= time.time() - confirmed < settings.CONFIRMATION_SECONDS


def require_confirmed_by(request: HttpRequest, by: str) -> None:
    """Raise unless the last fresh proof was this one, was given recently, and has signed nothing yet."""
    if not session_is_confirmed(request) or request.session.get(_CONFIRMED_BY) != by:
        raise NotConfirmedError("Sign in at your organisation again just before you sign.")


def confirmation_spend(request: HttpRequest) -> None:
    """Let the fresh proof sign nothing more; for other acts it stays fresh."""
    request.session[_CONFIRMED_BY] = None


def require_confirmed(request: HttpRequest) -> None:
    """Raise unless password or key were given recently."""
    if not session_is_confirmed(request):
        raise NotConfirmedError("Enter your password again to do this.", data={"confirm": True})


# ---------------------------------------------------------------- the password


def session_change_password(request: HttpRequest, *, current: str, password: str) -> None:
    """Give the signed-in person, who shows the old password, a new one; every other session of theirs ends."""
    account = request.user
    assert isinstance(account, Account)
    if not account.has_usable_password():
        raise StateConflictError(
            "You sign in without a password; there is none to change.",
            data={"state": "no_password", "allowed": []},
        )
    session_confirm(request, password=current)
    account_set_password(account, password=password, actor_id=account.pk, origin=Origin.WEB)
    update_session_auth_hash(request, account)
