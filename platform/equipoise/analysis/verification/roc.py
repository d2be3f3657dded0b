"""Reference cases of single ROC curves, pairs and proportions (pROC, binom, stats)."""

import operator
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from equipoise.stats import (
    ConfidenceInterval,
    auc,
    compare_aucs,
    compare_independent_aucs,
    mcnemar,
    operating_point,
    partial_auc,
    roc_curve,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    youden_threshold,
)

NOT_COMPARED: Mapping[str, str] = {}

_COMPARISONS = {">=": operator.ge, ">": operator.gt}


def run_case(case: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Compute one case through the public functions."""
    table = pd.read_csv(folder / case["input"]["file"])
    runs = {
        "auc_delong": _auc,
        "roc_points": _points,
        "pauc": _partial,
        "interp": _interpolated,
        "delong_paired": _paired,
        "delong_unpaired": _unpaired,
        "bootstrap_test": _bootstrap_test,
        "bootstrap": _bootstrap,
        "sens_spec": _proportions,
        "mcnemar": _mcnemar,
    }
    family = next(name for name in runs if case["id"].startswith(name))
    return runs[family](case, table)


def _pair(interval: ConfidenceInterval) -> list[float]:
    return [interval.low, interval.high]


def _scores(case: Mapping[str, Any], table: pd.DataFrame) -> tuple[Any, Any]:
    return table[case["input"]["score_column"]], table[case["input"]["truth_column"]]


def _score_pair(case: Mapping[str, Any], table: pd.DataFrame) -> tuple[Any, Any, Any]:
    first, second = case["input"]["score_columns"]
    return table[first], table[second], table[case["input"]["truth_column"]]


def _auc(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    scores, truth = _scores(case, table)
    result = auc(scores, truth)
    return {
        "n_pos": result.n_positive,
        "n_neg": result.n_negative,
        "auc": result.estimate,
        "var": result.variance,
        "se": result.standard_error,
        "ci95": _pair(result.confidence_interval),
        "ci90": _pair(auc(scores, truth, confidence_level=0.90).confidence_interval),
    }


def _points(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    scores, truth = _scores(case, table)
    curve = roc_curve(scores, truth)
    columns = (
        curve.thresholds,
        curve.sensitivity,
        curve.specificity,
        curve.tp,
        curve.fp,
        curve.tn,
        curve.fn,
    )
    names = ("threshold", "sensitivity", "specificity", "tp", "fp", "tn", "fn")
    points = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "points": [dict(zip(names, point, strict=True)) for point in points],
        "youden": _best(scores, truth, "youden"),
        "closest_topleft": _best(scores, truth, "closest-top-left"),
    }


def _best(scores: Any, truth: Any, criterion: Any) -> list[dict[str, float]]:
    best = youden_threshold(scores, truth, criterion=criterion)
    rows = zip(best.thresholds, best.sensitivities, best.specificities, strict=True)
    return [{"threshold": t, "sensitivity": se, "specificity": sp} for t, se, sp in rows]


def _partial(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    scores, truth = _scores(case, table)
    rows = []
    for row in case["expected"]["partial"]:
        result = partial_auc(scores, truth, between=tuple(row["range"]), focus=row["focus"], n_resamples=2)
        rows.append(
            {
                "focus": result.focus,
                "range": list(result.between),
                "raw": result.estimate,
                "mcclish_corrected": result.corrected,
            }
        )
    return {"partial": rows}


def _interpolated(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    scores, truth = _scores(case, table)
    specificities = case["expected"]["sens_at_spec"]["spec"]
    sensitivities = case["expected"]["spec_at_sens"]["sens"]
    return {
        "sens_at_spec": {
            "spec": specificities,
            "sens": [
                sensitivity_at_specificity(scores, truth, at, n_resamples=2).estimate for at in specificities
            ],
        },
        "spec_at_sens": {
            "sens": sensitivities,
            "spec": [
                specificity_at_sensitivity(scores, truth, at, n_resamples=2).estimate for at in sensitivities
            ],
        },
    }


def _paired(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    pair = _score_pair(case, table)
    result = compare_aucs(*pair)
    return {
        "auc1": result.auc_a,
        "auc2": result.auc_b,
        "var1": result.variance_a,
        "var2": result.variance_b,
        "cov": result.covariance,
        "z": result.statistic,
        "p_two_sided": result.pvalue,
        "p_greater": compare_aucs(*pair, alternative="greater").pvalue,
        "diff_ci95": _pair(result.confidence_interval),
    }


def _unpaired(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    groups = [table[table[case["input"]["group_column"]] == name] for name in case["input"]["groups"]]
    first, second = (_scores(case, group) for group in groups)
    result = compare_independent_aucs(*first, *second)
    # The tool's version prints no interval for this test: null stands for what it does not print.
    interval = None if case["expected"].get("diff_ci95", 0) is None else _pair(result.confidence_interval)
    return {
        "auc1": result.auc_a,
        "auc2": result.auc_b,
        "var1": result.variance_a,
        "var2": result.variance_b,
        "D": result.statistic,
        "df": result.df,
        "p_two_sided": result.pvalue,
        "diff_ci95": interval,
    }


def _bootstrap(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    scores, truth = _scores(case, table)
    n_resamples = case["config"]["n_boot"]
    result = auc(scores, truth, method="bootstrap-stratified", n_resamples=n_resamples)
    specificities = case["expected"]["sens_at_spec"]["spec"]
    points = [sensitivity_at_specificity(scores, truth, at, n_resamples=n_resamples) for at in specificities]
    part = partial_auc(scores, truth, between=(0.9, 1.0), n_resamples=n_resamples)
    return {
        "auc_ci95": _pair(result.confidence_interval),
        "var_boot": result.variance,
        "pauc_spec90_100_ci95": _pair(part.confidence_interval),
        "sens_at_spec": {
            "spec": specificities,
            "ci95_lower": [point.confidence_interval.low for point in points],
            "median": [point.bootstrap_median for point in points],
            "ci95_upper": [point.confidence_interval.high for point in points],
        },
    }


def _bootstrap_test(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    result = compare_aucs(
        *_score_pair(case, table), method="bootstrap-stratified", n_resamples=case["config"]["n_boot"]
    )
    return {"D": result.statistic, "p": result.pvalue}


def _proportions(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    scores, truth = _scores(case, table)
    threshold = float(re.search(r">= ([-\d.]+)", case["config"]["rule"]).group(1))  # type: ignore[union-attr] # the case states its rule
    level = case["config"]["conf_level"]
    table_of = operating_point(scores, truth, threshold=threshold, confidence_level=level).confusion
    answer: dict[str, Any] = {"tp": table_of.tp, "fp": table_of.fp, "tn": table_of.tn, "fn": table_of.fn}
    for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
        measure = getattr(table_of, name)
        answer[name] = {
            "x": measure.numerator,
            "n": measure.denominator,
            "estimate": measure.estimate,
            **{
                interval: _pair(getattr(measure, interval))
                for interval in ("clopper_pearson", "wilson", "agresti_coull", "wald")
            },
        }
    return answer


def _mcnemar(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    first, second = (_decisions(case["config"][rule], table) for rule in ("rule1", "rule2"))
    measure: Any = "sensitivity" if case["config"]["subset"] == "truth == 1" else "specificity"
    result = mcnemar(first, second, table[case["input"]["truth_column"]], measure=measure)
    return {
        "b": result.only_second,
        "c": result.only_first,
        "chi2": result.chi2,
        "p": result.pvalue_chi2,
        "chi2_cc": result.chi2_corrected,
        "p_cc": result.pvalue_chi2_corrected,
        "p_exact": result.pvalue_exact,
    }


def _decisions(rule: str, table: pd.DataFrame) -> Any:
    column, comparison, threshold = rule.split()
    return _COMPARISONS[comparison](table[column], float(threshold)).astype(int)
