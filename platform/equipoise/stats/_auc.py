"""The empirical area under one ROC curve, with its variance and interval."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._binary_truth import Bools, Floats, as_cluster_codes, as_scores_and_truth
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
from equipoise.stats._delong import obuchowski_covariance
from equipoise.stats._tie_groups import (
    Counts,
    TieGroups,
    auc_of_counts,
    cluster_resampled_counts,
    placements,
    resampled_counts,
    tie_groups,
)

AUCMethod = Literal["delong", "bootstrap", "bootstrap-stratified"]

NO_MISSING: Final = "no missing values accepted"
"""How single-curve methods treat missing values: leaving a case out is the caller's decision."""


@dataclass(frozen=True)
class AUCResult:
    """An empirical AUC.

    Attributes
    ----------
    estimate : float
        In [0, 1].
    variance, standard_error : float
    confidence_interval : ConfidenceInterval
        Cut to [0, 1].
    n_positive, n_negative : int
    n_clusters : int or None
        None where every case stands for itself.
    reason : str or None
        Why the variance or the interval is not available or not informative.
    provenance : Provenance
    """

    estimate: float
    variance: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    n_positive: int
    n_negative: int
    n_clusters: int | None
    reason: str | None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method


def auc(
    scores: ArrayLike,
    truth: ArrayLike,
    *,
    confidence_level: float = 0.95,
    method: AUCMethod = "delong",
    n_resamples: int = 2000,
    rng: Rng = None,
    clusters: ArrayLike | None = None,
) -> AUCResult:
    """Estimate the probability that a diseased case outscores a non-diseased one, ties counting one half.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
        Finite; higher means more suspicious. The direction is never guessed from the data.
    truth : array_like of bool or 0/1, shape (n,)
        The reference standard; both classes must occur.
    confidence_level : float, default 0.95
    method : {"delong", "bootstrap", "bootstrap-stratified"}, default "delong"
        Variance and interval: DeLong's variance with a normal interval on the AUC scale; or percentiles of
        the AUCs of resampled cases, of all cases together or of positive and negative cases separately.
    n_resamples : int, default 2000
        Of the bootstrap methods.
    rng : numpy.random.Generator, int or None
        Of the bootstrap methods; None is a fixed seed, recorded in ``provenance``.
    clusters : array_like of label, shape (n,), optional
        The patient of each row, where one patient has several (two lungs, several slices). ``"delong"`` then
        uses Obuchowski's variance, ``"bootstrap"`` resamples whole patients.

    Returns
    -------
    AUCResult

    Raises
    ------
    ValueError
        If scores are not finite, truth is not 0/1 or holds one class only, lengths differ, or an option is
        unknown.

    Notes
    -----
    With perfect separation or a constant score the estimated variance is 0 and the interval collapses; with
    one case of a class the variance is ``nan``. Both raise
    :class:`~equipoise.common.warnings.DegenerateDataWarning` and say so in ``reason``. Resamples without one
    of the classes are left out (as in the usual scikit-learn loop).

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837.
    .. [2] Obuchowski NA. Biometrics 1997;53:567 (clusters).
    .. [3] Efron B, Tibshirani R. An Introduction to the Bootstrap. 1993, ch. 13 (percentile interval).

    Examples
    --------
    >>> result = auc([0.1, 0.4, 0.35, 0.8, 0.6], [0, 0, 1, 1, 1])
    >>> round(result.estimate, 4), result.n_positive, result.n_negative
    (0.8333, 3, 2)
    >>> round(result.standard_error, 4), round(result.confidence_interval.low, 4)
    (0.2357, 0.3714)
    """
    level = validate_confidence_level(confidence_level)
    values, positive = as_scores_and_truth(scores, truth)
    if method not in get_args(AUCMethod):
        raise ValueError(f"method must be one of {get_args(AUCMethod)}, got {method!r}.")
    groups = tie_groups(values, positive)
    coded = None if clusters is None else as_cluster_codes(clusters, n=values.size)
    if method == "delong":
        return _auc_delong(groups, positive, coded, level=level)
    return _auc_bootstrap(
        groups, positive, coded, level=level, method=method, n_resamples=n_resamples, rng=rng
    )


