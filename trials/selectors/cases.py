"""Cases and items for the people who prepare a trial."""

import json
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np

from equipoise.archive.ingest import ReviewReason
from equipoise.archive.models import IngestFileReport, IngestRun
from equipoise.archive.selectors import ingest_log, removal_log, stored_mask_array, stored_volume_slice
from equipoise.common.errors import NotFoundError
from equipoise.imaging.thumbnail import thumbnail_png
from equipoise.imaging.volume import WindowPreset
from trials.models import Case, Item, Trial, Upload, contours_with_masks, images_with_volumes

THUMBNAIL_WINDOW = WindowPreset(name="Soft tissue", centre=-300, width=1400)
"""For CT, in HU: lung and soft tissue both show. Other images have a window of their own."""
THUMBNAIL_PX = 192
PICTURE_PX = 1024
"""The longer side of a picture that is made to be read: whatever stands in the pixels must be legible."""
_WAITING = frozenset(reason.value for reason in ReviewReason)
_API = "/api/v1/trials"


def cases_document(trial: Trial, *, sources: bool) -> list[dict[str, Any]]:
    """Return every case with its image and contours; sources only for those who may see them."""
    cases = trial.cases.prefetch_related(images_with_volumes(), contours_with_masks()).order_by("code")
    return [_case_document(case, sources=sources) for case in cases]


def _case_document(case: Case, *, sources: bool) -> dict[str, Any]:
    image = next(iter(case.images.all()), None)
    volume = image.volume if image is not None else None
    return {
        "id": case.id,
        "code": case.code,
        "purpose": case.purpose,
        "modality": volume.modality if volume is not None else None,
        "slices": volume.frame_count if volume is not None else 0,
        "spacing_mm": list(volume.spacing_mm_zyx) if volume is not None else [],
        "contours": [
            {
                "id": contour.id,
                "source": contour.source if sources else None,
                "voxel_count": contour.voxel_count,
                "volume_ml": round(contour.mask.volume_ml, 3),
            }
            for contour in case.contours.all()
        ],
        "covariates": case.covariates,
        "flags": case.flags,
        "waits_to_be_looked_at": bool(_WAITING & set(case.flags)),
        "thumbnail_url": thumbnail_url(case),
    }


def thumbnail_url(case: Case) -> str:
    """Return where a case's picture is."""
    return f"{_API}/{case.trial_id}/cases/{case.id}/thumbnail.png"


def pixels_are_reviewed(trial: Trial) -> bool:
    """Say whether no case waits to be looked at because its image may show who the patient is."""
    return not any(_WAITING & set(flags) for flags in trial.cases.values_list("flags", flat=True))


def case_thumbnail(case: Case) -> bytes:
    """Return a picture of the slice on which the contours are largest, with the contours."""
    image = case.images.select_related("volume").first()
    if image is None:
        raise NotFoundError(f"Case {case.code} has no image.")
    masks = [stored_mask_array(contour.mask) for contour in case.contours.select_related("mask__volume")]
    volume = image.volume
    total = sum((mask.sum(axis=(1, 2)) for mask in masks), np.zeros(volume.frame_count, dtype=np.int64))
    z = int(np.argmax(total)) if masks else volume.frame_count // 2
    return _picture(volume.id, z, tuple(contour.mask_id for contour in case.contours.all()))


def case_frame(case: Case, number: int) -> bytes:
    """Return a picture of one frame (from 0), without contours, large enough to read what stands in it."""
    image = case.images.select_related("volume").first()
    if image is None or not 0 <= number < image.volume.frame_count:
        raise NotFoundError(f"Case {case.code} has no such frame.")
    return _picture(image.volume_id, number, (), PICTURE_PX)


def item_thumbnail(item: Item) -> bytes:
    """Return a picture of the item's slice with both candidates."""
    candidates = (item.candidate_a, item.candidate_b)
    return _picture(
        item.image.volume_id, item.slice_index, tuple(one.mask_id for one in candidates if one is not None)
    )


