"""A person signs a record of a trial: in the act that makes it, or afterwards."""

import secrets

from django.db import transaction
from django.utils import timezone

from equipoise.accounts.signing import Signer
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, VersionConflictError
from equipoise.common.ids import new_id
from trials.domain.signatures import Meaning, name_hash, signature_sha256
from trials.models import Signature, SignatureName, Trial
from trials.selectors.signatures import SignedRecord, signable_record, signature_fields
from trials.services.acts import Actor, record


@transaction.atomic
def record_sign(trial: Trial, meaning: Meaning, *, sha256: str, signer: Signer, actor: Actor) -> Signature:
    """Sign a record that is there. ``sha256`` is of what the signer saw.

    The caller has checked the right.

    Raises
    ------
    StateConflictError
        If there is no such record yet, its time is over, or this person has signed it.
    VersionConflictError
        If the record is another one meanwhile.
    """
    held = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
    found = signable_record(held, meaning)
    if found is None:
        raise StateConflictError(
            f"The trial is {held.state}: what this signature is for is not there yet, or is signed no more.",
            data={"state": held.state, "allowed": []},
        )
    if found.sha256 != sha256:
        raise VersionConflictError("What you looked at is no longer what would be signed. Look again.")
    return signature_add(held, found, signer=signer, actor=actor)


def signature_add(trial: Trial, found: SignedRecord, *, signer: Signer, actor: Actor) -> Signature:
    """Store a signature and chain it; called in the transaction of the act it belongs to, and last in it."""
    same = Signature.objects.filter(
        trial=trial, meaning=found.meaning, record=found.name, record_sha256=found.sha256
    )
    if same.filter(signer=signer.account).exists():
        raise StateConflictError("You have signed this already.", data={"state": trial.state, "allowed": []})
    salt = secrets.token_hex(16)
    made = Signature(
        id=new_id(),
        trial=trial,
        meaning=found.meaning,
        record=found.name,
        record_sha256=found.sha256,
        signer=signer.account,
        name_hash=name_hash(salt, signer.printed_name),
        factors=list(signer.factors),
        signed_at=timezone.now(),
    )
    made.sha256 = signature_sha256(signature_fields(made))
    made.save(force_insert=True)
    SignatureName.objects.create(signature=made, salt=salt, name=signer.printed_name)
    record(
        trial,
        AuditKind.SIGNATURE_MADE,
        actor=actor,
        subject=f"signature:{made.id}",
        after={
            "meaning": made.meaning,
            "record": made.record,
            "record_sha256": made.record_sha256,
            "signature_sha256": made.sha256,
        },
    )
    return made
