"""Statistics of reader studies: the one public door.

Every method stands in its own private module, imported when one of its names is first used: importing this
package costs nothing but the standard library, and using ``auc`` does not load the survival methods.
"""

import importlib
from typing import TYPE_CHECKING, Any

_MODULES: dict[str, tuple[str, ...]] = {
    "_bootstrap": (
        "BootstrapResult",
        "bootstrap",
    ),
    "_common": (
        "ConfidenceInterval",
        "Provenance",
    ),
    "_mann_whitney": (
        "MannWhitneyResult",
        "mann_whitney",
        "pairwise_mann_whitney",
    ),
    "_multiplicity": (
        "bonferroni",
        "holm",
    ),
    "_preference": (
        "PreferenceScore",
        "ReaderPreference",
        "preference_score",
    ),
    "_preference_model": (
        "PreferenceModel",
        "SideEffect",
        "preference_model",
    ),
    "_repeat_consistency": (
        "ReaderConsistency",
        "RepeatConsistency",
        "repeat_consistency",
    ),
    "_side_bias": (
        "ReaderSide",
        "SideBias",
        "side_bias",
    ),
    "_summary": (
        "Summary",
        "summary",
        "summary_by",
    ),
    "_wilcoxon": (
        "WilcoxonResult",
        "wilcoxon_signed_rank",
    ),
}
"""Private module -> the public names it defines."""

_HOME = {name: module for module, names in _MODULES.items() for name in names}

if TYPE_CHECKING:
    from equipoise.stats._bootstrap import BootstrapResult as BootstrapResult
    from equipoise.stats._bootstrap import bootstrap as bootstrap
    from equipoise.stats._common import ConfidenceInterval as ConfidenceInterval
    from equipoise.stats._common import Provenance as Provenance
    from equipoise.stats._mann_whitney import MannWhitneyResult as MannWhitneyResult
    from equipoise.stats._mann_whitney import mann_whitney as mann_whitney
    from equipoise.stats._mann_whitney import pairwise_mann_whitney as pairwise_mann_whitney
    from equipoise.stats._multiplicity import bonferroni as bonferroni
    from equipoise.stats._multiplicity import holm as holm
    from equipoise.stats._preference import PreferenceScore as PreferenceScore
    from equipoise.stats._preference import ReaderPreference as ReaderPreference
    from equipoise.stats._preference import preference_score as preference_score
    from equipoise.stats._preference_model import PreferenceModel as PreferenceModel
    from equipoise.stats._preference_model import SideEffect as SideEffect
    from equipoise.stats._preference_model import preference_model as preference_model
    from equipoise.stats._repeat_consistency import ReaderConsistency as ReaderConsistency
    from equipoise.stats._repeat_consistency import RepeatConsistency as RepeatConsistency
    from equipoise.stats._repeat_consistency import repeat_consistency as repeat_consistency
    from equipoise.stats._side_bias import ReaderSide as ReaderSide
    from equipoise.stats._side_bias import SideBias as SideBias
    from equipoise.stats._side_bias import side_bias as side_bias
    from equipoise.stats._summary import Summary as Summary
    from equipoise.stats._summary import summary as summary
    from equipoise.stats._summary import summary_by as summary_by
    from equipoise.stats._wilcoxon import WilcoxonResult as WilcoxonResult
    from equipoise.stats._wilcoxon import wilcoxon_signed_rank as wilcoxon_signed_rank

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
