"""Reading from the archive: voxels of stored volumes and masks, and where a frame lies that a token may
fetch."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from equipoise.api.prepared import Parameter, PreparedQuery
from equipoise.archive.models import (
    AssetToken,
    IngestRun,
    StoredHeatMap,
    StoredMask,
    StoredVolume,
    session_digest,
)
from equipoise.archive.storage import PackStore, default_store
from equipoise.imaging.mask import Mask, decode_mask
from equipoise.imaging.pack import PackIndex, decompress_frame, read_index
from equipoise.imaging.volume import ImageVolume

_ETAG_CHARACTERS = 32
_CACHED_INDEXES = 64


@dataclass(frozen=True, slots=True)
class AssetWindow:
    """What a token lets its session fetch."""

    token: str
    pack_key: str
    first_frame: int
    last_frame: int
    session_digest: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FrameLocation:
    """Where a frame's compressed bytes lie, and the name under which a browser may keep them."""

    key: str
    offset: int
    length: int
    etag: str


def stored_volume_array(volume: StoredVolume, *, store: PackStore | None = None) -> NDArray[np.int16]:
    """Return all voxels of a stored volume, (z, y, x)."""
    return np.stack(
        [_frame(volume, number, store or default_store()) for number in range(volume.frame_count)]
    )


def stored_volume_slice(
    volume: StoredVolume, number: int, *, store: PackStore | None = None
) -> NDArray[np.int16]:
    """Return one frame of a stored volume, (y, x), reading no other."""
    return _frame(volume, number, store or default_store())


def stored_volume_image(volume: StoredVolume, *, store: PackStore | None = None) -> ImageVolume:
    """Return a stored volume with its grid and technical facts."""
    return ImageVolume(
        array=stored_volume_array(volume, store=store),
        grid=volume.grid,
        modality=volume.modality,
        windows=volume.window_presets,
        description=volume.series_description,
    )


def stored_mask(mask: StoredMask, *, store: PackStore | None = None) -> Mask:
    """Return a stored mask with its grid."""
    return decode_mask((store or default_store()).read(mask.key))


def stored_mask_array(mask: StoredMask, *, store: PackStore | None = None) -> NDArray[np.bool_]:
    """Return the voxels of a stored mask, (z, y, x)."""
    return stored_mask(mask, store=store).array


def stored_heat_levels(heat: StoredHeatMap, *, store: PackStore | None = None) -> NDArray[np.uint8]:
    """Return the levels (0 to 255) of a stored heat map on its volume's frames, (z, y, x)."""
    store = store or default_store()
    index = pack_index(heat.key, store=store)
    levels = np.empty(index.shape_zyx, np.uint8)
    for number, entry in enumerate(index.frames):
        levels[number] = decompress_frame(store.read_range(heat.key, entry.offset, entry.length), index)
    return levels


def volumes_sharing(
    *, trial_id: UUID, patient_keys: Collection[str] = (), pixel_hashes: Collection[str] = ()
) -> list[StoredVolume]:
    """Return the trial's volumes of any of these patients or images."""
    volumes = StoredVolume.objects.filter(trial_id=trial_id)
    named = volumes.filter(patient_key__in=[key for key in patient_keys if key])
    return list((named | volumes.filter(pixel_hash__in=list(pixel_hashes))).distinct().order_by("id"))


def ingest_log(run: IngestRun, *, store: PackStore | None = None) -> str:
    """Return a run's log (JSON lines with file names, which may identify people). The caller checks the right to it."""
    return (store or default_store()).read(run.log_key).decode() if run.log_key else ""


def removal_log(run: IngestRun, *, store: PackStore | None = None) -> str:
    """Return the list of what a run's headers held and was not kept (JSON lines). The caller checks the right to it."""
    return (store or default_store()).read(run.removal_log_key).decode() if run.removal_log_key else ""


def asset_window(token: str) -> AssetWindow | None:
    """Return what an open token allows; None for one that is unknown or closed. Expiry is checked at each use."""
    row = (
        AssetToken.objects.filter(token=token, closed_at=None)
        .values_list("volume__key", "first_frame", "last_frame", "session_digest", "expires_at")
        .first()
    )
    return AssetWindow(token, *row) if row else None


_HELD_TOKENS: PreparedQuery[tuple[UUID, str]] = PreparedQuery(
    lambda: AssetToken.objects.filter(
        reading_id=Parameter("reading", AssetToken, "reading_id"),
        session_digest=Parameter("session_digest", AssetToken),
        closed_at=None,
        expires_at__gt=Parameter("expires_at", AssetToken),
    ).values_list("volume_id", "token")
)


def asset_tokens_of(*, reading_id: UUID, session_key: str, now: datetime) -> dict[UUID, str]:
    """Return the open tokens that a session holds for a reading, by volume: frames fetched ahead keep their address."""
    held = _HELD_TOKENS.rows(reading=reading_id, session_digest=session_digest(session_key), expires_at=now)
    return dict(held)


def locate_in_window(
    window: AssetWindow, number: int, *, session_key: str, now: datetime, store: PackStore | None = None
) -> FrameLocation | None:
    """Return where frame ``number`` of a window lies; None if the session, time or number is not the token's."""
    if now >= window.expires_at or not compare_digest(session_digest(session_key), window.session_digest):
        return None
    frame = window.first_frame + number
    if number < 0 or frame > window.last_frame:
        return None
    entry = pack_index(window.pack_key, store=store).frames[frame]
    return FrameLocation(window.pack_key, entry.offset, entry.length, frame_etag(window.token, number))


def frame_locate(
    token: str, number: int, *, session_key: str, now: datetime, store: PackStore | None = None
) -> FrameLocation | None:
    """Return where the frame lies that a token may fetch as ``number`` (from 0 at the window's first); else None."""
    window = asset_window(token)
    if window is None:
        return None
    return locate_in_window(window, number, session_key=session_key, now=now, store=store)


def frame_etag(token: str, number: int) -> str:
    """Return a frame's entity tag: of token and number, never of content, which would show hidden repeats."""
    return sha256(f"{token}/{number}".encode()).hexdigest()[:_ETAG_CHARACTERS]


def pack_index(key: str, *, store: PackStore | None = None) -> PackIndex:
    """Return a pack's header. A stored pack never changes, so its header is kept in memory."""
    return _pack_index(key, store or default_store())


@lru_cache(maxsize=_CACHED_INDEXES)
def _pack_index(key: str, store: PackStore) -> PackIndex:
    with store.open(key) as source:
        return read_index(source)


def _frame(volume: StoredVolume, number: int, store: PackStore) -> NDArray[np.int16]:
    index = pack_index(volume.key, store=store)
    entry = index.frames[number]
    return decompress_frame(store.read_range(volume.key, entry.offset, entry.length), index)
