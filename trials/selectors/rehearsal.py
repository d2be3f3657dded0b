"""Rehearsals of a trial: what would be rehearsed, what was found, and whether protocol lock may lean on it."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from equipoise.common.errors import ValidationFailedError
from equipoise.jobs.models import Job, JobState
from trials.domain.planned import planned_of
from trials.domain.protocol.document import check_document, protocol_sha256
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.rehearsal import RIGHT, RehearsalKind, lock_lacks
from trials.models import Rehearsal, RehearsalState, Trial
from trials.selectors.protocol import protocol_current

LONGEST_COMMAND = timedelta(days=1)
"""After which a rehearsal by a command that never said how it ended is taken for killed."""

CHECKS = "checks"
"""Where the report of a repeated rehearsal says what it held the analysis to; not there before it has ended."""


def protocol_to_rehearse(trial: Trial) -> tuple[ProtocolV1, str]:
    """Return the newest version of the protocol and the hash that protocol lock would freeze it under."""
    outcome = check_document(protocol_current(trial).document)
    if outcome.protocol is None or outcome.lock_problems:
        problems = outcome.problems or outcome.lock_problems
        raise ValidationFailedError.of_fields({f"/protocol{one.pointer}": one.message for one in problems})
    return outcome.protocol, protocol_sha256(outcome.protocol)


def planned_names(protocol: ProtocolV1) -> list[str]:
    """Return the analyses of readings given here by name, the primary one first, each once."""
    planned = planned_of(protocol)
    return [one.name for one in planned if not one.data and not one.full_set]


def rehearsal_state(rehearsal: Rehearsal) -> RehearsalState:
    """Return where a rehearsal stands; one whose job ended without a word has ended too."""
    state = RehearsalState(rehearsal.state)
    is_abandoned = rehearsal.job_id is None and rehearsal.created_at < timezone.now() - LONGEST_COMMAND
    if state == RehearsalState.RUNNING and is_abandoned:
        return RehearsalState.FAILED
    if state in (RehearsalState.QUEUED, RehearsalState.RUNNING) and rehearsal.job_id is not None:
        job = Job.objects.filter(id=rehearsal.job_id).first()
        if job is None or job.state in (JobState.FAILED, JobState.PARTIAL):
            return RehearsalState.FAILED
        if job.state == JobState.CANCELLED:
            return RehearsalState.CANCELLED
    return state


def rehearsal_lacking(trial: Trial) -> str | None:
    """Return what protocol lock lacks of rehearsals of the newest protocol version; None where it may lean on them."""
    outcome = check_document(protocol_current(trial).document)
    if outcome.protocol is None:
        return f"The protocol has not been rehearsed. {RIGHT}"
    finished = trial.rehearsals.filter(state__in=(RehearsalState.PASSED, RehearsalState.FAILED)).order_by(
        "created_at"
    )
    singles: list[tuple[str, bool]] = []
    repeated: list[tuple[str, bool, int]] = []
    for one in finished:
        passed = one.state == RehearsalState.PASSED
        if one.kind == RehearsalKind.SINGLE:
            singles.append((one.protocol_sha256, passed))
        else:
            found = passed or rehearsal_found_wrong(one)
            repeated.append((one.protocol_sha256, passed, one.repeats if found else 0))
    return lock_lacks(protocol_sha256(outcome.protocol), singles=singles, repeated=repeated)


def rehearsal_found_wrong(rehearsal: Rehearsal) -> bool:
    """Say whether this is a repeated rehearsal that ran to its end and found the planned analysis wrong."""
    return (
        rehearsal.kind == RehearsalKind.REPEATED
        and rehearsal.state == RehearsalState.FAILED
        and CHECKS in rehearsal.report
    )


def rehearsal_leant_on(trial: Trial, sha256: str) -> list[str]:
    """Return the rehearsals of that hash that passed, by id."""
    passed = trial.rehearsals.filter(protocol_sha256=sha256, state=RehearsalState.PASSED).order_by(
        "created_at"
    )
    return [str(one) for one in passed.values_list("id", flat=True)]


def rehearsals_document(trial: Trial) -> dict[str, Any]:
    """Return every rehearsal of the trial, the newest first, and what protocol lock still lacks of them."""
    return {
        "results": [rehearsal_document(one) for one in trial.rehearsals.order_by("-created_at")],
        "lacking": rehearsal_lacking(trial),
        "protocol_sha256": _current_sha256(trial),
    }


def _current_sha256(trial: Trial) -> str | None:
    outcome = check_document(protocol_current(trial).document)
    return None if outcome.protocol is None else protocol_sha256(outcome.protocol)


def rehearsal_document(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return one rehearsal as its page shows it."""
    is_gate = rehearsal.kind == RehearsalKind.REPEATED
    return {
        "id": rehearsal.id,
        "kind": rehearsal.kind,
        "protocol_version": rehearsal.protocol_version,
        "protocol_sha256": rehearsal.protocol_sha256,
        "seed": rehearsal.seed,
        "repeats": rehearsal.repeats,
        "plan": rehearsal.plan,
        "state": rehearsal_state(rehearsal),
        "job_id": rehearsal.job_id,
        "message": rehearsal.message or None,
        "report": None if is_gate else rehearsal.report or None,
        "gate": rehearsal.report if is_gate and CHECKS in rehearsal.report else None,
        "created_at": rehearsal.created_at,
        "finished_at": rehearsal.finished_at,
    }
