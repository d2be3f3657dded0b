"""The readings as CSV, JSON and spreadsheet. Text that a spreadsheet would run as a formula is quoted."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from equipoise.analysis.plan import ALL_SUBMITTED
from equipoise.common.safe_cells import NUMBER, safe_cell
from trials.domain.planned import PlannedAnalysis, result_key
from trials.domain.review import ReviewKind
from trials.models import Analysis, AnalysisState, CasePurpose, StoredBundle, Trial
from trials.reports.workbook import Workbook
from trials.selectors.allocation import ALLOCATION_COLUMNS, allocation_rows
from trials.selectors.bundle import bundle_has, bundle_table_lines
from trials.selectors.environment import ENVIRONMENTS_COLUMNS, environment_rows
from trials.selectors.external import external_all_current
from trials.selectors.labels import LABELS_COLUMNS, consensus_of, label_rows
from trials.selectors.monitor import participants_document
from trials.selectors.reference import TRUTH_COLUMNS, covariate_names, truth_for_analysis, truth_rows
from trials.selectors.review import DEVIATIONS_COLUMNS, QUERIES_COLUMNS, review_rows
from trials.selectors.segmentations import SEGMENTATIONS_COLUMNS, segmentations_rows
from trials.selectors.tables import (
    EXTERNAL,
    WHERE,
    form_and_closing_answers,
    is_blinded,
    readings_columns,
    told_rows,
)
from trials.services.analysis import planned_analyses

Rows = Iterable[Mapping[str, Any]]


def csv_line(cells: Iterable[Any]) -> str:
    """Return one line of a CSV file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(["" if cell is None else cell for cell in cells])
    return out.getvalue()


def readings_csv(trial: Trial, rows: Rows | None = None) -> Iterator[str]:
    """Yield ``readings.csv`` line by line; sources stay empty until unblinding.

    ``rows``, here and below, are the readings' where the caller has read them already.
    """
    columns = readings_columns(trial)
    yield csv_line(columns)
    for row in told_rows(trial) if rows is None else rows:
        yield csv_line(safe_cell(row[name]) for name in columns)


def readings_json(trial: Trial, rows: Rows | None = None) -> Iterator[str]:
    """Yield the same rows as one JSON array."""
    yield "["
    separator = "\n"
    for row in told_rows(trial) if rows is None else rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n"


def segmentations_csv(trial: Trial) -> Iterator[str]:
    """Yield ``segmentations.csv`` case by case; empty until unblinding, as every answer is."""
    yield csv_line(SEGMENTATIONS_COLUMNS)
    if is_blinded(trial):
        return
    for row in segmentations_rows(trial):
        yield csv_line(safe_cell(row[name]) for name in SEGMENTATIONS_COLUMNS)


def environments_csv(trial: Trial) -> Iterator[str]:
    """Yield ``environments.csv``: what each reader sat at in each session. Nothing in it is by arm."""
    yield csv_line(ENVIRONMENTS_COLUMNS)
    for row in environment_rows(trial):
        yield csv_line(safe_cell(row[name]) for name in ENVIRONMENTS_COLUMNS)


def queries_csv(trial: Trial) -> Iterator[str]:
    """Yield ``queries.csv``, one row per act on a query; it names cells, so it is for unblinded trials."""
    yield csv_line(QUERIES_COLUMNS)
    for row in review_rows(trial, ReviewKind.QUERY):
        yield csv_line(safe_cell(row[name]) for name in QUERIES_COLUMNS)


def deviations_csv(trial: Trial) -> Iterator[str]:
    """Yield ``deviations.csv``, one row per act on a deviation; it names cells, so it is for unblinded trials."""
    yield csv_line(DEVIATIONS_COLUMNS)
    for row in review_rows(trial, ReviewKind.DEVIATION):
        yield csv_line(safe_cell(row[name]) for name in DEVIATIONS_COLUMNS)


