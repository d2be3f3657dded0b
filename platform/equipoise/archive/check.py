"""A folder looked at and not stored: what each file would become, and each series against limits."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from equipoise.archive.quality import (
    CheckOutcome,
    QualityCheck,
    QualityLimits,
    facts_of_series,
    is_accepted,
    quality_checks,
)
from equipoise.imaging.containers import is_archive, unpack
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.reading import FileReport, read_folder


@dataclass(frozen=True, slots=True)
class SeriesCheck:
    """One series by its technical facts, and its checks."""

    summary: str
    checks: tuple[QualityCheck, ...]

    @property
    def objections(self) -> list[QualityCheck]:
        """The checks that did not pass."""
        return [check for check in self.checks if check.outcome is not CheckOutcome.PASSED]


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """What was found in a folder."""

    reports: tuple[FileReport, ...]
    failures: int
    series: tuple[SeriesCheck, ...]

    @property
    def accepted(self) -> bool:
        """Whether every file was read or set aside, and every series is within the limits."""
        return self.failures == 0 and all(is_accepted(list(one.checks)) for one in self.series)


def folder_check(
    folder: Path, *, limits: QualityLimits | None = None, read_limits: ReadLimits = DEFAULT_LIMITS
) -> FolderCheck:
    """Read the headers of a folder, or of an archive, and check every series; nothing is stored.

    Raises
    ------
    IngestError
        If the archive itself cannot be unpacked.
    """
    with tempfile.TemporaryDirectory(prefix="equipoise-") as scratch:
        workspace, source = Path(scratch) / "unpacked", folder
        workspace.mkdir()
        if is_archive(folder):
            source = Path(scratch) / "sent"
            source.mkdir()
            unpack(folder, source, limits=read_limits)
        contents = read_folder(source, limits=read_limits, workspace=workspace)
    checked = tuple(
        SeriesCheck(one.summary(), tuple(quality_checks(facts_of_series(one), limits or QualityLimits())))
        for one in contents.series
    )
    return FolderCheck(contents.reports, len(contents.failures()), checked)
