"""Writing the protocol: its draft, and after protocol lock its amendments.

The text is kept as it was written; the document is what it says.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from equipoise.accounts.signing import Signer
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, ValidationFailedError, VersionConflictError
from trials.domain.protocol.amendment import (
    AMENDABLE_STATES,
    amendment_refusals,
    consent_problems,
    declaration_refusals,
)
from trials.domain.protocol.difference import Change, protocol_changes
from trials.domain.protocol.document import (
    CheckOutcome,
    canonical_document,
    check_document,
    check_text,
    protocol_sha256,
    to_yaml,
)
from trials.domain.protocol.problems import Problem
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import TrialState
from trials.models import ProtocolVersion, Trial
from trials.selectors.external import external_known
from trials.selectors.protocol import (
    amendment_standing,
    protocol_current,
    protocol_locked,
    protocol_of_version,
)
from trials.selectors.signatures import record_of_protocol
from trials.services.acts import MIN_REASON_CHARACTERS, Actor, record
from trials.services.signature import signature_add


@dataclass(frozen=True)
class CheckedAmendment:
    """What an amendment would change, and everything that speaks against it."""

    changes: tuple[Change, ...]
    refusals: dict[str, str]
    """By pointer: parts that cannot be amended (any more)."""
    problems: tuple[Problem, ...]
    """What is wrong with the amended document itself."""
    protocol: ProtocolV1 | None

    @property
    def allowed(self) -> bool:
        """Whether it may be made."""
        return bool(self.changes) and not self.refusals and not self.problems


def checked_document(*, text: str | None, document: dict[str, Any] | None) -> tuple[CheckOutcome, str]:
    """Check a protocol given as text or as document; return what was found and the text form."""
    if text is not None:
        return check_text(text), text
    outcome = check_document(document or {})
    return outcome, to_yaml(document or {})


def protocol_save(
    trial: Trial, *, text: str | None, document: dict[str, Any] | None, revision: int | None, actor: Actor
) -> tuple[ProtocolVersion, CheckOutcome]:
    """Store a new state of the draft, complete or not. ``revision`` is the one the caller edited."""
    outcome, written = checked_document(text=text, document=document)
    version = protocol_current(trial)
    if trial.state != TrialState.DRAFT or version.locked_at is not None:
        raise StateConflictError(
            f"The protocol of trial {trial.slug} is locked. It changes only by an amendment.",
            data={"state": trial.state, "allowed": []},
        )
    with transaction.atomic():
        changed = ProtocolVersion.objects.filter(id=version.id, locked_at__isnull=True)
        if revision is not None:
            changed = changed.filter(revision=revision)
        if not changed.update(
            text=written,
            document=outcome.document if outcome.document is not None else version.document,
            revision=version.revision + 1,
            updated_at=timezone.now(),
        ):
            raise VersionConflictError(
                "Somebody else saved the protocol meanwhile. Load it again and repeat your change.",
                data={"revision": version.revision},
            )
        title = outcome.protocol.title if outcome.protocol is not None else None
        if title and title != trial.title:
            Trial.objects.filter(id=trial.id).update(title=title)
            trial.title = title
        record(
            trial,
            AuditKind.PROTOCOL_UPDATED,
            actor=actor,
            subject=f"protocol:{version.id}",
            after={"revision": version.revision + 1},
        )
    version.refresh_from_db()
    return version, outcome


def amendment_check(
    trial: Trial, *, text: str | None, document: dict[str, Any] | None
) -> tuple[CheckedAmendment, str]:
    """Say what an amendment to this protocol would change and why it may not be made; return its text form too."""
    before = protocol_locked(trial)
    outcome, written = checked_document(text=text, document=document)
    after = outcome.protocol
    problems = (*outcome.problems, *outcome.lock_problems)
    if after is None:
        return CheckedAmendment((), {}, problems, None), written
    changes = protocol_changes(before.document, canonical_document(after))
    former = protocol_of_version(before)
    refusals = amendment_refusals(changes, amendment_standing(trial))
    refusals |= declaration_refusals(former, after, external_known(trial))
    problems = (*problems, *consent_problems(former, after))
    return CheckedAmendment(changes, refusals, problems, after), written


@transaction.atomic
def protocol_amend(
    trial: Trial,
    *,
    text: str | None,
    document: dict[str, Any] | None,
    reason: str,
    amends: int,
    actor: Actor,
    signer: Signer | None = None,
) -> tuple[ProtocolVersion, CheckedAmendment]:
    """Add a version to a locked protocol, frozen at once. Readings keep the version they were planned under.

    ``amends`` is the version that the caller changed.

    The caller has checked the right and the password.

    Raises
    ------
    StateConflictError
        Before protocol lock and from data lock on.
    ValidationFailedError
        Naming every part that cannot be amended any more, and everything wrong with the document; nothing changes.
    VersionConflictError
        If somebody else amended it meanwhile.
    """
    if len(reason.strip()) < MIN_REASON_CHARACTERS:
        raise ValidationFailedError.of_fields(
            {"/reason": "Say why: an amendment stands in the protocol with its reason."}
        )
    held = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
    if held.state not in AMENDABLE_STATES:
        raise StateConflictError(
            f"The trial is {held.state}: a protocol is amended after protocol lock and before data lock.",
            data={"state": held.state, "allowed": []},
        )
    before = protocol_locked(held)
    if before.version != amends:
        raise VersionConflictError(
            f"Version {before.version} is the newest; yours changes version {amends}. Look at it and amend that one.",
            data={"version": before.version},
        )
    checked, written = amendment_check(held, text=text, document=document)
    wrong = {one.pointer: one.message for one in checked.problems} | checked.refusals
    if wrong:
        raise ValidationFailedError.of_fields(wrong)
    if not checked.changes or checked.protocol is None:
        raise ValidationFailedError.of_fields({"": "Nothing differs from the locked version."})
    canonical = canonical_document(checked.protocol)
    now = timezone.now()
    version = ProtocolVersion.objects.create(
        trial=held,
        version=before.version + 1,
        text=written,
        document=canonical,
        sha256=protocol_sha256(canonical),
        reason=reason.strip(),
        updated_at=now,
        locked_at=now,
    )
    if checked.protocol.title and checked.protocol.title != held.title:
        Trial.objects.filter(id=held.id).update(title=checked.protocol.title)
    record(
        held,
        AuditKind.PROTOCOL_AMENDED,
        actor=actor,
        subject=f"protocol:{version.id}",
        before={"version": before.version, "protocol_sha256": before.sha256},
        after={
            "version": version.version,
            "protocol_sha256": version.sha256,
            "changed": sorted(change.pointer for change in checked.changes),
        },
        reason=reason.strip(),
    )
    if signer is not None:
        signature_add(held, record_of_protocol(version), signer=signer, actor=actor)
    return version, checked
