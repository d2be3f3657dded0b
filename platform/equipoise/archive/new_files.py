"""Files that come in together with the rows that name them, or not at all, whatever ends the process in between.

A file's key is written to the table of pending keys before the file is, and leaves it in the transaction that makes
the file's row. A key that stays there for a day is that of a process that was killed; :func:`new_files_sweep` deletes
its file. Files without rows are otherwise never deleted by themselves: after a database was restored from an older
backup they may be the only copies of what it has forgotten.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import BinaryIO, Self
from uuid import UUID

from django.utils import timezone

from equipoise.archive.models import IngestRun, IngestState, PendingKey
from equipoise.archive.storage import (
    PackStore,
    PendingFile,
    StoredFile,
    StoreKind,
    new_key,
)

GIVEN_UP_AFTER = timedelta(hours=24)
"""Nothing that is still at work has left its files without rows for so long."""


class NewFiles:
    """The files of one act; a context manager, to be used outside a transaction.

    Call :meth:`keep` inside the transaction that makes their rows. A file that was not kept is deleted when the block
    is left, and every file if it is left by an exception.
    """

    def __init__(self, store: PackStore, *, institute_id: UUID, trial_id: UUID) -> None:
        self._store, self._institute_id, self._trial_id = store, institute_id, trial_id
        self._keys: list[str] = []
        self._kept: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        kept = self._kept if kind is None else set()
        with ExitStack() as every:  # one that cannot be deleted does not keep the others
            for key in self._keys:
                if key not in kept:
                    every.callback(self._forget, key)

    @contextmanager
    def begin(self, kind: StoreKind) -> Iterator[PendingFile]:
        """Open a new file."""
        key = new_key(institute_id=self._institute_id, trial_id=self._trial_id, kind=kind)
        self._keys.append(key)
        PendingKey.objects.create(key=key)
        with self._store.begin_at(key) as pending:
            yield pending

    def write(self, fill: Callable[[BinaryIO], object], kind: StoreKind) -> StoredFile:
        """Make a file by handing ``fill`` an open one."""
        with self.begin(kind) as pending:
            fill(pending.sink)
            return pending.commit()

    def keep(self, keys: Collection[str]) -> None:
        """Let those files stay that rows name now; the others go, and all if the surrounding transaction fails."""
        PendingKey.objects.filter(key__in=keys).delete()
        self._kept = set(keys)

    def _forget(self, key: str) -> None:
        self._store.delete(key)
        PendingKey.objects.filter(key=key).delete()


def new_files_sweep(store: PackStore, *, now: datetime | None = None) -> int:
    """Delete the files of processes that were killed before they made rows, and close their runs.

    Returns
    -------
    int
        How many files.
    """
    before = (now or timezone.now()) - GIVEN_UP_AFTER
    keys = list(PendingKey.objects.filter(created_at__lt=before).values_list("key", flat=True))
    for key in keys:
        store.delete(key)
        PendingKey.objects.filter(key=key).delete()
    IngestRun.objects.filter(state=IngestState.RUNNING, started_at__lt=before).update(
        state=IngestState.FAILED, finished_at=now or timezone.now()
    )
    return len(keys)
