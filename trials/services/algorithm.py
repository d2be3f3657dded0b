"""Model versions as participants that the site's own workers run: enrolled once, run over the cases, never twice."""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.inference.cards import PIPELINES, PUBLISHED_THRESHOLD
from equipoise.jobs.models import ACTIVE_STATES, Job
from equipoise.jobs.services import job_create
from trials.domain.protocol.v1 import Algorithm, ProtocolV1
from trials.domain.results import ModelVersion, ResultTask, ResultUnknownModelError
from trials.domain.states import TrialState
from trials.models import (
    AlgorithmPipeline,
    AlgorithmResult,
    AlgorithmRun,
    AlgorithmVersion,
    Case,
    Participant,
    Trial,
)
from trials.selectors.weights import TASKS, KnownWeights, runtime_missing, weights_of
from trials.services.acts import Actor, record
from trials.services.results import algorithm_of, participant_of, protocol_in_force, require_takes_results

JOB_KIND = "trials.run-algorithm"
MAX_REPEATS = 99


def algorithm_enrol(
    trial: Trial, *, source: str, pipeline: str, weights_sha256: str, actor: Actor
) -> AlgorithmPipeline:
    """Make a model version a participant that this site runs.

    The protocol's entry of that source says which version it is; its weights hash, and its operating threshold if it
    fixes one, must be those of the weights.
    """
    weights = _weights_for(pipeline, weights_sha256)
    with transaction.atomic():
        locked = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        protocol = protocol_in_force(locked)
        entry = _entry_of(protocol, source)
        threshold = PUBLISHED_THRESHOLD if pipeline == "nsclc-published" else weights.card.threshold
        _check_fixed(locked, entry, weights, threshold=threshold)
        require_takes_results(locked, TASKS[pipeline][-1])
        model = ModelVersion(entry.name, entry.version, weights_sha256)
        participant = participant_of(locked, entry, model, actor=actor)
        enrolled, created = AlgorithmPipeline.objects.get_or_create(
            participant=participant,
            defaults={"pipeline": pipeline, "threshold": threshold, "enrolled_at": timezone.now()},
        )
        if enrolled.pipeline != pipeline:
            raise StateConflictError(
                f"{participant.code} is enrolled with the pipeline {enrolled.pipeline}; another pipeline is another "
                "version and needs its own entry in the protocol.",
                data={"state": enrolled.pipeline, "allowed": []},
            )
        if created:
            record(
                locked,
                AuditKind.PARTICIPANT_UPDATED,
                actor=actor,
                subject=f"participant:{participant.id}",
                after={
                    "code": participant.code,
                    "pipeline": pipeline,
                    "threshold": str(threshold),
                    "weights_sha256": weights_sha256,
                },
            )
    return enrolled


def _weights_for(pipeline: str, sha256: str) -> KnownWeights:
    if pipeline not in PIPELINES:
        raise ValidationFailedError.of_fields(
            {"/pipeline": f"There is no pipeline {pipeline!r}; there are {', '.join(PIPELINES)}."}
        )
    missing = runtime_missing()
    if missing is not None:
        raise missing
    weights = weights_of(sha256)
    if weights is None:
        raise ValidationFailedError.of_fields(
            {
                "/weights_sha256": f"This site has no weights {sha256[:12]}...; register them with "
                "`equipoise weights register`."
            }
        )
    if pipeline not in weights.pipelines:
        raise ValidationFailedError.of_fields(
            {
                "/weights_sha256": f"{weights.card.name} is a {weights.card.architecture} model; the pipeline "
                f"{pipeline} runs a {PIPELINES[pipeline]}."
            }
        )
    return weights


def _entry_of(protocol: ProtocolV1, source: str) -> Algorithm:
    entry = next((one for one in protocol.algorithms if one.source == source), None)
    if entry is None:
        named = ", ".join(one.source for one in protocol.algorithms) or "none"
        raise ResultUnknownModelError(
            f"The protocol names no algorithm of the source {source!r}; it names: {named}."
        )
    return entry


