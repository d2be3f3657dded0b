"""The signatures of a trial: what can be signed, what was, and whether each still stands on what it signed."""

from dataclasses import dataclass
from typing import Any

from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import NotFoundError
from trials.domain.bundle import REPORT
from trials.domain.protocol.amendment import AMENDABLE_STATES
from trials.domain.protocol.document import protocol_sha256
from trials.domain.signatures import Meaning, name_hash, report_sha256, signature_sha256
from trials.domain.states import TrialAction, TrialState
from trials.models import ProtocolVersion, Signature, SignatureName, StoredBundle, Trial
from trials.selectors.access import Caller, permissions_in, trial_roles
from trials.selectors.allocation import stored_allocation_sha256
from trials.selectors.bundle import (
    bundle_file_text,
    bundle_has,
    imported_bundle,
    results_are_reported,
)
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.tables import is_blinded, snapshot_sha256, snapshots_sha256

_SIGNED_IN = {
    Meaning.PROTOCOL_APPROVED: AMENDABLE_STATES,
    Meaning.DATA_APPROVED: (TrialState.DATA_LOCKED,),
}
"""The states in which a meaning can be signed after the act that it belongs to; others whenever there is a record."""

_DATA = "the data at data lock"


@dataclass(frozen=True)
class SignedRecord:
    """What a signature is bound to."""

    meaning: Meaning
    name: str
    """What people call it."""
    sha256: str


def record_to_sign(trial: Trial, meaning: Meaning) -> SignedRecord | None:
    """Return what a signature of this meaning is bound to now; None where there is nothing to sign."""
    if imported_bundle(trial) is not None:
        return None
    if meaning is Meaning.PROTOCOL_APPROVED:
        version = trial.protocol_versions.filter(locked_at__isnull=False).order_by("-version").first()
        return record_of_protocol(version) if version is not None else None
    if meaning is Meaning.DATA_APPROVED:
        return record_of_data(trial) if trial.data_sha256 else None
    if is_blinded(trial):
        return None
    if meaning is Meaning.ALLOCATION_RELEASED:
        return record_of_allocation(trial)
    if trial.state != TrialState.ARCHIVED and not results_are_reported(trial):
        return None
    kept = StoredBundle.objects.filter(trial=trial).exclude(report_sha256="").first()
    return SignedRecord(meaning, "the report", kept.report_sha256) if kept is not None else None


def signable_record(trial: Trial, meaning: Meaning) -> SignedRecord | None:
    """Return what can be signed with this meaning now: a protocol or data are approved before what follows them."""
    states = _SIGNED_IN.get(meaning)
    return record_to_sign(trial, meaning) if states is None or trial.state in states else None


def record_foreseen(trial: Trial, action: TrialAction) -> SignedRecord:
    """Return what data lock would freeze, or unblinding release, as it is stored now.

    Of data lock the readings are read as they would be frozen, which takes seconds in a large trial.
    """
    if action == TrialAction.DATA_LOCK:
        return SignedRecord(Meaning.DATA_APPROVED, _DATA, snapshot_sha256(trial))
    if action == TrialAction.UNBLIND:
        return record_of_allocation(trial)
    raise NotFoundError(f"What the action {action} would freeze has no hash before it is done.")


def record_of_protocol(version: ProtocolVersion) -> SignedRecord:
    """Return a frozen version of the protocol as it is signed."""
    return SignedRecord(
        Meaning.PROTOCOL_APPROVED, f"version {version.version} of the protocol", version.sha256
    )


def record_of_data(trial: Trial) -> SignedRecord:
    """Return the data of data lock as they are signed."""
    return SignedRecord(Meaning.DATA_APPROVED, _DATA, trial.data_sha256)


def record_of_allocation(trial: Trial) -> SignedRecord:
    """Return the allocation as it is signed."""
    return SignedRecord(Meaning.ALLOCATION_RELEASED, "the allocation", trial.sealed_seed.allocation_sha256)


def signature_fields(signature: Signature) -> dict[str, Any]:
    """Return everything that a signature's hash covers, and the hash: nothing that says who a person is."""
    return {
        "id": str(signature.id),
        "trial": str(signature.trial_id),
        "meaning": signature.meaning,
        "record": signature.record,
        "record_sha256": signature.record_sha256,
        "signer": str(signature.signer_id),
        "name_hash": signature.name_hash,
        "factors": signature.factors,
        "signed_at": signature.signed_at.isoformat(timespec="microseconds"),
        "sha256": signature.sha256,
    }


def _document(signature: Signature, current: SignedRecord | None) -> dict[str, Any]:
    """Return a signature as it is shown and printed, beside what its meaning would be bound to now."""
    return {
        "id": signature.id,
        "name": _name(signature).name,
        "meaning": signature.meaning,
        "words": Meaning(signature.meaning).words,
        "record": signature.record,
        "record_sha256": signature.record_sha256,
        "signed_at": signature.signed_at,
        "current": current is not None
        and (current.name, current.sha256) == (signature.record, signature.record_sha256),
        "sha256": signature.sha256,
    }


