"""What an algorithm's result for one case may hold, and what is refused with which code.

Pure: shapes of values and their ranges. Whether case, model and grid fit the trial is checked where they are stored.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import rfc8785
from numpy.typing import NDArray

from equipoise.common.errors import DomainError, ErrorCode
from equipoise.imaging.mask import Mask

MAX_RATING = 100.0
MIN_POLYGON_POINTS = 3


class ResultTask(StrEnum):
    """What was asked of the algorithm."""

    PREFERENCE = "preference"
    """The contour becomes a candidate of the trial's pairs."""
    CLASSIFICATION = "classification"
    CONTOURING = "contouring"
    CONTOUR_REVIEW = "contour-review"
    RATING_FORM = "rating-form"


class FailureCode(StrEnum):
    """Why there is no result. A failure stays in the trial like a result."""

    CRASHED = "crashed"
    EMPTY_RESULT = "empty_result"
    """It ran and found nothing: the mask has no voxel."""
    INPUT_NOT_SUPPORTED = "input_not_supported"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    OTHER = "other"


class MaskFormat(StrEnum):
    """The kinds of mask files that are taken."""

    NRRD = "nrrd"
    NIFTI = "nifti"
    METAIMAGE = "metaimage"
    DICOM = "dicom"
    """A structure set or segmentation object."""


class HeatFormat(StrEnum):
    """The kinds of files that a heat map is taken from."""

    NRRD = "nrrd"
    NIFTI = "nifti"
    METAIMAGE = "metaimage"
    NPY = "npy"
    RAW = "raw"
    """Plain bytes with shape and type beside them."""


class UsedInTraining(StrEnum):
    """Whether a case was used to make a model version. Anything but ``no`` makes its performance apparent."""

    NO = "no"
    TRAINING = "training"
    TUNING = "tuning"
    """Of thresholds or settings, or to choose the model."""
    UNKNOWN = "unknown"


class ResultConflictError(DomainError):
    """Something else was sent before under this key, or for this case by this model version."""

    code = ErrorCode.RESULT_CONFLICT
    http_status = 409


class ResultEmptyMaskError(DomainError):
    """A contour without a voxel."""

    code = ErrorCode.RESULT_EMPTY_MASK


class ResultIncompleteError(DomainError):
    """Neither a result nor a failure, or both."""

    code = ErrorCode.RESULT_INCOMPLETE


class ResultInfiniteError(DomainError):
    """A number that is infinite."""

    code = ErrorCode.RESULT_INFINITE


class ResultNotANumberError(DomainError):
    """A number that is none."""

    code = ErrorCode.RESULT_NOT_A_NUMBER


class ResultOutOfRangeError(DomainError):
    """A number outside its range."""

    code = ErrorCode.RESULT_OUT_OF_RANGE


class ResultUnknownCaseError(DomainError):
    """A case that the trial does not have."""

    code = ErrorCode.RESULT_UNKNOWN_CASE


class ResultUnknownModelError(DomainError):
    """A model version that the protocol does not name."""

    code = ErrorCode.RESULT_UNKNOWN_MODEL


class ResultUnreadableHeatMapError(DomainError):
    """A heat map file that cannot be read as one, or that would have to be unpickled."""

    code = ErrorCode.RESULT_UNREADABLE_HEAT_MAP


class ResultUnreadableMaskError(DomainError):
    """A mask file that cannot be read as one mask."""

    code = ErrorCode.RESULT_UNREADABLE_MASK


class ResultWrongGridError(DomainError):
    """A contour or heat map that does not lie on the voxels of the case's image."""

    code = ErrorCode.RESULT_WRONG_GRID


@dataclass(frozen=True)
class ModelVersion:
    """Which model, fixed by its weights."""

    name: str
    version: str
    weights_sha256: str


@dataclass(frozen=True)
class RunTime:
    """Wall time from input read to result stored, the model being loaded, and on what."""

    seconds: float
    hardware: str = ""
    device: str = ""
    cold_start_seconds: float | None = None


@dataclass(frozen=True)
class Failure:
    """Why there is no result, as a code and in the sender's words."""

    code: FailureCode
    detail: str = ""


@dataclass(frozen=True)
class MaskFile:
    """A mask as a file that has not been read yet."""

    format: MaskFormat
    read: Callable[[], bytes]
    label: str | None = None
    """The region, segment or label that is meant, where the file has several."""


@dataclass(frozen=True)
class Polygons:
    """A contour as closed polygons, each (n, 3): x, y, z in mm, LPS, one slice each."""

    points_mm: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class HeatFile:
    """A heat map as a file that has not been read yet."""

    format: HeatFormat
    read: Callable[[], bytes]
    shape: tuple[int, ...] = ()
    """Of ``raw`` bytes."""
    dtype: str = ""
    """Of ``raw`` bytes."""


@dataclass(frozen=True, eq=False)
class HeatMapIn:
    """A heat map on the case's image and how it was made; an array has the axes of the image as it is stored."""

    content: HeatFile | NDArray[np.generic]
    method: str
    """Such as ``Grad-CAM``."""
    layer: str = ""
    target_class: str = ""
    """Whose evidence it shows."""


