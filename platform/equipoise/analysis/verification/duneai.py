"""Reference cases of a published in-silico trial's tables: preference, time, observers, detection,
segmentation.

A case is told by what it expects, so that other tables of the same kinds run as well.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise.stats import (
    MannWhitneyResult,
    Summary,
    auc,
    bonferroni,
    confusion,
    mann_whitney,
    preference_score,
    summary,
    wilcoxon_signed_rank,
)

NOT_COMPARED: Mapping[str, str] = {}

_MM_PER_CM = 10.0

_HAUSDORFF_CUT_MM = 100.0
"""The authors drop larger distances before they take the median."""

_DICE = "3d_dice"

_SUMMARISED = {"dsc": _DICE, "jaccard": "3d_jacc", "surface_dsc": "surf_dsc"}


def run_case(case: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Compute one case through the public functions."""
    table = pd.read_csv(folder / case["input"]["file"])
    for column, kept in case["input"].get("filter", {}).items():
        table = table[table[column].isin(kept)]
    columns = case["input"].get("columns")
    if isinstance(columns, list):
        table = table[columns]
    return _runner(case["expected"], table)(case, table)


def _runner(
    expected: Mapping[str, Any], table: pd.DataFrame
) -> Callable[[Mapping[str, Any], pd.DataFrame], Mapping[str, Any]]:
    nested = [value for value in expected.values() if isinstance(value, Mapping)]
    tests = any("U1" in value for value in nested)
    rules: list[tuple[bool, Callable[[Mapping[str, Any], pd.DataFrame], Mapping[str, Any]]]] = [
        ("dl_score" in table and "statistic" in expected, _preference_test),
        ("dl_score" in table and "participants" in expected, _preference_counts),
        ("dl_score" in table, _preference_summary),
        ("U1" in expected, _column_test),
        ("tp" in expected, _detection),
        ("sd_ddof0" in expected, _times),
        ("n" in expected, _pooled),
        (_DICE in table and "dsc" in expected, _segmentation),
        (_DICE in table and tests, _subgroup_tests),
        (_DICE in table, _subgroups),
        (tests, _columns_and_tests),
    ]
    for applies, runner in rules:
        if applies:
            return runner
    raise ValueError(f"No method is known for a case that expects {sorted(expected)}.")


