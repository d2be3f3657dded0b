"""Tests as a published figure printed them: Mann-Whitney between named pairs of columns, Bonferroni over the pairs.

They are unpaired tests, mostly on paired data, so the paired signed-rank test stands beside each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.tables import Array
from equipoise.analysis.wording import exact_p
from equipoise.stats import MannWhitneyResult, WilcoxonResult, holm, mann_whitney, wilcoxon_signed_rank

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
"""Marks over significance bars; the exact p stands in the caption."""


@dataclass(frozen=True)
class PublishedTest:
    """One pair with its unpaired and its paired test."""

    first: str
    second: str
    unpaired: MannWhitneyResult
    adjusted_p: float
    paired: WilcoxonResult | None
    n_pairs: int

    @property
    def bracket(self) -> tuple[str, str, str]:
        """Return the bar over the two: ends and mark."""
        mark = next((stars for limit, stars in STARS if self.adjusted_p < limit), "n.s.")
        return (self.first, self.second, mark)


def parsed_pairs(texts: tuple[str, ...], names: list[str], parameter: str) -> list[tuple[str, str]]:
    """Return the pairs of a parameter written as ``A:B``; ``A:B`` must be among the names."""
    pairs = []
    for text in texts:
        first, colon, second = text.partition(":")
        unknown = [name for name in (first, second) if name not in names]
        if not colon or unknown:
            found = ", ".join(names)
            raise AnalysisInputError(
                [f"Parameter {parameter}: '{text}' does not name a pair A:B of: {found}."]
            )
        pairs.append((first, second))
    return pairs


def published_tests(
    pairs: list[tuple[str, str]], values: Mapping[str, Mapping[str, float]]
) -> list[PublishedTest]:
    """Test every pair; ``values`` maps group -> unit (case) -> value, so that pairing is by unit."""
    done = []
    for first, second in pairs:
        a, b = (np.array(list(values[name].values()), dtype=float) for name in (first, second))
        unpaired = mann_whitney(a, b)
        shared = [unit for unit in values[first] if unit in values[second]]
        ours = np.array([values[first][unit] for unit in shared], dtype=float)
        theirs = np.array([values[second][unit] for unit in shared], dtype=float)
        both: Array = np.isfinite(ours) & np.isfinite(theirs)
        paired = wilcoxon_signed_rank(ours[both], theirs[both]) if both.sum() > 1 else None
        done.append(
            PublishedTest(
                first, second, unpaired, min(1.0, unpaired.pvalue * len(pairs)), paired, int(both.sum())
            )
        )
    return done


def report_published(tests: list[PublishedTest], what: str, builder: ResultBuilder) -> str:
    """Record the tests and return the sentence for the caption."""
    if not tests:
        return ""
    paired_p = holm([test.paired.pvalue if test.paired else float("nan") for test in tests]) if all(
        test.paired and np.isfinite(test.paired.pvalue) for test in tests
    ) else [float("nan")] * len(tests)  # fmt: skip
    rows: list[list[Any]] = []
    for test, adjusted in zip(tests, paired_p, strict=True):
        u = test.unpaired
        rows.append(
            [test.first, test.second, u.n_first, u.n_second, u.statistic, u.statistic_second, u.pvalue, len(tests),
             test.adjusted_p, test.n_pairs, test.paired.pvalue if test.paired else None, adjusted]
        )  # fmt: skip
        builder.number(
            f"{what}.mann_whitney",
            u.statistic,
            label=f"Mann-Whitney U, as published: {test.first} against {test.second}",
            subject={"first": test.first, "second": test.second},
            statistic=u.statistic,
            pvalue=test.adjusted_p,
            n=u.n_first + u.n_second,
            n_missing=u.n_missing,
            missing="missing values left out and counted",
            method=f"{u.provenance.method}; Bonferroni over {len(tests)} pairs; the data are paired, the test is not",
            reason=u.reason or "",
        )
    header = (
        "first", "second", "n_first", "n_second", "u_first", "u_second", "p_raw", "n_tests", "p_bonferroni", "n_pairs",
        "wilcoxon_paired_p", "wilcoxon_paired_p_holm",
    )  # fmt: skip
    builder.table(f"{what}-as-published", header, rows)
    builder.note(
        "Mann-Whitney tests are given as published: unpaired tests on paired data. The paired signed-rank test stands "
        "beside them in the table."
    )
    words = "; ".join(f"{t.first} against {t.second} {exact_p(t.adjusted_p)}" for t in tests)
    return f"Bars: Mann-Whitney as published, Bonferroni over {len(tests)} pairs: {words}."
