"""The covariance of the figures of merit of all conditions and readers, given the readers.

One function per estimator; each returns a matrix (cells, cells), a cell being one reader in one condition.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._binary_truth import Bools, Floats
from equipoise.stats._delong import delong_covariance, obuchowski_covariance, placements_of_cells
from equipoise.stats._mrmc_metrics import FigureOfMerit
from equipoise.stats._tie_groups import TieGroups, cluster_counts, tie_groups

Covariance = Literal["jackknife", "delong", "unbiased", "bootstrap"]

BLOCK_ELEMENTS = 1 << 22
"""Numbers of a success matrix held at once (32 MiB)."""


@dataclass(frozen=True)
class Cells:
    """The cells of one analysis on common cases.

    Attributes
    ----------
    scores : ndarray of float, shape (cells, units)
        ``nan`` where a cell did not read a unit.
    positive : ndarray of bool, shape (units,)
    clusters : (codes, number) or None
    merit : FigureOfMerit
    """

    scores: Floats
    positive: Bools
    clusters: tuple[NDArray[np.intp], int] | None
    merit: FigureOfMerit

    @property
    def complete(self) -> bool:
        """Whether every cell read every unit."""
        return not bool(np.isnan(self.scores).any())

    def groups(self, cell: int) -> tuple[TieGroups, Bools]:
        """Return the tie groups of a cell's own cases, and which units these are."""
        read = ~np.isnan(self.scores[cell])
        return tie_groups(self.scores[cell, read], self.positive[read]), read


def estimates_of_cells(cells: Cells) -> Floats:
    """Return the figure of merit of every cell; ``nan`` where its cases do not define it."""
    if cells.merit.name == "auc":
        return placements_of_cells(cells.scores, cells.positive)[0]
    return np.array([cells.merit.of_groups(cells.groups(cell)[0]) for cell in range(len(cells.scores))])


def covariance_of_cells(
    cells: Cells, covariance: Covariance, *, n_resamples: int, rng: np.random.Generator
) -> Floats:
    """Return the covariance matrix by the named estimator, or raise ``ValueError`` where it does not apply."""
    if covariance not in get_args(Covariance):
        raise ValueError(f"covariance must be one of {get_args(Covariance)}, got {covariance!r}.")
    if covariance in ("delong", "unbiased") and cells.merit.name != "auc":
        raise ValueError(
            f"covariance {covariance!r} is defined for metric 'auc' only: use 'jackknife' or 'bootstrap'."
        )
    if covariance == "jackknife":
        return jackknife_covariance(cells)
    if covariance == "bootstrap":
        return bootstrap_covariance(cells, n_resamples=n_resamples, rng=rng)
    if covariance == "unbiased":
        if cells.clusters is not None:
            raise ValueError(
                "covariance 'unbiased' is not defined with clusters: use 'jackknife' or 'delong'."
            )
        return unbiased_covariance(cells)
    if not cells.complete:
        raise ValueError(
            "covariance 'delong' needs every case read in every cell: use 'jackknife' or 'unbiased'."
        )
    _, of_positives, of_negatives = placements_of_cells(cells.scores, cells.positive)
    if cells.clusters is None:
        return delong_covariance(of_positives, of_negatives)
    return obuchowski_covariance(of_positives, of_negatives, cells.positive, *cells.clusters)


def leave_one_out(cells: Cells) -> Floats:
    """Return every cell's figure of merit without each unit (or cluster) that enters it, shape (cells, K).

    A unit that a cell did not read leaves its value unchanged. For the AUC the values follow from the
    placements: without positive i, A is (n1 A - V10_i)/(n1 - 1).
    """
    if cells.clusters is not None:
        return _leave_one_cluster_out(cells)
    if cells.merit.name == "auc":
        return _leave_one_out_auc(cells)
    return _leave_one_out_counts(cells)


def jackknife_covariance(cells: Cells) -> Floats:
    """Return (K - 1)/K times the sums of products of the leave-one-out values about their mean.

    K counts the cases (clusters) that enter the figure of merit.
    """
    values = leave_one_out(cells)
    k = values.shape[1]
    centred = values - values.mean(axis=1, keepdims=True)
    covariance: Floats = (k - 1.0) / k * (centred @ centred.T)
    return covariance


def _leave_one_out_auc(cells: Cells) -> Floats:
    auc, of_positives, of_negatives = placements_of_cells(cells.scores, cells.positive)
    values = np.empty_like(cells.scores)
    for member, placement in ((cells.positive, of_positives), (~cells.positive, of_negatives)):
        n = (~np.isnan(placement)).sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            without = (n * auc[:, None] - placement) / (n - 1.0)
        values[:, member] = np.where(np.isnan(placement), auc[:, None], without)
    return values


def _leave_one_out_counts(cells: Cells) -> Floats:
    entering = {
        "both": np.ones(cells.positive.size, dtype=np.bool_),
        "positive": cells.positive,
        "negative": ~cells.positive,
    }[cells.merit.entering]
    values = np.empty_like(cells.scores)
    for cell in range(len(values)):
        groups, read = cells.groups(cell)
        n_groups = groups.values.size
        # A value depends on which tie group and class lose a case, not on which case.
        step = np.eye(n_groups)
        stay = np.zeros((n_groups, n_groups))
        without = cells.merit.of_counts(
            groups.values,
            groups.positives - np.concatenate([step, stay]),
            groups.negatives - np.concatenate([stay, step]),
        )
        values[cell] = cells.merit.of_groups(groups)
        values[cell, read] = without[groups.group + np.where(cells.positive[read], 0, n_groups)]
    return values[:, entering]


