"""The protocol of a trial, parsed."""

import json
from functools import lru_cache
from itertools import pairwise
from uuid import UUID

from equipoise.api.prepared import Parameter, PreparedQuery
from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import NotFoundError, StateConflictError
from trials.domain.protocol.amendment import Standing
from trials.domain.protocol.difference import Change, protocol_changes
from trials.domain.protocol.document import check_document
from trials.domain.protocol.v1 import Deidentification, ProtocolV1
from trials.domain.states import TrialState
from trials.models import ProtocolVersion, Reading, Trial


@lru_cache(maxsize=64)
def _parsed(canonical: str) -> ProtocolV1:
    return ProtocolV1.model_validate_json(canonical)


@lru_cache(maxsize=64)
def _parsed_frozen(version_id: UUID, sha256: str) -> ProtocolV1:
    """Return a frozen document, which its hash stands for: it is read and parsed once in a process."""
    document = ProtocolVersion.objects.values_list("document", flat=True).get(id=version_id, sha256=sha256)
    return _parsed(json.dumps(document, sort_keys=True))


def protocol_of_version(version: ProtocolVersion) -> ProtocolV1:
    """Return the parsed document of one version; it must be valid, as every locked one is."""
    if version.locked_at is not None and version.sha256:
        return _parsed_frozen(version.id, version.sha256)
    return _parsed(json.dumps(version.document, sort_keys=True))


def protocol_deidentification(trial: Trial) -> Deidentification:
    """Return what the newest protocol lets stay of headers; the least while it cannot be read."""
    protocol: ProtocolV1 | None = check_document(protocol_current(trial).document).protocol
    return Deidentification() if protocol is None else protocol.deidentification


def protocol_current(trial: Trial) -> ProtocolVersion:
    """Return the newest version of the trial's protocol."""
    version = trial.protocol_versions.order_by("-version").first()
    if version is None:
        raise LookupError(f"Trial {trial.slug} has no protocol version.")
    return version


_NEWEST_LOCKED = PreparedQuery(
    lambda: (
        ProtocolVersion.objects.filter(trial=Parameter("trial", ProtocolVersion), locked_at__isnull=False)
        .order_by("-version")
        .defer("text", "document")[:1]
    )
)


def protocol_locked(trial: Trial) -> ProtocolVersion:
    """Return the newest frozen version; text and document are fetched when they are asked for."""
    version = _NEWEST_LOCKED.first(trial=trial.id)
    if version is None:
        raise StateConflictError(
            "The protocol is not locked yet.", data={"state": trial.state, "allowed": ["lock"]}
        )
    version.trial = trial
    return version


def protocol_numbered(trial: Trial, number: int) -> ProtocolVersion:
    """Return one version by its number."""
    version: ProtocolVersion | None = trial.protocol_versions.filter(version=number).first()
    if version is None:
        known = ", ".join(map(str, trial.protocol_versions.values_list("version", flat=True)))
        raise NotFoundError(f"Trial {trial.slug} has no version {number} of its protocol; it has {known}.")
    return version


def amendment_standing(trial: Trial) -> Standing:
    """Return how far the trial has come, as far as it decides about an amendment."""
    looks = AuditEntry.objects.filter(chain=str(trial.id), kind=AuditKind.ANALYSIS_LOOKED)
    # The plan was locked by those who knew what a draft's analyses had shown.
    since_lock = any((look.after or {}).get("state") != TrialState.DRAFT for look in looks)
    return Standing(
        readings_handed_out=Reading.objects.filter(trial=trial).exists(), looked_by_arm=since_lock
    )


def amendments(trial: Trial) -> list[tuple[ProtocolVersion, tuple[Change, ...]]]:
    """Return every locked version after the first, with what it changed."""
    locked = list(trial.protocol_versions.filter(locked_at__isnull=False).order_by("version"))
    return [(after, protocol_changes(before.document, after.document)) for before, after in pairwise(locked)]


def protocol_frozen(trial: Trial) -> ProtocolV1 | None:
    """Return the newest frozen protocol; None before protocol lock."""
    version = trial.protocol_versions.filter(locked_at__isnull=False).order_by("-version").first()
    return protocol_of_version(version) if version is not None else None
