"""The bootstrap over rows, over clusters of rows, or over two crossed factors (readers and cases)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    Rng,
    resolve_rng,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._summary import quantile_of_sorted
from equipoise.stats._tidy import codes, label

Statistic = Callable[..., Any]

METHODS = {"percentile": "percentile", "basic": "basic (reverse percentile)", "bca": "BCa"}


@dataclass(frozen=True)
class BootstrapResult:
    """A statistic with its bootstrap interval.

    Attributes
    ----------
    estimate, standard_error, bias : float
        The statistic of the data; standard deviation of the resampled statistics; their mean minus
        ``estimate``.
    confidence_interval : ConfidenceInterval
    distribution : ndarray of float, shape (n_resamples,)
        The resampled statistics; ``nan`` where a resample does not define the statistic.
    n_undefined : int
        Resamples that do not define the statistic. They are left out of the interval.
    units : str
        What was resampled: ``"rows"``, ``"clusters"`` or ``"two crossed factors"``.
    n_units : tuple of int
        How many there are (two numbers for crossed factors).
    provenance : Provenance
    reason : str or None
        Why the interval is not available.
    """

    estimate: float
    standard_error: float
    bias: float
    confidence_interval: ConfidenceInterval
    distribution: NDArray[np.float64]
    n_undefined: int
    units: str
    n_units: tuple[int, ...]
    provenance: Provenance
    reason: str | None = None


def bootstrap(
    statistic: Statistic,
    data: ArrayLike | tuple[ArrayLike, ...],
    clusters: Sequence[Any] | tuple[Sequence[Any], Sequence[Any]] | None = None,
    *,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    method: str = "percentile",
    rng: Rng = None,
) -> BootstrapResult:
    """Bootstrap any statistic of rows that may hang together.

    Resampling single readings as if they were independent makes intervals too narrow; give what they share as
    ``clusters`` and whole clusters are drawn instead.

    Parameters
    ----------
    statistic : callable
        Called with as many arrays as ``data`` holds, rows along the first axis; returns a number (``nan``:
        undefined).
    data : array_like or tuple of array_like
        Arrays of the same length along the first axis.
    clusters : sequence of label, or tuple of two such sequences, optional
        One label per row: whole clusters are resampled. A **tuple** of two sequences (readers and cases):
        both factors are resampled independently and a row is repeated by the product of its two counts [2]_,
        which errs on the wide side. Of sparse tables a resample may hold no row at all; it defines no statistic.
    n_resamples : int, default 2000
    confidence_level : float, default 0.95
    method : {"percentile", "basic", "bca"}
        ``"bca"`` needs one kind of unit: its acceleration is the jackknife over rows or clusters.
    rng : Generator or int, optional
        A seed, or a generator. Default: a fixed seed, named in the result.

    Returns
    -------
    BootstrapResult

    Notes
    -----
    Quantiles are of type 7. Where fewer than two resamples define the statistic the interval is ``nan`` and
    :class:`~equipoise.common.warnings.DegenerateDataWarning` is raised.

    References
    ----------
    .. [1] Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall, 1993, chapters 12 to 14.
    .. [2] Owen AB. The pigeonhole bootstrap. Ann Appl Stat 2007;1:386.

    Examples
    --------
    >>> result = bootstrap(lambda x: x.mean(), [1.0, 2.0, 3.0, 4.0], clusters=["a", "a", "b", "b"], rng=1)
    >>> result.estimate, result.units, result.n_units
    (2.5, 'clusters', (2,))
    >>> result.confidence_interval
    ConfidenceInterval(low=1.5, high=3.5)
    """
    arrays = _as_arrays(data)
    n = len(arrays[0])
    _validate(n, n_resamples=n_resamples, confidence_level=confidence_level, method=method)
    groups = _units(clusters, n)
    if method == "bca" and len(groups) == 2:
        raise ValueError("method='bca' is not defined for two crossed factors; take 'percentile'.")
    random, seed = resolve_rng(rng)
    estimate = float(statistic(*arrays))
    draws = np.array(
        [
            float(statistic(*(array[rows] for array in arrays))) if len(rows) else math.nan
            for rows in _resamples(groups, n, n_resamples, random)
        ]
    )
    defined = np.sort(draws[~np.isnan(draws)])
    names = ("rows",) if clusters is None else ("clusters", "two crossed factors")
    result: dict[str, Any] = {
        "estimate": estimate,
        "distribution": draws,
        "n_undefined": int(draws.size - defined.size),
        "units": names[len(groups) - 1],
        "n_units": tuple(count for _, count in groups),
        "provenance": Provenance(
            f"bootstrap, {METHODS[method]} interval",
            "standard deviation of the resampled statistics",
            confidence_level,
            "left to the statistic",
            seed=seed,
            n_resamples=n_resamples,
        ),
    }
    if defined.size < 2 or math.isnan(estimate):
        reason = (
            "the statistic is not defined" if math.isnan(estimate) else "no resample defines the statistic"
        )
        warn_degenerate("Bootstrap interval", reason)
        return BootstrapResult(
            standard_error=math.nan, bias=math.nan, confidence_interval=NO_INTERVAL, reason=reason, **result
        )
    jackknife = _jackknife(statistic, arrays, groups[0]) if method == "bca" else None
    return BootstrapResult(
        standard_error=float(np.std(defined, ddof=1)),
        bias=float(np.mean(defined)) - estimate,
        confidence_interval=_interval(defined, estimate, jackknife, confidence_level, method),
        **result,
    )


def percentile_interval(draws: NDArray[np.float64], confidence_level: float) -> ConfidenceInterval:
    """Return the percentile interval (type 7) of the defined draws, ``nan`` where there are none."""
    defined = np.sort(draws[~np.isnan(draws)])
    if defined.size == 0:
        return NO_INTERVAL
    tail = (1.0 - confidence_level) / 2.0
    return ConfidenceInterval(quantile_of_sorted(defined, tail), quantile_of_sorted(defined, 1.0 - tail))


def multiplicities(n_units: int, n_resamples: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each unit is drawn, shape (n_resamples, n_units)."""
    counts = random.multinomial(n_units, np.full(n_units, 1.0 / n_units), size=n_resamples)
    return np.asarray(counts, dtype=np.float64)


