"""An audit trail as CSV and JSON, entry by entry as it is read; what a spreadsheet would run is quoted."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from equipoise.common.safe_cells import safe_cell
from trials.reports.exports import csv_line
from trials.selectors.audit import AUDIT_COLUMNS

AUDIT_FILES = ("audit.csv", "audit.json")


def audit_csv(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the entries as CSV; what was there before and after an act stands in its cell as JSON."""
    yield csv_line(AUDIT_COLUMNS)
    for row in rows:
        told = _told(row)
        yield csv_line(safe_cell(_cell(told[name])) for name in AUDIT_COLUMNS)


def audit_json(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the entries as one JSON array."""
    yield "["
    separator = "\n"
    for row in rows:
        yield separator + json.dumps(_told(row), ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n"


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "at": row["at"].isoformat(timespec="microseconds")}


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict | list) else value
