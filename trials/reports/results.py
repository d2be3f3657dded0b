"""The results of a trial as files: what was reported, and what the plan names beside it."""

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.registry import ANALYSIS_NAMES
from equipoise.analysis.write import write_result
from equipoise.archive.storage import default_store
from equipoise.common.errors import DomainError
from trials.domain.bundle import exploratory_key
from trials.models import Analysis, Trial
from trials.reports.exports import latest_analyses
from trials.services.analysis import FIGURE_FORMATS, analysis_result, planned_analyses


@dataclass(frozen=True)
class ReportedResult:
    """One analysis: the content of its ``results.json``, and the folder of its files."""

    told: Mapping[str, Any]
    planned: bool
    """As the plan has it; false also of a run of a planned analysis with options of its own."""
    folder: Path

    @property
    def key(self) -> str:
        """The analysis's name; with a mark, of an exploratory run beside the planned one."""
        return self.folder.name


@dataclass(frozen=True)
class Reported:
    """Every analysis, and those that could not be computed, with the reason."""

    entries: tuple[ReportedResult, ...]
    not_computed: Mapping[str, str]


def results_into(trial: Trial, folder: Path) -> Reported:
    """Write the newest run of each analysis, a folder each.

    Of what the plan names that is the newest run as planned, or one made now; an exploratory run goes beside it.
    """
    entries, not_computed = [], {}
    planned = planned_analyses(trial)
    reported = {(one.name, one.exploratory): one for one in latest_analyses(trial)}
    wanted = [(name, name not in planned) for name in ANALYSIS_NAMES]
    wanted += [(name, True) for name in ANALYSIS_NAMES if name in planned]
    for name, exploratory in wanted:
        analysis = reported.get((name, exploratory))
        if analysis is None and exploratory:
            continue
        key = exploratory_key(name) if exploratory and name in planned else name
        target = folder / key
        try:
            if analysis is not None:
                _unpack(analysis, target)
            else:
                write_result(
                    analysis_result(Analysis(trial=trial, name=name, exploratory=False)),
                    target,
                    formats=FIGURE_FORMATS,
                )
        except (AnalysisInputError, DomainError, ValueError) as error:
            not_computed[key] = str(error)
            continue
        told = json.loads((target / "results.json").read_text(encoding="utf-8"))
        entries.append(ReportedResult(told, not exploratory, target))
    return Reported(tuple(entries), not_computed)


def _unpack(analysis: Analysis, target: Path) -> None:
    target.mkdir(parents=True)
    with default_store().open(analysis.files_key) as stored, zipfile.ZipFile(stored) as files:
        for name in files.namelist():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.open(name) as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
