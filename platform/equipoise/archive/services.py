"""Writing to the archive: volumes, masks, and the tokens of frames.

Files are written before and outside any transaction; the rows that name them are made in one short one, and
if that fails the files are deleted again. Call these outside a transaction of your own.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from numpy.typing import NDArray

from equipoise.api.prepared import Parameter, PreparedUpdate
from equipoise.archive.deidentification import ImageUids, derived_uids
from equipoise.archive.models import (
    AssetToken,
    IngestRun,
    StoredHeatMap,
    StoredMask,
    StoredVolume,
    session_digest,
)
from equipoise.archive.new_files import NewFiles
from equipoise.archive.storage import PackStore, StoredFile, StoreKind, default_store
from equipoise.common.ids import new_reader_token
from equipoise.imaging.errors import EmptyMaskError, GridMismatchError
from equipoise.imaging.geometry import Grid
from equipoise.imaging.heat_map import levels_sha256
from equipoise.imaging.mask import Box, Mask, encode_mask
from equipoise.imaging.pack import write_pack
from equipoise.imaging.reading import mask_on_grid
from equipoise.imaging.stack import ImageStack, stack_of_volume
from equipoise.imaging.volume import ImageVolume, PixelHash

MOST_THREADS = 4
"""Threads that read and compress the frames of one image: beyond this hashing them in order is the limit."""


@dataclass(frozen=True, slots=True)
class StoredPatient:
    """A volume with its masks, just stored or found to be there already."""

    volume: StoredVolume
    masks: dict[str, StoredMask]
    already_there: bool


@dataclass(frozen=True, slots=True)
class PreparedMask:
    """A mask on a volume's grid as it will be stored; the voxels need not stay in memory."""

    content: bytes
    sha256: str
    voxel_count: int
    box: Box


def mask_prepare(mask: Mask, grid: Grid, *, source: str) -> PreparedMask:
    """Encode a mask on a grid.

    Raises
    ------
    GridMismatchError, EmptyMaskError
        If the mask is not on the grid's voxels, in whatever axis order, or has none.
    """
    on_grid = mask_on_grid(mask, grid, name=source)
    box = on_grid.box()
    if box is None:
        raise EmptyMaskError(f"The mask of '{source}' has no voxel; send the contour that was meant.")
    content = encode_mask(on_grid)
    return PreparedMask(content, sha256(content).hexdigest(), on_grid.voxel_count, box)


def volume_store(
    volume: ImageVolume,
    *,
    trial_id: UUID,
    institute_id: UUID,
    patient_key: str = "",
    run: IngestRun | None = None,
    store: PackStore | None = None,
) -> StoredVolume:
    """Store a volume the usual way round; the same image is stored once per trial and returned as it is there."""
    stored = patient_store(
        volume,
        {},
        trial_id=trial_id,
        institute_id=institute_id,
        patient_key=patient_key,
        run=run,
        store=store,
    )
    return stored.volume


def mask_store(
    volume: StoredVolume, mask: Mask, *, source: str, store: PackStore | None = None
) -> StoredMask:
    """Store a mask of a stored volume; the same voxels of the same source are stored once.

    Raises
    ------
    GridMismatchError, EmptyMaskError
        If the mask is not on the volume's voxels, in whatever axis order, or has none.
    """
    prepared = {source: mask_prepare(mask, volume.grid, source=source)}
    known = _known_masks(volume, prepared)
    if source in known:
        return known[source]
    with NewFiles(
        store or default_store(), institute_id=volume.institute_id, trial_id=volume.trial_id
    ) as files:
        file = files.write(lambda sink: sink.write(prepared[source].content), StoreKind.MASKS)
        with transaction.atomic():
            row = _mask_row(volume, source, prepared[source], file)
            files.keep({file.key})
    return row


def heat_map_store(
    volume: StoredVolume, levels: NDArray[np.uint8], *, store: PackStore | None = None
) -> StoredHeatMap:
    """Store a heat map on a stored volume's frames; the same levels are stored once.

    Raises
    ------
    GridMismatchError
        If the map has not the volume's frames, rows and columns.
    """
    if levels.shape != volume.shape_zyx:
        raise GridMismatchError(
            f"The heat map has the shape {levels.shape}; the image has {volume.shape_zyx}. Nothing is resampled."
        )
    digest = levels_sha256(levels)
    known = volume.heat_maps.filter(levels_sha256=digest).first()
    if known is not None:
        return known
    with NewFiles(
        store or default_store(), institute_id=volume.institute_id, trial_id=volume.trial_id
    ) as files:
        file = files.write(
            lambda sink: write_pack(
                sink,
                (frame.astype(np.int16) for frame in levels),
                shape_zyx=volume.shape_zyx,
                spacing_mm_zyx=volume.spacing_mm_zyx,
            ),
            StoreKind.HEAT,
        )
        with transaction.atomic():
            row = StoredHeatMap.objects.create(
                volume=volume,
                key=file.key,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                levels_sha256=digest,
            )
            files.keep({file.key})
    return row


