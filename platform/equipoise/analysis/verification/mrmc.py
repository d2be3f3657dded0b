"""Reference cases of the multi-reader multi-case analyses (MRMCaov, RJafroc, iMRMC)."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from equipoise.analysis.verification.outcomes import Superseded
from equipoise.stats import mrmc, mrmc_dbm, mrmc_ustatistics

NOT_COMPARED: Mapping[str, str] = {
    "fom_rows": "says in words how the rows of fom are ordered",
    "fom_cols": "says in words how the columns of fom are ordered",
    "order": "says in words how the entries of mean and var are ordered",
}

FIXED_READER_RULE = (
    "With fixed readers max(cov2 - cov3, 0) stands in the denominator, as in Iowa OR-DBM MRMC and RJafroc; the tool "
    "omits the max, which matters as cov2 < cov3 here (Obuchowski-Rockette with fixed readers)."
)
FIXED_READER_KEYS = (
    "test_equality.denominator",
    "test_equality.X2",
    "test_equality.p_value",
    "test_diffs.*.se",
    "test_diffs.*.z",
    "test_diffs.*.p_value",
    "test_diffs.*.ci_lower",
    "test_diffs.*.ci_upper",
)
INTERACTION_RULE = (
    "var_TR = MS(TR) - var_error + cov1 + (cov2 - cov3) without a max, as in MRMCaov and Iowa OR-DBM MRMC; the tool "
    "sets cov2 - cov3 to 0 where it is negative."
)

_METRICS = {
    "empirical_auc": "auc",
    "empirical_auc (Wilcoxon)": "auc",
    "binary_sens": "sensitivity",
    "binary_spec": "specificity",
    "empirical_sens": "sensitivity_at_specificity",
    "empirical_spec": "specificity_at_sensitivity",
    "AUC": "auc",
    "sensitivity (TPF)": "sensitivity",
    "roc2binary fpf recode: AUC = 1 - FPF = specificity": "specificity",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}
_DESIGNS = {
    "crossed": 1,
    "nested in readers": 2,
    "nested in conditions": 3,
    "partly crossed": -1,
}
_BOOTSTRAP_RESAMPLES = 40_000


def run_case(case: Mapping[str, Any], folder: Path) -> Mapping[str, Any] | Superseded:
    """Compute one case through the public functions."""
    table = _readings(case, folder)
    method, tool = case["config"]["method"], case["tool"]["name"]
    if "uStat11" in method:
        return _ustat11(case, table)
    if "U-statistic" in method:
        return _imrmc(case, table)
    if method == "DBM":
        return _rjafroc_dbm(case, table)
    if "analysis" in case["config"]:
        return _rjafroc_or(case, table)
    if "bootstrap" in case["id"] or tool.startswith("RJafroc"):
        return _components_only(case, table)
    return _mrmcaov(case, table)


def _readings(case: Mapping[str, Any], folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / case["input"]["file"])
    if "filter" in case["input"]:
        table = table.query(case["input"]["filter"])
    column = case["config"].get("case_column", "case")
    return pd.DataFrame(
        {
            "reader": table["reader"],
            "condition": table["test"],
            "case": table[column],
            "truth": table["truth"],
            "score": table["rating"],
        }
    )


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metric and its options as keyword arguments."""
    options: dict[str, Any] = {"metric": _METRICS[config["metric"]]}
    if config.get("metric_args"):
        options["steps"] = "merged"  # how the tool reads its curve
    rule = re.search(r"rating (>=?) ([\d.]+)", config.get("binary_rule", ""))
    if rule:
        options["threshold"] = float(rule.group(2))  # "> 2.5" on whole ratings is ">= 2.5"
    arguments = dict(re.findall(r'(\w+)="?([\w.]+)"?', config.get("metric_args", "")))
    if "partial" in arguments:
        options |= {
            "metric": "partial_auc",
            "focus": arguments["partial"],
            "between": (float(arguments["min"]), float(arguments["max"])),
            "normalized": arguments.get("normalize") == "TRUE",
        }
    elif arguments:
        options["at"] = float(next(iter(arguments.values())))
    return options


