"""The one list of analyses. Methods are imported when asked for, so that none pays for the others."""

import importlib
from typing import Final

from equipoise.analysis.errors import UnknownAnalysisError
from equipoise.analysis.method import Method

MODULES: Final = {
    "preference": "equipoise.analysis.methods.preference",
    "reading-time": "equipoise.analysis.methods.reading_time",
    "roc": "equipoise.analysis.methods.roc",
    "mrmc": "equipoise.analysis.methods.mrmc",
    "operating-point": "equipoise.analysis.methods.operating_point",
    "agreement": "equipoise.analysis.methods.agreement",
    "observer-variability": "equipoise.analysis.methods.observer_variability",
    "segmentation-performance": "equipoise.analysis.methods.segmentation_performance",
    "survival": "equipoise.analysis.methods.survival",
    "survey": "equipoise.analysis.methods.survey",
}
"""Name on the command line -> module with a ``METHOD``."""

ANALYSIS_NAMES: Final = tuple(MODULES)


def analysis_method(name: str) -> Method:
    """Return the method of that name."""
    if name not in MODULES:
        raise UnknownAnalysisError(name, ANALYSIS_NAMES)
    method: Method = importlib.import_module(MODULES[name]).METHOD
    return method
