"""Statistics of reader studies: the one public door.

Every method stands in its own private module, imported when one of its names is first used: importing this
package costs nothing but the standard library, and using ``auc`` does not load the survival methods.
"""

import importlib
from typing import TYPE_CHECKING, Any

_MODULES: dict[str, tuple[str, ...]] = {
    "_blinding": (
        "BlindingEstimate",
        "BlindingIndex",
        "PairBlinding",
        "blinding_index",
        "pair_blinding",
    ),
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
    "_auc": (
        "AUCResult",
        "auc",
    ),
    "_compare_aucs": (
        "AUCComparison",
        "compare_aucs",
        "compare_independent_aucs",
    ),
    "_confusion": (
        "Confusion",
        "confusion",
    ),
    "_mcnemar": (
        "McNemarResult",
        "mcnemar",
    ),
    "_operating_point": (
        "OperatingPoint",
        "operating_point",
    ),
    "_partial_auc": (
        "CurvePoint",
        "PartialAUCResult",
        "partial_auc",
        "sensitivity_at_specificity",
        "specificity_at_sensitivity",
    ),
    "_precision_recall": (
        "PrecisionRecall",
        "precision_recall",
    ),
    "_proportions": (
        "Proportion",
        "proportion",
    ),
    "_roc_curve": (
        "BestThreshold",
        "ROCCurve",
        "roc_curve",
        "youden_threshold",
    ),
}
"""Private module -> the public names it defines."""

_HOME = {name: module for module, names in _MODULES.items() for name in names}

if TYPE_CHECKING:
    from equipoise.stats._auc import AUCResult as AUCResult
    from equipoise.stats._auc import auc as auc
    from equipoise.stats._blinding import BlindingEstimate as BlindingEstimate
    from equipoise.stats._blinding import BlindingIndex as BlindingIndex
    from equipoise.stats._blinding import PairBlinding as PairBlinding
    from equipoise.stats._blinding import blinding_index as blinding_index
    from equipoise.stats._blinding import pair_blinding as pair_blinding
    from equipoise.stats._bootstrap import BootstrapResult as BootstrapResult
    from equipoise.stats._bootstrap import bootstrap as bootstrap
    from equipoise.stats._common import ConfidenceInterval as ConfidenceInterval
    from equipoise.stats._common import Provenance as Provenance
    from equipoise.stats._compare_aucs import AUCComparison as AUCComparison
    from equipoise.stats._compare_aucs import compare_aucs as compare_aucs
    from equipoise.stats._compare_aucs import compare_independent_aucs as compare_independent_aucs
    from equipoise.stats._confusion import Confusion as Confusion
    from equipoise.stats._confusion import confusion as confusion
    from equipoise.stats._mann_whitney import MannWhitneyResult as MannWhitneyResult
    from equipoise.stats._mann_whitney import mann_whitney as mann_whitney
    from equipoise.stats._mann_whitney import pairwise_mann_whitney as pairwise_mann_whitney
    from equipoise.stats._mcnemar import McNemarResult as McNemarResult
    from equipoise.stats._mcnemar import mcnemar as mcnemar
    from equipoise.stats._multiplicity import bonferroni as bonferroni
    from equipoise.stats._multiplicity import holm as holm
    from equipoise.stats._operating_point import OperatingPoint as OperatingPoint
    from equipoise.stats._operating_point import operating_point as operating_point
    from equipoise.stats._partial_auc import CurvePoint as CurvePoint
    from equipoise.stats._partial_auc import PartialAUCResult as PartialAUCResult
    from equipoise.stats._partial_auc import partial_auc as partial_auc
    from equipoise.stats._partial_auc import sensitivity_at_specificity as sensitivity_at_specificity
    from equipoise.stats._partial_auc import specificity_at_sensitivity as specificity_at_sensitivity
    from equipoise.stats._precision_recall import PrecisionRecall as PrecisionRecall
    from equipoise.stats._precision_recall import precision_recall as precision_recall
    from equipoise.stats._preference import PreferenceScore as PreferenceScore
    from equipoise.stats._preference import ReaderPreference as ReaderPreference
    from equipoise.stats._preference import preference_score as preference_score
    from equipoise.stats._preference_model import PreferenceModel as PreferenceModel
    from equipoise.stats._preference_model import SideEffect as SideEffect
    from equipoise.stats._preference_model import preference_model as preference_model
    from equipoise.stats._proportions import Proportion as Proportion
    from equipoise.stats._proportions import proportion as proportion
    from equipoise.stats._repeat_consistency import ReaderConsistency as ReaderConsistency
    from equipoise.stats._repeat_consistency import RepeatConsistency as RepeatConsistency
    from equipoise.stats._repeat_consistency import repeat_consistency as repeat_consistency
    from equipoise.stats._roc_curve import BestThreshold as BestThreshold
    from equipoise.stats._roc_curve import ROCCurve as ROCCurve
    from equipoise.stats._roc_curve import roc_curve as roc_curve
    from equipoise.stats._roc_curve import youden_threshold as youden_threshold
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
