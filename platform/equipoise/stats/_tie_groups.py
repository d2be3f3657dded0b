"""Scores as groups of ties: the counts that every empirical ROC quantity depends on.

An empirical ROC curve depends on the data only through the numbers of positive and negative cases at each
distinct score. A resample, a deleted case or a deleted cluster changes these counts and never the order of
the scores, so everything that resamples works on arrays of counts of shape (B, G) and sorts once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._binary_truth import Bools, Floats

Counts = NDArray[Any]
"""Counts of cases per tie group, integers or floats; the last axis is the group, by rising score."""

CHUNK_ELEMENTS = 1 << 18
"""Resampled cases held at once: small enough for the cache of one core."""


@dataclass(frozen=True)
class TieGroups:
    """The distinct scores, rising, with the counts of positive and negative cases at each.

    Attributes
    ----------
    values : ndarray of float, shape (G,)
    group : ndarray of int, shape (n,)
        Each case's group.
    positives, negatives : ndarray of int, shape (G,)
    """

    values: Floats
    group: NDArray[np.intp]
    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]


def tie_groups(scores: Floats, positive: Bools) -> TieGroups:
    """Sort once and count."""
    order = scores.argsort(kind="stable")
    ordered = scores[order]
    first = np.empty(scores.size, dtype=np.bool_)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    group = np.empty(scores.size, dtype=np.intp)
    group[order] = np.cumsum(first) - 1
    values = ordered[first]
    total = np.bincount(group, minlength=values.size)
    positives = np.bincount(group[positive], minlength=values.size)
    return TieGroups(values, group, positives, total - positives)


def auc_of_counts(positives: Counts, negatives: Counts) -> Floats:
    """Return the empirical AUC of each row of counts (..., G); ``nan`` where a class is absent."""
    twice_below = 2 * np.cumsum(negatives, axis=-1) - negatives
    wins = np.einsum("...g,...g->...", positives, twice_below)
    pairs = positives.sum(axis=-1) * negatives.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient: Floats = np.asarray(wins / (2.0 * pairs))
    return quotient


def placements(groups: TieGroups) -> tuple[Floats, Floats]:
    """Return the placements of a positive among the negatives, and the reverse, by tie group.

    The first is the share of negatives below plus half of those level (V10), the second the share of
    positives above plus half of those level (V01); both of shape (G,).
    """
    n_positive, n_negative = groups.positives.sum(), groups.negatives.sum()
    below = np.cumsum(groups.negatives) - 0.5 * groups.negatives
    above = n_positive - np.cumsum(groups.positives) + 0.5 * groups.positives
    return below / n_negative, above / n_positive


def resampled_counts(
    groups: TieGroups, positive: Bools, *, n_resamples: int, rng: np.random.Generator, stratified: bool
) -> Iterator[tuple[Counts, Counts]]:
    """Yield chunks of the counts (B, G) of cases resampled with replacement.

    Unstratified resamples draw as ``rng.integers(0, n, n)`` for one resample after the other, so a loop over
    whole data sets with the same generator sees the same resamples. Stratified ones draw positives, then
    negatives.
    """
    n_groups = groups.values.size
    if stratified:
        yield from _stratified_counts(groups, positive, n_resamples=n_resamples, rng=rng)
        return
    code = (groups.group + np.where(positive, 0, n_groups)).astype(np.int64)
    for size in _chunk_sizes(n_resamples, positive.size):
        counts = _draw(code, size, 2 * n_groups, rng).reshape(size, 2, n_groups)
        yield counts[:, 0], counts[:, 1]


def _stratified_counts(
    groups: TieGroups, positive: Bools, *, n_resamples: int, rng: np.random.Generator
) -> Iterator[tuple[Counts, Counts]]:
    n_groups = groups.values.size
    codes = [groups.group[positive].astype(np.int64), groups.group[~positive].astype(np.int64)]
    for size in _chunk_sizes(n_resamples, positive.size):
        drawn = [_draw(code, size, n_groups, rng).reshape(size, n_groups) for code in codes]
        yield drawn[0], drawn[1]


def _draw(code: NDArray[np.int64], size: int, n_codes: int, rng: np.random.Generator) -> NDArray[np.intp]:
    drawn = code[rng.integers(0, code.size, (size, code.size))]
    drawn += np.arange(size, dtype=np.int64)[:, None] * n_codes
    return np.bincount(drawn.ravel(), minlength=size * n_codes)


def cluster_resampled_counts(
    groups: TieGroups,
    positive: Bools,
    codes: NDArray[np.intp],
    n_clusters: int,
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> Iterator[tuple[Counts, Counts]]:
    """Yield chunks of the counts (B, G) of whole clusters resampled with replacement."""
    table = cluster_counts(groups, positive, codes, n_clusters).astype(np.float64)
    n_groups = groups.values.size
    for size in _chunk_sizes(n_resamples, max(positive.size, 2 * n_groups)):
        times = _draw(np.arange(n_clusters, dtype=np.int64), size, n_clusters, rng)
        counts = times.reshape(size, n_clusters).astype(np.float64) @ table
        yield counts[:, :n_groups], counts[:, n_groups:]


def cluster_counts(
    groups: TieGroups, positive: Bools, codes: NDArray[np.intp], n_clusters: int
) -> NDArray[np.intp]:
    """Return each cluster's counts, shape (n_clusters, 2 G): positives by group, then negatives by group."""
    n_groups = groups.values.size
    column = groups.group + np.where(positive, 0, n_groups)
    flat = np.bincount(codes * (2 * n_groups) + column, minlength=n_clusters * 2 * n_groups)
    return flat.reshape(n_clusters, 2 * n_groups)


def _chunk_sizes(n_resamples: int, n_cases: int) -> Iterator[int]:
    chunk = max(1, CHUNK_ELEMENTS // n_cases)
    for start in range(0, n_resamples, chunk):
        yield min(chunk, n_resamples - start)
