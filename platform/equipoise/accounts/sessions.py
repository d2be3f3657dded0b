"""Signing in and out, and the fresh password that weighty acts ask for."""

import time
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from equipoise.accounts.models import Account, SignInAttempt
from equipoise.api.errors import RateLimitedError
from equipoise.audit.hashing import keyed_hash
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import SITE_CHAIN, entry_append
from equipoise.common.errors import DomainError, ErrorCode

_CONFIRMED_AT = "confirmed_at"
_ADDRESS_FACTOR = 10
"""A hospital's people share one network address: it is locked only after so many times the tries of one account."""


class WrongPasswordError(DomainError):
    """E-mail address and password do not belong together. Which of the two is wrong is not said."""

    code = ErrorCode.VALIDATION_FAILED
    http_status = 422


class NotConfirmedError(DomainError):
    """The act needs the password again. ``data["confirm"]`` is true: ask for it and repeat."""

    code = ErrorCode.PERMISSION_DENIED
    http_status = 403


def session_sign_in(request: HttpRequest, *, email: str, password: str) -> Account:
    """Check a password, begin a session under a new key, and count what fails."""
    subjects = _subjects(request, email)
    _refuse_if_locked(subjects)
    account = authenticate(request, username=email.strip(), password=password)
    if not isinstance(account, Account):
        _count_failure(subjects)
        raise WrongPasswordError("E-mail address or password is wrong.")
    _clear(subjects[:1])
    with transaction.atomic():
        login(request, account)
        request.session[_CONFIRMED_AT] = time.time()
        _audit(account, AuditKind.SESSION_SIGNED_IN)
    return account


def session_sign_out(request: HttpRequest) -> None:
    """End the session; its data is gone on the server too."""
    user = request.user
    with transaction.atomic():
        logout(request)
        if isinstance(user, Account):
            _audit(user, AuditKind.SESSION_SIGNED_OUT)


def session_confirm(request: HttpRequest, *, password: str) -> None:
    """Accept the signed-in person's password again, for acts that ask for it."""
    account = request.user
    assert isinstance(account, Account)
    subjects = _subjects(request, account.email)
    _refuse_if_locked(subjects)
    if not account.check_password(password):
        _count_failure(subjects)
        raise WrongPasswordError("The password is wrong.")
    _clear(subjects[:1])
    with transaction.atomic():
        request.session[_CONFIRMED_AT] = time.time()
        _audit(account, AuditKind.SESSION_CONFIRMED)


def session_is_confirmed(request: HttpRequest) -> bool:
    """Whether the password was given recently enough for an act that asks for it."""
    confirmed = request.session.get(_CONFIRMED_AT)
    return confirmed is not None and 0 <= time.time() - confirmed < settings.CONFIRMATION_SECONDS


def require_confirmed(request: HttpRequest) -> None:
    """Raise unless the password was given recently."""
    if not session_is_confirmed(request):
        raise NotConfirmedError("Enter your password again to do this.", data={"confirm": True})


def sign_in_attempts_sweep() -> int:
    """Forget failures older than a day; return how many."""
    return SignInAttempt.objects.filter(updated_at__lt=timezone.now() - timedelta(days=1)).delete()[0]


def _audit(account: Account, kind: AuditKind) -> None:
    entry_append(
        chain=SITE_CHAIN, kind=kind, actor_id=account.pk, origin=Origin.WEB, subject=f"account:{account.pk}"
    )


def _subjects(request: HttpRequest, email: str) -> list[tuple[str, int]]:
    """Return (keyed hash, tries allowed) of the e-mail address and of the network address."""
    address = str(request.META.get("REMOTE_ADDR", ""))
    tries = settings.SIGN_IN_ATTEMPTS
    return [
        (keyed_hash("sign-in-email", email.strip().lower()), tries),
        (keyed_hash("sign-in-address", address), tries * _ADDRESS_FACTOR),
    ]


def _refuse_if_locked(subjects: list[tuple[str, int]]) -> None:
    now = timezone.now()
    locked = SignInAttempt.objects.filter(
        subject_hash__in=[subject for subject, _ in subjects], locked_until__gt=now
    ).order_by("-locked_until")
    for attempt in locked[:1]:
        assert attempt.locked_until is not None
        wait = (attempt.locked_until - now).total_seconds()
        raise RateLimitedError(
            "Too many wrong passwords; wait a few minutes.", data={"retry_after_s": int(wait) + 1}
        )


def _count_failure(subjects: list[tuple[str, int]]) -> None:
    now = timezone.now()
    for subject, tries in subjects:
        SignInAttempt.objects.get_or_create(subject_hash=subject)
        row = SignInAttempt.objects.filter(subject_hash=subject)
        row.update(failures=F("failures") + 1, updated_at=now)
        row.filter(failures__gte=tries).update(
            failures=0, locked_until=now + timedelta(seconds=settings.SIGN_IN_LOCK_SECONDS)
        )


def _clear(subjects: list[tuple[str, int]]) -> None:
    SignInAttempt.objects.filter(subject_hash__in=[subject for subject, _ in subjects]).delete()
