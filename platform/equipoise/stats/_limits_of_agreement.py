"""Limits of agreement of readers and conditions when both readers and cases are samples."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    normal_quantile,
    symmetric_interval,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._tidy import Columns, Table, codes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LimitsOfAgreement:
    """Where the difference of two single scores of the same case lies.

    Attributes
    ----------
    kind : str
        ``within reader, between conditions``, ``between readers, between conditions``, ``between readers,
        within condition`` or ``within reader, within condition``.
    first, second : label
        The conditions of the two scores (the same one twice, within a condition).
    mean_difference : float
        ``first - second``; 0 by definition within a condition.
    mean_interval : ConfidenceInterval
        Of the mean difference (normal, readers and cases random).
    variance : float
        Of one difference.
    lower_limit, upper_limit : float
        ``mean_difference -+ multiplier * sqrt(variance)``.
    n_readers, n_cases : int
        The complete part of the design that was used.
    n_cases_left_out : int
        Cases without a score of every reader.
    """

    kind: str
    first: Any
    second: Any
    mean_difference: float
    mean_interval: ConfidenceInterval
    variance: float
    lower_limit: float
    upper_limit: float
    n_readers: int
    n_cases: int
    n_cases_left_out: int
    provenance: Provenance
    reason: str | None = None


def limits_of_agreement_mrmc(
    readings: Table, *, multiplier: float = 1.96, confidence_level: float = 0.95
) -> tuple[LimitsOfAgreement, ...]:
    """Estimate limits of agreement of single scores, with readers and cases random.

    Limits from pooled differences treat several readings of a case as independent; these come from the
    analysis of variance over readers, cases and conditions.

    Parameters
    ----------
    readings : Table
        Columns ``reader`` (or ``participant``), ``case``, ``score`` and, where there are several,
        ``condition``. Several scores of a reader, case and condition are repeats (the first enters
        comparisons between, all within).
    multiplier : float, default 1.96
        iMRMC uses 2.
    confidence_level : float, default 0.95

    Returns
    -------
    tuple of LimitsOfAgreement
        Between readers for each condition, within readers for each condition that has repeats, and within and
        between readers for each pair of conditions.

    Notes
    -----
    Cases that some reader did not score are left out and counted. A negative variance estimate is reported as
    ``nan`` limits with :class:`~equipoise.common.warnings.DegenerateDataWarning`, as are fewer than two
    readers or cases.

    References
    ----------
    .. [1] Wen S, Gallas BD. Three-way mixed effect ANOVA to estimate MRMC limits of agreement. Stat Biopharm
       Res 2022;14:532.

    Examples
    --------
    >>> limits = limits_of_agreement_mrmc({
    ...     "reader": ["r1"] * 4 + ["r2"] * 4,
    ...     "case": ["c1", "c2", "c3", "c4"] * 2,
    ...     "score": [1.0, 3.0, 5.0, 8.0, 2.0, 3.0, 7.0, 9.0],
    ... })
    >>> limits[0].kind, round(limits[0].variance, 6)
    ('between readers, within condition', 1.5)
    """
    z = normal_quantile(validate_confidence_level(confidence_level))
    columns = Columns(readings)
    who = "reader" if "reader" in columns else "participant"
    columns.require([who, "case", "score"])
    if any(kind == "algorithm" for kind in columns.optional_labels("participant_kind")):
        raise ValueError("Limits of agreement are of readers only; leave the algorithms' scores out.")
    provenance = Provenance(
        f"analysis of variance over readers, cases and conditions; limits -+ {multiplier:g} sd of one difference",
        "mean squares (Wen & Gallas 2022)",
        confidence_level,
        "cases without a score of every reader are left out and counted",
        df=math.inf,
    )
    table = _table(columns, who)
    results = []
    for name, scores in table.items():
        results.append(_within_condition(name, scores[0], multiplier, provenance))
        if np.any(~np.isnan(scores[1:])):
            results.append(_repeats(name, scores, multiplier, provenance))
    for (first, a), (second, b) in itertools.combinations(table.items(), 2):
        results.extend(_between_conditions(first, second, np.stack([a[0], b[0]]), z, multiplier, provenance))
    return tuple(results)


def _table(columns: Columns, who: str) -> dict[Any, Floats]:
    """Return the scores of each condition, shape (repeats, readers, cases), ``nan`` where there is none."""
    readers, reader = codes(list(columns.labels(who)))
    cases, case = codes(list(columns.labels("case")))
    conditions, condition = codes(list(columns.optional_labels("condition")))
    score = columns.numbers("score")
    seen: dict[tuple[int, int, int], int] = {}
    repeat = np.zeros(columns.length, dtype=np.intp)
    for row, cell in enumerate(zip(condition.tolist(), reader.tolist(), case.tolist(), strict=True)):
        if math.isnan(score[row]):
            continue
        repeat[row] = seen.get(cell, 0)
        seen[cell] = int(repeat[row]) + 1
    shape = (len(conditions), int(repeat.max(initial=0)) + 1, len(readers), len(cases))
    table = np.full(shape, np.nan)
    known = ~np.isnan(score)
    table[condition[known], repeat[known], reader[known], case[known]] = score[known]
    return dict(zip(conditions, table, strict=True))


def _complete(scores: Floats) -> tuple[Floats, int]:
    """Return the readers with any score, the cases scored by all of them, and how many cases that leaves
    out."""
    flat = scores.reshape(-1, *scores.shape[-2:])
    readers = np.any(~np.isnan(flat), axis=(0, 2))
    kept = flat[:, readers, :]
    cases = ~np.any(np.isnan(kept), axis=(0, 1))
    any_case = np.any(~np.isnan(flat), axis=(0, 1))
    return kept[:, :, cases].reshape(*scores.shape[:-2], int(readers.sum()), int(cases.sum())), int(
        np.sum(any_case & ~cases)
    )


@dataclass(frozen=True)
class _TwoWay:
    """Mean squares of a readers x cases table."""

    readers: float
    cases: float
    residual: float


def _two_way(table: Floats) -> _TwoWay:
    r, c = table.shape
    grand, rows, columns = table.mean(), table.mean(axis=1), table.mean(axis=0)
    residual = table - rows[:, None] - columns[None, :] + grand
    return _TwoWay(
        c * float(np.sum((rows - grand) ** 2)) / (r - 1),
        r * float(np.sum((columns - grand) ** 2)) / (c - 1),
        float(np.sum(residual**2)) / ((r - 1) * (c - 1)),
    )


def _limits(
    kind: str,
    names: tuple[Any, Any],
    mean: float,
    mean_interval: ConfidenceInterval,
    variance: float,
    shape: tuple[int, int, int],
    multiplier: float,
    provenance: Provenance,
) -> LimitsOfAgreement:
    reason = None
    half = math.nan
    if math.isnan(variance):
        reason = f"needs two readers and two cases scored by all, got {shape[0]} and {shape[1]}"
    elif variance < 0.0:
        reason = "the variance estimate is negative"
    else:
        half = multiplier * math.sqrt(variance)
    if reason is not None:
        warn_degenerate(f"Limits of agreement ({kind})", reason, stacklevel=5)
    return LimitsOfAgreement(
        kind, *names, mean, mean_interval, variance, mean - half, mean + half, *shape, provenance, reason
    )


def _within_condition(
    name: Any, scores: Floats, multiplier: float, provenance: Provenance
) -> LimitsOfAgreement:
    table, left_out = _complete(scores)
    r, c = table.shape
    variance = math.nan
    if r >= 2 and c >= 2:
        ms = _two_way(table)
        # Two readers of one case differ by reader and residual: 2 (var R + var E).
        variance = 2.0 * ((ms.readers - ms.residual) / c + ms.residual)
    kind = "between readers, within condition"
    return _limits(kind, (name, name), 0.0, NO_INTERVAL, variance, (r, c, left_out), multiplier, provenance)


def _repeats(name: Any, scores: Floats, multiplier: float, provenance: Provenance) -> LimitsOfAgreement:
    counts = np.sum(~np.isnan(scores), axis=0)
    several = counts >= 2
    cells = scores[:, several]
    squares = float(np.nansum((cells - np.nanmean(cells, axis=0)) ** 2))
    variance = 2.0 * squares / float(np.sum(counts[several] - 1))
    readers, cases = int(np.sum(several.any(axis=1))), int(np.sum(several.any(axis=0)))
    kind = "within reader, within condition"
    return _limits(
        kind, (name, name), 0.0, NO_INTERVAL, variance, (readers, cases, 0), multiplier, provenance
    )


def _between_conditions(
    first: Any, second: Any, scores: Floats, z: float, multiplier: float, provenance: Provenance
) -> list[LimitsOfAgreement]:
    table, left_out = _complete(scores)
    _, r, c = table.shape
    mean = float(np.mean(table[0] - table[1])) if r and c else math.nan
    interval, within, between = NO_INTERVAL, math.nan, math.nan
    if r >= 2 and c >= 2:
        ms = _two_way(table[0] - table[1])
        of_mean = (ms.readers + ms.cases - ms.residual) / (r * c)
        within = (r * ms.readers + c * ms.cases + (r * c - r - c) * ms.residual) / (r * c)
        between = within + _reader_variance(table)
        if of_mean >= 0.0:
            interval = symmetric_interval(mean, math.sqrt(of_mean), z)
    shape = (r, c, left_out)
    names = (first, second)
    return [
        _limits(kind, names, mean, interval, variance, shape, multiplier, provenance)
        for kind, variance in (
            ("within reader, between conditions", within),
            ("between readers, between conditions", between),
        )
    ]


def _reader_variance(table: Floats) -> float:
    """Return ``2 (var R + var RC)``, what two readers add to the difference of two conditions, by three-way
    ANOVA."""
    r, c = table.shape[1:]
    mean, difference = _two_way(table.mean(axis=0)), _two_way(table[0] - table[1])
    # Mean squares of the means are MSR / 2, MSRC / 2; those of the differences 2 MSRM, 2 MSRCM (two conditions).
    ms_r, ms_rc = 2.0 * mean.readers, 2.0 * mean.residual
    ms_rm, ms_rcm = difference.readers / 2.0, difference.residual / 2.0
    var_r = (ms_r + ms_rcm - ms_rc - ms_rm) / (2.0 * c)
    var_rc = (ms_rc - ms_rcm) / 2.0
    assert r >= 2
    return float(2.0 * (var_r + var_rc))