def _auc_delong(
    groups: TieGroups, positive: Bools, coded: tuple[NDArray[np.intp], int] | None, *, level: float
) -> AUCResult:
    v10, v01 = placements(groups)
    n1, n0 = int(groups.positives.sum()), int(groups.negatives.sum())
    estimate = float(auc_of_counts(groups.positives, groups.negatives))
    if coded is not None:
        variance = float(
            obuchowski_covariance(
                v10[groups.group[positive]][None], v01[groups.group[~positive]][None], positive, *coded
            )[0, 0]
        )
    elif min(n1, n0) < 2:
        variance = math.nan
    else:
        variance = float(groups.positives @ (v10 - estimate) ** 2) / (n1 * (n1 - 1.0))
        variance += float(groups.negatives @ (v01 - estimate) ** 2) / (n0 * (n0 - 1.0))
    standard_error = math.sqrt(variance) if variance >= 0.0 else math.nan
    reason = variance_reason(variance, n1, n0)
    if reason is not None:
        warn_degenerate("A useful interval of the AUC is", reason, stacklevel=4)
    return AUCResult(
        estimate,
        variance,
        standard_error,
        symmetric_interval(estimate, standard_error, normal_quantile(level)).cut(0.0, 1.0),
        n1,
        n0,
        None if coded is None else coded[1],
        reason,
        Provenance(
            f"{_auc_words(groups)}, normal interval on the AUC scale",
            "DeLong 1988" if coded is None else "Obuchowski 1997 (clusters)",
            level,
            NO_MISSING,
            df=math.inf,
        ),
    )


def _auc_words(groups: TieGroups) -> str:
    """Return what the AUC is: from decisions alone it is no more than the mean of two proportions."""
    return (
        "empirical AUC" if groups.values.size > 2 else "AUC of a binary score, (sensitivity + specificity)/2"
    )


def variance_reason(variance: float, n_positive: int, n_negative: int) -> str | None:
    """Return why a variance of an AUC tells nothing, or None."""
    if variance > 0.0:
        return None
    if variance == 0.0:
        return "the estimated variance is 0 (perfect separation or a constant score)"
    if variance < 0.0:
        return "the estimated variance is negative"
    if min(n_positive, n_negative) < 2:
        return "one class has one case only"
    return "one class comes from one cluster only"


def _auc_bootstrap(
    groups: TieGroups,
    positive: Bools,
    coded: tuple[NDArray[np.intp], int] | None,
    *,
    level: float,
    method: AUCMethod,
    n_resamples: int,
    rng: Rng,
) -> AUCResult:
    generator, seed = resolve_rng(rng)
    resamples = bootstrap_counts(
        groups,
        positive,
        coded,
        stratified=method == "bootstrap-stratified",
        n_resamples=n_resamples,
        generator=generator,
    )
    distribution = np.concatenate([auc_of_counts(w1, w0) for w1, w0 in resamples])
    estimate = float(auc_of_counts(groups.positives, groups.negatives))
    variance, interval, reason = percentile_summary(distribution, level=level)
    if reason is not None:
        warn_degenerate("A useful interval of the AUC is", reason, stacklevel=4)
    return AUCResult(
        estimate,
        variance,
        math.sqrt(variance),
        interval,
        int(groups.positives.sum()),
        int(groups.negatives.sum()),
        None if coded is None else coded[1],
        reason,
        Provenance(
            f"{_auc_words(groups)}, percentile bootstrap interval",
            bootstrap_words(method, clustered=coded is not None),
            level,
            NO_MISSING,
            seed=seed,
            n_resamples=n_resamples,
        ),
    )


def bootstrap_counts(
    groups: TieGroups,
    positive: Bools,
    coded: tuple[NDArray[np.intp], int] | None,
    *,
    stratified: bool,
    n_resamples: int,
    generator: np.random.Generator,
) -> Iterator[tuple[Counts, Counts]]:
    """Return chunks of resampled counts, of cases or of clusters; validates the resampling options."""
    validate_n_resamples(n_resamples)
    if coded is None:
        return resampled_counts(
            groups, positive, n_resamples=n_resamples, rng=generator, stratified=stratified
        )
    if stratified:
        raise ValueError("method 'bootstrap-stratified' resamples cases: use 'bootstrap' with clusters.")
    return cluster_resampled_counts(groups, positive, *coded, n_resamples=n_resamples, rng=generator)


def validate_n_resamples(n_resamples: int) -> int:
    """Return the number of resamples, or raise ``ValueError`` if it is below 2."""
    if int(n_resamples) != n_resamples or n_resamples < 2:
        raise ValueError(f"n_resamples must be an integer of at least 2, got {n_resamples!r}.")
    return int(n_resamples)


def bootstrap_words(method: str, *, clustered: bool) -> str:
    """Return how a bootstrap resampled, in words."""
    if clustered:
        return "bootstrap of clusters"
    return "bootstrap of cases" + (", positives and negatives separately" if "stratified" in method else "")


def percentile_summary(distribution: Floats, *, level: float) -> tuple[float, ConfidenceInterval, str | None]:
    """Return variance, percentile interval (type 7) and, where these tell nothing, why."""
    defined = distribution[~np.isnan(distribution)]
    if defined.size < 2:
        return math.nan, NO_INTERVAL, "fewer than two resamples define the statistic"
    variance = float(defined.var(ddof=1))
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    reason = "every resample gives the same value" if defined[0] == defined.min() == defined.max() else None
    return variance, ConfidenceInterval(float(low), float(high)), reason
