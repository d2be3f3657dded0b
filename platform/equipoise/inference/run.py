"""One image through one pipeline: prepare, run the network, find lesions, say what was found."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging import Grid, ImageVolume, Mask
from equipoise.imaging.volume import turn_for_display
from equipoise.inference.bone_scan import heat_on_views, timed_preparation, views_of
from equipoise.inference.cards import PUBLISHED_THRESHOLD, ModelCard
from equipoise.inference.errors import InferenceWarning, UnusableScanError, WarningCode
from equipoise.inference.lesions import (
    Components,
    LesionMasks,
    boxes_of,
    components_by_size,
    describe_lesion,
    part_of_grid,
    published_component,
)
from equipoise.inference.nsclc import prepare_nsclc
from equipoise.inference.nsclc_published import prepare_nsclc_published
from equipoise.inference.prepared import PreparedScan

if TYPE_CHECKING:
    from equipoise.inference.runtime import Runtime

Preparation = Callable[[NDArray[np.int16], tuple[float, float, float]], PreparedScan]

PREPARATIONS: dict[str, Preparation] = {"nsclc": prepare_nsclc, "nsclc-published": prepare_nsclc_published}
"""Segmentation pipelines and how they prepare a scan."""

CLASSES = ("no metastases", "metastases")
"""Classes of the bone-scan network, by index."""

LAST_CONVOLUTION = "features.28"
"""The layer that heat maps are of."""


@dataclass(frozen=True, eq=False)
class SegmentationResult:
    """What a segmentation pipeline found.

    Attributes
    ----------
    lesions : LesionMasks
        ``GTV-1`` is the chosen component; further ones follow by size. On the image's own grid.
    lung_mask : Mask
        What was looked at.
    probability : ndarray of float32, shape (z, y, x)
        On the image's voxels; 0 where nothing was looked at.
    report : dict
        Plain values for JSON.
    """

    lesions: LesionMasks
    lung_mask: Mask
    probability: NDArray[np.float32]
    report: dict[str, Any]


@dataclass(frozen=True, eq=False)
class ClassificationResult:
    """What the bone-scan pipeline found: a report, and the heat map on both views, shape (2, rows, columns)."""

    heat: NDArray[np.float32]
    report: dict[str, Any]


def run_segmentation(
    volume: ImageVolume,
    runtime: "Runtime",
    *,
    pipeline: str = "nsclc",
    read_seconds: float = 0.0,
    before_slice: Callable[[], None] | None = None,
) -> SegmentationResult:
    """Segment lung tumours on a CT, whichever way round it is stored.

    ``before_slice`` is called before the network sees a slice; what it raises ends the work.

    Raises
    ------
    InferenceError, IngestError
        With the reason why there is no answer.
    """
    _check_modality(volume, ("CT",), pipeline)
    started = perf_counter()
    turned, transform = turn_for_display(volume)
    scan = PREPARATIONS[pipeline](turned.array, turned.grid.spacing_mm_zyx)
    prepared = perf_counter()
    published = pipeline == "nsclc-published"
    on_plane = runtime.segment(scan, before_slice=before_slice)
    segmented = perf_counter()
    threshold = PUBLISHED_THRESHOLD if published else runtime.card.threshold
    above = on_plane > threshold
    if not published:
        above &= scan.lung_mask
    found = published_component(above) if published else components_by_size(above)
    labels = scan.to_image(found.labels)
    described = [
        _in_stored_order(lesion, volume.grid)
        for lesion in _described(turned, labels, found, on_plane=on_plane, midline_x=scan.midline_x)
    ]
    labels = np.ascontiguousarray(transform.undo(labels))
    finished = perf_counter()
    seconds = {
        "read": read_seconds,
        **scan.seconds,
        "network": segmented - prepared,
        "lesions": finished - segmented,
        "total": read_seconds + finished - started,
    }
    report = {
        **_provenance(runtime, pipeline, threshold=threshold),
        "detection": _detection_per_lung(on_plane, scan, threshold=threshold),
        "lesions": described,
        "lesions_not_kept": found.count - found.kept,
        "slices_looked_at": [scan.first_slice, scan.last_slice],
        "warnings": [remark.as_json() for remark in _all_remarks(scan, runtime.card, described)],
        "seconds": seconds,
    }
    return SegmentationResult(
        lesions=LesionMasks(labels, found.kept, volume.grid),
        lung_mask=Mask(np.ascontiguousarray(transform.undo(scan.to_image(scan.lung_mask))), volume.grid),
        probability=np.ascontiguousarray(transform.undo(scan.to_image(on_plane))),
        report=report,
    )


def run_classification(
    volume: ImageVolume, runtime: "Runtime", *, read_seconds: float = 0.0
) -> ClassificationResult:
    """Classify a planar bone scan and explain the class by a heat map.

    Raises
    ------
    InferenceError
        With the reason why there is no answer.
    """
    started = perf_counter()
    anterior, posterior = views_of(volume.array, volume.description.views)
    plane, seconds = timed_preparation(anterior, posterior)
    prepared = perf_counter()
    probabilities, heat = runtime.classify(plane)
    finished = perf_counter()
    chosen = int(probabilities.argmax())
    remarks = _demonstration(runtime.card)
    report = {
        **_provenance(runtime, "bone-scan", threshold=runtime.card.threshold),
        "probabilities": {name: float(value) for name, value in zip(CLASSES, probabilities, strict=True)},
        "positive": bool(probabilities[1] > runtime.card.threshold),
        "heat_map": {
            "method": "Grad-CAM",
            "layer": LAST_CONVOLUTION,
            "class": CLASSES[chosen],
            "weights_sha256": runtime.card.sha256,
        },
        "warnings": [remark.as_json() for remark in remarks],
        "seconds": {
            "read": read_seconds,
            **seconds,
            "network": finished - prepared,
            "total": read_seconds + finished - started,
        },
    }
    return ClassificationResult(heat_on_views(heat, (anterior.shape[0], anterior.shape[1])), report)


def _check_modality(volume: ImageVolume, wanted: tuple[str, ...], pipeline: str) -> None:
    if volume.modality not in wanted or volume.planar:
        raise UnusableScanError(
            f"The pipeline {pipeline} takes {' or '.join(wanted)} volumes; this image is of modality "
            f"{volume.modality}."
        )


def _provenance(runtime: "Runtime", pipeline: str, *, threshold: float) -> dict[str, Any]:
    return {
        "pipeline": pipeline,
        "model": runtime.card.model_id,
        "weights_sha256": runtime.card.sha256,
        "threshold": threshold,
        "hardware": runtime.hardware(),
        "model_load_seconds": runtime.load_seconds,
    }


def _described(
    image: ImageVolume,
    labels: NDArray[np.uint8],
    found: Components,
    *,
    on_plane: NDArray[np.float32],
    midline_x: NDArray[np.float64],
) -> list[dict[str, Any]]:
    """Describe every kept lesion within its own box, on the image and on the plane."""
    described = []
    # A lesion of few pixels can fall between the voxels of a coarse image: then it has no box there.
    image_boxes = boxes_of(labels, found.kept)
    for number, (box, plane_box) in enumerate(zip(image_boxes, found.boxes(), strict=True), start=1):
        on = found.labels[plane_box] == number
        here = box or (slice(0, 1), slice(0, 1), slice(0, 1))
        described.append(
            describe_lesion(
                labels[here] == number,
                image.array[here],
                part_of_grid(image.grid, here),
                name=f"GTV-{number}",
                probability=float(on_plane[plane_box][on].max()),
                side=_side(on, midline_x[plane_box[0]] - plane_box[2].start),
            )
        )
    return described


def _side(mask: NDArray[np.bool_], midline_x: NDArray[np.float64]) -> str:
    """Return the side that most of a lesion lies on; columns run to the patient's left."""
    z, _, x = np.nonzero(mask)
    return "left" if 2 * np.count_nonzero(x > midline_x[z]) > len(x) else "right"


