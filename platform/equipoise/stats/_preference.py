"""The preference score: how often a reader prefers the algorithm's candidate."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.special import bdtr

from equipoise.stats._common import Provenance, warn_degenerate
from equipoise.stats._preference_readings import (
    ALGORITHM,
    NEITHER,
    OTHER,
    PreferenceReadings,
    preference_readings,
)
from equipoise.stats._summary import Summary, summary
from equipoise.stats._tidy import Table, codes
from equipoise.stats._wilcoxon import WilcoxonResult, wilcoxon_signed_rank

_PROVENANCE = Provenance(
    "preference score PS = 100 n(algorithm) / n(answered) per reader; first readings only",
    "between readers",
    math.nan,
    "missing and not assessable readings are neither for nor against and are counted",
)


@dataclass(frozen=True)
class ReaderPreference:
    """One reader's answers.

    Attributes
    ----------
    participant, group : label
    n : int
        Answered readings: ``n_algorithm + n_other + n_none``.
    n_missing, n_not_assessable : int
        Readings without an answer; neither for nor against, and in no denominator.
    score_percent : float
        ``100 n_algorithm / n``, ``nan`` without answers.
    tested_share : float
        ``(n_algorithm + n_none / 2) / n``, what tests against one half use.
    binomial_pvalue : float
        Exact two-sided binomial test of ``n_algorithm`` against ``n_other``. Description of one reader only:
        it says nothing about readers in general, and cases are not independent of each other.
    """

    participant: Any
    group: Any
    n: int
    n_algorithm: int
    n_other: int
    n_none: int
    n_missing: int
    n_not_assessable: int
    score_percent: float
    tested_share: float
    binomial_pvalue: float


@dataclass(frozen=True)
class PreferenceScore:
    """Preference scores of all readers, of each group, and their test against one half.

    Attributes
    ----------
    readers : tuple of ReaderPreference
        In order of their codes.
    overall : Summary
        Of the readers' ``score_percent``.
    groups : mapping of group to Summary
    wilcoxon : WilcoxonResult
        Of ``tested_share - 1/2`` over readers (secondary analysis). Equal distances from one half are ties
        exactly.
    n, n_algorithm, n_other, n_none, n_missing, n_not_assessable : int
        Readings, over all readers.
    n_repeats : int
        Answered readings with ``repeat`` above 1: they enter no effect estimate.
    n_excluded : int
        Readings of items without exactly one candidate of the algorithm.
    algorithm : tuple of str
        The sources counted as the algorithm's.
    """

    readers: tuple[ReaderPreference, ...]
    overall: Summary
    groups: Mapping[Any, Summary]
    wilcoxon: WilcoxonResult
    n: int
    n_algorithm: int
    n_other: int
    n_none: int
    n_missing: int
    n_not_assessable: int
    n_repeats: int
    n_excluded: int
    algorithm: tuple[str, ...]
    provenance: Provenance = _PROVENANCE


def preference_score(readings: Table, *, algorithm: str | Collection[str] | None = None) -> PreferenceScore:
    """Score how often each reader prefers the algorithm's candidate over the other one.

    Parameters
    ----------
    readings : Table
        One row per reading, as in ``readings.csv``: ``participant, case, preferred`` and, where present,
        ``group, item, repeat, task, participant_kind, left_source, right_source, flags``. ``preferred`` is
        the source of the preferred candidate, ``none`` for no preference, empty for a missing reading,
        ``not_assessable`` (there or among the flags) for one that could not be assessed.
    algorithm : str or collection of str, optional
        The sources that are the algorithm's. Default: every source that is, or begins with, ``algorithm``,
        ``ai`` or the code of a participant of kind ``algorithm`` (``nnunet`` also stands for ``nnunet:1.2``).

    Returns
    -------
    PreferenceScore

    Raises
    ------
    ValueError
        If columns are absent, an algorithm appears as a reader, or no source can be told to be the
        algorithm's.

    Notes
    -----
    Only first readings (``repeat`` 1) enter. A reader without any answer has a score of ``nan`` and stays
    listed. No interval is given for counts pooled over readers, since readings of one reader or case hang
    together; for inference see :func:`~equipoise.stats.preference_model`.

    References
    ----------
    .. [1] Primakov SP et al. Automated detection and segmentation of non-small cell lung cancer computed
       tomography images. Nat Commun 2022;13:3423 (the score).

    Examples
    --------
    >>> result = preference_score({
    ...     "participant": ["r1"] * 4 + ["r2"] * 4,
    ...     "case": ["c1", "c2", "c3", "c4"] * 2,
    ...     "preferred": ["algorithm", "algorithm", "expert", "none", "algorithm", "expert", "expert", None],
    ... })
    >>> [(r.participant, r.score_percent, r.n_none, r.n_missing) for r in result.readers]
    [('r1', 50.0, 1, 0), ('r2', 33.333333333333336, 0, 1)]
    >>> [r.tested_share for r in result.readers]
    [0.625, 0.3333333333333333]
    """
    coded = preference_readings(readings, algorithm=algorithm)
    first = coded.keep(coded.repeat == 1)
    names, index = codes(list(first.participant))
    readers = tuple(_reader(first.keep(index == i), name) for i, name in enumerate(names))
    scores = [reader.score_percent for reader in readers]
    group_of = [reader.group for reader in readers]
    known = codes([group for group in group_of if group is not None])[0]
    groups = {
        group: summary([score for score, own in zip(scores, group_of, strict=True) if own == group])
        for group in known
        if group_of.count(group) > 0
    }
    counts = {
        name: sum(getattr(reader, name) for reader in readers)
        for name in ("n", "n_algorithm", "n_other", "n_none", "n_missing", "n_not_assessable")
    }
    return PreferenceScore(
        readers=readers,
        overall=summary(scores),
        groups=groups,
        wilcoxon=signed_rank_of_shares(
            [2 * reader.n_algorithm + reader.n_none for reader in readers if reader.n],
            [reader.n for reader in readers if reader.n],
        ),
        n_repeats=int(np.sum((coded.repeat > 1) & ~np.isnan(coded.answer))),
        n_excluded=coded.n_excluded,
        algorithm=coded.algorithm,
        **counts,
    )


def binomial_half_pvalue(successes: int, trials: int) -> float:
    """Return the exact two-sided p-value of a share of one half, ``nan`` without trials."""
    if trials == 0:
        return math.nan
    return min(1.0, 2.0 * float(bdtr(min(successes, trials - successes), trials, 0.5)))


def _reader(readings: PreferenceReadings, name: Any) -> ReaderPreference:
    groups = {group for group in readings.group if group is not None}
    if len(groups) > 1:
        raise ValueError(f"Participant {name!r} is in more than one group: {sorted(map(str, groups))}.")
    n_algorithm, n_other, n_none = (int(np.sum(readings.answer == v)) for v in (ALGORITHM, OTHER, NEITHER))
    n = n_algorithm + n_other + n_none
    n_not_assessable = int(np.sum(readings.not_assessable))
    if n == 0:
        warn_degenerate(f"Preference score of {name!r}", "no answered reading", stacklevel=4)
    return ReaderPreference(
        participant=name,
        group=groups.pop() if groups else None,
        n=n,
        n_algorithm=n_algorithm,
        n_other=n_other,
        n_none=n_none,
        n_missing=len(readings.answer) - n - n_not_assessable,
        n_not_assessable=n_not_assessable,
        score_percent=100.0 * n_algorithm / n if n else math.nan,
        tested_share=(n_algorithm + 0.5 * n_none) / n if n else math.nan,
        binomial_pvalue=binomial_half_pvalue(n_algorithm, n_algorithm + n_other),
    )


def signed_rank_of_shares(halves: Sequence[int], totals: Sequence[int]) -> WilcoxonResult:
    """Test shares against one half, equal distances from it being ties exactly.

    Parameters
    ----------
    halves : sequence of int
        Twice the count of each reader (so that a half counts as 1).
    totals : sequence of int
        Readings of each reader, at least 1.
    """
    scale = math.lcm(*totals) if totals else 1
    exact = [Fraction(half - total, total) * scale for half, total in zip(halves, totals, strict=True)]
    sizes = sorted({abs(value) for value in exact} | {Fraction(0)})
    distances = [float(value) for value in exact]
    if sizes[-1] > 2**53:
        # Integers of this size do not survive as floats; their order, all a rank test needs, does.
        place = {size: rank for rank, size in enumerate(sizes)}
        distances = [math.copysign(place[abs(value)], value) for value in exact]
    result = wilcoxon_signed_rank(distances)
    shares = [half / (2 * total) - 0.5 for half, total in zip(halves, totals, strict=True)]
    return replace(result, median=float(np.median(shares)) if shares else math.nan)