def _readings(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the preferences as readings; a row that marks both contours counts for the algorithm, as
    published."""
    return {
        "participant": table["participant"].tolist(),
        "group": table["speciality"].tolist(),
        "case": table["item"].tolist(),
        "preferred": ["algorithm" if value == 1 else "expert" for value in table["dl_score"]],
    }


def _preference_summary(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    return _described(preference_score(_readings(table)).overall)


def _preference_test(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    scores = [reader.score_percent for reader in preference_score(_readings(table)).readers]
    test = wilcoxon_signed_rank(np.array(scores) - 50.0, method="normal")
    return {"statistic": test.statistic, "p": test.pvalue}


def _preference_counts(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    score = preference_score(_readings(table))
    marks = table["dr_score"] + table["dl_score"]
    specialities = [reader.group for reader in score.readers]
    items = {reader.n for reader in score.readers}
    return {
        "participants": {name: specialities.count(name) for name in sorted(set(specialities))},
        "items_per_participant": items.pop() if len(items) == 1 else sorted(items),
        "participants_with_non_exclusive_rows": int(table.loc[marks != 1, "participant"].nunique()),
        "rows_both_1": int((marks == 2).sum()),
        "rows_both_0": int((marks == 0).sum()),
        "rows_total": score.n,
    }


def _described(result: Summary) -> dict[str, Any]:
    return {
        "n": result.n,
        "median": result.median,
        "iqr": result.iqr,
        "q1": result.q1,
        "q3": result.q3,
        "mean": result.mean,
    }


def _times(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    complete = table.dropna().to_numpy(float)
    return {**_spread(complete), "all_available": _spread(table.to_numpy(float))}


def _spread(values: "np.ndarray[Any, Any]") -> dict[str, Any]:
    with_0, with_1 = summary(values, ddof=0), summary(values, ddof=1)
    return {"n_values": with_1.n, "mean": with_1.mean, "sd_ddof0": with_0.sd, "sd_ddof1": with_1.sd}


def _tested(result: MannWhitneyResult, n_tests: int) -> dict[str, Any]:
    return {
        "n1": result.n_first,
        "n2": result.n_second,
        "U1": result.statistic,
        "U2": result.statistic_second,
        "p_raw": result.pvalue,
        "bonferroni_m": n_tests,
        "p_bonferroni": bonferroni([result.pvalue], n_tests=n_tests)[0],
    }


def _column_test(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    first, second = (table[name].to_numpy(float) for name in table.columns)
    return _tested(mann_whitney(first, second), int(case["expected"]["bonferroni_m"]))


def _pooled(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    readers = table[[name for name in table.columns if name != "DL"]]
    values = readers.to_numpy(float)
    result = _described(summary(values)) | {
        "n_infinite": int(np.isinf(values).sum()),
        "n_zero": int((values == 0).sum()),
    }
    if "pairs_only" in case["expected"]:
        last = np.arange(len(values)) % values.shape[1] == values.shape[1] - 1
        result["pairs_only"] = _described(summary(values[~last]))
        result["seventh_rows_only"] = _described(summary(values[last]))
    return result


def _detection(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    truth, decision = table["truth"].to_numpy(), table["pred"].to_numpy()
    table_of = confusion(decision, truth)
    area = auc(decision, truth)
    published = _published_interval(decision, truth)
    return {
        "tp": table_of.tp,
        "fn": table_of.fn,
        "tn": table_of.tn,
        "fp": table_of.fp,
        "sensitivity": table_of.sensitivity.estimate,
        "specificity": table_of.specificity.estimate,
        "accuracy": table_of.accuracy.estimate,
        "f1": table_of.f1.estimate,
        "auc": area.estimate,
        "authors_bootstrap_interval": published,
        "authors_bootstrap_n": _PUBLISHED_RESAMPLES,
        "delong_ci95": [area.confidence_interval.low, area.confidence_interval.high],
        "delong_var": area.variance,
        "sens_clopper_pearson95": _exact(table_of.sensitivity),
        "spec_clopper_pearson95": _exact(table_of.specificity),
    }


_PUBLISHED_RESAMPLES = 100


def _exact(proportion: Any) -> list[float]:
    return [proportion.exact.low, proportion.exact.high]


def _published_interval(decision: "np.ndarray[Any, Any]", truth: "np.ndarray[Any, Any]") -> list[float]:
    """Return the interval as published: 5 % to 95 % of 100 resamples of numpy's legacy generator."""
    random = np.random.RandomState(42)
    areas = []
    for _ in range(_PUBLISHED_RESAMPLES):
        rows = random.randint(0, len(truth), len(truth))
        if len(np.unique(truth[rows])) == 2:
            areas.append(auc(decision[rows], truth[rows]).estimate)
    areas.sort()
    return [areas[int(0.05 * len(areas))], areas[int(0.95 * len(areas))]]


def _segmentation(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    result: dict[str, Any] = {
        name: _described(summary(table[column].to_numpy(float))) for name, column in _SUMMARISED.items()
    }
    result["apl_cm"] = _described(summary(table["APL"].to_numpy(float) / _MM_PER_CM))
    hausdorff = table["h95th"].to_numpy(float)
    result["h95_all_median"] = summary(hausdorff).median
    result["h95_filtered_lt100"] = _described(summary(hausdorff[hausdorff < _HAUSDORFF_CUT_MM]))
    result["h95_n_inf"] = int(np.isinf(hausdorff).sum())
    result["dsc_n_zero"] = int((table[_DICE] == 0).sum())
    return result


def _groups(table: pd.DataFrame) -> dict[str, dict[str, "np.ndarray[Any, Any]"]]:
    """Return the Dice scores by factor and level, with the edges and words of the publication."""
    place = table["tum_loc"].astype(str)
    mediastinum = place.str.contains("1")
    chest_wall = place.str.contains("2") & ~mediastinum
    thickness = table["sl_th"]
    rows: dict[str, dict[str, Any]] = {
        "pet": {"no": table["pet"] == 0, "yes": table["pet"] == 1},
        "atelectasis": {"no": table["atelectasis"] == 0, "yes": table["atelectasis"] == 1},
        "volume": {level: table["tum_vol"] == level for level in ("<20", "[20:150]", ">150")},
        "slice": {
            "[0;2.5)": thickness < 2.5,
            "[2.5;5)": (thickness >= 2.5) & (thickness < 5.0),
            "[5;7.5)": (thickness >= 5.0) & (thickness < 7.5),
        },
        "location": {"parenchyma": place == "0", "mediastinum": mediastinum, "chest_wall": chest_wall},
    }
    for level in ("<20", "[20:150]", ">150"):
        for pet in (0, 1):
            rows["volume"][f"{level}_pet{pet}"] = (table["tum_vol"] == level) & (table["pet"] == pet)
    return {
        factor: {level: table.loc[own, _DICE].to_numpy(float) for level, own in levels.items()}
        for factor, levels in rows.items()
    }


def _subgroups(_: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    return {
        f"{factor}_{level}": _described(summary(values))
        for factor, levels in _groups(table).items()
        for level, values in levels.items()
        if len(values) > 1
    }


def _subgroup_tests(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    groups = _groups(table)
    asked = {key: re.fullmatch(r"(\S+) (.+) vs (.+)", key) for key in case["expected"]}
    pairs = {key: match.groups() for key, match in asked.items() if match}
    result = {}
    for key, (factor, first, second) in pairs.items():
        n_tests = sum(other == factor for other, _, _ in pairs.values())
        result[key] = _tested(mann_whitney(groups[factor][first], groups[factor][second]), n_tests)
    return result


def _columns_and_tests(case: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    result: dict[str, Any] = {
        name: _described(summary(table[name].to_numpy(float))) for name in table.columns
    }
    asked = [key for key in case["expected"] if key.startswith("mw_")]
    for key in asked:
        first, second = (_column(table, word) for word in key.removeprefix("mw_").split("_vs_"))
        result[key] = _tested(mann_whitney(first, second), len(asked))
    return result


def _column(table: pd.DataFrame, word: str) -> "np.ndarray[Any, Any]":
    """Return the column named by the end of its name."""
    (name,) = (str(name) for name in table.columns if str(name) == word or str(name).endswith(f"_{word}"))
    return table[name].to_numpy(float)