@lru_cache(maxsize=256)
def _picture(volume_id: UUID, z: int, mask_ids: tuple[UUID, ...], size_px: int = THUMBNAIL_PX) -> bytes:
    from equipoise.archive.models import StoredMask, StoredVolume

    volume = StoredVolume.objects.get(id=volume_id)
    masks = StoredMask.objects.filter(id__in=mask_ids)
    by_id = {mask.id: mask for mask in masks}
    return thumbnail_png(
        stored_volume_slice(volume, z),
        window=THUMBNAIL_WINDOW if volume.modality == "CT" else volume.window_presets[0],
        spacing_mm_yx=volume.spacing_mm_zyx[1:],
        masks_2d=[stored_mask_array(by_id[one])[z] for one in mask_ids],
        size_px=size_px,
    )


def items_document(trial: Trial) -> dict[str, Any]:
    """Return the last draw: the items, how many slices qualified, and why the others did not."""
    draw = getattr(trial, "item_draw", None)
    items = trial.items.select_related("case").order_by("code")
    return {
        "seed": draw.seed if draw is not None else None,
        "requested": draw.requested if draw is not None else 0,
        "qualifying": draw.qualifying if draw is not None else 0,
        "not_qualifying": draw.not_qualifying if draw is not None else [],
        "drawn_at": draw.drawn_at if draw is not None else None,
        "drawn": [
            {
                "id": item.id,
                "code": item.code,
                "case": item.case.code,
                "practice": item.practice,
                "slice_index": item.slice_index,
                "dice": item.dice,
                "thumbnail_url": f"{_API}/{trial.id}/items/{item.id}/thumbnail.png",
            }
            for item in items
        ],
    }


def ingests_document(trial: Trial) -> list[dict[str, Any]]:
    """Return the trial's runs of ingestion, newest first."""
    runs = IngestRun.objects.filter(trial_id=trial.id).order_by("-started_at")
    return [_run_row(run) for run in runs]


def _run_row(run: IngestRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "state": run.state,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "used": run.used,
        "ignored": run.ignored,
        "failed": run.failed,
    }


def ingest_run_of(trial: Trial, run_id: UUID) -> IngestRun:
    """Return one of the trial's runs of ingestion."""
    run = IngestRun.objects.filter(trial_id=trial.id, id=run_id).first()
    if run is None:
        raise NotFoundError("There is no such ingest.")
    return run


def removal_document(trial: Trial, run_id: UUID) -> dict[str, Any]:
    """Return which attributes the headers of a run held that were not kept, without their values."""
    run = ingest_run_of(trial, run_id)
    lines = [json.loads(line) for line in removal_log(run).splitlines()]
    return {
        "deidentification": run.deidentification,
        "deleted": not lines,
        "files_not_listed": lines[0]["files_not_listed"] if lines else 0,
        "entries": lines[1:],
    }


def ingest_document(trial: Trial, run_id: UUID, *, account_id: UUID, sees_log: bool) -> dict[str, Any]:
    """Return one run file by file. File names can identify people: only the sender and the data manager see them."""
    run = ingest_run_of(trial, run_id)
    is_sender = Upload.objects.filter(trial=trial, ingest_run_id=run.id, created_by_id=account_id).exists()
    names: dict[int, dict[str, Any]] = {}
    if sees_log or is_sender:
        lines = [json.loads(line) for line in ingest_log(run).splitlines()]
        names = {line["number"]: line for line in lines}
    files = []
    for row in IngestFileReport.objects.filter(run=run).order_by("number"):
        told = names.get(row.number, {})
        files.append(
            {
                "number": row.number,
                "path": told.get("path"),
                "kind": row.kind,
                "outcome": row.outcome,
                "code": row.code or None,
                "message": told.get("sentence") or row.advice or None,
            }
        )
    return {**_run_row(run), "files": files}
