"""A bundle that was made elsewhere becomes a trial of this site: archived, and never changed any more."""

import json
import re
import secrets
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from equipoise.accounts.models import Account, Institute
from equipoise.archive.new_files import NewFiles
from equipoise.archive.storage import StoredFile, StoreKind, default_store, incoming_folder
from equipoise.audit.hashing import GENESIS, entry_hash
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import DomainError, ValidationFailedError
from equipoise.common.ids import new_id
from equipoise.common.permissions import Role
from trials.domain.bundle import bundle_bring, zip_into
from trials.domain.bundle_contents import (
    SLUG,
    BundleContents,
    BundledExternal,
    BundledResult,
    BundleRefusedError,
    bundle_date,
    bundle_read,
    plausible_moment,
)
from trials.domain.states import TrialState
from trials.models import (
    Analysis,
    AnalysisState,
    ExternalTable,
    Membership,
    ProtocolVersion,
    StoredBundle,
    Trial,
)
from trials.selectors.external import external_terms
from trials.selectors.protocol import protocol_frozen
from trials.selectors.tables import EXTERNAL, WHERE
from trials.services.acts import Actor, record
from trials.services.external import body_sha256, table_body

TRAIL = "audit/trail.jsonl"
_MAX_LINE = 4 * 1024 * 1024
_ENTRY_FIELDS = (
    "version", "chain", "sequence", "id", "kind", "actor_id", "actor_key", "origin", "subject", "before", "after",
    "reason_hash", "previous_hash", "hash",
)  # fmt: skip


@dataclass(frozen=True)
class Trail:
    """What a bundle's audit trail comes to: its entries hang together up to this head."""

    entries: int
    head_hash: str
    last_at: datetime | None


@dataclass(frozen=True)
class _Brought:
    """The files of an import, in the store and not yet named by rows."""

    bundle: StoredFile
    results: tuple[tuple[BundledResult, StoredFile], ...]


def bundle_import(
    source: Path, *, institute: Institute, importer: Account, slug: str | None, actor: Actor
) -> Trial:
    """Make an archived trial from a bundle, a folder or a zip file; whole or not at all.

    Everything in it is taken for input from outside: the files are checked against the manifest, each document and
    table against its form, each result against the hash of the tables, the audit trail entry by entry.

    Raises
    ------
    BundleRefusedError, ValidationFailedError
        With every fault; nothing was stored.
    """
    if slug is not None and re.fullmatch(SLUG, slug) is None:
        raise ValidationFailedError.of_fields(
            {"/slug": f"{slug!r} is no short name: lower-case letters, digits and hyphens, 3 to 60 of them."}
        )
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=incoming_folder()) as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        bundle_bring(source, folder)
        contents = bundle_read(folder)
        trail = trail_read(folder)
        name = slug or contents.trial.slug
        _require_new(contents, name, institute)
        trial_id = new_id()
        with NewFiles(default_store(), institute_id=institute.id, trial_id=trial_id) as files:
            brought = _Brought(
                bundle=files.write(lambda sink: zip_into(folder, sink), StoreKind.EXPORTS),
                results=tuple(
                    (one, files.write(_zipped(one), StoreKind.EXPORTS)) for one in contents.results
                ),
            )
            try:
                with transaction.atomic():
                    trial = _rows(
                        contents,
                        trail,
                        brought,
                        trial_id=trial_id,
                        institute=institute,
                        name=name,
                        importer=importer,
                        actor=actor,
                    )
                    files.keep([brought.bundle.key, *(stored.key for _, stored in brought.results)])
            except IntegrityError:
                if Trial.objects.filter(slug=name).exists():  # made by somebody else meanwhile
                    raise _taken(name) from None
                raise
    return trial


def trail_read(folder: Path) -> Trail:
    """Read an audit trail of a bundle and recompute its chain.

    Raises
    ------
    BundleRefusedError
        Naming the first line that does not hang together.
    """
    previous, count, last_at = GENESIS, 0, None
    for number, entry in _entries(folder / TRAIL):
        if entry.sequence != number or entry.previous_hash != previous:
            raise BundleRefusedError([f"{TRAIL}: line {number} does not follow the one before it."])
        try:
            sound = entry_hash(entry) == entry.hash
        except (ValueError, TypeError):
            sound = False
        if not sound:
            raise BundleRefusedError([f"{TRAIL}: line {number} does not give its hash; it was altered."])
        previous, count, last_at = entry.hash, number, entry.created_at
    if count == 0:
        raise BundleRefusedError([f"{TRAIL} has no entry."])
    return Trail(count, previous, last_at)


def _entries(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        source = path.open(encoding="utf-8")
    except FileNotFoundError:
        raise BundleRefusedError([f"{TRAIL} is missing."]) from None
    with source:
        number = 0
        try:
            while line := source.readline(_MAX_LINE):
                number += 1
                row = json.loads(line)
                entry = SimpleNamespace(**{name: row[name] for name in _ENTRY_FIELDS})
                entry.address_hash = row.get("address_hash", "")  # version 1 has none
                entry.created_at = plausible_moment(datetime.fromisoformat(row["created_at"]))
                yield number, entry
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, DomainError):
                raise
            raise BundleRefusedError([f"{TRAIL}: line {number} is no entry of an audit trail."]) from None


