"""Algorithms of a trial for those who may see sources: who is enrolled, how its runs stand, what failed and why."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from equipoise.archive.selectors import stored_mask_array
from equipoise.jobs.models import ACTIVE_STATES, Job
from equipoise.metrics import dice
from trials.domain.protocol.document import check_document
from trials.domain.results import FailureCode
from trials.models import (
    AlgorithmPipeline,
    AlgorithmResult,
    AlgorithmRun,
    AlgorithmVersion,
    Participant,
    ParticipantKind,
    Trial,
)
from trials.selectors.algorithm_tables import results_current
from trials.selectors.protocol import protocol_current
from trials.selectors.results import results_of
from trials.selectors.weights import TASKS, runtime_missing, weights_known


@dataclass(frozen=True)
class Reproducibility:
    """Repeats of an algorithm beside its first run. A description, without a test: the algorithm is deterministic.

    Attributes
    ----------
    pairs : int
        Cases with a result of both runs.
    identical : int
        Those whose contour is equal voxel by voxel, and probability, rating and heat map bit by bit.
    lowest_dice : float or None
        Of the contours (intra-observer); None where there is none.
    """

    task: str
    repeat: int
    pairs: int
    identical: int
    lowest_dice: float | None

    @property
    def reproducible(self) -> bool:
        """Whether every repeat gave the same bits."""
        return self.pairs > 0 and self.identical == self.pairs


def _current(trial: Trial) -> QuerySet[AlgorithmResult]:
    return results_of(trial).filter(id__in=results_current(trial).values("id"))


def reproducibility_of(participant: Participant) -> list[Reproducibility]:
    """Compare every repeat of a participant with its first run, case by case."""
    places: dict[tuple[str, int], dict[Any, AlgorithmResult]] = {}
    rows = _current(participant.trial).filter(participant=participant, failure_code="")
    for row in rows.order_by("task", "repeat"):
        places.setdefault((row.task, row.repeat), {})[row.case_id] = row
    return [
        _compared(task, repeat, places.get((task, 1), {}), again)
        for (task, repeat), again in places.items()
        if repeat > 1
    ]


def _compared(
    task: str, repeat: int, first: dict[Any, AlgorithmResult], again: dict[Any, AlgorithmResult]
) -> Reproducibility:
    pairs = [(first[case], row) for case, row in again.items() if case in first]
    scores = [score for one, other in pairs if (score := _dice(one, other)) is not None]
    return Reproducibility(
        task=task,
        repeat=repeat,
        pairs=len(pairs),
        identical=sum(_is_identical(one, other) for one, other in pairs),
        lowest_dice=min(scores, default=None),
    )


def _is_identical(one: AlgorithmResult, other: AlgorithmResult) -> bool:
    facts = [(row.mask_id, row.probability, row.rating, _heat_key(row)) for row in (one, other)]
    return facts[0] == facts[1]  # the same voxels and levels are stored once


def _heat_key(result: AlgorithmResult) -> Any:
    row = getattr(result, "heat_map", None)
    return row.stored_id if row is not None else None


def _dice(one: AlgorithmResult, other: AlgorithmResult) -> float | None:
    if one.mask is None or other.mask is None:
        return None
    if one.mask_id == other.mask_id:
        return 1.0
    return float(dice(stored_mask_array(one.mask), stored_mask_array(other.mask)))


def algorithms_document(trial: Trial) -> dict[str, Any]:
    """Return everything the page on algorithms shows."""
    people = trial.participants.filter(kind=ParticipantKind.ALGORITHM).select_related(
        "algorithm_version", "pipeline"
    )
    missing = runtime_missing()
    protocol = check_document(protocol_current(trial).document).protocol
    return {
        "can_run": missing is None,
        "cannot_run_because": missing.message if missing is not None else "",
        "protocol": [
            {
                "source": one.source,
                "name": one.name,
                "version": one.version,
                "weights_sha256": one.weights_sha256,
            }
            for one in (protocol.algorithms if protocol is not None else ())
        ],
        "weights": [
            {
                "sha256": known.card.sha256,
                "name": known.card.name,
                "version": known.card.version,
                "pipelines": list(known.pipelines),
                "threshold": known.card.threshold,
                "demonstration": known.card.demonstration,
                "shipped": known.shipped,
                "scores": dict(known.card.scores),
            }
            for known in weights_known()
        ],
        "results": [participant_document(person) for person in people.order_by("code")],
    }


def participant_document(participant: Participant) -> dict[str, Any]:
    """Return one algorithm with its runs and failures."""
    version = AlgorithmVersion.objects.get(participant=participant)
    enrolled = AlgorithmPipeline.objects.filter(participant=participant).first()
    current = list(_current(participant.trial).filter(participant=participant))
    runs = AlgorithmRun.objects.filter(participant=participant).order_by("task", "repeat")
    return {
        "id": participant.id,
        "code": participant.code,
        "source": version.source,
        "name": version.name,
        "version": version.version,
        "weights_sha256": version.weights_sha256,
        "pipeline": enrolled.pipeline if enrolled is not None else None,
        "threshold": enrolled.threshold if enrolled is not None else None,
        "tasks": [str(task) for task in TASKS[enrolled.pipeline]] if enrolled is not None else [],
        "result_count": sum(not row.failure_code for row in current),
        "failures": [_failure(row) for row in current if row.failure_code],
        "runs": [_run_document(run, current) for run in runs],
        "reproducibility": [
            {
                "task": one.task,
                "repeat": one.repeat,
                "pairs": one.pairs,
                "identical": one.identical,
                "reproducible": one.reproducible,
                "lowest_dice": one.lowest_dice,
            }
            for one in reproducibility_of(participant)
        ],
    }


def _failure(row: AlgorithmResult) -> dict[str, Any]:
    note = getattr(row, "note", None)
    return {
        "case": row.case.code,
        "task": row.task,
        "repeat": row.repeat,
        "attempt": row.attempt,
        "code": row.failure_code,
        "detail": note.text if note is not None else "",
    }


def _run_document(run: AlgorithmRun, current: Sequence[AlgorithmResult]) -> dict[str, Any]:
    mine = [row for row in current if (row.task, row.repeat) == (run.task, run.repeat)]
    outcomes = Counter("failed" if row.failure_code else "stored" for row in mine)
    job = Job.objects.filter(id=run.job_id).first() if run.job_id is not None else None
    seconds = [row.run_s for row in mine if row.run_s is not None and not row.failure_code]
    return {
        "id": run.id,
        "task": run.task,
        "repeat": run.repeat,
        "job_id": run.job_id,
        "job_state": job.state if job is not None else None,
        "active": job is not None and job.state in ACTIVE_STATES,
        "can_retry": job is not None and job.state in ("failed", "partial", "cancelled"),
        "stored": outcomes["stored"],
        "failed": outcomes["failed"],
        "empty": sum(row.failure_code == FailureCode.EMPTY_RESULT for row in mine),
        "median_run_s": statistics.median(seconds) if seconds else None,
        "device": next((row.device for row in mine if row.device), ""),
        "hardware": next((row.hardware for row in mine if row.hardware), ""),
        "cold_start_s": next((row.cold_start_s for row in mine if row.cold_start_s is not None), None),
    }
