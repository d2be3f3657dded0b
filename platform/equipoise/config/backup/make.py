"""Making a backup while the site is in use."""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from equipoise.archive.storage import PackStore, StoredFileDamagedError, default_store
from equipoise.archive.verify import archive_file_digests
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditHead
from equipoise.audit.services import SITE_CHAIN, entry_append
from equipoise.config.backup import databases
from equipoise.config.backup.encryption import EncryptingWriter
from equipoise.config.backup.manifest import (
    DATABASE_MEMBERS,
    MEMBER,
    STORE,
    WEIGHTS,
    BackupRefusedError,
    FileFacts,
    Manifest,
    key_check,
)
from trials.selectors.files import trial_file_digests
from trials.selectors.weights import weights_folder

_BLOCK_BYTES = 1 << 20
_ATTEMPTS = 3
Progress = Callable[[str, int, int], None]


class _OutrunError(Exception):
    """A file of the snapshot was deleted, rightly, before it was copied."""


def backup_make(target: Path, *, progress: Progress = lambda step, done, total: None) -> Manifest:
    """Write the whole site into a new file, which is there complete or not at all; encrypted where there is a key.

    Every file that the copied database names is copied after it: files are written before the rows that name them and
    never changed, so that the two agree. Where one was deleted in between, the copying begins anew.

    Raises
    ------
    BackupRefusedError
        If there is such a file, or the database's programs are missing.
    """
    if target.exists():
        raise BackupRefusedError(f"{target} exists already; name another file.")
    _require_newest_schema()
    part = target.with_name(f".{target.name}.part")
    with transaction.atomic():
        entry_append(
            chain=SITE_CHAIN, kind=AuditKind.SITE_BACKED_UP, actor_id=None, origin=Origin.CLI, subject="site"
        )
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                manifest = _attempt(part, progress)
                break
            except _OutrunError as error:
                if attempt == _ATTEMPTS:
                    raise BackupRefusedError(
                        f"Files were deleted faster than they could be copied ({error}); try again."
                    ) from None
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        try:
            os.link(part, target)  # never over a file that has come meanwhile
        except FileExistsError:
            raise BackupRefusedError(f"{target} exists already; name another file.") from None
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _require_newest_schema() -> None:
    executor = MigrationExecutor(connections[databases.DEFAULT])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise BackupRefusedError(
            "The database has another form than this version's: make the backup with the version that runs the site, "
            "or run `equipoise admin migrate` first."
        )


def _attempt(part: Path, progress: Progress) -> Manifest:
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        # What is encrypted in the backup does not lie beside it in the clear either, not for a moment.
        tempfile.TemporaryDirectory(
            dir=settings.DATA_DIR if settings.BACKUP_KEY else part.parent, prefix=".equipoise-backup-"
        ) as folder,
        os.fdopen(descriptor, "w+b") as stream,
        _encrypted(stream) as sink,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as backup,
    ):
        with databases.snapshot(Path(folder)) as taken:
            engine = connections[taken.alias].vendor
            migrations = MigrationRecorder(connections[taken.alias]).applied_migrations()
            tables = databases.tables_digest(taken.alias)
            heads = AuditHead.objects.using(taken.alias).values_list("chain", "sequence", "hash")
            chains = {chain: (sequence, head) for chain, sequence, head in heads}
            named = {**archive_file_digests(taken.alias), **trial_file_digests(taken.alias)}
        with taken.path.open("rb") as source:
            compression = zipfile.ZIP_DEFLATED if engine == "sqlite" else zipfile.ZIP_STORED
            database = _add(backup, DATABASE_MEMBERS[engine], source, compression)
        files, missing, altered = _add_files(backup, named, progress)
        manifest = Manifest(
            equipoise=version("equipoise"),
            created_at=timezone.now().isoformat(timespec="seconds"),
            engine=engine,
            database=database,
            migrations=tuple(sorted(migrations)),
            tables=tables,
            chains=chains,
            files=files,
            weights=_add_weights(backup),
            missing=missing,
            altered=altered,
            key_check=key_check(),
        )
        backup.writestr(MEMBER, manifest.to_json(), zipfile.ZIP_DEFLATED)
    return manifest


@contextmanager
def _encrypted(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Yield where the backup is written to: the file, or what encrypts on the way there."""
    if not settings.BACKUP_KEY:
        yield stream
        return
    writer = EncryptingWriter(stream, settings.BACKUP_KEY)
    yield cast("BinaryIO", writer)
    writer.finish()


def _add_files(
    backup: zipfile.ZipFile, named: Mapping[str, str | None], progress: Progress
) -> tuple[dict[str, FileFacts], tuple[str, ...], tuple[str, ...]]:
    store, files, missing = default_store(), {}, []
    for number, key in enumerate(sorted(named), 1):
        try:
            files[key] = _add_file(backup, store, key)
        except StoredFileDamagedError:
            if key not in {**archive_file_digests(), **trial_file_digests()}:
                raise _OutrunError(key) from None
            missing.append(key)
        progress("files", number, len(named))
    altered = [key for key, facts in files.items() if named[key] not in (None, facts.sha256)]
    return files, tuple(missing), tuple(altered)


def _add_file(backup: zipfile.ZipFile, store: PackStore, key: str) -> FileFacts:
    with store.open(key) as source:
        return _add(backup, STORE + key, source)


def _add_weights(backup: zipfile.ZipFile) -> dict[str, FileFacts]:
    weights = {}
    for path in sorted(weights_folder().glob("*")):
        if path.is_file() and not path.name.startswith("."):
            with path.open("rb") as source:
                weights[path.name] = _add(backup, WEIGHTS + path.name, source)
    return weights


def _add(
    backup: zipfile.ZipFile, member: str, source: BinaryIO, compression: int = zipfile.ZIP_STORED
) -> FileFacts:
    digest, size = hashlib.sha256(), 0
    described = zipfile.ZipInfo(member, date_time=timezone.now().timetuple()[:6])
    described.compress_type = compression
    described.external_attr = 0o600 << 16
    with backup.open(described, "w", force_zip64=True) as sink:
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            sink.write(block)
    return FileFacts(digest.hexdigest(), size)