def _require_new(contents: BundleContents, name: str, institute: Institute) -> None:
    here = StoredBundle.objects.filter(
        manifest_sha256=contents.manifest_sha256, trial__institute=institute
    ).first()
    if here is not None:
        raise ValidationFailedError.of_fields(
            {"/file": f"This bundle is here already, as the trial {here.trial.slug}."}
        )
    if Trial.objects.filter(slug=name).exists():
        raise _taken(name)


def _taken(name: str) -> ValidationFailedError:
    return ValidationFailedError.of_fields(
        {"/slug": f"There is a trial with the short name {name!r} already; give the imported one another."}
    )


def _zipped(result: BundledResult) -> Any:
    """Return what writes the files of one analysis as its page serves them, and no others."""

    def fill(sink: BinaryIO) -> None:
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in result.files:
                archive.write(result.folder / name, name)

    return fill


def _external(trial: Trial, one: BundledExternal) -> ExternalTable:
    """Keep a table that was collected elsewhere as it was analysed, so that it can be analysed again."""
    body = table_body(one.table)
    protocol = protocol_frozen(trial)
    declared = protocol.external(one.file.key) if protocol is not None else None
    return ExternalTable.objects.create(
        trial=trial,
        key=one.file.key,
        version=one.file.version,
        kind=one.file.table,
        patients=one.file.patients,
        columns=one.file.columns,
        rule=external_terms(protocol, declared)["rule"] if protocol and declared else {},
        file_name=one.file.file_name,
        file_sha256=one.file.file_sha256,
        rows=body,
        row_count=one.table.n_rows,
        sha256=body_sha256(body),
        imported_at=one.file.imported_at,
    )


def _rows(
    contents: BundleContents,
    trail: Trail,
    brought: _Brought,
    *,
    trial_id: UUID,
    institute: Institute,
    name: str,
    importer: Account,
    actor: Actor,
) -> Trial:
    told, now = contents.trial, timezone.now()
    made_at = bundle_date(contents, trail.last_at) or now
    trial = Trial.objects.create(
        id=trial_id,
        institute=institute,
        slug=name,
        title=told.title,
        state=TrialState.ARCHIVED,
        patient_key_secret=secrets.token_bytes(32),
        created_by=importer,
        created_at=told.created_at,
        opened_at=told.opened_at,
        closed_at=told.closed_at,
        data_locked_at=told.data_locked_at,
        unblinded_at=told.unblinded_at,
        data_sha256=told.data_sha256,
    )
    for one in contents.protocols:
        ProtocolVersion.objects.create(
            trial=trial,
            version=one.file.version,
            text=one.text,
            document=one.file.document,
            sha256=one.file.sha256,
            reason=one.file.reason,
            updated_at=one.file.locked_at or made_at,
            locked_at=one.file.locked_at,
        )
    external = {one.file.key: _external(trial, one) for one in contents.external}
    for result, stored in brought.results:
        results = dict(result.told)
        results["order"] = {"tables": list(results["tables"]), "figures": list(results["figures"])}
        Analysis.objects.create(
            trial=trial,
            name=results["name"],
            data_key=result.data,
            options={
                **({EXTERNAL: str(external[result.data].id)} if result.data else {}),
                **({WHERE: results["where"]} if results.get("where") else {}),
            },
            exploratory=results["role"] == "exploratory",
            state=AnalysisState.SUCCEEDED,
            results=results,
            files_key=stored.key,
            data_sha256=results["data_sha256"],
            created_at=made_at,
            finished_at=made_at,
        )
    origin = {"trial_id": str(told.id), "slug": told.slug, "equipoise": told.equipoise}
    StoredBundle.objects.create(
        trial=trial,
        files_key=brought.bundle.key,
        file_sha256=brought.bundle.sha256,
        size_bytes=brought.bundle.size_bytes,
        manifest_sha256=contents.manifest_sha256,
        file_count=contents.file_count,
        not_computed=dict(contents.not_computed),
        made_at=made_at,
        imported_at=now,
        origin=origin,
        counts=dict(contents.counts),
    )
    Membership.objects.create(trial=trial, account=importer, role=Role.ADMINISTRATOR, created_at=now)
    record(
        trial,
        AuditKind.TRIAL_IMPORTED,
        actor=actor,
        subject=f"trial:{trial.id}",
        after={
            "slug": name,
            "state": TrialState.ARCHIVED,
            "bundle_sha256": contents.manifest_sha256,
            "trail_entries": trail.entries,
            "trail_head": trail.head_hash,
            **{f"origin_{key}": value for key, value in origin.items()},
        },
    )
    return trial
