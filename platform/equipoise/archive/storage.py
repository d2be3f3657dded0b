"""Where files lie: ``<institute>/<trial>/<kind>/<uuid>`` under the store, written whole or not at all.

A file is written to ``incoming/``, synced, put into its place in one step, and only then named by a row; who fails in
between deletes what was written. Keys hold no word a person could be known by. :class:`LocalPackStore` keeps files in a
folder, :class:`equipoise.archive.s3_storage.S3PackStore` in a bucket.
"""

import math
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import file_digest
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import BinaryIO
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
    ANSWERS = "answers"
    INGEST_LOGS = "ingest-logs"
    REMOVAL_LOGS = "removal-logs"


_KEY = re.compile(rf"{_UUID}/{_UUID}/({'|'.join(StoreKind)})/{_UUID}")


class StoredFileDamagedError(Exception):
    """A stored file is missing or shorter than its row says."""


class StoreUnavailableError(Exception):
    """The place for files does not answer or lets nobody in; nothing is known of the files in it."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is in the store."""

    key: str
    size_bytes: int
    sha256: str


class PendingFile:
    """A file on its way in: filled through :attr:`sink`, there for others only once :meth:`commit` returns."""

    def __init__(self, key: str, sink: BufferedRandom, publish: Callable[[str], None]) -> None:
        self.key, self.sink, self._publish = key, sink, publish

    def commit(self) -> StoredFile:
        """Sync the file, hash it and give it its place in the store."""
        self.sink.flush()
        size = self.sink.seek(0, os.SEEK_END)
        with ThreadPoolExecutor(1) as pool:  # the disk and the processor at the same time
            synced = pool.submit(os.fsync, self.sink.fileno())
            self.sink.seek(0)
            digest = file_digest(self.sink, "sha256").hexdigest()
            synced.result()
        self._publish(digest)
        return StoredFile(self.key, size, digest)


class PackStore(ABC):
    """A place for files, which are written once, whole or not at all, and read by range.

    New files are prepared in the local folder ``incoming``.
    """

    def __init__(self, incoming: Path) -> None:
        self._incoming = incoming

    @contextmanager
    def begin(self, *, institute_id: UUID, trial_id: UUID, kind: StoreKind) -> Iterator[PendingFile]:
        """Open a new file; what has not been committed when the block is left is gone."""
        key = new_key(institute_id=institute_id, trial_id=trial_id, kind=kind)
        with self.begin_at(key) as pending:
            yield pending

    @contextmanager
    def begin_at(self, key: str) -> Iterator[PendingFile]:
        """Open a new file under a key of :func:`new_key`."""
        part = self._incoming / f"{require_key(key).rpartition('/')[2]}.part"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        try:
            with part.open("x+b") as sink:
                os.fchmod(sink.fileno(), _FILE_MODE)
                yield PendingFile(key, sink, lambda digest: self._publish(part, key, digest))
        finally:
            part.unlink(missing_ok=True)

    def write(
        self, fill: Callable[[BinaryIO], object], *, institute_id: UUID, trial_id: UUID, kind: StoreKind
    ) -> StoredFile:
        """Make a file by handing ``fill`` an open, seekable one; it is there whole when this returns."""
        with self.begin(institute_id=institute_id, trial_id=trial_id, kind=kind) as pending:
            fill(pending.sink)
            return pending.commit()

    def read(self, key: str) -> bytes:
        """Return a whole file."""
        with self.open(key) as source:
            return source.read()

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of a file's bytes as they are now."""
        with self.open(key) as source:
            return file_digest(source, "sha256").hexdigest()

    @abstractmethod
    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``.

        Raises
        ------
        StoredFileDamagedError
            If the file is missing or too short; so do the other ways of reading.
        """

    @abstractmethod
    def open(self, key: str) -> BufferedReader:
        """Open a file for reading."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete a file; one that is gone already is no fault."""

    @abstractmethod
    def keys(self) -> Iterator[str]:
        """Yield the keys of all files, in order; a file with a name that is no key comes too."""

    def sweep(self, before: datetime) -> int:  # noqa: ARG002 - for stores that have something to sweep
        """Delete what writers that were killed before a time left half done inside the store; return how many."""
        return 0

    @abstractmethod
    def _publish(self, part: Path, key: str, digest: str) -> None:
        """Give a complete local file its place, in one step that happens or does not."""