def patient_store(
    volume: ImageVolume | ImageStack,
    masks: Mapping[str, Mask | PreparedMask],
    *,
    trial_id: UUID,
    institute_id: UUID,
    patient_key: str = "",
    run: IngestRun | None = None,
    store: PackStore | None = None,
    uids: Callable[[str], ImageUids] | None = None,
    accept: Callable[[str], object] | None = None,
    attach: Callable[[StoredPatient], object] | None = None,
) -> StoredPatient:
    """Store a volume and its masks together: all of it or nothing.

    Parameters
    ----------
    volume : ImageVolume or ImageStack
        A stack is read frame by frame, straight into its pack.
    masks : mapping of str to Mask or PreparedMask
        By source.
    uids : callable, optional
        Returns the UIDs (mapped ones, never the sender's) from the image's pixel hash; without it they are derived.
    accept : callable, optional
        Called with the image's pixel hash once it is known; what it raises keeps the patient out.
    attach : callable, optional
        Called inside the transaction that makes the rows: what it writes stands or falls with them.
    """
    stack = volume if isinstance(volume, ImageStack) else stack_of_volume(volume)
    prepared = {
        source: mask if isinstance(mask, PreparedMask) else mask_prepare(mask, stack.grid, source=source)
        for source, mask in masks.items()
    }
    with NewFiles(store or default_store(), institute_id=institute_id, trial_id=trial_id) as files:
        pack, pixels = _write_pack(files, stack, trial_id, accept or _accept_all)
        written: dict[str, StoredFile] = {}
        while True:
            existing = StoredVolume.objects.filter(trial_id=trial_id, pixel_hash=pixels).first()
            known = _known_masks(existing, prepared) if existing else {}
            for source in prepared.keys() - known.keys() - written.keys():
                written[source] = _write_mask(files, prepared[source])
            try:
                with transaction.atomic():
                    row = existing or _volume_row(
                        stack,
                        pack,
                        pixels,
                        trial_id=trial_id,
                        institute_id=institute_id,
                        patient_key=patient_key,
                        uids=(
                            uids(pixels)
                            if uids is not None
                            else derived_uids(trial_id=trial_id, patient_key=patient_key, pixel_hash=pixels)
                        ),
                        run=run,
                    )
                    for source in written.keys() - known.keys():
                        known[source] = _mask_row(row, source, prepared[source], written[source])
                    stored = StoredPatient(row, {s: known[s] for s in prepared}, existing is not None)
                    if attach is not None:
                        attach(stored)
                    files.keep({row.key, *(mask.key for mask in known.values())})
            except IntegrityError:
                if existing is None and _is_there(trial_id, pixels):
                    continue  # another run stored the same image meanwhile
                raise
            return stored


def asset_token_issue(
    volume: StoredVolume,
    *,
    first_frame: int,
    last_frame: int,
    session_key: str,
    expires_at: datetime,
    reading_id: UUID | None = None,
) -> AssetToken:
    """Let one session fetch the frames ``first_frame`` to ``last_frame`` (both included) until a time.

    In addresses frames are numbered from 0 at ``first_frame``, so that an address tells nothing of the place
    in the scan.

    Raises
    ------
    ValueError
        If the window is not inside the volume or there is no session.
    """
    if not 0 <= first_frame <= last_frame < volume.frame_count:
        raise ValueError(
            f"Frames {first_frame} to {last_frame} are not inside a volume of {volume.frame_count}."
        )
    if not session_key:
        raise ValueError("session_key must not be empty: a token belongs to a session.")
    return AssetToken.objects.create(
        token=new_reader_token(),
        volume=volume,
        first_frame=first_frame,
        last_frame=last_frame,
        session_digest=session_digest(session_key),
        reading_id=reading_id,
        expires_at=expires_at,
    )


_CLOSED = PreparedUpdate(
    lambda: (
        AssetToken.objects.filter(reading_id=Parameter("reading", AssetToken, "reading_id"), closed_at=None),
        {"closed_at": Parameter("closed_at", AssetToken)},
    )
)


def asset_tokens_close(reading_id: UUID, *, now: datetime | None = None) -> int:
    """End all tokens of a reading; return how many. Frame processes notice within their cache time (5 s)."""
    return _CLOSED.run(reading=reading_id, closed_at=now or timezone.now())


def asset_tokens_pass(reading_id: UUID, *, to: UUID) -> int:
    """Let the tokens of a reading go on as another's that shows the same images; return how many."""
    return AssetToken.objects.filter(reading_id=reading_id, closed_at=None).update(reading_id=to)


