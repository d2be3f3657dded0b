"""Reference cases of the survival methods (R survival)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise.stats import (
    CoxModel,
    KaplanMeier,
    LogRank,
    SurvivalCurve,
    concordance_index,
    cox,
    dichotomise_at_median,
    kaplan_meier,
    log_rank,
)
from equipoise.stats._kaplan_meier import INTERVALS

NOT_COMPARED: Mapping[str, str] = {
    "paper_reported": "the printed value of the paper, for the reader of the case file",
    "paper_reported.*": "the printed value of the paper, for the reader of the case file",
}

_PAPER_DAYS_PER_MONTH = 30.0
_PAPER_HORIZON_MONTHS = 100.0


def run_case(case: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Compute one case through the public functions."""
    table = pd.read_csv(folder / case["input"]["file"])
    if "formula" in case["config"]:
        return _multivariable(case, table)
    roles = case["input"]["columns"]
    table = table.dropna(subset=list(roles.values()))
    time, event = table[roles["time"]].to_numpy(float), table[roles["event"]].to_numpy(float)
    if "group" in roles:
        return _groups(case, table, time, event)
    if "/30" in str(case["config"]):
        time = time / _PAPER_DAYS_PER_MONTH
        event = np.where(time > _PAPER_HORIZON_MONTHS, 0.0, event)
        time = np.minimum(time, _PAPER_HORIZON_MONTHS)
    return _marker(case, time, event, table[roles["x"]].to_numpy(float))


def _marker(
    case: Mapping[str, Any],
    time: "np.ndarray[Any, Any]",
    event: "np.ndarray[Any, Any]",
    x: "np.ndarray[Any, Any]",
) -> dict[str, Any]:
    groups, median = dichotomise_at_median(x)
    order = ["low", "high"]
    counts = concordance_index(time, event, x)
    return {
        "n": len(time),
        "events": int(event.sum()),
        "median_of_x": median,
        "n_high": int(np.sum(groups == "high")),
        "km": _curves(case, time, event, list(groups)),
        "logrank": _test(log_rank(time, event, list(groups)), order),
        "wilcoxon_rho1": _test(log_rank(time, event, list(groups), rho=1.0), order),
        "cox_continuous_efron": _cox(cox(time, event, {"x": x})),
        "cox_continuous_breslow": _cox(cox(time, event, {"x": x}, ties="breslow")),
        "cox_binary_efron": _cox(cox(time, event, {"high": (groups == "high").astype(float)})),
        "concordance_counts": {
            "concordant": counts.concordant,
            "discordant": counts.discordant,
            "tied.x": counts.tied_score,
            "tied.y": counts.tied_time,
            "tied.xy": counts.tied_both,
        },
    }


def _groups(
    case: Mapping[str, Any], table: pd.DataFrame, time: "np.ndarray[Any, Any]", event: "np.ndarray[Any, Any]"
) -> dict[str, Any]:
    roles = case["input"]["columns"]
    labels = [str(value) for value in table[roles["group"]]]
    names = sorted(set(labels))
    indicators = {name: np.array([label == name for label in labels], dtype=float) for name in names[1:]}
    model = cox(time, event, indicators)
    return {
        "n": len(time),
        "events": int(event.sum()),
        "km": _curves(case, time, event, labels),
        "logrank": _test(log_rank(time, event, labels), names),
        "wilcoxon_rho1": _test(log_rank(time, event, labels, rho=1.0), names),
        "logrank_stratified": _test(
            log_rank(time, event, labels, strata=list(table[roles["strata"]])), names
        ),
        "cox_factor": {
            "reference": names[0],
            "coef": [term.coefficient for term in model.terms],
            "se": [term.standard_error for term in model.terms],
            **_tests(model),
            "c_index": model.concordance.estimate,
        },
    }


def _multivariable(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    outcome, model_of = case["config"]["formula"].split("~")
    terms = [name.strip() for name in model_of.split("+")]
    time, event = (
        name.strip() for name in outcome.strip().removeprefix("Surv(").removesuffix(")").split(",")
    )
    table = table.dropna(subset=[time, event, *terms])
    result = {}
    for ties in ("efron", "breslow"):
        model = cox(table[time].to_numpy(float), table[event].to_numpy(float), table[terms], ties=ties)
        proportional = model.proportional_hazards()
        result[ties] = {
            "terms": [term.name for term in model.terms],
            "coef": [term.coefficient for term in model.terms],
            "se": [term.standard_error for term in model.terms],
            "p": [term.pvalue for term in model.terms],
            "hr_lower": [term.confidence_interval.low for term in model.terms],
            "hr_upper": [term.confidence_interval.high for term in model.terms],
            "lrt": _tests(model)["lrt"],
            "c_index": model.concordance.estimate,
            "zph_p": [proportional[name].pvalue for name in (*terms, "global")],
        }
    return result


def _curves(
    case: Mapping[str, Any], time: "np.ndarray[Any, Any]", event: "np.ndarray[Any, Any]", groups: list[Any]
) -> list[dict[str, Any]]:
    """Return the curves in the order, at the times and to the horizon that the case asks for."""
    fits = {kind: kaplan_meier(time, event, groups, interval=kind) for kind in INTERVALS}
    return [_curve(asked, fits) for asked in case["expected"]["km"]]


def _curve(asked: Mapping[str, Any], fits: Mapping[str, KaplanMeier]) -> dict[str, Any]:
    group = asked["group"]
    curves: dict[str, SurvivalCurve] = {kind: fit[group] for kind, fit in fits.items()}
    plain = curves["plain"]
    mean = plain.restricted_mean(asked["rmst"]["tau"])
    result: dict[str, Any] = {
        "group": group,
        "n": plain.n,
        "events": plain.n_events,
        "rmst": {"tau": mean.tau, "rmst": mean.estimate, "se": mean.standard_error},
    }
    for kind, curve in curves.items():
        median = curve.median
        limits = median.confidence_interval
        result[f"median_{kind}"] = {"median": median.time, "ci95": [limits.low, limits.high]}
        times = [row["time"] for row in asked[f"surv_{kind}"]]
        result[f"surv_{kind}"] = [
            {
                "time": row.time,
                "n_risk": row.n_risk,
                "surv": row.survival,
                "se": row.standard_error,
                "ci95": [row.confidence_interval.low, row.confidence_interval.high],
            }
            for row in curve.at(times)
        ]
    return result


def _test(result: LogRank, order: list[str]) -> dict[str, Any]:
    places = [result.groups.index(name) for name in order]
    return {
        "chisq": result.statistic,
        "df": int(result.df),
        "p": result.pvalue,
        "observed": [result.observed[i] for i in places],
        "expected": [result.expected[i] for i in places],
    }


def _tests(model: CoxModel) -> dict[str, list[float]]:
    tests = {"lrt": model.likelihood_ratio, "score": model.score, "wald": model.wald}
    return {name: [test.statistic, int(test.df), test.pvalue] for name, test in tests.items()}


def _cox(model: CoxModel) -> dict[str, Any]:
    (term,) = model.terms
    return {
        "coef": term.coefficient,
        "se": term.standard_error,
        "hr": term.hazard_ratio,
        "hr_ci95": [term.confidence_interval.low, term.confidence_interval.high],
        "z": term.statistic,
        "p_wald": term.pvalue,
        **_tests(model),
        "loglik": [model.log_likelihood_null, model.log_likelihood],
        "c_index": model.concordance.estimate,
        "c_se": model.concordance.standard_error,
    }