def _leave_one_cluster_out(cells: Cells) -> Floats:
    assert cells.clusters is not None
    codes, n_clusters = cells.clusters
    entering = {
        "both": np.ones(n_clusters, dtype=np.bool_),
        "positive": np.bincount(codes[cells.positive], minlength=n_clusters) > 0,
        "negative": np.bincount(codes[~cells.positive], minlength=n_clusters) > 0,
    }[cells.merit.entering]
    values = np.empty((len(cells.scores), n_clusters))
    for cell in range(len(values)):
        groups, read = cells.groups(cell)
        n_groups = groups.values.size
        table = cluster_counts(groups, cells.positive[read], codes[read], n_clusters)
        values[cell] = cells.merit.of_counts(
            groups.values, groups.positives - table[:, :n_groups], groups.negatives - table[:, n_groups:]
        )
    return values[:, entering]


def success_matrix(scores: Floats, positive: Bools, rows: slice = slice(None)) -> tuple[Floats, Floats]:
    """Return 1, 1/2 or 0 for a win, a tie or a loss of each positive over each negative, and which pairs were read.

    Both of shape (positives, negatives); a pair with an unread case has 0 in both. `rows` takes some
    positives.
    """
    of_positives, of_negatives = scores[positive][rows], scores[~positive]
    difference = of_positives[:, None] - of_negatives[None, :]
    read = ~np.isnan(difference)
    success = 0.5 * (np.sign(np.where(read, difference, 0.0)) + 1.0)
    return np.where(read, success, 0.0), read.astype(np.float64)


def unbiased_covariance(cells: Cells) -> Floats:
    """Return the U-statistic covariance of AUCs [1]_, for any design.

    References
    ----------
    .. [1] Gallas BD, Pennello GA, Myers KJ. J Opt Soc Am A 2007;24:B70.
    """
    scores, positive = cells.scores, cells.positive
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    row_sums = np.zeros((len(scores), n_positive))
    column_sums = np.zeros((len(scores), n_negative))
    products = np.zeros((len(scores), len(scores)))
    block = max(1, BLOCK_ELEMENTS // (len(scores) * n_negative))
    for start in range(0, n_positive, block):
        rows = slice(start, start + block)
        success = np.stack([success_matrix(row, positive, rows)[0] for row in scores])
        row_sums[:, rows] = success.sum(axis=2)
        column_sums += success.sum(axis=1)
        # One positive case at a time: products this small stay on one core, where large ones would make others spin.
        for of_case in success.transpose(1, 0, 2):
            products += of_case @ of_case.T
    read = (~np.isnan(scores)).astype(np.float64)
    read1, read0 = read[:, positive], read[:, ~positive]
    n1, n0 = read1.sum(axis=1), read0.sum(axis=1)
    common1, common0 = read1 @ read1.T, read0 @ read0.T
    pairs = np.outer(n1 * n0, n1 * n0)
    sharing = np.outer(n1, n1) * common0 + np.outer(n0, n0) * common1 - common1 * common0
    totals = row_sums.sum(axis=1)
    alike = row_sums @ row_sums.T + column_sums @ column_sums.T - products
    with np.errstate(invalid="ignore", divide="ignore"):
        d = pairs / (pairs - sharing)
        covariance: Floats = ((1.0 - d) * np.outer(totals, totals) + d * alike) / pairs
    return np.where(np.isfinite(covariance), covariance, np.nan)


def bootstrap_covariance(cells: Cells, *, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Return the sample covariance over resamples that are the same for every cell.

    Positive and negative cases are resampled separately; with clusters, whole clusters are resampled.
    Resamples that leave a cell undefined are left out.
    """
    draws = []
    per_chunk = max(1, BLOCK_ELEMENTS // max(cells.positive.size, 1) // 4)
    for start in range(0, n_resamples, per_chunk):
        weights = _resample_weights(cells, min(per_chunk, n_resamples - start), rng)
        draws.append(np.stack([_weighted(cells, cell, weights) for cell in range(len(cells.scores))]))
    values = np.concatenate(draws, axis=1)
    defined = ~np.isnan(values).any(axis=0)
    if defined.sum() < 2:
        return np.full((len(values), len(values)), np.nan)
    return np.atleast_2d(np.cov(values[:, defined]))


def _resample_weights(cells: Cells, size: int, rng: np.random.Generator) -> Floats:
    """Return how often each unit is drawn, shape (size, units)."""
    if cells.clusters is not None:
        codes, n_clusters = cells.clusters
        return _times_drawn(n_clusters, size, rng)[:, codes]
    weights = np.empty((size, cells.positive.size))
    for member in (cells.positive, ~cells.positive):
        weights[:, member] = _times_drawn(int(member.sum()), size, rng)
    return weights


def _times_drawn(n: int, size: int, rng: np.random.Generator) -> Floats:
    drawn = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _weighted(cells: Cells, cell: int, weights: Floats) -> Floats:
    groups, read = cells.groups(cell)
    n_groups = groups.values.size
    member = np.zeros((int(read.sum()), 2 * n_groups))
    member[np.arange(len(member)), groups.group + np.where(cells.positive[read], 0, n_groups)] = 1.0
    counts = weights[:, read] @ member
    return cells.merit.of_counts(groups.values, counts[:, :n_groups], counts[:, n_groups:])