def _detection_per_lung(
    probability: NDArray[np.float32], scan: PreparedScan, *, threshold: float
) -> dict[str, dict[str, Any]]:
    """Return the highest probability on each side of the midline, inside what was looked at."""
    seen = np.where(scan.lung_mask, probability, 0)
    left = np.arange(probability.shape[2])[None, :] > scan.midline_x[:, None]
    highest = seen.max(axis=1, initial=0)
    result = {}
    for side, columns in (("left", left), ("right", ~left)):
        value = float(np.where(columns, highest, 0).max(initial=0))
        result[side] = {"probability": value, "detected": value > threshold}
    return result


def _in_stored_order(lesion: dict[str, Any], stored: Grid) -> dict[str, Any]:
    """Name the slice as the image is stored; the end points are in patient coordinates anyway."""
    ends = lesion["longest_diameter_ends_mm_xyz"]
    if ends is None:
        return lesion
    middle = stored.patient_to_index(np.mean(np.array(ends), axis=0))
    return {**lesion, "longest_diameter_slice": round(float(middle[2]))}


def _all_remarks(
    scan: PreparedScan, card: ModelCard, lesions: list[dict[str, Any]]
) -> list[InferenceWarning]:
    remarks = [*scan.warnings, *_demonstration(card)]
    if not lesions and len(scan.bins):
        remarks.append(InferenceWarning(WarningCode.NOTHING_FOUND, "No lesion lies above the threshold."))
    return remarks


def _demonstration(card: ModelCard) -> list[InferenceWarning]:
    if not card.demonstration:
        return []
    return [
        InferenceWarning(
            WarningCode.DEMONSTRATION_MODEL,
            f"{card.name} is a demonstration model, trained on {card.data}; its findings mean nothing clinically.",
        )
    ]
