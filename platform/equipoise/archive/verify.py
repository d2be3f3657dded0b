"""Do the files and the rows agree? Lists files without rows, rows without files, and files that changed."""

from collections.abc import Collection
from dataclasses import dataclass

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


def verify(*, other_keys: Collection[str] | None = None, store: PackStore | None = None) -> ArchiveReport:
    """Compare the store with the rows and every file with its SHA-256.

    Parameters
    ----------
    other_keys : collection of str, optional
        Keys that rows of other apps name (exports). Without them such files are not judged.
    """
    store = store or default_store()
    digests: dict[str, str | None] = dict(StoredVolume.objects.values_list("key", "content_sha256"))
    digests.update(StoredMask.objects.values_list("key", "sha256"))
    digests.update(StoredHeatMap.objects.values_list("key", "sha256"))
    digests.update(StoredOriginal.objects.values_list("key", "sha256"))
    for name in ("log_key", "removal_log_key"):
        keys = IngestRun.objects.exclude(**{name: ""}).values_list(name, flat=True)
        digests.update((key, None) for key in keys)
    digests.update((key, None) for key in other_keys or ())
    present = set(store.keys())
    judged = {key for key in present if other_keys is not None or _is_own(key)}
    altered = [key for key in sorted(set(digests) & present) if not _is_intact(key, digests[key], store)]
    return ArchiveReport(
        checked=len(digests),
        files_without_rows=sorted(judged - set(digests)),
        rows_without_files=sorted(set(digests) - present),
        altered_files=altered,
    )


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
