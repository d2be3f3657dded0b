"""Data that were collected elsewhere: what was imported, which version counts, and the table that an analysis takes."""

from collections.abc import Iterator
from typing import Any

from equipoise.analysis.tables import Table, format_number
from equipoise.common.safe_cells import safe_cell
from trials.domain.planned import parameters_planned
from trials.domain.protocol.v1 import ExternalData, ProtocolV1
from trials.models import ExternalTable, Trial
from trials.selectors.measurements import MEASURED_PREFIXES, measurements_of_cases
from trials.selectors.protocol import protocol_frozen
from trials.selectors.tables import is_blinded

OF_THE_TRIAL = "trial"
"""Whose cases are this trial's."""
FOLDER = "external"
"""Of the tables in a bundle."""
MARKS = ("algorithm_mark", "other_mark", "both", "neither")


def external_current(trial: Trial, key: str) -> ExternalTable | None:
    """Return the version that counts of the data of a key: the last one."""
    return trial.external_tables.filter(key=key).order_by("-version").first() if key else None


def external_all_current(trial: Trial) -> list[ExternalTable]:
    """Return the data that have a key, each in the version that counts."""
    newest: dict[str, ExternalTable] = {}
    for table in trial.external_tables.exclude(key="").order_by("key", "version"):
        newest[table.key] = table
    return list(newest.values())


def external_declared(trial: Trial) -> frozenset[str]:
    """Return the keys of the data that the locked protocol names; none before protocol lock."""
    protocol = protocol_frozen(trial)
    return frozenset(one.key for one in protocol.external_data) if protocol is not None else frozenset()


def external_lacking(trial: Trial) -> list[str]:
    """Return the keys of the data that the protocol names and that nobody has imported as its newest version says."""
    protocol = protocol_frozen(trial)
    if protocol is None:
        return []
    current = {table.key: table for table in external_all_current(trial)}
    return sorted(
        one.key
        for one in protocol.external_data
        if one.key not in current or not _is_as_declared(current[one.key], protocol, one)
    )


def external_terms(protocol: ProtocolV1, declared: ExternalData) -> dict[str, Any]:
    """Return how the protocol has declared data taken in: table, patients, names of columns, rule for odd rows."""
    parameters = parameters_planned(protocol, "preference", declared.key)
    return {
        "kind": declared.table,
        "patients": declared.patients,
        "columns": {one.column: one.in_file for one in declared.columns},
        "rule": {name: parameters[name] for name in MARKS if name in parameters},
    }


def _is_as_declared(table: ExternalTable, protocol: ProtocolV1, declared: ExternalData) -> bool:
    return all(getattr(table, name) == value for name, value in external_terms(protocol, declared).items())


def external_known(trial: Trial) -> frozenset[str]:
    """Return the keys under which data were imported or analysed, whatever the protocol names."""
    imported = trial.external_tables.exclude(key="").values_list("key", flat=True)
    analysed = trial.analyses.exclude(data_key="").values_list("data_key", flat=True)
    return frozenset(imported) | frozenset(analysed)


def is_concealed(trial: Trial, table: ExternalTable) -> bool:
    """Say whether results wait for unblinding: those of planned data, and of data with what is measured here beside."""
    return is_blinded(trial) and (table.patients == OF_THE_TRIAL or table.key in external_declared(trial))


def external_frame(table: ExternalTable) -> Table:
    """Return an imported table as the analyses take it, with what is measured here where its cases are the trial's."""
    columns, rows = external_cells(table)
    return Table.of_rows(table.kind, columns, rows)


def external_cells(table: ExternalTable) -> tuple[list[str], list[list[Any]]]:
    """Return names of columns and cells: those of the file, then what is measured here."""
    columns = list(table.rows["columns"])
    rows = [list(row) for row in table.rows["rows"]]
    if table.kind != "survival" or table.patients != OF_THE_TRIAL:
        return columns, rows
    names, measured = measurements_of_cases(table.trial)
    at = columns.index("case")
    beside = [[measured.get(str(row[at]), {}).get(name) for name in names] for row in rows]
    return columns + names, [row + more for row, more in zip(rows, beside, strict=True)]


def external_lines(table: ExternalTable) -> Iterator[list[str]]:
    """Yield header and rows of the table as text, numbers at full precision."""
    columns, rows = external_cells(table)
    yield [safe_cell(name) for name in columns]
    for row in rows:
        yield [_text(cell) for cell in row]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return safe_cell(cell) if isinstance(cell, str) else format_number(cell)


def external_provenance(table: ExternalTable) -> dict[str, Any]:
    """Return where a table came from, as results, reports and bundles print it."""
    protocol = protocol_frozen(table.trial)
    declared = protocol.external(table.key) if protocol is not None else None
    measured = table.kind == "survival" and table.patients == OF_THE_TRIAL
    return {
        "key": table.key,
        "table": table.kind,
        "version": table.version,
        "planned": declared is not None,
        "collected": declared.collected if declared is not None else None,
        "patients": table.patients,
        "columns": table.columns,
        "measured_here": measurements_of_cases(table.trial)[0] if measured else [],
        "file_name": table.file_name,
        "file_sha256": table.file_sha256,
        "rows": table.row_count,
        "sha256": table.sha256,
        "imported_at": table.imported_at.isoformat(),
    }


def external_sentence(table: ExternalTable) -> str:
    """Return the sentence that marks whatever is computed from a table that was collected elsewhere."""
    name = f" '{table.key}'" if table.key else ""
    file = f"{table.file_name}, SHA-256 {table.file_sha256}, " if table.file_sha256 else ""
    beside = (
        f" Columns that begin with {' or '.join(MEASURED_PREFIXES)} were measured here."
        if table.kind == "survival" and table.patients == OF_THE_TRIAL
        else ""
    )
    day = table.imported_at.date().isoformat()
    return (
        f"Externally collected data{name}: {file}{table.row_count} rows, imported {day}. "
        f"No reading given on this platform enters.{beside}"
    )


def external_tables_document(trial: Trial) -> list[dict[str, Any]]:
    """Return the imported tables with what was surfaced in them."""
    return [external_table_document(table) for table in trial.external_tables.order_by("imported_at")]


def external_table_document(table: ExternalTable) -> dict[str, Any]:
    """Return one imported table: how many rows, which were odd, and the rule for them."""
    return {
        "id": table.id,
        "key": table.key or None,
        "table": table.kind,
        "version": table.version,
        "planned": table.key in external_declared(table.trial),
        "patients": table.patients,
        "file_name": table.file_name or None,
        "file_sha256": table.file_sha256 or None,
        "imported": table.row_count,
        "columns": table.rows["columns"],
        "surfaced": table.surfaced,
        "rule": table.rule,
        "sha256": table.sha256,
        "imported_at": table.imported_at,
    }


def external_declarations(trial: Trial) -> list[dict[str, Any]]:
    """Return what the locked protocol says is collected elsewhere, and whether it is here."""
    protocol = protocol_frozen(trial)
    if protocol is None:
        return []
    lacking = external_lacking(trial)
    return [
        {
            "key": one.key,
            "table": one.table,
            "patients": one.patients,
            "collected": one.collected or "",
            "imported": one.key not in lacking,
        }
        for one in protocol.external_data
    ]
