"""Results of algorithms for those who may see sources."""

from typing import Any, cast

from django.db.models import QuerySet

from trials.models import AlgorithmResult, AlgorithmVersion, Trial


def results_of(trial: Trial) -> QuerySet[AlgorithmResult]:
    """Return the trial's results with what their document needs."""
    return AlgorithmResult.objects.filter(trial=trial).select_related(
        "case", "participant__algorithm_version", "mask__volume", "note"
    )


def result_document(result: AlgorithmResult) -> dict[str, Any]:
    """Return one result."""
    # The reverse side of a later module's key, which the type checker knows only if it read that module first.
    model: AlgorithmVersion = cast("Any", result.participant).algorithm_version
    note = getattr(result, "note", None)
    return {
        "id": result.id,
        "case": result.case.code,
        "participant": result.participant.code,
        "participant_kind": result.participant.kind,
        "source": model.source,
        "model": {"name": model.name, "version": model.version, "weights_sha256": model.weights_sha256},
        "task": result.task,
        "repeat": result.repeat,
        "is_candidate": result.contour_id is not None,
        "volume_ml": round(result.mask.volume_ml, 3) if result.mask is not None else None,
        "probability": result.probability,
        "rating": result.rating,
        "run": {
            "seconds": result.run_s,
            "cold_start_seconds": result.cold_start_s,
            "hardware": result.hardware,
            "device": result.device,
        }
        if result.run_s is not None
        else None,
        "failure": {"code": result.failure_code, "detail": note.text if note is not None else ""}
        if result.failure_code
        else None,
        "received_at": result.received_at,
    }
