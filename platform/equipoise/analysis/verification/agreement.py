"""Reference cases of the agreement coefficients (psych, irr, irrCAC, vcd, epiR, blandr, krippendorff)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from equipoise.stats import (
    AgreementCoefficient,
    ConfidenceInterval,
    IntraclassCorrelation,
    bland_altman,
    brennan_prediger,
    cohen_kappa,
    concordance_correlation,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    intraclass_correlation,
    kendall_w,
    krippendorff_alpha,
    percent_agreement,
)
from equipoise.stats._chance_corrected import agreement_coefficient

NOT_COMPARED: Mapping[str, str] = {}

_SHROUT_FLEISS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")

_MODELS = {("oneway", "consistency"): "", ("twoway", "agreement"): "A", ("twoway", "consistency"): "C"}


def run_case(case: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Compute one case through the public functions."""
    table = pd.read_csv(folder / case["input"]["file"])
    columns = case["input"].get("columns")
    if columns:
        table = table[columns]
    for telling, run in _RUNS.items():
        if telling in case["expected"]:
            return run(case, table)
    raise ValueError(f"No method is known for a case that expects {sorted(case['expected'])}.")


def _pair(interval: ConfidenceInterval) -> list[float]:
    return [interval.low, interval.high]


def _icc(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    wide, narrow = intraclass_correlation(table), intraclass_correlation(table, confidence_level=0.90)
    return {
        "icc": [
            {
                "type": name,
                "icc": wide.icc[name].estimate,
                "F": wide.icc[name].f,
                "df1": int(wide.icc[name].df1),
                "df2": int(wide.icc[name].df2),
                "p_zero": wide.icc[name].pvalue,
                "ci95": _pair(wide.icc[name].confidence_interval),
                "ci90": _pair(narrow.icc[name].confidence_interval),
            }
            for name in _SHROUT_FLEISS
        ],
        "irr": [_irr_row(row, wide.mcgraw_wong, wide.n_raters) for row in case["expected"]["irr"]],
    }


def _irr_row(
    row: Mapping[str, Any], values: Mapping[str, IntraclassCorrelation], n_raters: int
) -> dict[str, Any]:
    letter = _MODELS[row["model"], row["type"]]
    single = row["unit"] == "single"
    key = ",".join(filter(None, (letter, "1" if single else "k")))
    value = values[f"ICC({key})"]
    printed = ",".join(filter(None, (letter, "1" if single else str(n_raters))))
    return {
        **{name: row[name] for name in ("model", "type", "unit")},
        "name": f"ICC({printed})",
        "icc": value.estimate,
        "F": value.f,
        "df1": int(value.df1),
        "df2": value.df2,
        "p": value.pvalue,
        "ci95": _pair(value.confidence_interval),
    }


def _cohen(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    first, second = (table[name].tolist() for name in table.columns)
    result: dict[str, Any] = {}
    for weights in ("unweighted", "linear", "quadratic"):
        kappa = cohen_kappa(first, second, weights=weights)
        result |= {
            "n": kappa.n,
            "categories": list(kappa.categories),
            "percent_agreement": kappa.percent_agreement,
            weights: {
                "kappa": kappa.estimate,
                "ase": kappa.standard_error,
                "ci95": _pair(kappa.confidence_interval),
                "z_null": kappa.statistic,
                "p_null": kappa.pvalue,
            },
        }
    return result


def _fleiss(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    kappa = fleiss_kappa(table)
    return {
        "kappa": kappa.estimate,
        "z": kappa.statistic,
        "p": kappa.null_pvalue,
        "per_category": [
            {"category": str(row.category), "kappa_rounded3": row.kappa, "z_rounded3": row.statistic}
            for row in kappa.categories
        ],
        "conger_exact": kappa.conger,
        "light_kappa": kappa.light,
        "gwet_se": kappa.standard_error,
        "gwet_ci95": _pair(kappa.confidence_interval),
        "gwet_p": kappa.pvalue,
    }


def _krippendorff(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    return {"alpha": krippendorff_alpha(table, level=case["config"]["metric"]).estimate}


def _chance_corrected(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    weights = case["config"]["weights"]
    functions = {
        "gwet_ac": gwet_ac,
        "brennan_prediger": brennan_prediger,
        "conger_kappa": conger_kappa,
        "percent_agreement": percent_agreement,
    }
    result = {name: _coefficient(function(table, weights=weights)) for name, function in functions.items()}
    for name in ("krippendorff_alpha", "fleiss_kappa"):
        # The public functions take Krippendorff's levels, and no weights for Fleiss; irrCAC weighs both.
        result[name] = _coefficient(agreement_coefficient(name, table, weights=weights))
    return result


def _coefficient(value: AgreementCoefficient) -> dict[str, Any]:
    return {
        "value": value.estimate,
        "se": value.standard_error,
        "ci95": _pair(value.confidence_interval),
        "p": value.pvalue,
        "pa": value.observed,
        "pe": value.expected,
    }


def _bland_altman(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    config = case["config"]
    result = bland_altman(
        *(table[name] for name in table.columns),
        multiplier=config["loa_multiplier"],
        confidence_level=config["conf_level"],
    )
    return {
        "n": result.n,
        "bias": result.bias,
        "sd": result.sd,
        "bias_ci95": _pair(result.bias_interval),
        "bias_t_p": result.bias_pvalue,
        "loa": [result.lower_limit, result.upper_limit],
        "loa_se": result.limit_standard_error,
        "lower_loa_ci95": _pair(result.lower_limit_interval),
        "upper_loa_ci95": _pair(result.upper_limit_interval),
        "slope_on_mean": result.slope,
        "slope_p": result.slope_pvalue,
        "intercept": result.intercept,
    }


def _concordance(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    result = concordance_correlation(
        *(table[name] for name in table.columns), confidence_level=case["config"]["conf_level"]
    )
    return {
        "n": result.n,
        "rho_c": result.estimate,
        "ci95_z": _pair(result.interval_z),
        "ci95_asymptotic": _pair(result.interval_asymptotic),
        "C_b": result.bias_correction,
        "pearson_r": result.pearson,
        "scale_shift": result.scale_shift,
        "location_shift": result.location_shift,
    }


def _kendall(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    result = kendall_w(table)
    return {
        "W_corrected": result.estimate,
        "chi2": result.statistic,
        "p": result.pvalue,
        "W_uncorrected": result.uncorrected,
    }


_RUNS = {
    "icc": _icc,
    "unweighted": _cohen,
    "conger_exact": _fleiss,
    "alpha": _krippendorff,
    "gwet_ac": _chance_corrected,
    "bias": _bland_altman,
    "rho_c": _concordance,
    "W_corrected": _kendall,
}
"""What only the cases of one method expect -> its runner: other cases of the same kinds run as well."""
