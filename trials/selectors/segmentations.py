"""``segmentations.csv``: every two contours of one case against each other, from the trial's own readings.

A reader's contour is that of the answer the plan uses. Algorithms and the reference are the case's stored contours.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from equipoise.archive.selectors import stored_mask_array
from equipoise.archive.storage import default_store
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import decode_mask
from equipoise.metrics import SegmentationMetrics, pairwise_segmentation_metrics, segmentation_metrics
from trials.domain.protocol.tasks import ContouringTask, ContourReviewTask
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import AlgorithmVersion, Item, Reading, ResponseFile, Trial, contours_with_masks
from trials.selectors.per_protocol import Exclusions, exclusions_of
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import ANSWERED

METRICS = (
    "dice", "jaccard", "surface_dice", "hausdorff_mm", "hausdorff_95_mm", "mean_surface_distance_mm",
    "added_path_length_mm", "volume_reference_ml", "volume_candidate_ml",
)  # fmt: skip
SEGMENTATIONS_COLUMNS = ("case", "item", "first", "second", "kind", *METRICS, "flags")
TOLERANCE_MM = 1.18
"""Of the surface Dice."""
MASK = "mask"
"""The name under which an answer's voxels are kept."""
_MAIN_PHASE = "reading"

Voxels = NDArray[np.bool_]


def has_segmentations(trial: Trial) -> bool:
    """Say whether the readers of this trial draw."""
    return isinstance(protocol_of_version(protocol_locked(trial)).task, ContouringTask)


def has_contours(trial: Trial) -> bool:
    """Say whether contours come of the readings of this trial: drawn ones, or reviewed ones."""
    return isinstance(protocol_of_version(protocol_locked(trial)).task, ContouringTask | ContourReviewTask)


def algorithm_sources(protocol: ProtocolV1) -> tuple[str, ...]:
    """Return the sources whose contours are an algorithm's."""
    return tuple(algorithm.source for algorithm in protocol.algorithms)


def segmentations_rows(trial: Trial) -> Iterator[dict[str, Any]]:
    """Yield one row per pair of contours, item by item. Only for those who may see answers: after unblinding."""
    protocol = protocol_of_version(protocol_locked(trial))
    task = protocol.task
    if not isinstance(task, ContouringTask):
        return
    items = (
        trial.items.filter(practice=False)
        .select_related("case", "image__volume")
        .prefetch_related(contours_with_masks("case__contours"))
        .order_by("code")
    )
    exclusions = exclusions_of(trial)
    outside = _outside_per_protocol(trial, exclusions)
    of_source = {
        version.source: exclusions.participant_flags(version.participant_id)
        for version in AlgorithmVersion.objects.filter(trial=trial)
    }
    for item in items:
        of_case = exclusions.case_flags(item.case_id)
        for row in _item_rows(item, task, protocol):
            repeat = 2 if row["kind"] == "intra" else 1
            own = [
                (*of_source.get(name, ()), *outside.get((item.id, name, number), ()))
                for name, number in ((row["first"], 1), (row["second"], repeat))
            ]
            yield row | {
                "flags": " ".join(dict.fromkeys(flag for flags in (*own, of_case) for flag in flags))
            }


def _outside_per_protocol(trial: Trial, exclusions: Exclusions) -> dict[tuple[UUID, str, int], list[str]]:
    """Return the flags of the readings that deviations exclude, by item, reader and repeat."""
    readings = Reading.objects.filter(trial=trial, phase=_MAIN_PHASE).select_related("participant", "item")
    return {
        (reading.item_id, reading.participant.code, reading.repeat): flags
        for reading in readings.defer("environment", "item__outlines_a", "item__outlines_b")
        if (flags := exclusions.flags(reading, reading.item))
    }


def _item_rows(item: Item, task: ContouringTask, protocol: ProtocolV1) -> Iterator[dict[str, Any]]:
    grid = item.image.volume.grid
    drawn = drawn_of_item(item, grid, last=protocol.analysis_plan.answer_used == "last")
    stored = {contour.source: contour for contour in item.case.contours.all()}
    masks: dict[str, Voxels] = {}
    if task.reference is not None and task.reference in stored:
        masks[task.reference] = stored_mask_array(stored[task.reference].mask)
    for source in algorithm_sources(protocol):
        if source in stored and source != task.reference:
            masks[source] = stored_mask_array(stored[source].mask)
    masks |= {reader: repeats[1] for reader, repeats in drawn.items() if 1 in repeats}
    for first, second, metrics in pairwise_segmentation_metrics(masks, grid.spacing_mm_zyx, (TOLERANCE_MM,)):
        yield _row(item, first, second, "reference" if first == task.reference else "inter", metrics)
    for reader, repeats in drawn.items():
        if 1 in repeats and 2 in repeats:
            again = segmentation_metrics(repeats[1], repeats[2], grid.spacing_mm_zyx, (TOLERANCE_MM,))
            yield _row(item, reader, reader, "intra", again)


def drawn_of_item(item: Item, grid: Grid, *, last: bool) -> dict[str, dict[int, Voxels]]:
    """Return, by reader and repeat, what was drawn of an item; readings without a contour are missing."""
    readings = (
        Reading.objects.filter(item=item, phase=_MAIN_PHASE, state__in=ANSWERED)
        .select_related("participant")
        .prefetch_related("responses__files")
        .order_by("participant__code", "repeat")
    )
    drawn: dict[str, dict[int, Voxels]] = {}
    for reading in readings:
        responses = list(reading.responses.all())
        used = responses[-1 if last else 0]
        file = next((one for one in used.files.all() if one.name == MASK), None)
        if file is not None:
            drawn.setdefault(reading.participant.code, {})[reading.repeat] = response_mask(file, grid)
    return drawn


def response_mask(file: ResponseFile, grid: Grid) -> Voxels:
    """Return the voxels of a stored answer, (z, y, x)."""
    return decode_mask(default_store().read(file.key), wanted=grid).array


def _row(item: Item, first: str, second: str, kind: str, metrics: SegmentationMetrics) -> dict[str, Any]:
    row: dict[str, Any] = {
        "case": item.case.code,
        "item": item.code,
        "first": first,
        "second": second,
        "kind": kind,
    }
    return row | _measured(metrics)


def _measured(metrics: SegmentationMetrics) -> dict[str, Any]:
    values = {name: getattr(metrics, name) for name in METRICS if name != "surface_dice"}
    return values | {"surface_dice": metrics.surface_dice[TOLERANCE_MM]}