def asset_tokens_close_session(session_key: str, *, now: datetime | None = None) -> int:
    """End all tokens of a session, at sign-out; return how many."""
    tokens = AssetToken.objects.filter(session_digest=session_digest(session_key), closed_at=None)
    return tokens.update(closed_at=now or timezone.now())


def asset_tokens_sweep(*, now: datetime | None = None) -> int:
    """Delete tokens that have expired; return how many."""
    deleted, _ = AssetToken.objects.filter(expires_at__lt=now or timezone.now()).delete()
    return deleted


def ingest_logs_delete(run: IngestRun, *, store: PackStore | None = None) -> int:
    """Delete a run's logs (file names, what was removed); return how many there were.

    The files go when the transaction is through: one that stays is found by ``verify``.
    """
    store = store or default_store()
    keys = [key for key in (run.log_key, run.removal_log_key) if key]
    run.log_key = run.removal_log_key = ""
    run.save(update_fields=["log_key", "removal_log_key"])
    for key in keys:
        transaction.on_commit(partial(store.delete, key), robust=True)
    return len(keys)


def volume_delete(volume: StoredVolume, *, store: PackStore | None = None) -> None:
    """Delete a volume and all that belongs to it, rows first: a file that stays is found by ``verify``."""
    store = store or default_store()
    keys = [
        volume.key,
        *volume.masks.values_list("key", flat=True),
        *volume.heat_maps.values_list("key", flat=True),
        *volume.originals.values_list("key", flat=True),
    ]
    with transaction.atomic():
        volume.masks.all().delete()
        volume.heat_maps.all().delete()
        volume.originals.all().delete()
        volume.delete()
    for key in keys:
        store.delete(key)


def _accept_all(pixels: str) -> None:
    """Object to no image."""


def _known_masks(volume: StoredVolume, prepared: Mapping[str, PreparedMask]) -> dict[str, StoredMask]:
    rows = volume.masks.filter(source__in=list(prepared))
    return {row.source: row for row in rows if prepared[row.source].sha256 == row.sha256}


def _is_there(trial_id: UUID, pixels: str) -> bool:
    return StoredVolume.objects.filter(trial_id=trial_id, pixel_hash=pixels).exists()


def _write_pack(
    files: NewFiles, stack: ImageStack, trial_id: UUID, accept: Callable[[str], object]
) -> tuple[StoredFile | None, str]:
    """Read the stack into a pack; return the file and the hash by which the same image is known again.

    No file where the trial has the image already.
    """
    digest = PixelHash(stack.grid.shape_zyx)
    with files.begin(StoreKind.PACKS) as pending:
        write_pack(
            pending.sink,
            stack.frames(),
            shape_zyx=stack.grid.shape_zyx,
            spacing_mm_zyx=stack.grid.spacing_mm_zyx,
            threads=_threads(),
            on_frame=digest.add,
        )
        pixels = digest.hexdigest()
        accept(pixels)
        return None if _is_there(trial_id, pixels) else pending.commit(), pixels


def _threads() -> int:
    return max(1, min(settings.THREADS, len(os.sched_getaffinity(0)), MOST_THREADS))


def _write_mask(files: NewFiles, prepared: PreparedMask) -> StoredFile:
    return files.write(lambda sink: sink.write(prepared.content), StoreKind.MASKS)


def _volume_row(
    stack: ImageStack,
    pack: StoredFile | None,
    pixels: str,
    *,
    trial_id: UUID,
    institute_id: UUID,
    patient_key: str,
    uids: ImageUids,
    run: IngestRun | None,
) -> StoredVolume:
    if pack is None:
        raise RuntimeError(
            "The trial's copy of the image was deleted while it was sent again; send it once more."
        )
    frames, rows, columns = stack.grid.shape_zyx
    z, y, x = stack.grid.spacing_mm_zyx
    return StoredVolume.objects.create(
        trial_id=trial_id,
        institute_id=institute_id,
        run=run,
        patient_key=patient_key,
        study_uid=uids.study,
        series_uid=uids.series,
        frame_of_reference_uid=uids.frame_of_reference,
        key=pack.key,
        modality=stack.modality,
        frame_count=frames,
        row_count=rows,
        column_count=columns,
        spacing_mm_z=z,
        spacing_mm_y=y,
        spacing_mm_x=x,
        geometry={"grid": stack.grid.as_json(), "transform": stack.transform.as_json()},
        description=stack.description.as_json(),
        windows=[asdict(window) for window in stack.windows],
        size_bytes=pack.size_bytes,
        content_sha256=pack.sha256,
        pixel_hash=pixels,
    )


def _mask_row(volume: StoredVolume, source: str, prepared: PreparedMask, file: StoredFile) -> StoredMask:
    box = prepared.box
    return StoredMask.objects.create(
        volume=volume,
        source=source,
        key=file.key,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        voxel_count=prepared.voxel_count,
        box={"start_zyx": list(box.start_zyx), "shape_zyx": list(box.shape_zyx)},
    )