def crossed_ratio(
    numerator: NDArray[np.float64],
    denominator: NDArray[np.float64],
    *,
    n_resamples: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Return ``sum(numerator) / sum(denominator)`` over resampled rows and columns of two tables.

    Both tables are (readers, cases): the sums of a cell's readings, and how many there are.
    """
    n_rows, n_columns = numerator.shape
    rows = multiplicities(n_rows, n_resamples, random)
    columns = multiplicities(n_columns, n_resamples, random)
    top = np.einsum("br,br->b", rows, columns @ numerator.T)
    bottom = np.einsum("br,br->b", rows, columns @ denominator.T)
    return np.asarray(np.divide(top, bottom, out=np.full(n_resamples, np.nan), where=bottom > 0))


def _as_arrays(data: ArrayLike | tuple[ArrayLike, ...]) -> tuple[NDArray[Any], ...]:
    arrays = tuple(np.asarray(part) for part in data) if isinstance(data, tuple) else (np.asarray(data),)
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1:
        raise ValueError(f"The arrays of data differ in length: {sorted(lengths)}.")
    return arrays


def _validate(n: int, *, n_resamples: int, confidence_level: float, method: str) -> None:
    if n == 0:
        raise ValueError("data holds no rows.")
    if n_resamples < 2:
        raise ValueError(f"n_resamples must be at least 2, got {n_resamples}.")
    validate_confidence_level(confidence_level)
    if method not in METHODS:
        raise ValueError(f"method must be one of {tuple(METHODS)}, got {method!r}.")


def _units(clusters: Any, n: int) -> list[tuple[NDArray[np.intp], int]]:
    if clusters is None:
        return [(np.arange(n), n)]
    factors = (
        clusters if isinstance(clusters, tuple) and len(clusters) == 2 and _nested(clusters) else (clusters,)
    )
    groups = []
    for factor in factors:
        if len(factor) != n:
            raise ValueError(f"clusters must hold one label per row ({n}), got {len(factor)}.")
        distinct, index = codes([label(value) for value in factor])
        groups.append((index, len(distinct)))
    return groups


def _nested(clusters: tuple[Any, ...]) -> bool:
    return all(not isinstance(part, str) and hasattr(part, "__len__") for part in clusters)


def _resamples(
    groups: list[tuple[NDArray[np.intp], int]], n: int, n_resamples: int, random: np.random.Generator
) -> Any:
    if len(groups) == 1 and groups[0][1] == n:
        order = np.argsort(groups[0][0], kind="stable")
        for _ in range(n_resamples):
            yield order[random.integers(0, n, n)]
        return
    if len(groups) == 1:
        members = [np.flatnonzero(groups[0][0] == unit) for unit in range(groups[0][1])]
        for _ in range(n_resamples):
            yield np.concatenate([members[unit] for unit in random.integers(0, len(members), len(members))])
        return
    rows = np.arange(n)
    for _ in range(n_resamples):
        times = np.ones(n, dtype=np.intp)
        for index, count in groups:
            times *= np.bincount(random.integers(0, count, count), minlength=count)[index]
        yield np.repeat(rows, times)


def _jackknife(
    statistic: Statistic, arrays: tuple[NDArray[Any], ...], group: tuple[NDArray[np.intp], int]
) -> NDArray[np.float64]:
    index, count = group
    return np.array([float(statistic(*(array[index != unit] for array in arrays))) for unit in range(count)])


def _interval(
    draws: NDArray[np.float64],
    estimate: float,
    jackknife: NDArray[np.float64] | None,
    confidence_level: float,
    method: str,
) -> ConfidenceInterval:
    tail = (1.0 - confidence_level) / 2.0
    low, high = tail, 1.0 - tail
    if method == "bca" and jackknife is not None:
        low, high = _bca_levels(draws, estimate, jackknife, tail)
        if math.isnan(low):
            return NO_INTERVAL
    lower, upper = quantile_of_sorted(draws, low), quantile_of_sorted(draws, high)
    if method == "basic":
        lower, upper = 2.0 * estimate - upper, 2.0 * estimate - lower
    return ConfidenceInterval(lower, upper)


def _bca_levels(
    draws: NDArray[np.float64], estimate: float, jackknife: NDArray[np.float64], tail: float
) -> tuple[float, float]:
    """Return the two probabilities of Efron & Tibshirani, equation 14.10."""
    below = (np.sum(draws < estimate) + 0.5 * np.sum(draws == estimate)) / draws.size
    shift = float(ndtri(below))
    centred = np.mean(jackknife) - jackknife
    scale = 6.0 * float(np.sum(centred**2)) ** 1.5
    acceleration = float(np.sum(centred**3)) / scale if scale > 0 else 0.0
    levels = []
    for z in (float(ndtri(tail)), float(ndtri(1.0 - tail))):
        moved = shift + z
        levels.append(float(ndtr(shift + moved / (1.0 - acceleration * moved))))
    return levels[0], levels[1]