def _check_fixed(trial: Trial, entry: Algorithm, weights: KnownWeights, *, threshold: float) -> None:
    """Refuse other weights than the protocol's, and another threshold: both are fixed at protocol lock."""
    sha256 = weights.card.sha256
    if entry.weights_sha256 is None and trial.state != TrialState.DRAFT:
        raise ResultUnknownModelError(
            f"The protocol was locked without the weights' hash of {entry.name} {entry.version}; a version that is "
            "not fixed cannot be run. It takes an amendment that names the hash."
        )
    if entry.weights_sha256 not in (None, sha256):
        raise ResultUnknownModelError(
            f"The protocol fixes {entry.name} {entry.version} by the weights {entry.weights_sha256[:12]}...; these "
            f"are {sha256[:12]}.... Results of a changed model never mix: it needs an entry of its own."
        )
    if entry.operating_threshold is not None and entry.operating_threshold != Decimal(str(threshold)):
        raise ValidationFailedError.of_fields(
            {
                "/weights_sha256": f"The protocol fixes the operating threshold {entry.operating_threshold} for "
                f"{entry.source}; the model's card says {threshold:g}."
            }
        )


def algorithm_run(
    trial: Trial, participant: Participant, *, task: ResultTask, repeat: int = 1, actor: Actor
) -> AlgorithmRun:
    """Queue a run of an enrolled version over every case that has no result of it yet.

    Pressed twice, the second is refused while the first is at work: a reading never runs twice. Failures are tried
    again by retrying the run's job, not by another run.
    """
    enrolled = AlgorithmPipeline.objects.filter(participant=participant).first()
    if enrolled is None:
        raise StateConflictError(
            f"{participant.code} is not enrolled to be run here; its results come from elsewhere.",
            data={"state": "not_enrolled", "allowed": ["enrol"]},
        )
    version = AlgorithmVersion.objects.get(participant=participant)
    weights = _weights_for(enrolled.pipeline, version.weights_sha256)
    if task not in TASKS[enrolled.pipeline]:
        able = ", ".join(TASKS[enrolled.pipeline])
        raise ValidationFailedError.of_fields(
            {"/task": f"The pipeline {enrolled.pipeline} gives results for {able}, not for {task}."}
        )
    if not 1 <= repeat <= MAX_REPEATS:
        raise ValidationFailedError.of_fields({"/repeat": f"repeat must be from 1 to {MAX_REPEATS}."})
    with transaction.atomic():
        locked = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        require_takes_results(locked, task)
        protocol = protocol_in_force(locked)
        model = ModelVersion(version.name, version.version, version.weights_sha256)
        _check_fixed(locked, algorithm_of(protocol, model, task), weights, threshold=enrolled.threshold)
        run, _ = AlgorithmRun.objects.get_or_create(
            participant=participant,
            task=task,
            repeat=repeat,
            defaults={"trial": locked, "created_at": timezone.now()},
        )
        _require_idle(run, participant)
        cases = _cases_to_run(locked, run)
        if not cases:
            raise StateConflictError(
                f"Every case has a result or failure of {participant.code} for {task}, repeat {repeat}. Retry the "
                "run's failures, or run again as the next repeat.",
                data={"state": "complete", "allowed": ["retry"]},
            )
        job = job_create(
            kind=JOB_KIND,
            trial_id=locked.id,
            created_by_id=actor.account_id,
            items=[(case.code, {"run_id": str(run.id), "case_id": str(case.id)}) for case in cases],
            unit="case",
        )
        run.job_id, run.requested_by_id = job.id, actor.account_id
        run.save(update_fields=["job_id", "requested_by_id"])
        record(
            locked,
            AuditKind.JOB_CREATED,
            actor=actor,
            subject=f"job:{job.id}",
            after={
                "participant": participant.code,
                "task": str(task),
                "repeat": repeat,
                "cases": len(cases),
                "weights_sha256": version.weights_sha256,
            },
        )
    return run


def _require_idle(run: AlgorithmRun, participant: Participant) -> None:
    job = Job.objects.filter(id=run.job_id).first() if run.job_id is not None else None
    if job is not None and job.state in ACTIVE_STATES:
        raise StateConflictError(
            f"{participant.code} is running already ({job.done} of {job.total} cases).",
            data={"state": job.state, "allowed": ["cancel"], "job_id": str(job.id)},
        )


def _cases_to_run(trial: Trial, run: AlgorithmRun) -> list[Case]:
    """Return the cases with an image and without any result or failure of this run, practice ones included."""
    there = AlgorithmResult.objects.filter(
        participant_id=run.participant_id, task=run.task, repeat=run.repeat
    ).values("case_id")
    return list(trial.cases.filter(images__isnull=False).exclude(id__in=there).distinct().order_by("code"))


def run_of_payload(payload: Mapping[str, Any]) -> tuple[AlgorithmRun, Case]:
    """Return the run and the case of a job's item."""
    run = AlgorithmRun.objects.select_related("trial", "participant").get(id=uuid.UUID(payload["run_id"]))
    return run, Case.objects.get(id=uuid.UUID(payload["case_id"]))