def _name(signature: Signature) -> SignatureName:
    """Return the printed name; one that was erased is said to be."""
    row: SignatureName | None = getattr(signature, "name_row", None)
    return row or SignatureName(name="(name erased)", salt="")


def signature_documents(trial: Trial) -> list[dict[str, Any]]:
    """Return every signature of a trial, first to last."""
    signatures = list(trial.signatures.select_related("name_row"))
    current = {
        meaning: record_to_sign(trial, Meaning(meaning)) for meaning in {one.meaning for one in signatures}
    }
    return [_document(one, current[one.meaning]) for one in signatures]


def signature_export(trial: Trial) -> list[dict[str, Any]]:
    """Return every signature with all that it takes to check it: what its hash covers, the name and its salt."""
    return [
        signature_fields(one)
        | {"words": Meaning(one.meaning).words, "name": _name(one).name, "salt": _name(one).salt}
        for one in trial.signatures.select_related("name_row")
    ]


def signable(trial: Trial, caller: Caller) -> list[dict[str, Any]]:
    """Return what the caller may sign and has not signed."""
    permissions = permissions_in(trial_roles(caller, trial))
    signed = set(
        Signature.objects.filter(trial=trial, signer_id=caller.id).values_list(
            "meaning", "record", "record_sha256"
        )
    )
    found = [signable_record(trial, one) for one in Meaning if one.permission in permissions]
    return [
        {
            "meaning": one.meaning,
            "words": one.meaning.words,
            "record": one.name,
            "record_sha256": one.sha256,
        }
        for one in found
        if one is not None and (one.meaning, one.name, one.sha256) not in signed
    ]


def trials_signed(chain: str = "") -> list[Trial]:
    """Return the trials in which anybody has signed, as their trails say; of one chain if it is named."""
    made = AuditEntry.objects.filter(kind=AuditKind.SIGNATURE_MADE)
    chains = set((made.filter(chain=chain) if chain else made).order_by().values_list("chain", flat=True))
    signed = set(map(str, Signature.objects.values_list("trial_id", flat=True)))
    named = {one for one in chains | signed if not chain or one == chain}
    return list(Trial.objects.filter(id__in=named).order_by("slug"))


def signature_problems(trial: Trial) -> list[str]:
    """Hold every signature against the audit trail and against what it signs, made anew; a sentence per fault."""
    chained = {
        str(entry.subject).partition(":")[2]: str((entry.after or {}).get("signature_sha256"))
        for entry in AuditEntry.objects.filter(chain=str(trial.id), kind=AuditKind.SIGNATURE_MADE)
    }
    stored = {str(one.id): one for one in trial.signatures.select_related("name_row", "signer")}
    problems = [
        f"signature {key}: the audit trail names it, and it is not there." for key in chained.keys() - stored
    ]
    records: dict[Meaning, set[str]] = {}
    for key, one in sorted(stored.items()):
        if chained.get(key) != one.sha256 or signature_sha256(signature_fields(one)) != one.sha256:
            problems.append(f"signature {key}: it is not what the audit trail says; it was altered or added.")
        row = getattr(one, "name_row", None)
        if row is None and one.signer.erased_at is None:
            problems.append(f"signature {key}: the printed name was removed, and the signer was not erased.")
        if row is not None and name_hash(row.salt, row.name) != one.name_hash:
            problems.append(f"signature {key}: the printed name was altered.")
        meaning = Meaning(one.meaning)
        if meaning not in records:
            records[meaning] = _records_now(trial, meaning)
        if one.record_sha256 not in records[meaning]:
            problems.append(f"signature {key}: {one.record} was changed since it was signed.")
    return problems


def _records_now(trial: Trial, meaning: Meaning) -> set[str]:
    """Return the hashes of what may have been signed, computed from what is stored now."""
    if meaning is Meaning.PROTOCOL_APPROVED:
        locked = trial.protocol_versions.filter(locked_at__isnull=False)
        return {protocol_sha256(version.document) for version in locked}
    if meaning is Meaning.DATA_APPROVED:
        return set(snapshots_sha256(trial))
    if meaning is Meaning.ALLOCATION_RELEASED:
        return {stored_allocation_sha256(trial, protocol_of_version(protocol_locked(trial)))}
    return _reports_now(trial)


def _reports_now(trial: Trial) -> set[str]:
    """Return the hashes of the reports that were stored: of the newest as it is now, of older ones as the trail has it.

    A report that was made anew replaces one that was signed; what was signed then can no longer be held against it.
    """
    entries = AuditEntry.objects.filter(chain=str(trial.id), kind=AuditKind.REPORT_STORED)
    stored = [str((entry.after or {}).get("report_sha256")) for entry in entries.order_by("sequence")]
    if not stored:
        return set()
    *earlier, newest = stored
    kept = StoredBundle.objects.filter(trial=trial).first()
    if kept is None or not bundle_has(kept, REPORT):
        return set(earlier)
    now = report_sha256(bundle_file_text(kept, REPORT))
    return ({one for one in earlier if one != newest}) | {now}
