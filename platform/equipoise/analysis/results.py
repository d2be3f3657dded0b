"""What an analysis gives back: findings in words, numbers with everything needed to judge them, tables, figures.

Full precision is kept; rounding is the business of whoever prints. A number that is not defined has the value
``None`` and a reason, never 0.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equipoise.analysis.plan import ALL_SUBMITTED
from equipoise.analysis.tables import Table, plain

RESULT_SCHEMA = "equipoise-analysis-result/1"
"""Names the layout of ``results.json``. Fields are only ever added; another layout takes another name."""

NOT_STATED = "not available"
NO_WIDTH = "the interval has no width: the data show no variation, which is not the same as certainty"
"""Said of an interval that has collapsed (perfect separation, one reader of one case)."""


@dataclass(frozen=True)
class Number:
    """One number and what it takes to judge it.

    ``quantity`` names it within the analysis (``auc``); ``subject`` says of what (``{"participant": "R-01"}``).
    """

    quantity: str
    label: str
    value: float | None
    subject: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    method: str = ""
    low: float | None = None
    high: float | None = None
    confidence_level: float | None = None
    interval_method: str = ""
    standard_error: float | None = None
    statistic: float | None = None
    df: float | tuple[float, ...] | None = None
    pvalue: float | None = None
    n: int | None = None
    n_missing: int = 0
    missing: str = ""
    seed: int | None = None
    reason: str = ""

    @property
    def has_interval(self) -> bool:
        """Return whether both bounds are known."""
        return self.low is not None and self.high is not None

    def to_json(self) -> dict[str, Any]:
        """Return what ``results.json`` holds of the number."""
        df: Any = self.df
        if isinstance(df, tuple):
            df = [plain(value) for value in df]
        return {
            "quantity": self.quantity,
            "label": self.label,
            "subject": dict(self.subject),
            "value": plain(self.value),
            "unit": self.unit,
            "method": self.method,
            "interval": None
            if not self.has_interval
            else {
                "low": plain(self.low),
                "high": plain(self.high),
                "confidence_level": self.confidence_level,
                "method": self.interval_method,
            },
            "standard_error": plain(self.standard_error),
            "statistic": plain(self.statistic),
            "df": plain(df) if not isinstance(df, list) else df,
            "pvalue": plain(self.pvalue),
            "n": self.n,
            "n_missing": self.n_missing,
            "missing": self.missing,
            "seed": self.seed,
            "reason": self.reason or None,
        }


@dataclass(frozen=True)
class Figure:
    """A figure before it is drawn: its kind, its words and exactly the data that it shows."""

    name: str
    kind: str
    title: str
    caption: str
    data: Table
    width_cm: float = 8.5
    height_cm: float = 7.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what ``results.json`` holds of the figure."""
        return {
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "caption": self.caption,
            "width_cm": self.width_cm,
            "height_cm": self.height_cm,
            "options": _plain_tree(self.options),
            "data": _table_json(self.data),
        }


@dataclass(frozen=True)
class AnalysisResult:
    """One analysis of one set of tables under one plan."""

    name: str
    title: str
    method: str
    version: str
    role: str
    """``primary``, ``secondary`` or ``exploratory`` (also whatever no plan names)."""
    data_sha256: str
    findings: tuple[str, ...]
    numbers: tuple[Number, ...]
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure]
    notes: tuple[str, ...]
    """How the data were taken and what limits the findings: exclusions, rules applied, warnings."""
    parameters: Mapping[str, Any]
    confidence_level: float
    rng_seed: int
    software: Mapping[str, str]
    analysis_set: str = ALL_SUBMITTED
    where: Mapping[str, str] = field(default_factory=dict)
    """The part of the readings that entered, column -> value; empty where all of the analysis set did."""

    def number(self, quantity: str, **subject: str) -> Number:
        """Return the one number of this quantity and subject."""
        found = [n for n in self.numbers if n.quantity == quantity and dict(n.subject) == subject]
        if len(found) != 1:
            raise KeyError(f"{len(found)} numbers are called {quantity!r} of {subject}.")
        return found[0]

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``results.json``: plain values, ``None`` where a number is not defined."""
        return {
            "schema": RESULT_SCHEMA,
            "name": self.name,
            "title": self.title,
            "method": self.method,
            "version": self.version,
            "role": self.role,
            "data_sha256": self.data_sha256,
            "confidence_level": self.confidence_level,
            "rng_seed": self.rng_seed,
            "analysis_set": self.analysis_set,
            "where": dict(sorted(self.where.items())),
            "parameters": _plain_tree(self.parameters),
            "software": dict(self.software),
            "findings": list(self.findings),
            "notes": list(self.notes),
            "numbers": [number.to_json() for number in self.numbers],
            "tables": {name: _table_json(table) for name, table in self.tables.items()},
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
        }

    def to_json_text(self) -> str:
        """Return ``results.json`` as text; the same result gives the same bytes."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _table_json(table: Table) -> dict[str, Any]:
    columns = list(table)
    lists = [[plain(value) for value in table[name].tolist()] for name in columns]
    return {"columns": columns, "rows": [list(row) for row in zip(*lists, strict=True)]}


