"""Rehearsals are asked for, and what they found is kept beside the hash of the protocol they were of."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.jobs.services import job_create
from trials.domain.rehearsal import RehearsalKind, RehearsalPlan
from trials.domain.rehearsal_repeats import repeat_refusal
from trials.domain.state_acts import StateAct, is_open_to
from trials.domain.states import TrialState
from trials.models import Rehearsal, RehearsalState, Trial
from trials.selectors.protocol import protocol_current
from trials.selectors.rehearsal import protocol_to_rehearse, rehearsal_found_wrong, rehearsal_state
from trials.services.acts import Actor, record

JOB_KIND = "trials.rehearse"
GATE_JOB_KIND = "trials.rehearse_repeated"
SEEDS_PER_ITEM = 10
"""Of a repeated rehearsal: any number of workers take an item each."""
RUNS = "runs"
"""Where the runs of a repeated rehearsal stand until the last is in."""


def rehearsal_request(
    trial: Trial,
    *,
    seed: int,
    plan: RehearsalPlan,
    actor: Actor,
    kind: RehearsalKind = RehearsalKind.SINGLE,
    repeats: int = 1,
    with_job: bool = True,
) -> Rehearsal:
    """Note that the newest protocol version shall be rehearsed; with a job a worker does it."""
    if not is_open_to(trial.state, StateAct.REHEARSE):
        raise StateConflictError(
            f"A protocol is rehearsed before readers read; this trial is {trial.state}.",
            data={"state": trial.state, "allowed": []},
        )
    protocol, sha256 = protocol_to_rehearse(trial)
    refusal = repeat_refusal(protocol) if kind == RehearsalKind.REPEATED else None
    if refusal is not None:
        raise ValidationFailedError(refusal)
    with transaction.atomic():
        rehearsal = Rehearsal.objects.create(
            trial=trial,
            kind=kind,
            protocol_sha256=sha256,
            protocol_version=protocol_current(trial).version,
            seed=seed,
            repeats=repeats,
            plan=plan.model_dump(mode="json"),
            state=RehearsalState.QUEUED if with_job else RehearsalState.RUNNING,
            requested_by_id=actor.account_id,
            created_at=timezone.now(),
        )
        if with_job:
            is_gate = kind == RehearsalKind.REPEATED
            job = job_create(
                kind=GATE_JOB_KIND if is_gate else JOB_KIND,
                trial_id=trial.id,
                created_by_id=actor.account_id,
                items=_gate_items(rehearsal)
                if is_gate
                else [(str(rehearsal.id), {"rehearsal_id": str(rehearsal.id)})],
                unit="sets of seeds" if is_gate else "rehearsal",
            )
            rehearsal.job_id = job.id
            rehearsal.save(update_fields=["job_id"])
    return rehearsal


def _gate_items(rehearsal: Rehearsal) -> list[tuple[str, dict[str, Any]]]:
    chunks = seed_chunks(rehearsal.seed, rehearsal.repeats)
    return [
        (f"{seeds[0]} to {seeds[-1]}", {"rehearsal_id": str(rehearsal.id), "seeds": list(seeds)})
        for seeds in chunks
    ]


def seed_chunks(first: int, repeats: int) -> list[range]:
    """Return the seeds of a repeated rehearsal in the portions that are done in one go."""
    end = first + repeats
    return [range(at, min(at + SEEDS_PER_ITEM, end)) for at in range(first, end, SEEDS_PER_ITEM)]


def rehearsal_runs_keep(
    rehearsal_id: uuid.UUID, rows: Sequence[Sequence[Any]], *, wanted: int
) -> list[Sequence[Any]] | None:
    """Keep some runs of a repeated rehearsal; return all of them once none is missing. Call it in a transaction.

    The row is held: of two workers that end together, the second sees what the first kept.
    """
    held = Rehearsal.objects.select_for_update(no_key=True).get(id=rehearsal_id)
    runs = [*held.report.get(RUNS, []), *rows]
    if len(runs) >= wanted:
        return sorted(runs, key=lambda row: (row[1], row[0]))
    Rehearsal.objects.filter(id=rehearsal_id).update(report={RUNS: runs})
    return None


def rehearsal_start(rehearsal_id: uuid.UUID) -> Rehearsal:
    """Say that work on a rehearsal has begun."""
    Rehearsal.objects.filter(id=rehearsal_id).update(state=RehearsalState.RUNNING)
    return Rehearsal.objects.select_related("trial").get(id=rehearsal_id)


@dataclass(frozen=True)
class RehearsalFound:
    """What a rehearsal found, as it is kept."""

    protocol_sha256: str
    passed: bool
    problems: tuple[str, ...]
    report: Mapping[str, Any]
    lines: tuple[str, ...]
    """For a terminal."""


def rehearsal_store(rehearsal: Rehearsal, found: RehearsalFound, *, actor: Actor) -> None:
    """Keep what a rehearsal found; it counts for the protocol's hash that it was run on."""
    with transaction.atomic():
        Rehearsal.objects.filter(id=rehearsal.id).update(
            state=RehearsalState.PASSED if found.passed else RehearsalState.FAILED,
            report=found.report,
            message=" ".join(found.problems),
            protocol_sha256=found.protocol_sha256,
            finished_at=timezone.now(),
        )
        record(
            rehearsal.trial,
            AuditKind.REHEARSAL_RUN,
            actor=actor,
            subject=f"rehearsal:{rehearsal.id}",
            after={
                "kind": rehearsal.kind,
                "protocol_sha256": found.protocol_sha256,
                "seed": rehearsal.seed,
                "repeats": rehearsal.repeats,
                "passed": found.passed,
            },
        )


def rehearsal_fail(rehearsal_id: uuid.UUID, message: str, *, cancelled: bool = False) -> None:
    """Note why a rehearsal found nothing: it was refused, broke, or was cancelled."""
    Rehearsal.objects.filter(id=rehearsal_id).update(
        state=RehearsalState.CANCELLED if cancelled else RehearsalState.FAILED,
        message=message,
        finished_at=timezone.now(),
    )


def rehearsal_delete(rehearsal: Rehearsal, *, actor: Actor) -> None:
    """Remove what a rehearsal found. That there was one, and whether it passed, stays in the audit trail.

    A repeated rehearsal that found the planned analysis wrong is kept: else seeds could be tried until one passes. That
    holds for every version, for a protocol may be changed and changed back.
    """
    state = rehearsal_state(rehearsal)
    if state in (RehearsalState.QUEUED, RehearsalState.RUNNING):
        raise StateConflictError(
            "This rehearsal is under way. Cancel it first.",
            data={"state": state, "allowed": ["cancel"]},
        )
    trial = rehearsal.trial
    if trial.state != TrialState.DRAFT:
        raise StateConflictError(
            f"The trial is {trial.state}: what its protocol lock leaned on is kept.",
            data={"state": trial.state, "allowed": []},
        )
    if rehearsal_found_wrong(rehearsal):
        raise StateConflictError(
            "A repeated rehearsal that found the primary analysis wrong is kept. Mend the plan and rehearse again, or "
            "waive the rehearsal in writing.",
            data={"state": state, "allowed": []},
        )
    with transaction.atomic():
        rehearsal_id = rehearsal.id
        before = {
            "kind": rehearsal.kind,
            "protocol_sha256": rehearsal.protocol_sha256,
            "seed": rehearsal.seed,
            "repeats": rehearsal.repeats,
            "state": str(state),
        }
        rehearsal.delete()
        record(
            trial,
            AuditKind.REHEARSAL_DELETED,
            actor=actor,
            subject=f"rehearsal:{rehearsal_id}",
            before=before,
        )
