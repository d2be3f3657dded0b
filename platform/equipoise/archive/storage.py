"""Where files lie: ``<institute>/<trial>/<kind>/<uuid>`` under the store, written whole or not at all.

A file is written to ``incoming/``, synced, renamed into place, and only then named by a row; who fails in
between deletes what was written. Keys hold no word a person could be known by.
"""

import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from equipoise.common.ids import new_id

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
INCOMING_KEPT = timedelta(hours=24)
"""How long something may lie untouched on its way in: an upload can be resumed within a day."""

_FILE_MODE = 0o640
_FOLDER_MODE = 0o750


class StoreKind(StrEnum):
    """The folders of a trial."""

    PACKS = "packs"
    MASKS = "masks"
    HEAT = "heat"
    ORIGINALS = "originals"
    EXPORTS = "exports"
    INGEST_LOGS = "ingest-logs"


_KEY = re.compile(rf"{_UUID}/{_UUID}/({'|'.join(StoreKind)})/{_UUID}")


class StoredFileDamagedError(Exception):
    """A stored file is missing or shorter than its row says."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is in the store."""

    key: str
    size_bytes: int
    sha256: str


class PackStore(Protocol):
    """What a place for files can do. One for a folder is below; one for S3 reads ranges by the same call."""

    def write(
        self, fill: Callable[[BinaryIO], object], *, institute_id: UUID, trial_id: UUID, kind: StoreKind
    ) -> StoredFile:
        """Make a file by handing ``fill`` an open, seekable one; it is there whole when this returns."""

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``."""

    def read(self, key: str) -> bytes:
        """Return a whole file."""

    def open(self, key: str) -> BufferedReader:
        """Open a file for reading."""

    def delete(self, key: str) -> None:
        """Delete a file; one that is gone already is no fault."""

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of a file's bytes as they are now."""

    def keys(self) -> Iterator[str]:
        """Yield the keys of all files."""

    def __hash__(self) -> int:
        """Stores are told apart by identity, to remember what was read from which."""


class LocalPackStore:
    """A store in a local folder.

    ``incoming`` must lie on the same disk as ``root``, so that a rename is atomic.
    """

    def __init__(self, root: Path, incoming: Path) -> None:
        self._root, self._incoming = root, incoming

    def write(
        self, fill: Callable[[BinaryIO], object], *, institute_id: UUID, trial_id: UUID, kind: StoreKind
    ) -> StoredFile:
        """Write to ``incoming``, sync, rename, sync the folder."""
        file_id = new_id()
        key = f"{institute_id}/{trial_id}/{kind}/{file_id}"
        target, part = self._path(key), self._incoming / f"{file_id}.part"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        target.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        try:
            with part.open("x+b") as sink:
                os.fchmod(sink.fileno(), _FILE_MODE)
                fill(sink)
                sink.flush()
                os.fsync(sink.fileno())
                size = sink.seek(0, os.SEEK_END)
                sink.seek(0)
                digest = file_digest(sink, "sha256").hexdigest()
            part.rename(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        return StoredFile(key, size, digest)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Read by ``pread``: no seek, no lock, any number of threads."""
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise StoredFileDamagedError(f"The stored file {key} is missing.") from error
        try:
            content = os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
        if len(content) != length:
            raise StoredFileDamagedError(f"The stored file {key} ends before byte {offset + length}.")
        return content

    def read(self, key: str) -> bytes:
        """Return a whole file."""
        with self.open(key) as source:
            return source.read()

    def open(self, key: str) -> BufferedReader:
        """Open a file for reading."""
        try:
            return self._path(key).open("rb")
        except FileNotFoundError as error:
            raise StoredFileDamagedError(f"The stored file {key} is missing.") from error

    def delete(self, key: str) -> None:
        """Delete a file; one that is gone already is no fault."""
        self._path(key).unlink(missing_ok=True)

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of a file's bytes as they are now."""
        with self.open(key) as source:
            return file_digest(source, "sha256").hexdigest()

    def keys(self) -> Iterator[str]:
        """Yield the keys of all files, in order; a file with a name that is no key comes too."""
        for path in sorted(self._root.rglob("*")):
            if path.is_file() and self._incoming not in path.parents:
                yield path.relative_to(self._root).as_posix()

    def _path(self, key: str) -> Path:
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} is not the key of a stored file.")
        return self._root / key


def default_store() -> PackStore:
    """Return the store that the settings name."""
    return _store_at(settings.STORAGE_URL, settings.DATA_DIR)


def incoming_folder() -> Path:
    """Return the folder for files on their way in; it is swept after a day."""
    folder: Path = settings.DATA_DIR / "incoming"
    folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
    return folder


def incoming_sweep(*, now: datetime | None = None) -> int:
    """Delete what has lain untouched on its way in for a day: broken uploads, workspaces of runs that were killed.

    Returns
    -------
    int
        How many files and folders were deleted.
    """
    before = ((now or timezone.now()) - INCOMING_KEPT).timestamp()
    swept = 0
    for folder in {incoming_folder(), _incoming_of(*_places(settings.STORAGE_URL, settings.DATA_DIR))}:
        entries = list(folder.iterdir()) if folder.is_dir() else []
        for entry in entries:
            if _last_touched(entry) < before:
                _remove(entry)
                swept += 1
    return swept


def _last_touched(entry: Path) -> float:
    """Return the newest time of change of a file, or of a folder and all below it; links are not followed."""
    newest = 0.0
    try:
        newest = entry.lstat().st_mtime
        if entry.is_dir() and not entry.is_symlink():
            for parent, folders, names in os.walk(entry):
                times = ((Path(parent) / name).lstat().st_mtime for name in (*folders, *names))
                newest = max(newest, *times, 0.0)
    except FileNotFoundError:  # finished or swept by somebody else meanwhile: look again next time
        return math.inf
    return newest


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


@lru_cache(maxsize=8)
def _store_at(storage_url: str, data_dir: Path) -> PackStore:
    root, data = _places(storage_url, data_dir)
    return LocalPackStore(root, _incoming_of(root, data))


def _places(storage_url: str, data_dir: Path) -> tuple[Path, Path]:
    """Return the folders of the store and of the site's data."""
    scheme, _, place = storage_url.partition(":")
    if scheme != "file":
        raise ImproperlyConfigured(
            f"EQUIPOISE_STORAGE_URL begins with '{scheme}:'; this version stores in 'file:'."
        )
    return Path(place.removeprefix("//")).absolute(), data_dir.absolute()


def _incoming_of(root: Path, data: Path) -> Path:
    """Return where a store's files lie while they are written: on the store's own disk."""
    return data / "incoming" if root.is_relative_to(data) else root / ".incoming"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