def analysed_truth_csv(trial: Trial) -> Iterator[str]:
    """Yield the reference standard as analyses take it: case, item, truth where it is final, covariates."""
    columns = ("case", "item", "truth", *covariate_names(trial))
    yield csv_line(map(safe_cell, columns))
    for row in truth_for_analysis(trial):
        yield csv_line(safe_cell(row[name]) for name in columns)


def truth_csv(trial: Trial) -> Iterator[str]:
    """Yield ``truth.csv``: the reference standard and the covariates of every trial case. For those who may see it."""
    columns = (*TRUTH_COLUMNS, *covariate_names(trial))
    yield csv_line(map(safe_cell, columns))
    for row in truth_rows(trial, purpose=CasePurpose.TRIAL):
        yield csv_line(safe_cell(row[name]) for name in columns)


def labels_csv(trial: Trial) -> Iterator[str]:
    """Yield ``labels.csv`` line by line: one label per case from all labellers; no label before unblinding."""
    yield csv_line(LABELS_COLUMNS)
    if not is_blinded(trial):
        for row in label_rows(trial):
            yield csv_line(safe_cell(row[name]) for name in LABELS_COLUMNS)


def allocation_csv(trial: Trial) -> Iterator[str]:
    """Yield ``allocation.csv`` line by line: every reading as it was allocated. Only for those who may see the rows."""
    yield csv_line(ALLOCATION_COLUMNS)
    for row in allocation_rows(trial):
        yield csv_line(safe_cell(row[name]) for name in ALLOCATION_COLUMNS)


def tables_workbook(trial: Trial, sink: BinaryIO, rows: Rows | None = None) -> None:
    """Write a spreadsheet with one sheet per table.

    Readings, participants and reading environments always; once unblinded, the allocation's rows, what participants
    answered before and after reading, and the tables of the newest runs of each analysis, of parts of the readings too.
    """
    with Workbook(sink) as book:
        _sheet(book, "readings", readings_columns(trial), told_rows(trial) if rows is None else rows)
        people = _participants(trial)
        _sheet(book, "participants", _all_columns(people), people)
        _sheet(book, "environments", ENVIRONMENTS_COLUMNS, environment_rows(trial))
        if not is_blinded(trial):
            if consensus_of(trial) is not None:
                _sheet(book, "labels", LABELS_COLUMNS, label_rows(trial))
            _sheet(book, "allocation", ALLOCATION_COLUMNS, allocation_rows(trial))
            _analysis_sheets(book, trial)


def imported_workbook(trial: Trial, bundle: StoredBundle, sink: BinaryIO) -> None:
    """Write the same spreadsheet of an imported trial, made from the tables of its bundle."""
    with Workbook(sink) as book:
        for name in ("readings", "participants", "environments", "labels", "allocation"):
            if bundle_has(bundle, f"{name}.csv"):
                lines = bundle_table_lines(bundle, f"{name}.csv")
                columns = next(lines, [])
                book.sheet(name, columns, (map(_typed, line) for line in lines))
        _analysis_sheets(book, trial)


_WORDS = {"": None, "True": True, "False": False}


def _typed(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    match = NUMBER.fullmatch(text)
    if match is None:
        return text
    number = int(text) if match[2] is None and match[3] is None else float(text)
    return number if math.isfinite(number) else text


def _analysis_sheets(book: Workbook, trial: Trial) -> None:
    planned = planned_analyses(trial)
    for analysis in latest_analyses(trial):
        own = planned_as(analysis, planned)
        mark = " all" if own.full_set else " expl." if analysis.exploratory and own in planned else ""
        _result_sheets(book, f"{result_key(own.name, own.data)}{mark}", analysis)
    for key, analysis in latest_of_parts(trial):
        _result_sheets(book, key, analysis)


def _result_sheets(book: Workbook, stem: str, analysis: Analysis) -> None:
    for name in analysis.results["order"]["tables"]:
        table = analysis.results["tables"][name]
        book.sheet(f"{stem} {name}", table["columns"], table["rows"])


def participants_csv(trial: Trial) -> Iterator[str]:
    """Yield ``participants.csv``: codes, groups and counts; what they answered before and after once unblinded."""
    people = _participants(trial)
    columns = _all_columns(people)
    yield csv_line(columns)
    for row in people:
        yield csv_line(safe_cell(row.get(name)) for name in columns)


def _participants(trial: Trial) -> list[dict[str, Any]]:
    told = {} if is_blinded(trial) else form_and_closing_answers(trial)
    people = [
        {k: v for k, v in row.items() if k != "id"} | told.get(row["id"], {})
        for row in participants_document(trial)
    ]
    for row in people:
        for name in ("joined_at", "last_activity_at"):
            row[name] = row[name].date().isoformat() if row[name] else None
    return people


def _all_columns(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row)) or ("code",)


