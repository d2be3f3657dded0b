"""Erasing a person: what names them goes, what they read stays under their code."""

import json
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from equipoise.accounts.models import Account, ServiceToken
from equipoise.accounts.services import account_erase
from equipoise.api.models import IdempotentAnswer
from equipoise.audit.kinds import Origin
from equipoise.audit.models import AuditAddress, AuditReason
from equipoise.common.errors import NotFoundError, StateConflictError, ValidationFailedError
from trials.models import (
    AlgorithmResultNote,
    AttemptDraft,
    Draft,
    Invitation,
    ResponseComment,
    ReviewText,
    SignatureName,
    Trial,
)
from trials.services.acts import Actor
from trials.services.invitation import invitation_revoke

MIN_NAME_CHARACTERS = 5
ERASED_EMAIL = "erased@invalid"
"""Stands in invitations where the address of the invited was."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, by count."""

    accounts: int
    invitations: int
    words: int
    """Texts that people wrote, in which the address or the name stood."""
    bundled: tuple[str, ...]
    """Trials whose kept bundle holds the printed name of a signature still, by their short names."""


@transaction.atomic
def person_erase(
    *, email: str, reason: str, actor_id: UUID | None = None, origin: Origin = Origin.CLI
) -> Erased:
    """Erase who an e-mail address belongs to: account, invitations, drafts, texts that hold address or full name.

    The network addresses go from which the person or a program of theirs acted. Such texts (comments, reasons, words of
    queries) stand apart from the rows they belong to and go as a whole, as do the printed names of signatures; the
    rows' hashes stay valid. Readings, consent and audit entries stay: they know the person by codes and ids alone.
    """
    address = email.strip()
    if not reason.strip():
        raise ValidationFailedError.of_fields(
            {"/reason": "Erasing needs a reason; it is kept in the audit trail."}
        )
    account = Account.objects.select_for_update().filter(email__iexact=address).first()
    invitations = Invitation.objects.filter(
        Q(email__iexact=address) | (Q(accepted_by=account) if account is not None else Q(pk__in=[]))
    ).exclude(email=ERASED_EMAIL)
    if account is None and not invitations.exists():
        raise NotFoundError("Nobody of this e-mail address has an account or an invitation.")
    words = _named_by(account, address)
    if any(word.lower() in reason.lower() for word in words):
        raise ValidationFailedError.of_fields({"/reason": "The reason must not name the person: it stays."})
    if account is not None and account.is_site_administrator:
        others = Account.objects.filter(is_site_administrator=True, is_active=True).exclude(pk=account.pk)
        if not others.exists():
            raise StateConflictError(
                "This is the site's last administrator; make another one first.",
                data={"state": "last_administrator", "allowed": []},
            )
    for open_one in invitations.filter(accepted_at=None, revoked_at=None):
        invitation_revoke(open_one, actor=Actor(account_id=actor_id, origin=origin))
    invited = invitations.update(email=ERASED_EMAIL)
    erased_words = _texts_erase(words)
    IdempotentAnswer.objects.filter(
        _holds("answer", [address]) | Q(caller=str(account and account.pk))
    ).delete()
    bundled = Trial.objects.filter(signatures__signer__email__iexact=address, stored_bundle__isnull=False)
    slugs = tuple(bundled.order_by("slug").values_list("slug", flat=True).distinct())
    if account is not None:
        Draft.objects.filter(reading__participant__membership__account=account).delete()
        SignatureName.objects.filter(signature__signer=account).delete()
        account_erase(account, actor_id=actor_id, origin=origin, reason=reason)
        programs = ServiceToken.objects.filter(created_by=account).values_list("pk", flat=True)
        AuditAddress.objects.filter(entry__actor_id__in=[account.pk, *programs]).delete()
    return Erased(accounts=int(account is not None), invitations=invited, words=erased_words, bundled=slugs)


def _named_by(account: Account | None, address: str) -> list[str]:
    """Return what a text names the person by. A short name stands in too many words to be looked for."""
    name = account.display_name.strip() if account is not None else ""
    return [address, name] if len(name) >= MIN_NAME_CHARACTERS else [address]


def _holds(field: str, words: list[str]) -> Q:
    found = Q()
    for word in words:
        for written in {word, json.dumps(word)[1:-1]}:  # JSON may escape what is not ASCII
            found |= Q(**{f"{field}__icontains": written})
    return found


def _texts_erase(words: list[str]) -> int:
    """Delete the texts that hold one of the words; return how many there were."""
    return (
        AuditReason.objects.filter(_holds("text", words)).delete()[0]
        + ReviewText.objects.filter(_holds("text", words)).delete()[0]
        + AlgorithmResultNote.objects.filter(_holds("text", words)).delete()[0]
        + ResponseComment.objects.filter(_holds("text", words) | _holds("answers", words)).delete()[0]
        + AttemptDraft.objects.filter(_holds("body", words)).delete()[0]
    )
