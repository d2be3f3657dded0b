"""The results of a trial as files: what was reported, and what the plan names beside it."""

import json
import shutil
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.plan import ALL_SUBMITTED
from equipoise.analysis.registry import ANALYSIS_NAMES
from equipoise.analysis.write import POINTS, write_result
from equipoise.archive.storage import default_store
from equipoise.common.errors import DomainError
from trials.domain.planned import PlannedAnalysis, result_key
from trials.models import Analysis, Trial
from trials.reports.exports import latest_analyses, latest_of_parts, planned_as
from trials.selectors.tables import ANALYSIS_SET
from trials.services.analysis import FIGURE_FORMATS, FrozenReadings, analysis_result, planned_analyses


@dataclass(frozen=True)
class ReportedResult:
    """One analysis: the content of its ``results.json``, and the folder of its files."""

    told: Mapping[str, Any]
    planned: bool
    """As the plan has it; false also of a run of a planned analysis with options of its own."""
    folder: Path
    data: str = ""
    """The key of the external data it is computed from; empty for readings given here."""

    @property
    def key(self) -> str:
        """The analysis's name, with that of its data; with a mark, of an exploratory run beside the planned one."""
        return self.folder.name

    @property
    def is_beside_the_plan(self) -> bool:
        """Whether the same analysis of the same data is reported as planned too."""
        return self.key == result_key(self.told["name"], self.data, beside_the_plan=True)

    @property
    def where(self) -> Mapping[str, str]:
        """The part of the readings that it is of: column -> value; empty where it is of all."""
        return self.told.get("where") or {}

    @property
    def is_full_set(self) -> bool:
        """Whether it is the run of all submitted readings beside the planned one of the per-protocol set."""
        return self.key == result_key(self.told["name"], self.data, full_set=True)


@dataclass(frozen=True)
class Reported:
    """Every analysis, and those that could not be computed, with the reason."""

    entries: tuple[ReportedResult, ...]
    not_computed: Mapping[str, str]


def results_into(trial: Trial, frozen: FrozenReadings, folder: Path) -> Reported:
    """Write the newest run of each analysis, a folder each.

    Of what the plan names that is the newest run as planned, or one made now; an exploratory run goes beside it. Runs
    of a part of the readings follow.
    """
    entries, not_computed = [], {}
    planned = planned_analyses(trial)
    reported = {(planned_as(one, planned), one.exploratory): one for one in latest_analyses(trial)}
    for wanted, exploratory in _order(planned, reported):
        analysis = reported.get((wanted, exploratory))
        beside = exploratory and wanted in planned
        key = result_key(wanted.name, wanted.data, beside_the_plan=beside, full_set=wanted.full_set)
        target = folder / key
        try:
            if analysis is not None:
                _unpack(analysis, target)
            else:
                options = {ANALYSIS_SET: ALL_SUBMITTED} if wanted.full_set else {}
                made = Analysis(
                    trial=trial, name=wanted.name, data_key=wanted.data, exploratory=False, options=options
                )
                write_result(analysis_result(made, frozen), target, formats=FIGURE_FORMATS)
        except (AnalysisInputError, DomainError, ValueError) as error:
            not_computed[key] = str(error)
            continue
        except ArithmeticError as error:
            not_computed[key] = f"The computation went beyond what numbers hold: {error}."
            continue
        told = json.loads((target / "results.json").read_text(encoding="utf-8"))
        entries.append(ReportedResult(told, not exploratory, target, wanted.data))
    return Reported((*entries, *_parts_into(trial, folder)), not_computed)


def _parts_into(trial: Trial, folder: Path) -> list[ReportedResult]:
    """Write the newest run of each analysis of a part of the readings."""
    entries: list[ReportedResult] = []
    for key, analysis in latest_of_parts(trial):
        target = folder / key
        _unpack(analysis, target)
        told = json.loads((target / "results.json").read_text(encoding="utf-8"))
        entries.append(ReportedResult(told, planned=False, folder=target, data=analysis.data_key))
    return entries


def _order(
    planned: Collection[PlannedAnalysis], reported: Collection[tuple[PlannedAnalysis, bool]]
) -> list[tuple[PlannedAnalysis, bool]]:
    """Return what to report by name, readings given here before external data, runs beside the plan last."""
    runs = {(one, False) for one in planned} | {run for run in reported if run[1] or run[0] in planned}
    known = [run for run in runs if run[0].name in ANALYSIS_NAMES]

    def place(run: tuple[PlannedAnalysis, bool]) -> tuple[bool, int, str, bool]:
        one, exploratory = run
        return exploratory and one in planned, ANALYSIS_NAMES.index(one.name), one.data, one.full_set

    return sorted(known, key=place)


def _unpack(analysis: Analysis, target: Path) -> None:
    target.mkdir(parents=True)
    with default_store().open(analysis.files_key) as stored, zipfile.ZipFile(stored) as files:
        for name in files.namelist():
            if name.endswith(f".{POINTS}"):
                continue
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.open(name) as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
