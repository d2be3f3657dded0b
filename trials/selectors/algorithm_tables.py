"""An algorithm's results as rows of the tidy table: a participant like any other, once per case and repeat.

Failures are rows without score and decision: an analysis counts them as wrong where the algorithm stands alone. An
algorithm's time is its run's wall time, model loaded; it stands in ``decision_s`` and ``wall_s`` as well, beside the
readers', and enters no test with them.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from trials.domain.protocol.v1 import Algorithm, ProtocolV1
from trials.domain.results import MAX_RATING, UsedInTraining
from trials.models import (
    AlgorithmCaseUse,
    AlgorithmPipeline,
    AlgorithmResult,
    AlgorithmVersion,
    CasePurpose,
    Item,
    Trial,
)
from trials.selectors.per_protocol import exclusions_of

FAILED = "failed"
"""The flag of a result that is a failure."""
_ANSWERED = ("score", "decision", "decision_s", "wall_s", "run_s", "cold_start_s", "failure_code", "flags")
"""What is told to nobody before unblinding."""


def results_current(trial: Trial) -> QuerySet[AlgorithmResult]:
    """Return the results that count: of several attempts the last."""
    later = AlgorithmResult.objects.filter(
        participant=OuterRef("participant"),
        case=OuterRef("case"),
        task=OuterRef("task"),
        repeat=OuterRef("repeat"),
        attempt__gt=OuterRef("attempt"),
    )
    return AlgorithmResult.objects.filter(trial=trial).filter(~Exists(later))


def has_algorithm_rows(trial: Trial) -> bool:
    """Say whether the trial has results of algorithms."""
    return AlgorithmResult.objects.filter(trial=trial, case__purpose=CasePurpose.TRIAL).exists()


def algorithm_rows(
    trial: Trial, protocol: ProtocolV1, *, columns: tuple[str, ...], unblinded: bool
) -> Iterator[dict[str, Any]]:
    """Yield one row per result or failure on the trial's cases, in the order of participant, case, task and repeat."""
    items = _single_items(trial)
    versions = {one.participant_id: one for one in AlgorithmVersion.objects.filter(trial=trial)}
    enrolled = {one.participant_id: one for one in AlgorithmPipeline.objects.filter(participant__trial=trial)}
    uses = {
        (one.participant_id, one.case_id): one.used_in_training
        for one in AlgorithmCaseUse.objects.filter(participant__trial=trial)
    }
    entries = {one.source: one for one in protocol.algorithms}
    results = (
        results_current(trial)
        .filter(case__purpose=CasePurpose.TRIAL)
        .select_related("participant", "case")
        .order_by("participant__code", "case__code", "task", "repeat")
    )
    exclusions = exclusions_of(trial)
    for result in results.iterator(chunk_size=500):
        entry = entries.get(versions[result.participant_id].source)
        threshold = _threshold(entry, enrolled.get(result.participant_id))
        item = items.get(result.case_id)
        failed = (FAILED,) if result.failure_code else ()
        row: dict[str, Any] = dict.fromkeys(columns)
        row |= {
            "trial": trial.slug,
            "participant": result.participant.code,
            "participant_kind": result.participant.kind,
            "group": "",
            "case": result.case.code,
            "item": item,
            "repeat": result.repeat,
            "task": result.task,
            "score": _score(result),
            "decision": _decision(result, threshold),
            "decision_s": result.run_s,
            "wall_s": result.run_s,
            "flags": " ".join((*failed, *exclusions.result_flags(result.participant_id, result.case_id))),
            "state": "submitted",
            "run_s": result.run_s,
            "cold_start_s": result.cold_start_s,
            "device": result.device,
            "failure_code": result.failure_code or None,
            "used_in_training": _use(uses.get((result.participant_id, result.case_id)), entry),
        }
        if not unblinded:
            row |= dict.fromkeys(_ANSWERED)
        yield row


def _single_items(trial: Trial) -> Mapping[UUID, str | None]:
    """Return case -> the code of its item; None where a case has several, for a result is of the case."""
    items: dict[UUID, str | None] = {}
    for case_id, code in Item.objects.filter(trial=trial, practice=False).values_list("case_id", "code"):
        items[case_id] = None if case_id in items else code
    return items


def _score(result: AlgorithmResult) -> float | None:
    if result.probability is not None:
        return result.probability
    return None if result.rating is None else result.rating / MAX_RATING


def _threshold(entry: Algorithm | None, enrolled: AlgorithmPipeline | None) -> float | None:
    """Return the operating threshold: the protocol's, else the model card's as it was enrolled."""
    if entry is not None and entry.operating_threshold is not None:
        return float(entry.operating_threshold)
    return enrolled.threshold if enrolled is not None else None


def _decision(result: AlgorithmResult, threshold: float | None) -> int | None:
    if result.probability is None or threshold is None:
        return None
    return int(result.probability > threshold)


def _use(noted: str | None, entry: Algorithm | None) -> str:
    if noted is not None:
        return noted
    return (
        UsedInTraining.NO if entry is not None and entry.used_in_training == "no" else UsedInTraining.UNKNOWN
    )