def _mrmcaov(case: Mapping[str, Any], table: pd.DataFrame) -> Mapping[str, Any] | Superseded:
    config = case["config"]
    covariance: Any = (config.get("covariance") or "jackknife").lower()
    result = mrmc(
        table,
        **_options(config),
        covariance=covariance,
        readers=config.get("readers", "random"),
        cases=config.get("cases", "random"),
        confidence_level=config.get("conf_level", 0.95),
    )
    if config["method"] == "single reader, single test":
        mean = result.condition_means[0]
        return {"estimate": mean.estimate, "se": mean.standard_error, **_limits(mean)}
    test, anova, components = result.test_equality, result.anova, result.components
    within = anova.get("reader within condition")
    equality = {
        "MS_T": anova["condition"].mean_square,
        "MS_TR": None if within else anova["condition x reader"].mean_square,
        "MS_R_in_T": within.mean_square if within else None,
        "cov1": components.cov1,
        "cov2": components.cov2,
        "cov3": components.cov3,
        "denominator": test.denominator,
        "F": test.statistic,
        "X2": test.statistic,
        "p_value": test.pvalue,
        **dict(zip(("df1", "df2"), test.df, strict=False)),
        "df": test.df[0] if test.df else None,
    }
    answer = {
        "reader_metrics": [
            {"estimate": row.estimate, "test": str(row.condition), "reader": str(row.reader), "n_obs": row.n}
            for row in result.reader_estimates
        ],
        "cov_matrix_labels": [f"{condition}.{reader}" for condition, reader in result.covariance_labels],
        "cov_matrix": result.covariance,
        "anova": [
            {"term": term, "df": row.df, "ss": row.sum_of_squares, "ms": row.mean_square}
            for term, row in zip(_anova_terms(case), anova.values(), strict=False)
        ],
        "or_components": {
            "var_R": components.var_reader,
            "var_TR": components.var_interaction,
            "var_error": components.var_error,
            "cov1": components.cov1,
            "cov2": components.cov2,
            "cov3": components.cov3,
        },
        "test_equality": equality,
        "test_diffs": [
            {"comparison": f"{row.first} - {row.second}", **_tested(row)} for row in result.differences
        ],
        "test_means": [
            {
                "test": str(mean.condition),
                "estimate": mean.estimate,
                "MS_R": mean.ms_reader,
                "var_error": mean.var_error,
                "cov2": mean.cov2,
                "se": mean.standard_error,
                "df": mean.df,
                **_limits(mean),
            }
            for mean in result.condition_means
        ],
        "reader_test_diffs": [
            {"reader": str(row.reader), "comparison": f"{row.first} - {row.second}", **_tested(row)}
            for row in result.reader_differences
        ],
        "reader_means": [
            {
                "test": str(row.condition),
                "reader": str(row.reader),
                "estimate": row.estimate,
                "se": row.standard_error,
                **_limits(row),
            }
            for row in result.reader_estimates
        ],
        "design": _DESIGNS.get(result.case_design),
    }
    several_readers = config["method"] == "OR"
    if config.get("readers") == "fixed" and several_readers and components.cov2 < components.cov3:
        return Superseded(FIXED_READER_RULE, answer, FIXED_READER_KEYS)
    return answer


def _anova_terms(case: Mapping[str, Any]) -> list[str]:
    """Return the names under which the case lists the rows: condition, reader, condition x reader."""
    return [row["term"] for row in case["expected"].get("anova", [])]


