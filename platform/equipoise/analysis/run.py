"""The door: tidy tables and a plan in, a frozen result out."""

import hashlib
import platform
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.plan import AnalysisPlan, build_options
from equipoise.analysis.registry import analysis_method
from equipoise.analysis.restriction import restricted
from equipoise.analysis.results import AnalysisResult, ResultBuilder
from equipoise.analysis.schemas import SCHEMAS
from equipoise.analysis.tables import Table, read_table, table_from_frame

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_SEED = 20250101
"""Seed of resampling where neither plan nor caller gives one; it is printed with every result."""


def run_analysis(
    name: str,
    tables: "Mapping[str, pd.DataFrame | Table | Path | Mapping[str, Any]]",
    *,
    plan: AnalysisPlan | None = None,
    rng_seed: int | None = None,
) -> AnalysisResult:
    """Run one analysis.

    Parameters
    ----------
    name : str
        One of :data:`equipoise.analysis.registry.ANALYSIS_NAMES`.
    tables : mapping of str to table
        ``readings``, ``truth``, ``segmentations`` or ``survival`` as a data frame, a
        :class:`~equipoise.analysis.tables.Table`, columns by name, or the path of a CSV, XLSX or Parquet file.
    plan : AnalysisPlan, optional
        Without one the result is exploratory and the method's defaults hold.
    rng_seed : int, optional
        Overrides the plan's seed.

    Raises
    ------
    AnalysisInputError
        With every problem at once, naming file, row and column.
    """
    method = analysis_method(name)
    plan = plan or AnalysisPlan()
    options: Any = build_options(method.options, plan.parameters)
    checked = _checked_tables(method, options, tables, plan)
    seed = next((s for s in (rng_seed, plan.seed) if s is not None), DEFAULT_SEED)
    builder = ResultBuilder(confidence_level=plan.confidence_level, seed=seed)
    for table in checked.values():
        for sentence in table.notes:
            builder.note(sentence)
    entering = restricted(checked, plan, builder)
    inputs = Inputs(entering, options, plan.confidence_level, seed, plan.role)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        method.run(inputs, builder)
    for warning in caught:
        if issubclass(warning.category, UserWarning):  # a statistic speaks to the reader of the result
            builder.note(str(warning.message))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return AnalysisResult(
        name=method.name,
        title=method.title,
        method=method.statement,
        version=method.version,
        role=plan.role,
        data_sha256=_digest(checked),
        findings=tuple(builder.findings),
        numbers=tuple(builder.numbers),
        tables=builder.tables,
        figures=builder.figures,
        notes=tuple(builder.notes),
        parameters={field: getattr(options, field) for field in options.__dataclass_fields__},
        confidence_level=plan.confidence_level,
        rng_seed=seed,
        software=_software(),
        analysis_set=plan.analysis_set,
        where=dict(plan.where),
    )


def analysed_data_sha256(
    name: str, tables: "Mapping[str, pd.DataFrame | Table | Path | Mapping[str, Any]]", *, plan: AnalysisPlan
) -> str:
    """Return the digest that a result of these tables carries, without computing the result."""
    method = analysis_method(name)
    return _digest(_checked_tables(method, build_options(method.options, plan.parameters), tables, plan))


def _checked_tables(
    method: Method, options: Any, tables: Mapping[str, Any], plan: AnalysisPlan
) -> dict[str, Table]:
    needs = dict(method.needs(options))
    if plan.where:  # a covariate stands with the reference standard
        needs.setdefault("truth", TableNeed(("case",), optional=True))
    problems = [
        f"The analysis '{method.name}' needs the table '{name}'."
        for name, need in needs.items()
        if not need.optional and name not in tables
    ]
    problems += [
        f"The analysis '{method.name}' does not take the table '{name}'; it takes {', '.join(needs)}."
        for name in tables
        if name not in needs
    ]
    checked: dict[str, Table] = {}
    for name, need in needs.items():
        if name not in tables or problems:
            continue
        given = tables[name]
        columns = plan.columns.get(name, {})
        try:
            if isinstance(given, (str, Path)):
                checked[name] = read_table(Path(given), SCHEMAS[name], required=need.columns, columns=columns)
            else:
                checked[name] = table_from_frame(given, SCHEMAS[name], required=need.columns, columns=columns)
        except AnalysisInputError as error:
            problems += error.problems
    if problems:
        raise AnalysisInputError(problems)
    return checked


def _digest(tables: Mapping[str, Table]) -> str:
    """Return one digest over the tables that entered, independent of the files' formats."""
    lines = [f"{name} {table.sha256()}" for name, table in sorted(tables.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _software() -> dict[str, str]:
    import scipy

    return {
        "equipoise": metadata.version("equipoise"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
