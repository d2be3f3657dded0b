"""Writing to the archive: volumes, masks, and the tokens of frames.

Files are written before and outside any transaction; the rows that name them are made in one short one, and
if that fails the files are deleted again. Call these outside a transaction of your own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from equipoise.archive.models import AssetToken, IngestRun, StoredMask, StoredVolume, session_digest
from equipoise.archive.storage import PackStore, StoredFile, StoreKind, default_store
from equipoise.common.ids import new_reader_token
from equipoise.imaging.errors import EmptyMaskError
from equipoise.imaging.geometry import AxisTransform
from equipoise.imaging.mask import Mask, encode_mask
from equipoise.imaging.pack import write_pack
from equipoise.imaging.reading import mask_on_grid
from equipoise.imaging.volume import ImageVolume, pixel_hash, turn_for_display


@dataclass(frozen=True, slots=True)
class PreparedVolume:
    """A volume the usual way round, what was done to it, and the hash by which the same image is known again."""

    turned: ImageVolume
    transform: AxisTransform
    pixel_hash: str


def volume_prepare(volume: ImageVolume) -> PreparedVolume:
    """Turn a volume the usual way round and hash its pixels."""
    turned, transform = turn_for_display(volume)
    return PreparedVolume(turned, transform, pixel_hash(turned))


@dataclass(frozen=True, slots=True)
class StoredPatient:
    """A volume with its masks, just stored or found to be there already."""

    volume: StoredVolume
    masks: dict[str, StoredMask]
    already_there: bool


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
    store = store or default_store()
    encoded = {source: _encoded_mask(mask_on_grid(mask, volume.grid, name=source), source)}
    known = _known_masks(volume, encoded)
    if source in known:
        return known[source]
    file = _write_mask(encoded[source], volume.institute_id, volume.trial_id, store)
    try:
        with transaction.atomic():
            return _mask_row(volume, source, encoded[source], file)
    except BaseException:
        store.delete(file.key)
        raise


def patient_store(
    volume: ImageVolume | PreparedVolume,
    masks: Mapping[str, Mask],
    *,
    trial_id: UUID,
    institute_id: UUID,
    patient_key: str = "",
    run: IngestRun | None = None,
    store: PackStore | None = None,
) -> StoredPatient:
    """Store a volume and its masks together: all of it or nothing. Masks are given by source."""
    store = store or default_store()
    prepared = volume if isinstance(volume, PreparedVolume) else volume_prepare(volume)
    turned, transform, pixels = prepared.turned, prepared.transform, prepared.pixel_hash
    encoded = {
        source: _encoded_mask(mask_on_grid(mask, turned.grid, name=source), source)
        for source, mask in masks.items()
    }
    existing = StoredVolume.objects.filter(trial_id=trial_id, pixel_hash=pixels).first()
    known = _known_masks(existing, encoded) if existing else {}
    files: dict[str, StoredFile] = {}
    written: list[str] = []
    try:
        pack = None
        if existing is None:
            pack = _write_pack(turned, institute_id, trial_id, store)
            written.append(pack.key)
        for source, mask in encoded.items():
            if source not in known:
                files[source] = _write_mask(mask, institute_id, trial_id, store)
                written.append(files[source].key)
        with transaction.atomic():
            row = existing or _volume_row(
                turned,
                transform,
                pack,
                pixels,
                trial_id=trial_id,
                institute_id=institute_id,
                patient_key=patient_key,
                run=run,
            )
            rows = {source: _mask_row(row, source, encoded[source], file) for source, file in files.items()}
    except BaseException as error:
        for key in written:
            store.delete(key)
        if isinstance(error, IntegrityError) and _arrived_meanwhile(existing, trial_id, pixels):
            return patient_store(
                prepared,
                masks,
                trial_id=trial_id,
                institute_id=institute_id,
                patient_key=patient_key,
                run=run,
                store=store,
            )
        raise
    return StoredPatient(
        row, {source: rows.get(source) or known[source] for source in encoded}, existing is not None
    )


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


def asset_tokens_close(reading_id: UUID, *, now: datetime | None = None) -> int:
    """End all tokens of a reading; return how many. Frame processes notice within their cache time (5 s)."""
    return AssetToken.objects.filter(reading_id=reading_id, closed_at=None).update(
        closed_at=now or timezone.now()
    )


def asset_tokens_close_session(session_key: str, *, now: datetime | None = None) -> int:
    """End all tokens of a session, at sign-out; return how many."""
    tokens = AssetToken.objects.filter(session_digest=session_digest(session_key), closed_at=None)
    return tokens.update(closed_at=now or timezone.now())


def asset_tokens_sweep(*, now: datetime | None = None) -> int:
    """Delete tokens that have expired; return how many."""
    deleted, _ = AssetToken.objects.filter(expires_at__lt=now or timezone.now()).delete()
    return deleted


def volume_delete(volume: StoredVolume, *, store: PackStore | None = None) -> None:
    """Delete a volume, its masks and tokens, rows first: a file that stays behind is found by ``verify``."""
    store = store or default_store()
    keys = [volume.key, *volume.masks.values_list("key", flat=True)]
    with transaction.atomic():
        volume.masks.all().delete()
        volume.delete()
    for key in keys:
        store.delete(key)


@dataclass(frozen=True, slots=True)
class _EncodedMask:
    mask: Mask
    content: bytes
    sha256: str


def _encoded_mask(mask: Mask, source: str) -> _EncodedMask:
    if not mask.array.any():
        raise EmptyMaskError(f"The mask of '{source}' has no voxel; send the contour that was meant.")
    content = encode_mask(mask)
    return _EncodedMask(mask, content, sha256(content).hexdigest())


def _known_masks(volume: StoredVolume, encoded: Mapping[str, _EncodedMask]) -> dict[str, StoredMask]:
    rows = volume.masks.filter(source__in=list(encoded))
    return {row.source: row for row in rows if encoded[row.source].sha256 == row.sha256}


def _arrived_meanwhile(existing: StoredVolume | None, trial_id: UUID, pixels: str) -> bool:
    """Say whether another run stored the same image while this one wrote its files."""
    return existing is None and StoredVolume.objects.filter(trial_id=trial_id, pixel_hash=pixels).exists()


def _write_pack(turned: ImageVolume, institute_id: UUID, trial_id: UUID, store: PackStore) -> StoredFile:
    return store.write(
        lambda sink: write_pack(
            sink, turned.array, shape_zyx=turned.grid.shape_zyx, spacing_mm_zyx=turned.grid.spacing_mm_zyx
        ),
        institute_id=institute_id,
        trial_id=trial_id,
        kind=StoreKind.PACKS,
    )


def _write_mask(encoded: _EncodedMask, institute_id: UUID, trial_id: UUID, store: PackStore) -> StoredFile:
    return store.write(
        lambda sink: sink.write(encoded.content),
        institute_id=institute_id,
        trial_id=trial_id,
        kind=StoreKind.MASKS,
    )


def _volume_row(
    turned: ImageVolume,
    transform: AxisTransform,
    pack: StoredFile | None,
    pixels: str,
    *,
    trial_id: UUID,
    institute_id: UUID,
    patient_key: str,
    run: IngestRun | None,
) -> StoredVolume:
    if pack is None:
        raise RuntimeError("A new volume's pack must be written before its row.")
    frames, rows, columns = turned.grid.shape_zyx
    z, y, x = turned.grid.spacing_mm_zyx
    return StoredVolume.objects.create(
        trial_id=trial_id,
        institute_id=institute_id,
        run=run,
        patient_key=patient_key,
        key=pack.key,
        modality=turned.modality,
        frame_count=frames,
        row_count=rows,
        column_count=columns,
        spacing_mm_z=z,
        spacing_mm_y=y,
        spacing_mm_x=x,
        geometry={"grid": turned.grid.as_json(), "transform": transform.as_json()},
        description=turned.description.as_json(),
        windows=[asdict(window) for window in turned.windows],
        size_bytes=pack.size_bytes,
        content_sha256=pack.sha256,
        pixel_hash=pixels,
    )


def _mask_row(volume: StoredVolume, source: str, encoded: _EncodedMask, file: StoredFile) -> StoredMask:
    box = encoded.mask.box()
    if box is None:
        raise RuntimeError("An empty mask must be refused before it is stored.")
    return StoredMask.objects.create(
        volume=volume,
        source=source,
        key=file.key,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        voxel_count=encoded.mask.voxel_count,
        box={"start_zyx": list(box.start_zyx), "shape_zyx": list(box.shape_zyx)},
    )