def _plain_tree(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain_tree(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain_tree(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain_tree(item) for item in value]
    return plain(value)


class ResultBuilder:
    """Collects what a method finds. Methods write here; :func:`equipoise.analysis.run.run_analysis` freezes it."""

    def __init__(self, *, confidence_level: float, seed: int) -> None:
        self.confidence_level = confidence_level
        self.seed = seed
        self.findings: list[str] = []
        self.numbers: list[Number] = []
        self.tables: dict[str, Table] = {}
        self.figures: dict[str, Figure] = {}
        self.notes: list[str] = []

    def number(
        self,
        quantity: str,
        value: float | None,
        *,
        label: str,
        subject: Mapping[str, str] | None = None,
        interval: Any = None,
        interval_method: str = "",
        reason: str = "",
        **fields: Any,
    ) -> Number:
        """Record a number; one that is not finite is recorded as not defined, with the reason."""
        finite = _finite(value)
        low, high = _bounds(interval)
        if not reason:
            reason = "the data do not define it" if finite is None else _without_limit(interval)
        number = Number(
            quantity=quantity,
            label=label,
            value=finite,
            subject=dict(subject or {}),
            low=low,
            high=high,
            confidence_level=self.confidence_level if low is not None else None,
            interval_method=interval_method if low is not None else "",
            reason=reason if finite is None or low is None else NO_WIDTH if low == high else "",
            **{key: _clean_field(key, item) for key, item in fields.items()},
        )
        self.numbers.append(number)
        return number

    def finding(self, sentence: str) -> None:
        """Record a finding: a sentence that stands alone."""
        self.findings.append(sentence)

    def note(self, sentence: str) -> None:
        """Record a note once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def table(self, name: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
        """Record a table."""
        self.tables[name] = Table.of_rows(name, header, rows)
        return self.tables[name]

    def figure(self, figure: Figure) -> None:
        """Record a figure."""
        self.figures[figure.name] = figure


def _finite(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _bounds(interval: Any) -> tuple[float | None, float | None]:
    if interval is None:
        return None, None
    low, high = map(_finite, _ends(interval))
    return (None, None) if low is None or high is None else (low, high)


def _ends(interval: Any) -> tuple[Any, Any]:
    low, high = (interval.low, interval.high) if hasattr(interval, "low") else interval
    return low, high


def _without_limit(interval: Any) -> str:
    """Return why an interval with an infinite bound is not told, and its other bound; empty for any other."""
    ends = [float(end) for end in _ends(interval) if end is not None] if interval is not None else []
    if len(ends) < 2 or not any(map(math.isinf, ends)) or any(map(math.isnan, ends)):
        return ""
    low, high = ends
    if math.isinf(low) and math.isinf(high):
        return "the data leave both bounds without limit"
    if math.isinf(high):
        return f"the data leave the upper bound without limit; the lower one is {low:.4g}"
    return f"the data leave the lower bound without limit; the upper one is {high:.4g}"


def _clean_field(key: str, value: Any) -> Any:
    if key in {"standard_error", "statistic", "pvalue"}:
        return _finite(value)
    if key == "df":
        return tuple(float(v) for v in value) if isinstance(value, (tuple, list)) else _finite(value)
    if key in {"n", "n_missing"}:
        return None if value is None else int(value)
    return value
