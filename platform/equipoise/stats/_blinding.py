"""Did blinding hold? Indices for readings that show one candidate, and the rule for readings that show a
pair."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._bootstrap import crossed_ratio, percentile_interval
from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    Rng,
    normal_quantile,
    resolve_rng,
    symmetric_interval,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._preference_readings import cell_tables
from equipoise.stats._tidy import Labels, codes, label

UNSURE = ("dont_know", "don't know", "dont know", "do not know", "unsure", "unknown", "?")
"""Guesses (letter case ignored) that mean: I do not know."""


@dataclass(frozen=True)
class BlindingEstimate:
    """An index with its standard error and interval (normal, not cut)."""

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval


@dataclass(frozen=True)
class BlindingIndex:
    """Bang's index of each arm and James's index of all.

    Attributes
    ----------
    bang : mapping of arm to BlindingEstimate
        1 everybody guesses right, 0 as by chance, -1 everybody guesses wrong.
    james : BlindingEstimate
        1 everybody answers "don't know", 0.5 as by chance, 0 everybody guesses right.
    counts : mapping of arm to mapping of guess to int
        ``"don't know"`` among the guesses.
    n, n_missing : int
    """

    bang: Mapping[Any, BlindingEstimate]
    james: BlindingEstimate
    counts: Mapping[Any, Mapping[Any, int]]
    n: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None


@dataclass(frozen=True)
class PairBlinding:
    """How well readers tell which of two candidates shown together is the algorithm's.

    Attributes
    ----------
    estimate : float
        ``(correct - wrong) / all``, "don't know" among all: 0 as by chance, 1 always right.
    confidence_interval : ConfidenceInterval
        Percentile bootstrap over readers and cases.
    n, n_correct, n_wrong, n_unsure, n_missing : int
    preference_percent : mapping of {"correct", "wrong", "unsure"} to float
        Preference score among the pairs guessed so; ``nan`` where there is none.
    preference_n : mapping of {"correct", "wrong", "unsure"} to int
        How many preferences that rests on.
    """

    estimate: float
    confidence_interval: ConfidenceInterval
    n: int
    n_correct: int
    n_wrong: int
    n_unsure: int
    n_missing: int
    preference_percent: Mapping[str, float]
    preference_n: Mapping[str, int]
    provenance: Provenance
    reason: str | None = None


def blinding_index(
    guesses: Sequence[Any], truth: Sequence[Any], *, confidence_level: float = 0.95
) -> BlindingIndex:
    """Measure whether guesses of the arm are better than chance, arm by arm (Bang) and overall (James).

    For readings that show **one** candidate. Where a pair is shown the guesses of its two members are one
    answer: use :func:`~equipoise.stats.pair_blinding`.

    Parameters
    ----------
    guesses : sequence of label, length n
        The guessed arm, or "don't know" (:data:`UNSURE`); ``None``, ``nan`` or empty is missing.
    truth : sequence of label, length n
        The arm; the labels of ``guesses`` and ``truth`` are the same words.
    confidence_level : float, default 0.95

    Returns
    -------
    BlindingIndex

    Raises
    ------
    ValueError
        If a guess names no arm.

    Notes
    -----
    Standard errors: Bang's multinomial; James's by the delta method on the joint multinomial, equal to the
    published one. Readings are taken as independent. James's index needs a guess and both arms, else it is
    ``nan``, except that it is 1 where nobody guesses.

    References
    ----------
    .. [1] Bang H, Ni L, Davis CE. Assessment of blinding in clinical trials. Control Clin Trials 2004;25:143.
    .. [2] James KE et al. An index for assessing blindness in a multi-centre clinical trial. Stat Med
       1996;15:1421.

    Examples
    --------
    >>> guesses = ["a"] * 48 + ["b"] * 4 + ["?"] * 330 + ["a"] * 22 + ["b"] * 30 + ["?"] * 319
    >>> result = blinding_index(guesses, ["a"] * 382 + ["b"] * 371)
    >>> {arm: round(index.estimate, 3) for arm, index in result.bang.items()}
    {'a': 0.115, 'b': 0.022}
    >>> round(result.james.estimate, 3)
    0.896
    """
    multiplier = normal_quantile(validate_confidence_level(confidence_level))
    guessed, arm_of = _paired_labels(guesses, truth)
    present = np.array([g is not None for g in guessed], dtype=bool)
    arms = codes([arm for arm in arm_of if arm is not None])[0]
    provenance = Provenance(
        "blinding indices of Bang (by arm) and James",
        "multinomial, delta method",
        confidence_level,
        "missing guesses are left out and counted",
        df=math.inf,
    )
    answers = [*arms, UNSURE[1]]
    table = np.array(
        [[int(np.sum(present & (arm_of == arm) & (guessed == answer))) for answer in answers] for arm in arms]
    ).reshape(len(arms), len(answers))
    n = int(np.sum(present))
    if int(table.sum()) != n:
        unknown = sorted({str(g) for g in guessed[present]} - {str(a) for a in answers})
        raise ValueError(f"Guesses must name an arm {arms} or be one of {UNSURE}; got {unknown}.")
    bang = {arm: _bang(table[i], i, multiplier) for i, arm in enumerate(arms)}
    james, reason = _james(table, multiplier)
    if reason is not None:
        warn_degenerate("James's blinding index", reason)
    counts = {arm: dict(zip(answers, map(int, table[i]), strict=True)) for i, arm in enumerate(arms)}
    return BlindingIndex(bang, james, counts, n, len(guessed) - n, provenance, reason)


def pair_blinding(
    guesses: Sequence[Any],
    truth: Sequence[Any],
    *,
    readers: Sequence[Any],
    cases: Sequence[Any],
    prefers_algorithm: Sequence[float | None] | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = None,
) -> PairBlinding:
    """Measure whether readers can tell which candidate of a pair is the algorithm's.

    Parameters
    ----------
    guesses : sequence of label, length n
        The side (or source) taken for the algorithm's, or "don't know" (:data:`UNSURE`); missing as ``None``.
    truth : sequence of label, length n
        The side (or source) that is the algorithm's, in the same words.
    readers, cases : sequence of label, length n
        What the bootstrap resamples.
    prefers_algorithm : sequence of float, length n, optional
        The reader's preference on the pair's first reading: 1 for the algorithm's candidate, 0 for the other,
        0.5 for neither, ``None`` or ``nan`` where missing.
    confidence_level, n_resamples, rng
        As for :func:`~equipoise.stats.preference_model`.

    Returns
    -------
    PairBlinding

    Notes
    -----
    The preference score among correct, wrong and unsure guesses is ``100 n(algorithm) / n``: were it high
    among correct guesses only, readers would have preferred what they believed to be the algorithm's.

    References
    ----------
    .. [1] Bang H, Ni L, Davis CE. Assessment of blinding in clinical trials. Control Clin Trials 2004;25:143
       (the index, here of the pair).
    .. [2] Owen AB. The pigeonhole bootstrap. Ann Appl Stat 2007;1:386.

    Examples
    --------
    >>> result = pair_blinding(
    ...     ["A", "B", "A", "?"], ["A", "A", "A", "B"],
    ...     readers=["r1", "r1", "r2", "r2"], cases=["c1", "c2", "c1", "c2"],
    ...     prefers_algorithm=[1, 0, 1, 0],
    ... )
    >>> result.estimate, result.n_correct, result.n_wrong, result.n_unsure
    (0.25, 2, 1, 1)
    >>> result.preference_percent["correct"]
    100.0
    """
    validate_confidence_level(confidence_level)
    random, seed = resolve_rng(rng)
    guessed, answer = _paired_labels(guesses, truth)
    reader, case = (
        _labels(values, len(guessed), name) for values, name in ((readers, "readers"), (cases, "cases"))
    )
    present = np.array(
        [g is not None and a is not None for g, a in zip(guessed, answer, strict=True)], dtype=bool
    )
    provenance = Provenance(
        "(correct - wrong) / all guesses on pairs, don't know in the denominator",
        "bootstrap over readers and cases",
        confidence_level,
        "missing guesses are left out and counted",
        seed=seed,
        n_resamples=n_resamples,
    )
    unsure = present & (guessed == UNSURE[1])
    correct = present & ~unsure & (guessed == answer)
    wrong = present & ~unsure & ~correct
    n = int(present.sum())
    score = correct.astype(np.float64) - wrong
    reason = None if n else "no guess"
    draws = np.empty(0)
    if n:
        sums, counts = cell_tables(reader[present], case[present], score[present])
        draws = crossed_ratio(sums, counts, n_resamples=n_resamples, random=random)
    else:
        warn_degenerate("Blinding of pairs", "no guess")
    preferred = _preferences(prefers_algorithm, len(guessed))
    among = {"correct": correct, "wrong": wrong, "unsure": unsure}
    known = {name: rows & ~np.isnan(preferred) for name, rows in among.items()}
    return PairBlinding(
        estimate=float(score[present].mean()) if n else math.nan,
        confidence_interval=percentile_interval(draws, confidence_level),
        n=n,
        n_correct=int(correct.sum()),
        n_wrong=int(wrong.sum()),
        n_unsure=int(unsure.sum()),
        n_missing=len(guessed) - n,
        preference_percent={
            name: 100.0 * float(np.mean(preferred[rows] == 1.0)) if rows.any() else math.nan
            for name, rows in known.items()
        },
        preference_n={name: int(rows.sum()) for name, rows in known.items()},
        provenance=provenance,
        reason=reason,
    )


def _labels(values: Sequence[Any], length: int, name: str) -> Labels:
    if len(values) != length:
        raise ValueError(f"{name} must have length {length}, got {len(values)}.")
    out = np.empty(length, dtype=object)
    for i, value in enumerate(values):
        out[i] = label(value)
    return out


def _paired_labels(guesses: Sequence[Any], truth: Sequence[Any]) -> tuple[Labels, Labels]:
    guessed = _labels(guesses, len(guesses), "guesses")
    for i, guess in enumerate(guessed):
        if isinstance(guess, str) and guess.lower().replace("’", "'") in UNSURE:
            guessed[i] = UNSURE[1]
    return guessed, _labels(truth, len(guesses), "truth")


def _preferences(values: Sequence[float | None] | None, length: int) -> NDArray[np.float64]:
    if values is None:
        return np.full(length, np.nan)
    if len(values) != length:
        raise ValueError(f"prefers_algorithm must have length {length}, got {len(values)}.")
    return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def _bang(row: NDArray[np.intp], own: int, multiplier: float) -> BlindingEstimate:
    n = int(row.sum())
    if n == 0:
        return BlindingEstimate(math.nan, math.nan, NO_INTERVAL)
    right = row[own] / n
    wrong = (row[:-1].sum() - row[own]) / n
    # With k arms a chance guess is right once in k: wrong guesses weigh 1 / (k - 1).
    weight = 1.0 / max(len(row) - 2, 1)
    estimate = right - weight * wrong
    variance = (right + weight**2 * wrong - estimate**2) / n
    error = math.sqrt(max(variance, 0.0))
    return BlindingEstimate(float(estimate), error, symmetric_interval(float(estimate), error, multiplier))


def _james(table: NDArray[np.intp], multiplier: float) -> tuple[BlindingEstimate, str | None]:
    n = int(table.sum())
    undefined = BlindingEstimate(math.nan, math.nan, NO_INTERVAL)
    if n == 0:
        return undefined, "no guess"
    shares = table / n
    if table[:, :-1].sum() == 0:
        return BlindingEstimate(1.0, 0.0, NO_INTERVAL), "nobody guessed; the standard error is not defined"
    estimate = _james_of(shares)
    if math.isnan(estimate):
        return undefined, "all guesses name the same arm, which is everybody's"
    step = 1e-6
    gradient = np.zeros_like(shares)
    for cell in np.ndindex(shares.shape):
        up, down = shares.copy(), shares.copy()
        up[cell] += step
        down[cell] -= step
        gradient[cell] = (_james_of(up) - _james_of(down)) / (2.0 * step)
    variance = (np.sum(shares * gradient**2) - np.sum(shares * gradient) ** 2) / n
    error = math.sqrt(max(float(variance), 0.0))
    return BlindingEstimate(estimate, error, symmetric_interval(estimate, error, multiplier)), None


def _james_of(shares: NDArray[np.float64]) -> float:
    """Return James's index of a table arm x (guessed arm..., don't know) of shares."""
    unsure = float(shares[:, -1].sum())
    guesses = shares[:, :-1]
    disagreement = 1.0 - np.eye(len(shares))
    observed = float(np.sum(disagreement * guesses)) / (1.0 - unsure)
    expected = (
        float(np.sum(disagreement * np.outer(guesses.sum(axis=1), guesses.sum(axis=0)))) / (1.0 - unsure) ** 2
    )
    if expected == 0.0:
        return math.nan
    return (1.0 + unsure + (1.0 - unsure) * (observed - expected) / expected) / 2.0
