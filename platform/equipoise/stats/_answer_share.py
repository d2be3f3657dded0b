"""How often an answer is given, over the readers and cases of a study."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise.stats._bootstrap import crossed_ratio, percentile_interval
from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    Rng,
    resolve_rng,
    validate_confidence_level,
)
from equipoise.stats._preference_readings import cell_tables


@dataclass(frozen=True)
class AnswerShare:
    """Share of answers that were the one that is asked about.

    Attributes
    ----------
    estimate : float
        Between 0 and 1; ``nan`` without an answer.
    confidence_interval : ConfidenceInterval
        Percentile bootstrap over readers and cases; ``nan`` where ``reason`` says why there is none.
    n, n_readers, n_cases : int
        Answers, and who gave them to what.
    """

    estimate: float
    confidence_interval: ConfidenceInterval
    n: int
    n_readers: int
    n_cases: int
    provenance: Provenance
    reason: str | None = None


def answer_share(
    given: ArrayLike,
    participant: ArrayLike,
    case: ArrayLike,
    *,
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = None,
) -> AnswerShare:
    """Estimate how often an answer is given by readers like these to cases like these.

    Parameters
    ----------
    given : array_like of bool, shape (n,)
        Whether the answer was the one that is asked about; a row an answer.
    participant, case : array_like, shape (n,)
        Who answered, and about which case. Several answers of one reader about one case count each.
    confidence_level : float
    n_resamples : int
    rng : int or numpy.random.Generator, optional

    Returns
    -------
    AnswerShare

    Raises
    ------
    ValueError
        If the three are not equally long.

    Notes
    -----
    Answers of one reader are alike, and so are answers about one case; an interval that takes them as independent is
    too narrow. Readers and cases are drawn again, each on its own, which is somewhat conservative in what is left of
    a reader at a case [1]_.

    References
    ----------
    .. [1] Owen AB. The pigeonhole bootstrap. Ann Appl Stat 2007;1:386-411.

    Examples
    --------
    >>> found = answer_share([True, False, True, True], ["r1", "r1", "r2", "r2"], ["c1", "c2", "c1", "c2"], rng=1)
    >>> found.estimate, found.n_readers, found.n_cases
    (0.75, 2, 2)
    """
    validate_confidence_level(confidence_level)
    random, seed = resolve_rng(rng)
    chosen = np.asarray(given, dtype=bool).astype(np.float64)
    readers, cases = np.asarray(participant, dtype=object), np.asarray(case, dtype=object)
    if not len(chosen) == len(readers) == len(cases):
        raise ValueError(
            f"given, participant and case must be equally long, got {len(chosen)}, {len(readers)} and {len(cases)}."
        )
    n_readers, n_cases = len(set(readers.tolist())), len(set(cases.tolist()))
    reason = _reason(chosen, n_readers, n_cases)
    interval = NO_INTERVAL
    if reason is None:
        sums, counts = cell_tables(readers, cases, chosen)
        draws = crossed_ratio(sums, counts, n_resamples=n_resamples, random=random)
        interval = percentile_interval(draws, confidence_level)
    return AnswerShare(
        estimate=float(chosen.mean()) if len(chosen) else math.nan,
        confidence_interval=interval,
        n=len(chosen),
        n_readers=n_readers,
        n_cases=n_cases,
        provenance=Provenance(
            "share of answers; percentile bootstrap over readers and cases",
            "bootstrap over readers and cases",
            confidence_level,
            "missing answers are left out",
            seed=seed,
            n_resamples=n_resamples,
        ),
        reason=reason,
    )


def _reason(chosen: Any, n_readers: int, n_cases: int) -> str | None:
    """Return why resampling says nothing, if it does not."""
    if not len(chosen):
        return "no answer"
    if n_readers < 2 or n_cases < 2:
        return "an interval takes two readers and two cases"
    if chosen.min() == chosen.max():
        return "all answers are the same"
    return None
