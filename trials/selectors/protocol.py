"""The protocol of a trial, parsed."""

import json
from functools import lru_cache

from equipoise.common.errors import StateConflictError
from trials.domain.protocol.document import check_document
from trials.domain.protocol.v1 import Deidentification, ProtocolV1
from trials.models import ProtocolVersion, Trial


@lru_cache(maxsize=64)
def _parsed(canonical: str) -> ProtocolV1:
    return ProtocolV1.model_validate_json(canonical)


def protocol_of_version(version: ProtocolVersion) -> ProtocolV1:
    """Return the parsed document of one version; it must be valid, as every locked one is."""
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


def protocol_locked(trial: Trial) -> ProtocolVersion:
    """Return the newest frozen version."""
    version = trial.protocol_versions.filter(locked_at__isnull=False).order_by("-version").first()
    if version is None:
        raise StateConflictError(
            "The protocol is not locked yet.", data={"state": trial.state, "allowed": ["lock"]}
        )
    return version