def latest_analyses(trial: Trial) -> list[Analysis]:
    """Return the newest successful runs of each analysis of readings given here, and of each of the external data.

    Tables that were imported without a name are looked at and not reported; neither is a run on external data that
    were imported anew since. Of an analysis, the newest as planned, the newest of the full set beside it and the newest
    exploratory one: none of these stands for another, and none of a part of the readings for the whole. A planned run
    from before analysis sets were told apart, where the plan has one of the per-protocol set, is of neither and left
    out. Planned ones come first.
    """
    planned = planned_analyses(trial)
    current = {table.key: str(table.id) for table in external_all_current(trial)}
    newest: dict[tuple[bool, PlannedAnalysis], Analysis] = {}
    for analysis in Analysis.objects.filter(trial=trial, state=AnalysisState.SUCCEEDED).order_by(
        "created_at"
    ):
        if (
            WHERE not in analysis.options
            and analysis.options.get(EXTERNAL) == current.get(analysis.data_key)
            and not _lacks_its_set(analysis, planned)
        ):
            newest[analysis.exploratory, planned_as(analysis, planned)] = analysis
    return sorted(newest.values(), key=lambda one: one.exploratory)


def latest_of_parts(trial: Trial) -> list[tuple[str, Analysis]]:
    """Return the newest successful run of each analysis of each part of the readings, each with its key.

    They stand by name and part; the parts of an analysis are numbered in that order.
    """
    current = {table.key: str(table.id) for table in external_all_current(trial)}
    newest: dict[tuple[str, str, tuple[tuple[str, str], ...]], Analysis] = {}
    for analysis in Analysis.objects.filter(trial=trial, state=AnalysisState.SUCCEEDED).order_by(
        "created_at"
    ):
        where = analysis.options.get(WHERE)
        if where and analysis.options.get(EXTERNAL) == current.get(analysis.data_key):
            newest[analysis.name, analysis.data_key, tuple(sorted(where.items()))] = analysis
    numbers: Counter[tuple[str, str]] = Counter()
    numbered = []
    for name, data, part in sorted(newest):
        numbers[name, data] += 1
        numbered.append((result_key(name, data, part=numbers[name, data]), newest[name, data, part]))
    return numbered


def _lacks_its_set(analysis: Analysis, planned: Collection[PlannedAnalysis]) -> bool:
    full = PlannedAnalysis(analysis.name, analysis.data_key, full_set=True)
    return not analysis.exploratory and "analysis_set" not in analysis.results and full in planned


def planned_as(analysis: Analysis, planned: Collection[PlannedAnalysis]) -> PlannedAnalysis:
    """Return what of the plan an analysis is a run of, or is called after; its result says which set it is of."""
    own = PlannedAnalysis(analysis.name, analysis.data_key)
    full = replace(own, full_set=True)
    is_full = (
        not analysis.exploratory and analysis.results.get("analysis_set", ALL_SUBMITTED) == ALL_SUBMITTED
    )
    return full if is_full and full in planned else own


def _sheet(book: Workbook, name: str, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    book.sheet(name, columns, ([row.get(column) for column in columns] for row in rows))
