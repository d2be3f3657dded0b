"""Making and changing accounts, institutes and service tokens; every act leaves an audit entry without names."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from equipoise.accounts.models import Account, Institute, ServiceToken
from equipoise.accounts.second_factor import second_factors_erase
from equipoise.accounts.tokens import SHOWN_LENGTH, new_secret, secret_sha256
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import SITE_CHAIN, chain_of, entry_append
from equipoise.common.errors import NotFoundError, ValidationFailedError
from equipoise.common.permissions import Role

MAX_TOKEN_DAYS = 366


@dataclass(frozen=True)
class CreatedToken:
    """A new service token and its secret, which is shown once."""

    token: ServiceToken
    secret: str


@transaction.atomic
def institute_create(*, name: str, actor_id: UUID | None = None, origin: Origin = Origin.WEB) -> Institute:
    """Make an institute."""
    clean = name.strip()
    if not clean:
        raise ValidationFailedError.of_fields({"/name": "An institute needs a name."})
    if Institute.objects.filter(name__iexact=clean).exists():
        raise ValidationFailedError.of_fields({"/name": "An institute of this name exists already."})
    slug = slugify(clean)[:56] or "institute"
    taken = Institute.objects.filter(slug__startswith=slug).count()
    institute = Institute.objects.create(name=clean, slug=f"{slug}-{taken + 1}" if taken else slug)
    entry_append(
        chain=SITE_CHAIN,
        kind=AuditKind.INSTITUTE_CREATED,
        actor_id=actor_id,
        origin=origin,
        subject=f"institute:{institute.pk}",
    )
    return institute


@transaction.atomic
def account_create(
    *,
    email: str,
    password: str | None = None,
    display_name: str = "",
    institute: Institute | None = None,
    is_site_administrator: bool = False,
    actor_id: UUID | None = None,
    origin: Origin = Origin.WEB,
) -> Account:
    """Make an account. Without a password nobody can sign in to it until one is set (invitation, recovery)."""
    account = Account(
        email=_validated_email(email),
        display_name=display_name.strip(),
        institute=institute,
        is_site_administrator=is_site_administrator,
    )
    _set_password(account, password)
    account.save(force_insert=True)
    entry_append(
        chain=SITE_CHAIN,
        kind=AuditKind.ACCOUNT_CREATED,
        actor_id=actor_id,
        origin=origin,
        subject=f"account:{account.pk}",
        after={"is_site_administrator": is_site_administrator, "has_password": password is not None},
    )
    return account


@transaction.atomic
def account_set_password(
    account: Account, *, password: str, actor_id: UUID | None, origin: Origin, kind: AuditKind | None = None
) -> None:
    """Set a password; sessions made with the old one end by themselves (their hash no longer fits)."""
    _set_password(account, password)
    account.save(update_fields=["password"])
    entry_append(
        chain=SITE_CHAIN,
        kind=kind or AuditKind.ACCOUNT_PASSWORD_CHANGED,
        actor_id=actor_id,
        origin=origin,
        subject=f"account:{account.pk}",
    )


@transaction.atomic
def account_recover(*, email: str, password: str, reason: str, origin: Origin = Origin.CLI) -> Account:
    """Let the person at the machine back in: a new password, active, site administrator, without second factors."""
    account = _account_of(email)
    if not reason.strip():
        raise ValidationFailedError.of_fields(
            {"/reason": "Recovery needs a reason; it is kept in the audit trail."}
        )
    before = {"is_active": account.is_active, "is_site_administrator": account.is_site_administrator}
    _set_password(account, password)
    account.is_active = account.is_site_administrator = True
    account.save(update_fields=["password", "is_active", "is_site_administrator"])
    second_factors_erase(account)
    entry_append(
        chain=SITE_CHAIN,
        kind=AuditKind.ACCOUNT_RECOVERED,
        actor_id=None,
        origin=origin,
        subject=f"account:{account.pk}",
        before=before,
        after={"is_active": True, "is_site_administrator": True},
        reason=reason,
    )
    return account


@transaction.atomic
def second_factors_reset(*, email: str, reason: str, origin: Origin = Origin.CLI) -> Account:
    """Forget the second factors of a person who has lost them all; whoever found them is signed out, too."""
    account = _account_of(email)
    _require_reason(reason)
    second_factors_erase(account)
    sessions_end(account)
    entry_append(
        chain=SITE_CHAIN,
        kind=AuditKind.SECOND_FACTOR_RESET,
        actor_id=None,
        origin=origin,
        subject=f"account:{account.pk}",
        reason=reason,
    )
    return account


@transaction.atomic
def account_deactivate(*, email: str, reason: str, origin: Origin = Origin.CLI) -> Account:
    """Close an account: nobody signs in to it any more, and the programs it let in have no key any more.

    What the person did stays, under their name.
    """
    account = _account_of(email)
    _require_reason(reason)
    before = account.is_active
    account.is_active = False
    account.save(update_fields=["is_active"])
    sessions_end(account)
    _service_tokens_end(account, actor_id=None, origin=origin)
    entry_append(
        chain=SITE_CHAIN,
        kind=AuditKind.ACCOUNT_DEACTIVATED,
        actor_id=None,
        origin=origin,
        subject=f"account:{account.pk}",
        before={"is_active": before},
        after={"is_active": False},
        reason=reason,
    )
    return account


@transaction.atomic
def account_erase(account: Account, *, actor_id: UUID | None, origin: Origin, reason: str) -> Account:
    """Erase a person's data. The row stays, empty: readings and audit entries refer to its id, which names nobody."""
    account.email = f"erased-{account.pk}@invalid"
    account.display_name = ""
    account.institute = None
    account.is_active = account.is_site_administrator = False
    account.erased_at = timezone.now()
    account.set_unusable_password()
    account.save()
    second_factors_erase(account)
    account.identities.all().delete()
    sessions_end(account)
    _service_tokens_end(account, actor_id=actor_id, origin=origin)
    entry_append(
        chain=SITE_CHAIN,
        kind=AuditKind.ACCOUNT_ERASED,
        actor_id=actor_id,
        origin=origin,
        subject=f"account:{account.pk}",
        reason=reason,
    )
    return account