class LocalPackStore(PackStore):
    """A store in a local folder.

    ``incoming`` must lie on the same disk as ``root``, so that a rename is atomic.
    """

    def __init__(self, root: Path, incoming: Path) -> None:
        super().__init__(incoming)
        self._root = root

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

    def open(self, key: str) -> BufferedReader:
        """Open a file for reading."""
        try:
            return self._path(key).open("rb")
        except FileNotFoundError as error:
            raise StoredFileDamagedError(f"The stored file {key} is missing.") from error

    def delete(self, key: str) -> None:
        """Delete a file; one that is gone already is no fault."""
        self._path(key).unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all files, in order; a file with a name that is no key comes too."""
        for path in sorted(self._root.rglob("*")):
            if path.is_file() and self._incoming not in path.parents:
                yield path.relative_to(self._root).as_posix()

    def _publish(self, part: Path, key: str, digest: str) -> None:  # noqa: ARG002 - a file system keeps none
        """Rename, sync the folder."""
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        part.rename(target)
        _sync_folder(target.parent)

    def _path(self, key: str) -> Path:
        return self._root / require_key(key)


def new_key(*, institute_id: UUID, trial_id: UUID, kind: StoreKind) -> str:
    """Return a key that no file has."""
    return f"{institute_id}/{trial_id}/{kind}/{new_id()}"


def require_key(key: str) -> str:
    """Return the key if it is one, so that nothing but the store's own files is ever reached."""
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"{key!r} is not the key of a stored file.")
    return key


class OverlayStore(PackStore):
    """A store whose new files go into another one: what lies beneath is read and never written or deleted."""

    def __init__(self, upper: PackStore, beneath: PackStore, incoming: Path) -> None:
        super().__init__(incoming)
        self._upper, self._beneath = upper, beneath
        self._own: set[str] = set()

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Read from the store that holds the file."""
        return self._holder(key).read_range(key, offset, length)

    def open(self, key: str) -> BufferedReader:
        """Open a file of either store for reading."""
        return self._holder(key).open(key)

    def delete(self, key: str) -> None:
        """Delete a file of this store's own; one beneath stays as it is."""
        if key in self._own:
            self._own.discard(key)
            self._upper.delete(key)

    def keys(self) -> Iterator[str]:
        """Yield the keys of this store's own files."""
        return self._upper.keys()

    def _holder(self, key: str) -> PackStore:
        return self._upper if key in self._own else self._beneath

    def _publish(self, part: Path, key: str, digest: str) -> None:
        self._upper._publish(part, key, digest)
        self._own.add(key)


_instead: ContextVar[PackStore | None] = ContextVar("store_instead", default=None)


@contextmanager
def store_instead(store: PackStore) -> Iterator[None]:
    """Let :func:`default_store` return another store in this context (thread), until the block is left."""
    before = _instead.set(store)
    try:
        yield
    finally:
        _instead.reset(before)


def default_store() -> PackStore:
    """Return the store that the settings name, or the one that :func:`store_instead` put in its place."""
    return _instead.get() or _store_at(settings.STORAGE_URL, settings.DATA_DIR)


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
    oldest = (now or timezone.now()) - INCOMING_KEPT
    before, swept = oldest.timestamp(), default_store().sweep(oldest)
    for folder in {incoming_folder(), _incoming_for(settings.STORAGE_URL, settings.DATA_DIR)}:
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
    incoming = _incoming_for(storage_url, data_dir)
    if storage_url.startswith("s3:"):
        from equipoise.archive.s3_storage import store_at_url

        return store_at_url(storage_url, incoming)
    return LocalPackStore(_root(storage_url), incoming)


def _root(storage_url: str) -> Path:
    scheme, _, place = storage_url.partition(":")
    if scheme != "file":
        raise ImproperlyConfigured(
            f"EQUIPOISE_STORAGE_URL begins with '{scheme}:'; files are stored in 'file:' or 's3:'."
        )
    return Path(place.removeprefix("//")).absolute()


def _incoming_for(storage_url: str, data_dir: Path) -> Path:
    """Return where a store's files lie while they are written: on a local store's own disk."""
    data = data_dir.absolute()
    if storage_url.startswith("s3:"):
        return data / "incoming"
    root = _root(storage_url)
    return data / "incoming" if root.is_relative_to(data) else root / ".incoming"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
