"""Wrong passwords, codes and keys: counted for the account and for the network address, locked after too many."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from equipoise.accounts.models import Account, SignInAttempt
from equipoise.api.addresses import request_address
from equipoise.api.errors import RateLimitedError
from equipoise.audit.hashing import keyed_hash
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import SITE_CHAIN, entry_append
from equipoise.common.errors import DomainError, ErrorCode

_ADDRESS_FACTOR = 10
"""A hospital's people share one network address: it is locked only after so many times the tries of one account."""


class WrongPasswordError(DomainError):
    """E-mail address and password do not belong together. Which of the two is wrong is not said."""

    code = ErrorCode.VALIDATION_FAILED
    http_status = 422


@dataclass(frozen=True, slots=True)
class AttemptSubject:
    """Whose failures are counted: an e-mail address, or a network address (``email`` is None)."""

    keyed_hash: str
    tries: int
    origin: Origin
    email: str | None = None


def attempt_subjects(request: HttpRequest | None, email: str) -> list[AttemptSubject]:
    """Return the e-mail address and the network address, if there is one."""
    tries, address = settings.SIGN_IN_ATTEMPTS, email.strip().lower()
    origin = Origin.CLI if request is None else Origin.WEB
    subjects = [AttemptSubject(keyed_hash("sign-in-email", address), tries, origin, address)]
    if request is not None:
        hashed = keyed_hash("sign-in-address", request_address(request))
        subjects.append(AttemptSubject(hashed, tries * _ADDRESS_FACTOR, origin))
    return subjects


def refuse_if_locked(subjects: list[AttemptSubject]) -> None:
    """Raise while one of them is locked."""
    now = timezone.now()
    hashes = [subject.keyed_hash for subject in subjects]
    locked = SignInAttempt.objects.filter(subject_hash__in=hashes, locked_until__gt=now)
    for attempt in locked.order_by("-locked_until")[:1]:
        assert attempt.locked_until is not None
        wait_s = int((attempt.locked_until - now).total_seconds()) + 1
        raise RateLimitedError(
            f"Too many wrong tries. Wait {ceil(wait_s / 60)} min, then try again.",
            data={"retry_after_s": wait_s},
        )


@transaction.atomic
def failure_count(subjects: list[AttemptSubject]) -> None:
    """Count one more failure of each, and lock whom it was one too many for."""
    now = timezone.now()
    locked = [subject for subject in subjects if _fails_too_often(subject, now=now)]
    for subject in locked:
        _lock_record(subject)


def _fails_too_often(subject: AttemptSubject, *, now: datetime) -> bool:
    """Count, and say whether this very failure locks: of two at once, only one does."""
    SignInAttempt.objects.get_or_create(subject_hash=subject.keyed_hash)
    row = SignInAttempt.objects.filter(subject_hash=subject.keyed_hash)
    row.update(failures=F("failures") + 1, updated_at=now)
    locked_until = now + timedelta(seconds=settings.SIGN_IN_LOCK_SECONDS)
    return bool(row.filter(failures__gte=subject.tries).update(failures=0, locked_until=locked_until))


def _lock_record(subject: AttemptSubject) -> None:
    """Append the lockout to the site's chain, by nobody: who tried is not known.

    An e-mail address that is no account's leaves none, or anybody could fill the chain with invented ones; the network
    address stands beside the entry, where it can be erased.
    """
    named = "network_address"
    if subject.email is not None:
        account_id = Account.objects.filter(email__iexact=subject.email).values_list("pk", flat=True).first()
        if account_id is None:
            return
        named = f"account:{account_id}"
    entry_append(
        chain=SITE_CHAIN,
        kind=AuditKind.SESSION_LOCKED,
        actor_id=None,
        origin=subject.origin,
        subject=named,
        after={"failures": subject.tries, "locked_s": settings.SIGN_IN_LOCK_SECONDS},
    )


def attempts_clear(subjects: list[AttemptSubject]) -> None:
    """Forget the failures: the right answer was given."""
    hashes = [subject.keyed_hash for subject in subjects]
    SignInAttempt.objects.filter(subject_hash__in=hashes).delete()


@contextmanager
def counted_attempt(request: HttpRequest | None, email: str) -> Iterator[None]:
    """Count a wrong password, code or key given within, as at signing in; refuse at once after too many."""
    subjects = attempt_subjects(request, email)
    refuse_if_locked(subjects)
    try:
        yield
    except WrongPasswordError:
        failure_count(subjects)
        raise
    attempts_clear(subjects[:1])


def sign_in_attempts_sweep() -> int:
    """Forget failures older than a day; return how many."""
    return SignInAttempt.objects.filter(updated_at__lt=timezone.now() - timedelta(days=1)).delete()[0]
