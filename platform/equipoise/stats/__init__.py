"""Statistics of reader studies: the one public door.

Every method stands in its own private module, imported when one of its names is first used: importing this
package costs nothing but the standard library, and using ``auc`` does not load the survival methods.
"""

import importlib
from typing import TYPE_CHECKING, Any

_MODULES: dict[str, tuple[str, ...]] = {
    "_answer_share": (
        "AnswerShare",
        "answer_share",
    ),
    "_auc": (
        "AUCResult",
        "auc",
    ),
    "_bland_altman": (
        "BlandAltman",
        "bland_altman",
    ),
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
    "_chance_corrected": (
        "AgreementCoefficient",
        "brennan_prediger",
        "conger_kappa",
        "gwet_ac",
        "percent_agreement",
    ),
    "_cohen_kappa": (
        "CohenKappa",
        "cohen_kappa",
    ),
    "_common": (
        "ConfidenceInterval",
        "Provenance",
        "UnclusteredItemsWarning",
    ),
    "_compare_aucs": (
        "AUCComparison",
        "compare_aucs",
        "compare_independent_aucs",
    ),
    "_concordance_correlation": (
        "ConcordanceCorrelation",
        "concordance_correlation",
    ),
    "_concordance_index": (
        "ConcordanceComparison",
        "ConcordanceIndex",
        "compare_concordance",
        "concordance_index",
    ),
    "_confusion": (
        "Confusion",
        "confusion",
    ),
    "_cox": (
        "ChiSquareTest",
        "CoxModel",
        "CoxTerm",
        "cox",
    ),
    "_fleiss_kappa": (
        "CategoryKappa",
        "FleissKappa",
        "fleiss_kappa",
    ),
    "_intraclass_correlation": (
        "IntraclassCorrelation",
        "IntraclassCorrelations",
        "intraclass_correlation",
    ),
    "_kaplan_meier": (
        "KaplanMeier",
        "RestrictedMean",
        "SurvivalAt",
        "SurvivalCurve",
        "SurvivalQuantile",
        "kaplan_meier",
        "restricted_mean_survival",
    ),
    "_kendall_w": (
        "KendallW",
        "kendall_w",
    ),
    "_krippendorff_alpha": ("krippendorff_alpha",),
    "_limits_of_agreement": (
        "LimitsOfAgreement",
        "limits_of_agreement_mrmc",
    ),
    "_log_rank": (
        "LogRank",
        "log_rank",
    ),
    "_mann_whitney": (
        "MannWhitneyResult",
        "mann_whitney",
        "pairwise_mann_whitney",
    ),
    "_mcnemar": (
        "McNemarResult",
        "mcnemar",
    ),
    "_median_split": ("dichotomise_at_median",),
    "_multiplicity": (
        "bonferroni",
        "holm",
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
    "_power": (
        "Power",
        "smallest_number",
    ),
    "_power_difference": ("difference_power",),
    "_power_mrmc": ("mrmc_power",),
    "_power_preference": (
        "PreferencePower",
        "preference_power",
    ),
    "_precision_recall": (
        "PrecisionRecall",
        "precision_recall",
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
    "_proportions": (
        "Proportion",
        "proportion",
    ),
    "_reading_time": (
        "ReadingTimeModel",
        "TimeRatio",
        "reading_time_model",
    ),
    "_repeat_consistency": (
        "ReaderConsistency",
        "RepeatConsistency",
        "repeat_consistency",
    ),
    "_roc_curve": (
        "BestThreshold",
        "ROCCurve",
        "roc_curve",
        "youden_threshold",
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
    "_mrmc": ("mrmc",),
    "_mrmc_results": (
        "ConditionMean",
        "Difference",
        "MRMCResult",
        "ReaderEstimate",
        "VarianceComponents",
    ),
    "_mrmc_dbm": (
        "DBMResult",
        "mrmc_dbm",
    ),
    "_mrmc_ustatistics": (
        "UStatisticsResult",
        "mrmc_ustatistics",
    ),
    "_non_inferiority": (
        "NonInferiority",
        "non_inferiority",
    ),
    "_readers_with_algorithm": (
        "ReadersWithAlgorithm",
        "compare_readers_with_algorithm",
    ),
}
"""Private module -> the public names it defines."""

_HOME = {name: module for module, names in _MODULES.items() for name in names}

if TYPE_CHECKING:
    from equipoise.stats._answer_share import AnswerShare as AnswerShare
    from equipoise.stats._answer_share import answer_share as answer_share
    from equipoise.stats._auc import AUCResult as AUCResult
    from equipoise.stats._auc import auc as auc
    from equipoise.stats._bland_altman import BlandAltman as BlandAltman
    from equipoise.stats._bland_altman import bland_altman as bland_altman
    from equipoise.stats._blinding import BlindingEstimate as BlindingEstimate
    from equipoise.stats._blinding import BlindingIndex as BlindingIndex
    from equipoise.stats._blinding import PairBlinding as PairBlinding
    from equipoise.stats._blinding import blinding_index as blinding_index
    from equipoise.stats._blinding import pair_blinding as pair_blinding
    from equipoise.stats._bootstrap import BootstrapResult as BootstrapResult
    from equipoise.stats._bootstrap import bootstrap as bootstrap
    from equipoise.stats._chance_corrected import AgreementCoefficient as AgreementCoefficient
    from equipoise.stats._chance_corrected import brennan_prediger as brennan_prediger
    from equipoise.stats._chance_corrected import conger_kappa as conger_kappa
    from equipoise.stats._chance_corrected import gwet_ac as gwet_ac
    from equipoise.stats._chance_corrected import percent_agreement as percent_agreement
    from equipoise.stats._cohen_kappa import CohenKappa as CohenKappa
    from equipoise.stats._cohen_kappa import cohen_kappa as cohen_kappa
    from equipoise.stats._common import ConfidenceInterval as ConfidenceInterval
    from equipoise.stats._common import Provenance as Provenance
    from equipoise.stats._common import UnclusteredItemsWarning as UnclusteredItemsWarning
    from equipoise.stats._compare_aucs import AUCComparison as AUCComparison
    from equipoise.stats._compare_aucs import compare_aucs as compare_aucs
    from equipoise.stats._compare_aucs import compare_independent_aucs as compare_independent_aucs
    from equipoise.stats._concordance_correlation import ConcordanceCorrelation as ConcordanceCorrelation
    from equipoise.stats._concordance_correlation import concordance_correlation as concordance_correlation
    from equipoise.stats._concordance_index import ConcordanceComparison as ConcordanceComparison
    from equipoise.stats._concordance_index import ConcordanceIndex as ConcordanceIndex
    from equipoise.stats._concordance_index import compare_concordance as compare_concordance
    from equipoise.stats._concordance_index import concordance_index as concordance_index
    from equipoise.stats._confusion import Confusion as Confusion
    from equipoise.stats._confusion import confusion as confusion
    from equipoise.stats._cox import ChiSquareTest as ChiSquareTest
    from equipoise.stats._cox import CoxModel as CoxModel
    from equipoise.stats._cox import CoxTerm as CoxTerm
    from equipoise.stats._cox import cox as cox
    from equipoise.stats._fleiss_kappa import CategoryKappa as CategoryKappa
    from equipoise.stats._fleiss_kappa import FleissKappa as FleissKappa
    from equipoise.stats._fleiss_kappa import fleiss_kappa as fleiss_kappa
    from equipoise.stats._intraclass_correlation import IntraclassCorrelation as IntraclassCorrelation
    from equipoise.stats._intraclass_correlation import IntraclassCorrelations as IntraclassCorrelations
    from equipoise.stats._intraclass_correlation import intraclass_correlation as intraclass_correlation
    from equipoise.stats._kaplan_meier import KaplanMeier as KaplanMeier
    from equipoise.stats._kaplan_meier import RestrictedMean as RestrictedMean
    from equipoise.stats._kaplan_meier import SurvivalAt as SurvivalAt
    from equipoise.stats._kaplan_meier import SurvivalCurve as SurvivalCurve
    from equipoise.stats._kaplan_meier import SurvivalQuantile as SurvivalQuantile
    from equipoise.stats._kaplan_meier import kaplan_meier as kaplan_meier
    from equipoise.stats._kaplan_meier import restricted_mean_survival as restricted_mean_survival
    from equipoise.stats._kendall_w import KendallW as KendallW
    from equipoise.stats._kendall_w import kendall_w as kendall_w
    from equipoise.stats._krippendorff_alpha import krippendorff_alpha as krippendorff_alpha
    from equipoise.stats._limits_of_agreement import LimitsOfAgreement as LimitsOfAgreement
    from equipoise.stats._limits_of_agreement import limits_of_agreement_mrmc as limits_of_agreement_mrmc
    from equipoise.stats._log_rank import LogRank as LogRank
    from equipoise.stats._log_rank import log_rank as log_rank
    from equipoise.stats._mann_whitney import MannWhitneyResult as MannWhitneyResult
    from equipoise.stats._mann_whitney import mann_whitney as mann_whitney
    from equipoise.stats._mann_whitney import pairwise_mann_whitney as pairwise_mann_whitney
    from equipoise.stats._mcnemar import McNemarResult as McNemarResult
    from equipoise.stats._mcnemar import mcnemar as mcnemar
    from equipoise.stats._median_split import dichotomise_at_median as dichotomise_at_median
    from equipoise.stats._mrmc import mrmc as mrmc
    from equipoise.stats._mrmc_dbm import DBMResult as DBMResult
    from equipoise.stats._mrmc_dbm import mrmc_dbm as mrmc_dbm
    from equipoise.stats._mrmc_results import ConditionMean as ConditionMean
    from equipoise.stats._mrmc_results import Difference as Difference
    from equipoise.stats._mrmc_results import MRMCResult as MRMCResult
    from equipoise.stats._mrmc_results import ReaderEstimate as ReaderEstimate
    from equipoise.stats._mrmc_results import VarianceComponents as VarianceComponents
    from equipoise.stats._mrmc_ustatistics import UStatisticsResult as UStatisticsResult
    from equipoise.stats._mrmc_ustatistics import mrmc_ustatistics as mrmc_ustatistics
    from equipoise.stats._multiplicity import bonferroni as bonferroni
    from equipoise.stats._multiplicity import holm as holm
    from equipoise.stats._non_inferiority import NonInferiority as NonInferiority
    from equipoise.stats._non_inferiority import non_inferiority as non_inferiority
    from equipoise.stats._operating_point import OperatingPoint as OperatingPoint
    from equipoise.stats._operating_point import operating_point as operating_point
    from equipoise.stats._partial_auc import CurvePoint as CurvePoint
    from equipoise.stats._partial_auc import PartialAUCResult as PartialAUCResult
    from equipoise.stats._partial_auc import partial_auc as partial_auc
    from equipoise.stats._partial_auc import sensitivity_at_specificity as sensitivity_at_specificity
    from equipoise.stats._partial_auc import specificity_at_sensitivity as specificity_at_sensitivity
    from equipoise.stats._power import Power as Power
    from equipoise.stats._power import smallest_number as smallest_number
    from equipoise.stats._power_difference import difference_power as difference_power
    from equipoise.stats._power_mrmc import mrmc_power as mrmc_power
    from equipoise.stats._power_preference import PreferencePower as PreferencePower
    from equipoise.stats._power_preference import preference_power as preference_power
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
    from equipoise.stats._readers_with_algorithm import ReadersWithAlgorithm as ReadersWithAlgorithm
    from equipoise.stats._readers_with_algorithm import (
        compare_readers_with_algorithm as compare_readers_with_algorithm,
    )
    from equipoise.stats._reading_time import ReadingTimeModel as ReadingTimeModel
    from equipoise.stats._reading_time import TimeRatio as TimeRatio
    from equipoise.stats._reading_time import reading_time_model as reading_time_model
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
