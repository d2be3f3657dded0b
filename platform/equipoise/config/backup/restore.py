"""Bringing a backup back into an empty site, and telling whether everything is as it was."""

import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connections, transaction
from django.db.migrations.loader import MigrationLoader

from equipoise.archive.storage import PackStore, default_store, incoming_folder
from equipoise.archive.verify import verify as archive_verify
from equipoise.audit.guards import guards_differences
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditHead
from equipoise.audit.selectors import chain_names, chain_verify
from equipoise.audit.services import SITE_CHAIN, entry_append
from equipoise.config.backup import databases
from equipoise.config.backup.encryption import CHUNK_BYTES, DecryptingReader, is_encrypted
from equipoise.config.backup.manifest import (
    DATABASE_MEMBERS,
    MEMBER,
    STORE,
    WEIGHTS,
    BackupRefusedError,
    FileFacts,
    Manifest,
    key_check,
    manifest_of,
)
from equipoise.config.start import database_prepare
from trials.selectors.files import trial_file_digests
from trials.selectors.weights import weights_folder
from trials.services.outward import Stopped, outward_stop

_BLOCK_BYTES = 1 << 20
_COPY = "restore-"
"""How the folder with the database's copy begins."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Restored:
    """What came back, and one sentence for everything that is not as the backup says."""

    manifest: Manifest
    entries: int
    """Audit entries whose hashes were recomputed."""
    files_checked: int
    problems: tuple[str, ...]
    stopped: Stopped
    """What the site would have sent out by itself and does not."""
    same_key: bool
    """Whether the site has the signing key of the site that was backed up."""


def backup_restore(source: Path, *, progress: Progress = lambda step, done, total: None) -> Restored:
    """Restore a backup into an empty site and verify it.

    Files come first and the database last, in one step: a restore that is broken off leaves no site that looks whole,
    and can be begun again.

    Raises
    ------
    BackupRefusedError
        If the site is not empty, or the file is no whole backup that this version can read. Nothing was changed, but
        for files that a broken backup brought in before its fault was met.
    """
    try:
        with _opened(source) as stream, zipfile.ZipFile(stream) as backup:
            text = backup.read(MEMBER)
            manifest = manifest_of(text)
            _require_fitting(manifest)
            _require_empty(manifest)
            _sweep_left_over(manifest)
            _restore_files(backup, manifest, progress)
            with tempfile.TemporaryDirectory(dir=settings.DATA_DIR, prefix=_COPY) as folder:
                database = Path(folder) / "database"
                with database.open("xb") as sink:
                    _copy(backup, DATABASE_MEMBERS[manifest.engine], sink, manifest.database)
                databases.database_load(database)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise BackupRefusedError(f"{source} is not a whole backup: {error}") from error
    problems = [*_tables_that_differ(manifest), *_heads_that_differ(manifest)]
    database_prepare()
    with transaction.atomic():
        entry_append(
            chain=SITE_CHAIN,
            kind=AuditKind.SITE_RESTORED,
            actor_id=None,
            origin=Origin.CLI,
            subject="site",
            after={"made_at": manifest.created_at, "manifest_sha256": hashlib.sha256(text).hexdigest()},
        )
        stopped = outward_stop()
    return _verified(manifest, problems, stopped)


@contextmanager
def _opened(source: Path) -> Iterator[IO[bytes]]:
    """Yield the backup in the clear, whatever it was written as."""
    with source.open("rb") as stream:
        if is_encrypted(stream):
            reader = DecryptingReader(stream, settings.BACKUP_KEY, path=source)
            yield io.BufferedReader(reader, CHUNK_BYTES)
        else:
            yield stream


def _verified(manifest: Manifest, problems: list[str], stopped: Stopped) -> Restored:
    chains = [chain_verify(name) for name in chain_names()]
    report = archive_verify(others=trial_file_digests())
    problems += guards_differences()
    problems += [problem for chain in chains for problem in chain.problems]
    problems += [f"The stored file {key} is missing." for key in report.rows_without_files]
    problems += [f"The stored file {key} is not what its row says." for key in report.altered_files]
    problems += [f"No row names the stored file {key}." for key in report.files_without_rows]
    return Restored(
        manifest=manifest,
        entries=sum(chain.entries for chain in chains),
        files_checked=report.checked,
        problems=tuple(problems),
        stopped=stopped,
        same_key=key_check() == manifest.key_check,
    )


def _require_fitting(manifest: Manifest) -> None:
    engine = connections[databases.DEFAULT].vendor
    if manifest.engine != engine:
        raise BackupRefusedError(
            f"The backup is of a {manifest.engine} database; this site's is {engine} (EQUIPOISE_DATABASE_URL)."
        )
    known = MigrationLoader(None).disk_migrations or {}
    newer = [f"{app}.{name}" for app, name in manifest.migrations if (app, name) not in known]
    if newer:
        raise BackupRefusedError(
            f"The backup was made by version {manifest.equipoise}, which is newer than this one: "
            f"{newer[0]} is not known here."
        )


def _require_empty(manifest: Manifest) -> None:
    databases.require_no_tables()
    store = default_store()
    for key in store.keys():  # noqa: SIM118 - a method of the store
        if key not in manifest.files or store.sha256(key) != manifest.files[key].sha256:
            raise BackupRefusedError(f"The store is not empty: it holds {key}, which is not the backup's.")
    for path in _weights_present():
        facts = manifest.weights.get(path.name)
        with path.open("rb") as stream:
            if facts is None or hashlib.file_digest(stream, "sha256").hexdigest() != facts.sha256:
                raise BackupRefusedError(f"{path} is there already and is not the backup's.")


def _sweep_left_over(manifest: Manifest) -> None:
    """Delete what a restore of this backup that was killed left half done; nobody else works on an empty site."""
    for key in manifest.files:
        (incoming_folder() / f"{key.rpartition('/')[2]}.part").unlink(missing_ok=True)
    for folder in settings.DATA_DIR.glob(f"{_COPY}*"):
        shutil.rmtree(folder)


def _weights_present() -> list[Path]:
    return [path for path in sorted(weights_folder().glob("[!.]*")) if path.is_file()]


def _restore_files(backup: zipfile.ZipFile, manifest: Manifest, progress: Progress) -> None:
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    store = default_store()
    present = set(store.keys())
    for number, (key, facts) in enumerate(manifest.files.items(), 1):
        if key not in present:  # what is there was compared already
            _restore_file(backup, store, key, facts)
        progress("files", number, len(manifest.files))
    folder = weights_folder()
    for name, facts in manifest.weights.items():
        if Path(name).name != name:
            raise BackupRefusedError(f"{name!r} is no name of a weights file.")
        if (folder / name).exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{name}.part"
        try:
            with part.open("wb") as sink:  # a killed restore may have left one
                _copy(backup, WEIGHTS + name, sink, facts)
            part.rename(folder / name)
        finally:
            part.unlink(missing_ok=True)


def _restore_file(backup: zipfile.ZipFile, store: PackStore, key: str, facts: FileFacts) -> None:
    try:
        with store.begin_at(key) as pending:
            _copy(backup, STORE + key, pending.sink, facts)
            pending.commit()
    except ValueError as error:
        raise BackupRefusedError(f"{key!r} is no key of a stored file.") from error


def _copy(backup: zipfile.ZipFile, member: str, sink: IO[bytes], facts: FileFacts) -> None:
    digest = hashlib.sha256()
    with backup.open(member) as source:
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            sink.write(block)
    if digest.hexdigest() != facts.sha256:
        raise BackupRefusedError(f"The backup is damaged: {member} is not what {MEMBER} says.")
    sink.flush()
    os.fsync(sink.fileno())


def _tables_that_differ(manifest: Manifest) -> list[str]:
    columns = {name: facts.columns for name, facts in manifest.tables.items()}
    found = databases.tables_digest(databases.DEFAULT, columns)
    return [
        f"Table {name} has {found[name].rows} rows that are not the {facts.rows} of the backup."
        for name, facts in manifest.tables.items()
        if found[name] != facts
    ]


def _heads_that_differ(manifest: Manifest) -> list[str]:
    found: Mapping[str, tuple[int, str]] = {
        chain: (sequence, head)
        for chain, sequence, head in AuditHead.objects.values_list("chain", "sequence", "hash")
    }
    return [
        f"The audit chain {chain} does not end as in the backup."
        for chain, head in manifest.chains.items()
        if found.get(chain) != head
    ]
