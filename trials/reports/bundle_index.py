"""The index of a bundle's results, and their numbers and parameters for programs that read no JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.common.safe_cells import safe_cell
from trials.domain.bundle import write_json, write_lines
from trials.reports.exports import csv_line


@dataclass(frozen=True)
class IndexedResult:
    """One analysis: its folder below ``results``, what its ``results.json`` says, and the files it took."""

    key: str
    told: Mapping[str, Any]
    planned: bool
    tables: Mapping[str, str]
    data: str = ""
    """The key of the external data it was computed from."""


def write_results_index(
    folder: Path,
    results: Sequence[IndexedResult],
    *,
    schema: str,
    data_sha256: str,
    not_computed: Mapping[str, str],
) -> None:
    """Write ``results.json`` and beside it ``inputs.csv``, ``numbers.csv``, ``parameters.csv`` and ``parts.csv``."""
    kept = ("title", "method", "version", "role", "data_sha256", "software")
    entries = [
        {
            "name": one.told["name"],
            "planned": one.planned,
            "results": f"results/{one.key}/results.json",
            **({"data": one.data} if one.data else {}),
            "tables": dict(one.tables),
            **{name: one.told[name] for name in kept},
            "numbers": one.told["numbers"],
        }
        for one in results
    ]
    write_json(
        folder / "results.json",
        {
            "schema": schema,
            "data_sha256": data_sha256,
            "analyses": entries,
            "not_computed": dict(not_computed),
        },
    )
    write_lines(folder / "inputs.csv", _inputs_csv(results))
    write_lines(folder / "numbers.csv", _numbers_csv(results))
    write_lines(folder / "parameters.csv", _parameters_csv(results))
    write_lines(folder / "parts.csv", _parts_csv(results))


def _inputs_csv(results: Sequence[IndexedResult]) -> Iterator[str]:
    """Yield which analysis took which tables."""
    yield csv_line(("analysis", "name", "table", "file"))
    for one in results:
        for table, file in one.tables.items():
            yield csv_line((one.key, one.told["name"], table, file))


def _numbers_csv(results: Sequence[IndexedResult]) -> Iterator[str]:
    """Yield the reported numbers one value a line."""
    yield csv_line(("analysis", "quantity", "subject", "field", "value"))
    for one in results:
        for number in one.told["numbers"]:
            subject = ";".join(f"{key}={value}" for key, value in number["subject"].items())
            for field, value in _values(number):
                if value is not None:
                    yield csv_line((one.key, number["quantity"], subject, field, value))


def _values(number: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((field, number[field]) for field in ("value", "standard_error", "statistic", "pvalue", "n"))
    interval = number["interval"] or {}
    yield from ((field, interval.get(field)) for field in ("low", "high"))
    df = number["df"]
    yield from (
        ((f"df.{place}", one) for place, one in enumerate(df, 1)) if isinstance(df, list) else [("df", df)]
    )


def _parameters_csv(results: Sequence[IndexedResult]) -> Iterator[str]:
    yield csv_line(("analysis", "parameter", "value"))
    for one in results:
        beside = {key: one.told[key] for key in ("confidence_level", "analysis_set") if key in one.told}
        for name, value in (one.told["parameters"] | beside).items():
            text = ";".join(map(str, value)) if isinstance(value, list) else value
            yield csv_line((one.key, name, text))


def _parts_csv(results: Sequence[IndexedResult]) -> Iterator[str]:
    """Yield which part of the readings an analysis is of; those of all readings have no line."""
    yield csv_line(("analysis", "column", "value"))
    for one in results:
        for column, value in (one.told.get("where") or {}).items():
            yield csv_line((one.key, safe_cell(column), safe_cell(value)))
