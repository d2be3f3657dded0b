"""The bundle that the site keeps of a trial: whether it is up to date, and what of it is told."""

import csv
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from equipoise.archive.storage import default_store
from equipoise.common.safe_cells import read_cell
from equipoise.jobs.models import Job
from trials.domain.bundle_contents import TABLES
from trials.domain.states import TrialState
from trials.models import AnalysisState, PublicBundle, StoredBundle, Trial
from trials.selectors.tables import EXTERNAL

DEVIATIONS = "deviations.csv"
JOB_KIND = "trials.bundle"
PUBLIC_JOB_KIND = "trials.public-bundle"
_BLOCK_BYTES = 1 << 20


def stored_bundle(trial: Trial) -> StoredBundle | None:
    """Return the bundle that is kept of a trial."""
    return StoredBundle.objects.filter(trial=trial).first()


def public_bundle(trial: Trial) -> PublicBundle | None:
    """Return the public form of the bundle that is kept of a trial."""
    return PublicBundle.objects.filter(trial=trial).first()


def publishable_bundle(trial: Trial) -> StoredBundle | None:
    """Return the kept bundle where a public form can be made of it: of an archived trial, or up to date."""
    kept = stored_bundle(trial)
    return kept if trial.state == TrialState.ARCHIVED or bundle_is_current(trial) else None


def imported_bundle(trial: Trial) -> StoredBundle | None:
    """Return the bundle that the trial was brought here as; None of a trial that was run on this site."""
    return StoredBundle.objects.filter(trial=trial, imported_at__isnull=False).first()


def imported_document(bundle: StoredBundle | None) -> dict[str, Any] | None:
    """Return what is told of an imported trial's origin."""
    if bundle is None:
        return None
    return {
        "made_at": bundle.made_at,
        "imported_at": bundle.imported_at,
        "manifest_sha256": bundle.manifest_sha256,
        "slug": bundle.origin["slug"],
    }


@contextmanager
def bundle_files(bundle: StoredBundle) -> Iterator[zipfile.ZipFile]:
    """Open the stored file to read single files of the bundle."""
    with default_store().open(bundle.files_key) as stored, zipfile.ZipFile(stored) as files:
        yield files


def bundle_has(bundle: StoredBundle, name: str) -> bool:
    """Say whether the bundle holds a file of that name."""
    with bundle_files(bundle) as files:
        return name in files.namelist()


def bundle_file_blocks(bundle: StoredBundle, name: str) -> Iterator[bytes]:
    """Yield one file of the bundle block by block."""
    with bundle_files(bundle) as files, files.open(name) as source:
        while block := source.read(_BLOCK_BYTES):
            yield block


def bundle_file_text(bundle: StoredBundle, name: str) -> str:
    """Return one file of the bundle as text."""
    return b"".join(bundle_file_blocks(bundle, name)).decode("utf-8")


def bundle_table_lines(bundle: StoredBundle, name: str) -> Iterator[list[str]]:
    """Yield the rows of a CSV file of the bundle, as they were before quoting."""
    with (
        bundle_files(bundle) as files,
        files.open(name) as source,
        io.TextIOWrapper(source, "utf-8", newline="") as text,
    ):
        for line in csv.reader(text):
            yield [read_cell(cell) for cell in line]


def bundle_excludes(bundle: StoredBundle) -> bool:
    """Say whether a deviation that the bundle tells of takes readings out of the per-protocol set."""
    if not bundle_has(bundle, DEVIATIONS):
        return False
    lines = bundle_table_lines(bundle, DEVIATIONS)
    header = next(lines, [])
    rows = (dict(zip(header, line, strict=False)) for line in lines)
    return any(row.get("excluded_from_per_protocol") == "1" for row in rows)


def bundle_tables_into(bundle: StoredBundle, folder: Path) -> dict[str, Path]:
    """Write the tidy tables of the bundle into a folder; return their paths by the names analyses take them under."""
    tables = {}
    with bundle_files(bundle) as files:
        there = set(files.namelist())
        for table, name in TABLES.items():
            if name in there:
                with files.open(name) as source, (folder / name).open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                tables[table] = folder / name
    return tables


def bundle_unpack(bundle: StoredBundle, folder: Path, *, wanted: Callable[[str], bool] | None = None) -> None:
    """Write the files of the bundle, or those wanted, into a folder. It was packed here, from checked names."""
    with bundle_files(bundle) as files:
        files.extractall(folder, [name for name in files.namelist() if wanted is None or wanted(name)])


def bundle_is_current(trial: Trial) -> bool:
    """Say whether a bundle is kept, reports every analysis that has ended, and holds every signature."""
    kept = stored_bundle(trial)
    if kept is None or trial.signatures.filter(signed_at__gt=kept.made_at).exists():
        return False
    return results_are_reported(trial)


def results_are_reported(trial: Trial) -> bool:
    """Say whether a bundle is kept and no analysis that it would report has ended since it was made."""
    kept = stored_bundle(trial)
    if kept is None:
        return False
    since = trial.analyses.filter(state=AnalysisState.SUCCEEDED, finished_at__gt=kept.made_at)
    return all(EXTERNAL in analysis.options and not analysis.data_key for analysis in since)


def bundle_document(trial: Trial) -> dict[str, Any]:
    """Return what is kept, and the newest job that makes one."""
    kept = stored_bundle(trial)
    job = Job.objects.filter(kind=JOB_KIND, trial_id=trial.id).order_by("-created_at").first()
    return {
        "made_at": kept.made_at if kept is not None else None,
        "manifest_sha256": kept.manifest_sha256 if kept is not None else None,
        "file_sha256": kept.file_sha256 if kept is not None else None,
        "size_bytes": kept.size_bytes if kept is not None else None,
        "file_count": kept.file_count if kept is not None else None,
        "not_computed": [
            {"name": name, "why": why}
            for name, why in (kept.not_computed if kept is not None else {}).items()
        ],
        "current": bundle_is_current(trial),
        "report_current": results_are_reported(trial),
        "job_id": job.id if job is not None else None,
    }


def public_bundle_document(trial: Trial) -> dict[str, Any]:
    """Return what public form is kept, whether it is of the bundle that is kept, and the newest job that makes one."""
    kept, whole = public_bundle(trial), publishable_bundle(trial)
    job = Job.objects.filter(kind=PUBLIC_JOB_KIND, trial_id=trial.id).order_by("-created_at").first()
    told = ("made_at", "manifest_sha256", "size_bytes", "file_count", "has_words")
    return {
        **{name: getattr(kept, name) if kept is not None else None for name in told},
        "not_computed": [
            {"name": name, "why": why}
            for name, why in (kept.not_computed if kept is not None else {}).items()
        ],
        "current": kept is not None and whole is not None and kept.made_of_sha256 == whole.manifest_sha256,
        "can_be_made": whole is not None,
        "job_id": job.id if job is not None else None,
    }


def bundle_blocks(bundle: StoredBundle | PublicBundle) -> Iterator[bytes]:
    """Yield the stored file block by block."""
    with default_store().open(bundle.files_key) as source:
        while block := source.read(_BLOCK_BYTES):
            yield block


def bundle_copy(bundle: StoredBundle | PublicBundle, sink: BinaryIO) -> None:
    """Write the stored file somewhere else."""
    for block in bundle_blocks(bundle):
        sink.write(block)
