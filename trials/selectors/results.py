"""Results of algorithms for those who may see sources."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from equipoise.archive.selectors import stored_heat_levels
from equipoise.imaging.heat_map import heat_values
from trials.domain.protocol.v1 import Algorithm
from trials.domain.results import UsedInTraining
from trials.models import AlgorithmCaseUse, AlgorithmHeatMap, AlgorithmResult, AlgorithmVersion, Trial


def results_of(
    trial: Trial, *, case: str = "", participant: str = "", task: str = ""
) -> QuerySet[AlgorithmResult]:
    """Return the trial's results, or those of one case, participant or task, with what their document needs."""
    asked = {"case__code": case, "participant__code": participant, "task": task}
    wanted = {name: value for name, value in asked.items() if value}
    return AlgorithmResult.objects.filter(trial=trial, **wanted).select_related(
        "case", "participant__algorithm_version", "mask__volume", "note", "heat_map__stored"
    )


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A result's heat map on the grid of its case's image, and how it was made.

    Attributes
    ----------
    levels : ndarray of uint8, shape (views or slices, rows, columns)
        0 (cold) to 255 (hot), frame by frame as the image is stored.
    method, layer, target_class, weights_sha256 : str
        Such as ``Grad-CAM``, ``features.28``, ``metastases``; empty where the sender did not say.
    """

    levels: NDArray[np.uint8]
    method: str
    layer: str
    target_class: str
    weights_sha256: str

    @property
    def values(self) -> NDArray[np.float32]:
        """From 0 to 1."""
        return heat_values(self.levels)


def heat_map_of(result: AlgorithmResult) -> HeatMap | None:
    """Return a result's heat map; None where it has none."""
    row: AlgorithmHeatMap | None = getattr(result, "heat_map", None)
    if row is None:
        return None
    return HeatMap(
        levels=stored_heat_levels(row.stored),
        method=row.method,
        layer=row.layer,
        target_class=row.target_class,
        weights_sha256=_version_of(result).weights_sha256,
    )


def used_in_training(result: AlgorithmResult, *, algorithm: Algorithm | None = None) -> UsedInTraining:
    """Return whether the result's case was used to make its model version.

    Where nothing is noted for the case, the protocol's entry for the algorithm decides: "no" holds for every case,
    "some" and "unknown" leave it open.
    """
    noted = AlgorithmCaseUse.objects.filter(
        participant_id=result.participant_id, case_id=result.case_id
    ).first()
    if noted is not None:
        return UsedInTraining(noted.used_in_training)
    if algorithm is not None and algorithm.used_in_training == "no":
        return UsedInTraining.NO
    return UsedInTraining.UNKNOWN


def _version_of(result: AlgorithmResult) -> AlgorithmVersion:
    # The reverse side of a later module's key, which the type checker knows only if it read that module first.
    version: AlgorithmVersion = cast("Any", result.participant).algorithm_version
    return version


def _heat_document(result: AlgorithmResult) -> dict[str, Any] | None:
    row: AlgorithmHeatMap | None = getattr(result, "heat_map", None)
    if row is None:
        return None
    return {
        "method": row.method,
        "layer": row.layer,
        "target_class": row.target_class,
        "levels_sha256": row.stored.levels_sha256,
    }


def result_document(result: AlgorithmResult) -> dict[str, Any]:
    """Return one result."""
    model = _version_of(result)
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
        "heat_map": _heat_document(result),
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