@dataclass(frozen=True)
class ResultIn:
    """One result as it was sent."""

    key: str
    case: str
    model: ModelVersion
    task: ResultTask = ResultTask.PREFERENCE
    repeat: int = 1
    attempt: int = 1
    """Above 1 where earlier attempts of the same run failed."""
    contour: MaskFile | Polygons | Mask | None = None
    """A mask lies on the image as it is stored."""
    probability: float | None = None
    rating: float | None = None
    heat_map: HeatMapIn | None = None
    used_in_training: UsedInTraining | None = None
    """Whether the case was used to make the model; None where the sender does not say."""
    run: RunTime | None = None
    failure: Failure | None = None


def check_result(result: ResultIn) -> None:
    """Refuse a result whose parts contradict each other or whose numbers are none, infinite or out of range."""
    has_answer = any(part is not None for part in (result.contour, result.probability, result.rating))
    if has_answer == (result.failure is not None):
        raise ResultIncompleteError(
            "Send either a failure with its code, or at least one of contour, probability and rating."
        )
    if result.heat_map is not None and result.failure is not None:
        raise ResultIncompleteError("A failure has no heat map: send either.")
    if result.task == ResultTask.PREFERENCE and result.failure is None and result.contour is None:
        raise ResultIncompleteError("A result for the preference task needs a contour, or a failure.")
    _check_number("probability", result.probability, high=1.0)
    _check_number("rating", result.rating, high=MAX_RATING)
    if result.run is not None:
        _check_number("run/seconds", result.run.seconds)
        _check_number("run/cold_start_seconds", result.run.cold_start_seconds)
    if isinstance(result.contour, Polygons):
        _check_polygons(result.contour)


def _check_number(name: str, value: float | None, *, high: float = math.inf) -> None:
    if value is None:
        return
    if math.isnan(value):
        raise ResultNotANumberError(
            f"{name} is not a number; leave it out if it was not measured, or send a failure.",
            data={"field": f"/{name}"},
        )
    if math.isinf(value):
        raise ResultInfiniteError(f"{name} is infinite.", data={"field": f"/{name}"})
    if not 0 <= value <= high:
        wanted = f"from 0 to {high:g}" if math.isfinite(high) else "0 or more"
        raise ResultOutOfRangeError(f"{name} is {value:g}; it must be {wanted}.", data={"field": f"/{name}"})


def check_heat_values(values: NDArray[np.generic]) -> None:
    """Refuse a heat map whose floats are none, infinite or outside 0 to 1; levels (uint8) are right as they are."""
    if values.dtype == np.uint8:
        return
    field = {"field": "/heat_map"}
    if values.dtype.kind != "f":
        raise ResultUnreadableHeatMapError(
            f"The heat map holds {values.dtype}; it must hold floats from 0 to 1 or uint8 levels.", data=field
        )
    if np.isnan(values).any():
        raise ResultNotANumberError("The heat map holds values that are not numbers.", data=field)
    if np.isinf(values).any():
        raise ResultInfiniteError("The heat map holds infinite values.", data=field)
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ResultOutOfRangeError(
            f"The heat map goes from {float(values.min()):g} to {float(values.max()):g}; "
            "floats must be from 0 to 1.",
            data=field,
        )


def _check_polygons(contour: Polygons) -> None:
    if not contour.points_mm:
        raise ResultEmptyMaskError(_EMPTY)
    for number, points in enumerate(contour.points_mm, start=1):
        if np.isnan(points).any():
            raise ResultNotANumberError(
                f"Polygon {number} has a coordinate that is not a number.",
                data={"field": "/contour/polygons"},
            )
        if np.isinf(points).any():
            raise ResultInfiniteError(
                f"Polygon {number} has an infinite coordinate.", data={"field": "/contour/polygons"}
            )


_EMPTY = "The contour has no voxel. If the algorithm found nothing, send the failure empty_result."


def empty_mask_error() -> ResultEmptyMaskError:
    """Return the refusal of a contour without a voxel."""
    return ResultEmptyMaskError(_EMPTY)


def key_sha256(key: str) -> str:
    """Return what is kept of a sender's key."""
    return hashlib.sha256(key.encode()).hexdigest()


def content_sha256(result: ResultIn, *, mask_sha256: str | None, heat_sha256: str | None = None) -> str:
    """Return the hash by which a second submission is the same or another one.

    Contour and heat map count by their voxels, so that the same ones in another format are the same content. The
    sender's words about a failure do not count: they can be erased.
    """
    run = result.run
    document: dict[str, Any] = {
        "case": result.case,
        "task": str(result.task),
        "repeat": result.repeat,
        "model": [result.model.name, result.model.version, result.model.weights_sha256],
        "mask": mask_sha256,
        "probability": result.probability,
        "rating": result.rating,
        "run": [run.seconds, run.hardware, run.device, run.cold_start_seconds] if run is not None else None,
        "failure": str(result.failure.code) if result.failure is not None else None,
    }
    if result.attempt > 1:
        document["attempt"] = result.attempt
    heat = result.heat_map
    if heat is not None:  # results without one keep the hash they had before there were any
        document["heat_map"] = [heat_sha256, heat.method, heat.layer, heat.target_class]
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()