def _components_only(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    if "bootstrap" not in case["id"]:
        return {
            name: _error_terms(mrmc(table, covariance=name.lower()).components) for name in case["expected"]
        }
    runs = {}
    for seed, name in enumerate(case["expected"], start=1):
        result = mrmc(table, covariance="bootstrap", n_resamples=_BOOTSTRAP_RESAMPLES, rng=seed)
        runs[name] = _error_terms(result.components)
    return runs


def _error_terms(components: Any) -> dict[str, float]:
    return {name: getattr(components, name) for name in ("var_error", "cov1", "cov2", "cov3")}


def _tested(row: Any) -> dict[str, Any]:
    return {
        "estimate": row.estimate,
        "se": row.standard_error,
        "df": row.df,
        "t": row.statistic,
        "z": row.statistic,
        "p_value": row.pvalue,
        **_limits(row),
    }


def _limits(row: Any) -> dict[str, float]:
    return {"ci_lower": row.confidence_interval.low, "ci_upper": row.confidence_interval.high}


def _effects(analysis: str) -> dict[str, Any]:
    """Return what RRRC, FRRC and RRFC mean."""
    return {
        "readers": "fixed" if analysis.startswith("FR") else "random",
        "cases": "fixed" if analysis.endswith("FC") else "random",
    }


def _rjafroc_or(case: Mapping[str, Any], table: pd.DataFrame) -> Mapping[str, Any] | Superseded:
    expected, config = case["expected"], case["config"]
    result = mrmc(table, **_options(config), **_effects(config["analysis"]))
    components, anova = result.components, result.anova
    rows = {"T": anova["condition"], "R": anova["reader"], "TR": anova["condition x reader"]}
    test = result.test_equality
    estimates = {(row.condition, row.reader): row.estimate for row in result.reader_estimates}
    means = result.condition_means
    readers = sorted({row.reader for row in result.reader_estimates})
    values = {
        "VarR": components.var_reader,
        "VarTR": components.var_interaction,
        "Cov1": components.cov1,
        "Cov2": components.cov2,
        "Cov3": components.cov3,
        "Var": components.var_error,
    }
    answer = {
        "fom": [[estimates[mean.condition, reader] for reader in readers] for mean in means],
        "test_means": _labelled(expected["test_means"], [{"estimate": mean.estimate} for mean in means]),
        "anova": [
            {
                "label": row["label"],
                "SS": rows[row["label"]].sum_of_squares,
                "df": rows[row["label"]].df,
                "MS": rows[row["label"]].mean_square,
            }
            for row in expected["anova"]
        ],
        "variance_components": [
            {
                "label": row["label"],
                "estimate": values[row["label"]],
                "correlation": values[row["label"]] / components.var_error
                if row["label"].startswith("Cov")
                else None,
            }
            for row in expected["variance_components"]
        ],
        "test_equality": _labelled(
            expected["test_equality"],
            [
                {
                    "MS": anova["condition"].mean_square,
                    "F": test.statistic,
                    "X2": test.statistic,
                    "df": int(test.df[0]),
                    "p_value": test.pvalue,
                },
                {"MS": test.denominator, "df": test.df[1] if len(test.df) > 1 else None},
            ],
        ),
        "test_diffs": _labelled(expected["test_diffs"], [_tested(row) for row in result.differences]),
        "test_means_ci": _labelled(
            expected["test_means_ci"],
            [
                {
                    "estimate": mean.estimate,
                    "se": mean.standard_error,
                    # The tool prints cases less one beside intervals that are normal.
                    "df": result.n_cases - 1 if math.isinf(mean.df) else mean.df,
                    "Cov2": mean.cov2,
                    **_limits(mean),
                }
                for mean in means
            ],
        ),
        "reader_test_diffs": _labelled(
            expected.get("reader_test_diffs", []), [_tested(row) for row in result.reader_differences]
        ),
    }
    if components.cov2 < components.cov3:
        place = [row["label"] for row in expected["variance_components"]].index("VarTR")
        return Superseded(INTERACTION_RULE, answer, (f"variance_components.{place}.estimate",))
    return answer


def _labelled(expected: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in order under the tool's own labels; nothing where the tool prints nothing."""
    return [
        {"label": wanted["label"], **{key: None for key in wanted if key != "label"}, **row}
        for wanted, row in zip(expected, rows, strict=True)
    ]


def _rjafroc_dbm(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    expected, config = case["expected"], case["config"]
    result = mrmc_dbm(table, **_options(config), **_effects(config["analysis"]))
    names = {"T": "condition", "R": "reader", "C": "case"}
    rows = {
        row["label"]: result.anova[
            "total" if row["label"] == "Total" else " x ".join(names[letter] for letter in row["label"])
        ]
        for row in expected["anova"]
    }
    components = result.components
    values = {
        "VarR": components.var_reader,
        "VarC": components.var_case,
        "VarTR": components.var_condition_reader,
        "VarTC": components.var_condition_case,
        "VarRC": components.var_reader_case,
        "VarErr": components.var_error,
    }
    test = result.test_equality
    return {
        "fom": result.reader_estimates,
        "test_means": _labelled(
            expected["test_means"], [{"estimate": mean.estimate} for mean in result.condition_means]
        ),
        "anova": [
            {
                "label": label,
                "SS": row.sum_of_squares,
                "df": row.df,
                "MS": None if label == "Total" else row.mean_square,
            }
            for label, row in rows.items()
        ],
        "variance_components": [
            {"label": row["label"], "estimate": values[row["label"]]}
            for row in expected["variance_components"]
        ],
        "test_equality": _labelled(
            expected["test_equality"],
            [
                {
                    "MS": result.anova["condition"].mean_square,
                    "F": test.statistic,
                    "df": int(test.df[0]),
                    "p_value": test.pvalue,
                },
                {"MS": test.denominator, "df": test.df[1]},
            ],
        ),
        "test_diffs": _labelled(expected["test_diffs"], [_tested(row) for row in result.differences]),
        "test_means_ci": _labelled(
            expected["test_means_ci"],
            [
                {"estimate": mean.estimate, "se": mean.standard_error, "df": mean.df, **_limits(mean)}
                for mean in result.condition_means
            ],
        ),
        "reader_test_diffs": _labelled(
            expected.get("reader_test_diffs", []), [_tested(row) for row in result.reader_differences]
        ),
    }


def _ustat11(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    result = mrmc_ustatistics(table, **_options(case["config"]))
    wanted = [int(name) for name in case["config"]["modalities"]]
    means = {mean.first: mean for mean in result.condition_means}
    difference = next(row for row in result.differences if [row.first, row.second] == wanted)
    rows = [means[wanted[0]], means[wanted[1]], difference]
    return {"mean": [row.estimate for row in rows], "var": [row.variance for row in rows]}


def _imrmc(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    options = _options(case["config"])
    table = table.assign(condition=table["condition"].astype(str), reader=table["reader"].astype(str))
    unbiased = mrmc_ustatistics(table, **options)
    v_statistic = mrmc_ustatistics(table, **options, estimator="v-statistic")
    answer: dict[str, Any] = {
        "ustat": _imrmc_rows(unbiased, "Ustat"),
        "mle": _imrmc_rows(v_statistic, "MLE"),
        "ustat_full": [
            _imrmc_full(row, unbiased, v_statistic) for row in case["expected"].get("ustat_full", [])
        ],
    }
    if "per_reader_cov" in case["expected"]:
        answer["per_reader_cov"] = _per_reader_covariances(case["expected"]["per_reader_cov"], table)
    return answer


def _imrmc_rows(result: Any, name: str) -> list[dict[str, Any]]:
    means = {mean.first: mean for mean in result.condition_means}
    rows = []
    for row in (*result.condition_means, *result.differences):
        single = row.second is None
        second = None if single else means[row.second]
        rows.append(
            {
                "NR": row.n_readers,
                "N0": row.n_negative,
                "N1": row.n_positive,
                "modalityA": row.first,
                "modalityB": "NO_MOD" if single else row.second,
                "UstatOrMLE": name,
                "AUCA": means[row.first].estimate,
                "varAUCA": means[row.first].variance,
                "AUCB": None if second is None else second.estimate,
                "varAUCB": None if second is None else second.variance,
                "AUCAminusAUCB": None if single else row.estimate,
                "varAUCAminusAUCB": None if single else row.variance,
                "pValueNormal": row.pvalue_normal,
                "botCInormal": row.interval_normal.low,
                "topCInormal": row.interval_normal.high,
                "rejectNormal": int(row.pvalue_normal <= 0.05),
                "dfBDG": row.df,
                "pValueBDG": row.pvalue,
                "botCIBDG": row.confidence_interval.low,
                "topCIBDG": row.confidence_interval.high,
                "rejectBDG": int(row.pvalue <= 0.05),
            }
        )
    return rows


def _imrmc_full(row: Mapping[str, Any], unbiased: Any, v_statistic: Any) -> dict[str, Any]:
    names = (row["modalityID.1"], row["modalityID.2"])
    moments = unbiased.moments[names]
    means = {mean.first: mean for mean in unbiased.condition_means}
    answer: dict[str, Any] = {
        "modalityID.1": names[0],
        "modalityID.2": names[1],
        "AUC.1": means[names[0]].estimate,
        "AUC.2": means[names[1]].estimate,
        "covAUC": moments.covariance,
        "covAUC.biased": moments.v_covariance,
        "dfBDG": moments.df,
        "dfBDG.biased": moments.v_df,
        **{f"M{k}": value for k, value in enumerate(moments.moments, start=1)},
        **{f"M{k}.coeff": value for k, value in enumerate(moments.coefficients, start=1)},
        **{f"BCK.{name}": value for name, value in moments.components.items()},
    }
    pairs = [
        next(
            (found for found in result.differences if (found.first, found.second) == names),
            means[names[0]],
        )
        for result in (unbiased, v_statistic)
    ]
    answer |= {"NR": pairs[0].n_readers, "N0": pairs[0].n_negative, "N1": pairs[0].n_positive}
    differ = names[0] != names[1]
    answer |= {
        "AUC1minusAUC2": pairs[0].estimate if differ else None,
        "varAUC1minusAUC2": pairs[0].variance if differ else None,
        "varAUC1minusAUC2.biased": pairs[1].variance if differ else None,
        "dfBDG.diff": pairs[0].df if differ else None,
        "dfBDG.biased.diff": pairs[1].df if differ else None,
    }
    return answer


def _per_reader_covariances(rows: list[dict[str, Any]], table: pd.DataFrame) -> list[dict[str, Any]]:
    result = mrmc(table, covariance="unbiased")
    place = {label: number for number, label in enumerate(result.covariance_labels)}
    estimates = [row.estimate for row in result.reader_estimates]
    cases = {label: set(group["case"]) for label, group in table.groupby(["condition", "reader"])}
    positives = set(table.loc[table["truth"] == 1, "case"])
    answer = []
    for row in rows:
        cells = [(row[f"modalityID.{k}"], row[f"readerID.{k}"]) for k in (1, 2)]
        common = cases[cells[0]] & cases[cells[1]]
        answer.append(
            {
                **{f"readerID.{k}": row[f"readerID.{k}"] for k in (1, 2)},
                **{f"modalityID.{k}": row[f"modalityID.{k}"] for k in (1, 2)},
                "N0": len(common - positives),
                "N1": len(common & positives),
                "AUC.1": estimates[place[cells[0]]],
                "AUC.2": estimates[place[cells[1]]],
                "covAUC": float(result.covariance[place[cells[0]], place[cells[1]]]),
            }
        )
    return answer
