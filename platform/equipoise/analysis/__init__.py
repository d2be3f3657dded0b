"""Analyses of a reader study: tidy tables in; findings, numbers, tables and figures out. No web framework.

``run_analysis`` is the door, ``write_result`` puts its result into a folder; ``equipoise analyse`` and the web
platform use the same two. Statistics themselves live in :mod:`equipoise.stats`; here they are chosen, applied to
tables, put into words and drawn.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.analysis.errors import AnalysisInputError, UnknownAnalysisError
    from equipoise.analysis.plan import AnalysisPlan
    from equipoise.analysis.registry import ANALYSIS_NAMES
    from equipoise.analysis.results import AnalysisResult, Figure, Number
    from equipoise.analysis.run import run_analysis
    from equipoise.analysis.tables import Table
    from equipoise.analysis.write import write_result

_HOMES = {
    "ANALYSIS_NAMES": "registry",
    "AnalysisInputError": "errors",
    "AnalysisPlan": "plan",
    "AnalysisResult": "results",
    "Figure": "results",
    "Number": "results",
    "Table": "tables",
    "UnknownAnalysisError": "errors",
    "run_analysis": "run",
    "write_result": "write",
}

__all__ = [
    "ANALYSIS_NAMES",
    "AnalysisInputError",
    "AnalysisPlan",
    "AnalysisResult",
    "Figure",
    "Number",
    "Table",
    "UnknownAnalysisError",
    "run_analysis",
    "write_result",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: the command line must not pay for what it does not use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'equipoise.analysis' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"equipoise.analysis.{_HOMES[name]}"), name)