@transaction.atomic
def service_token_create(
    *,
    label: str,
    trial_id: UUID,
    role: Role,
    created_by: Account,
    expires_at: datetime,
    origin: Origin = Origin.WEB,
) -> CreatedToken:
    """Make a program's token for one trial in one role. The secret is returned here and never again."""
    now = timezone.now()
    if role == Role.SITE_ADMINISTRATOR:
        raise ValidationFailedError.of_fields({"/role": "A token's role is a role of the trial."})
    if not now < expires_at <= now + timedelta(days=MAX_TOKEN_DAYS):
        raise ValidationFailedError.of_fields(
            {"/expires_at": f"Must lie within {MAX_TOKEN_DAYS} days from now."}
        )
    secret = new_secret()
    token = ServiceToken.objects.create(
        label=label.strip(),
        prefix=secret[:SHOWN_LENGTH],
        secret_sha256=secret_sha256(secret),
        trial_id=trial_id,
        role=role.value,
        created_by=created_by,
        expires_at=expires_at,
    )
    entry_append(
        chain=chain_of(trial_id),
        kind=AuditKind.TOKEN_CREATED,
        actor_id=created_by.pk,
        origin=origin,
        subject=f"token:{token.pk}",
        after={"role": role.value, "expires_at": expires_at.isoformat()},
    )
    return CreatedToken(token=token, secret=secret)


@transaction.atomic
def service_token_revoke(token: ServiceToken, *, actor_id: UUID | None, origin: Origin = Origin.WEB) -> None:
    """End a token's validity now; revoking twice changes nothing."""
    if not ServiceToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(
        revoked_at=timezone.now()
    ):
        return
    entry_append(
        chain=chain_of(token.trial_id),
        kind=AuditKind.TOKEN_REVOKED,
        actor_id=actor_id,
        origin=origin,
        subject=f"token:{token.pk}",
    )


def _service_tokens_end(account: Account, *, actor_id: UUID | None, origin: Origin) -> None:
    """End every token that a person made: who leaves may have kept the secret."""
    held = account.service_tokens.select_for_update(no_key=True).filter(revoked_at__isnull=True)
    for token in held.order_by("trial_id", "id"):
        service_token_revoke(token, actor_id=actor_id, origin=origin)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ValidationFailedError.of_fields({"/reason": "Say why; it is kept in the audit trail."})


def _account_of(email: str) -> Account:
    account = Account.objects.filter(email__iexact=email.strip()).first()
    if account is None:
        raise NotFoundError("There is no account with this e-mail address.")
    return account


def _validated_email(email: str) -> str:
    clean = email.strip()
    try:
        validate_email(clean)
    except ValidationError:
        raise ValidationFailedError.of_fields({"/email": "This is not an e-mail address."}) from None
    if Account.objects.filter(email__iexact=clean).exists():
        raise ValidationFailedError.of_fields(
            {"/email": "An account with this e-mail address exists already."}
        )
    return clean


def _set_password(account: Account, password: str | None) -> None:
    if password is None:
        account.set_unusable_password()
        return
    try:
        validate_password(password, user=account)
    except ValidationError as error:
        raise ValidationFailedError.of_fields({"/password": " ".join(error.messages)}) from None
    account.set_password(password)


def sessions_end(account: Account) -> None:
    """End every session of a person."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get("_auth_user_id") == str(account.pk):
            session.delete()
