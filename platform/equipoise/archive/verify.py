"""Do the files and the rows agree? Lists files without rows, rows without files, and files that changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from equipoise.archive.models import IngestRun, StoredHeatMap, StoredMask, StoredOriginal, StoredVolume
from equipoise.archive.storage import PackStore, StoredFileDamagedError, StoreKind, default_store

OWN_KINDS = (
    StoreKind.PACKS,
    StoreKind.MASKS,
    StoreKind.HEAT,
    StoreKind.ORIGINALS,
    StoreKind.INGEST_LOGS,
    StoreKind.REMOVAL_LOGS,
)
"""Folders whose files this app's rows name; the others' owners pass their keys in."""


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What does not agree, by key."""

    checked: int
    files_without_rows: list[str]
    rows_without_files: list[str]
    altered_files: list[str]

    @property
    def sound(self) -> bool:
        """Whether everything agrees."""
        return not (self.files_without_rows or self.rows_without_files or self.altered_files)


def archive_file_digests(using: str = "default") -> dict[str, str | None]:
    """Return the SHA-256 of every file that this app's rows name, by its key; None where the row holds none."""
    digests: dict[str, str | None] = dict(
        StoredVolume.objects.using(using).values_list("key", "content_sha256")
    )
    for model in (StoredMask, StoredHeatMap, StoredOriginal):
        digests.update(model.objects.using(using).values_list("key", "sha256"))
    for name in ("log_key", "removal_log_key"):
        keys = IngestRun.objects.using(using).exclude(**{name: ""}).values_list(name, flat=True)
        digests.update((key, None) for key in keys)
    return digests


def verify(
    *,
    others: Mapping[str, str | None] | None = None,
    settled_before: datetime | None = None,
    store: PackStore | None = None,
) -> ArchiveReport:
    """Compare the store with the rows and every file with its SHA-256.

    Parameters
    ----------
    others : mapping of str to str, optional
        Keys that rows of other apps name (answers, exports), with the SHA-256 where the row holds one. Without them
        such files are not judged.
    settled_before : datetime, optional
        Files without rows that were begun later are not judged: a file comes before the row that names it.
    """
    store = store or default_store()
    digests = archive_file_digests()
    digests.update(others or {})
    present = set(store.keys())
    judged = {
        key
        for key in present
        if (others is not None or _is_own(key))
        and (settled_before is None or _began(key) < settled_before.timestamp())
    }
    altered = [key for key in sorted(set(digests) & present) if not _is_intact(key, digests[key], store)]
    return ArchiveReport(
        checked=len(digests),
        files_without_rows=sorted(judged - set(digests)),
        rows_without_files=sorted(set(digests) - present),
        altered_files=altered,
    )


def _began(key: str) -> float:
    """Return when a file was begun, in seconds since 1970, by its name (UUIDv7); 0 for a name that is no key."""
    try:
        return (UUID(key.rpartition("/")[2]).int >> 80) / 1000
    except ValueError:
        return 0.0


def _is_own(key: str) -> bool:
    parts = key.split("/")
    known_kinds = set(StoreKind)
    return len(parts) != 4 or parts[2] in OWN_KINDS or parts[2] not in known_kinds


def _is_intact(key: str, digest: str | None, store: PackStore) -> bool:
    if digest is None:
        return True
    try:
        return store.sha256(key) == digest
    except StoredFileDamagedError:
        return False
