"""The covariance of empirical AUCs on the same cases: DeLong 1988, Obuchowski 1997 for clusters."""

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._binary_truth import Bools, Floats


def placements_of_cells(scores: Floats, positive: Bools) -> tuple[Floats, Floats, Floats]:
    """Return the AUC and the placements of every row of scores on the same cases, by one sort per row.

    Parameters
    ----------
    scores : ndarray of float, shape (cells, n)
        ``nan`` where a cell did not read a case.
    positive : ndarray of bool, shape (n,)

    Returns
    -------
    auc : ndarray, shape (cells,)
        ``nan`` where a cell read one class only.
    of_positives : ndarray, shape (cells, n_positive)
        V10: the mean over the cell's negatives of 1, 1/2 or 0 for a win, a tie or a loss; ``nan`` where not
        read.
    of_negatives : ndarray, shape (cells, n_negative)
        V01: the same mean over the cell's positives.
    """
    order = scores.argsort(axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, 1)
    place = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    starts = np.ones(scores.shape, dtype=np.bool_)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=starts[:, 1:])
    ends = np.ones(scores.shape, dtype=np.bool_)
    ends[:, :-1] = starts[:, 1:]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, scores.shape[1])[:, ::-1], axis=1)[:, ::-1]
    read = ~np.isnan(ordered)
    is_positive = positive[order] & read
    is_negative = ~is_positive & read
    negatives, n_negative = _counts_below(is_negative, first, last)
    positives, n_positive = _counts_below(is_positive, first, last)
    with np.errstate(invalid="ignore", divide="ignore"):
        sorted_placements = np.where(
            is_positive, negatives / n_negative, np.where(is_negative, 1.0 - positives / n_positive, np.nan)
        )
        auc = np.where(is_positive, negatives, 0.0).sum(axis=1) / (n_positive * n_negative)[:, 0]
    values = np.empty_like(sorted_placements)
    np.put_along_axis(values, order, sorted_placements, 1)
    return auc, values[:, positive], values[:, ~positive]


def _counts_below(
    member: Bools, first: NDArray[np.intp], last: NDArray[np.intp]
) -> tuple[Floats, NDArray[np.intp]]:
    """Return, per sorted case, the members below it plus half of those level, and each row's number of members."""
    flags = member.astype(np.intp)
    up_to: NDArray[np.intp] = np.cumsum(flags, axis=1)
    level_end = np.take_along_axis(up_to, last, 1)
    level_start = np.take_along_axis(up_to - flags, first, 1)
    return (level_start + level_end) / 2.0, up_to[:, -1:]


def delong_covariance(of_positives: Floats, of_negatives: Floats) -> Floats:
    """Return the covariance matrix (cells, cells) of the AUCs [1]_; ``nan`` where a class has one case only.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837, eq. 5 and 6.
    """
    return _mean_covariance(of_positives) + _mean_covariance(of_negatives)


def _mean_covariance(values: Floats) -> Floats:
    n = values.shape[1]
    if n < 2:
        return np.full((values.shape[0], values.shape[0]), np.nan)
    centred = values - values.mean(axis=1, keepdims=True)
    covariance: Floats = centred @ centred.T / (n * (n - 1.0))
    return covariance


def obuchowski_covariance(
    of_positives: Floats, of_negatives: Floats, positive: Bools, codes: NDArray[np.intp], n_clusters: int
) -> Floats:
    """Return the covariance matrix (cells, cells) of AUCs whose cases come in clusters [1]_.

    Parameters
    ----------
    of_positives, of_negatives : ndarray, shapes (cells, n_positive) and (cells, n_negative)
    positive : ndarray of bool, shape (n,)
    codes : ndarray of int, shape (n,)
        Each case's cluster, from 0.
    n_clusters : int

    Notes
    -----
    With one case per cluster it is the DeLong covariance.

    References
    ----------
    .. [1] Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics 1997;53:567, eq. 4 to
       9.
    """
    m, n = of_positives.shape[1], of_negatives.shape[1]
    d10, i10 = _cluster_deviations(of_positives, codes[positive], n_clusters)
    d01, i01 = _cluster_deviations(of_negatives, codes[~positive], n_clusters)
    if i10 < 2 or i01 < 2:
        return np.full((d10.shape[0], d10.shape[0]), np.nan)
    s10 = i10 / ((i10 - 1.0) * m) * (d10 @ d10.T)
    s01 = i01 / ((i01 - 1.0) * n) * (d01 @ d01.T)
    s11 = n_clusters / (n_clusters - 1.0) * (d10 @ d01.T)
    covariance: Floats = s10 / m + s01 / n + (s11 + s11.T) / (m * n)
    return covariance


def _cluster_deviations(values: Floats, codes: NDArray[np.intp], n_clusters: int) -> tuple[Floats, int]:
    """Return each cluster's sum of deviations from the AUC, and how many clusters hold the class."""
    centred = values - values.mean(axis=1, keepdims=True)
    sums: Floats = np.stack(
        [np.bincount(codes, weights=row, minlength=n_clusters).astype(np.float64) for row in centred]
    )
    return sums, int(np.unique(codes).size)
