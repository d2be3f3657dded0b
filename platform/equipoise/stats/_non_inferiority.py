"""Non-inferiority of a difference that some other method estimated."""

import math
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtri, stdtrit

from equipoise.stats._common import ConfidenceInterval, Provenance, warn_degenerate
from equipoise.stats._compare_aucs import student_pvalue


@dataclass(frozen=True)
class NonInferiority:
    """A one-sided test of a difference against a margin.

    Attributes
    ----------
    estimate, standard_error, df : float
        Of the difference, first (new) minus second (comparator).
    margin : float
    bound : float
        The one-sided confidence bound that is held against the margin: lower if higher is better, else upper.
    non_inferior : bool or None
        Whether the bound lies on the good side of the margin; None where it is not available.
    superior : bool or None
        Whether the bound also lies on the good side of 0.
    statistic, pvalue : float
        One-sided, of the null hypothesis that the first is worse than the second by the margin or more.
    confidence_interval : ConfidenceInterval
        Two-sided at level 1 - 2 alpha; its limit is the bound.
    alpha : float
        One-sided.
    reason : str or None
    provenance : Provenance
    """

    estimate: float
    standard_error: float
    df: float
    margin: float
    bound: float
    non_inferior: bool | None
    superior: bool | None
    statistic: float
    pvalue: float
    confidence_interval: ConfidenceInterval
    alpha: float
    higher_is_better: bool
    reason: str | None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method


def non_inferiority(
    result: Any, margin: float, *, higher_is_better: bool = True, alpha: float = 0.025
) -> NonInferiority:
    """Test whether a difference shows that the first is not worse than the second by a margin or more.

    Parameters
    ----------
    result : any difference result
        Something with ``estimate``, ``standard_error`` and ``df`` (``inf`` is the normal distribution), such
        as :func:`compare_aucs`, :func:`mcnemar`, a difference of :func:`mrmc` or :func:`mrmc_ustatistics`, or
        such an analysis itself where it has exactly one difference. First is the new procedure, second the
        comparator.
    margin : float
        Positive, on the scale of the difference, fixed in the protocol.
    higher_is_better : bool, default True
        False for times, errors and other quantities where less is better.
    alpha : float, default 0.025
        One-sided level; 0.025 goes with a two-sided 95 % interval.

    Returns
    -------
    NonInferiority

    Raises
    ------
    ValueError
        If the margin is not positive, alpha not in (0, 0.5), or the result holds no or several differences.

    Notes
    -----
    The bound is estimate -+ quantile(1 - alpha, df) x standard error. Where the standard error is not
    available or 0 nothing is concluded: ``non_inferior`` is None, with a ``DegenerateDataWarning``.

    References
    ----------
    .. [1] Piaggio G et al. CONSORT extension for noninferiority trials. JAMA 2012;308:2594.
    .. [2] Chen W, Petrick NA, Sahiner B. Hypothesis testing in noninferiority MRMC ROC studies. Acad Radiol
       2012;19:1158.

    Examples
    --------
    >>> from equipoise.stats import compare_aucs
    >>> difference = compare_aucs([1, 2, 3, 4, 5, 6], [2, 1, 3, 6, 4, 5], [0, 0, 1, 0, 1, 1])
    >>> test = non_inferiority(difference, 0.3)
    >>> round(test.bound, 4), test.non_inferior, round(test.pvalue, 4)
    (-0.2647, True, 0.0178)
    """
    if not 0.0 < margin < math.inf:
        raise ValueError(f"margin must be positive and finite, got {margin!r}.")
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must lie strictly between 0 and 0.5, got {alpha!r}.")
    difference = _single_difference(result)
    estimate, standard_error = float(difference.estimate), float(difference.standard_error)
    df = float(difference.df)
    source = getattr(result, "provenance", None)
    provenance = Provenance(
        f"non-inferiority, margin {margin:g}, {'higher' if higher_is_better else 'lower'} is better"
        + (f"; {source.method}" if source else ""),
        source.variance_estimator if source else "that of the result handed in",
        1.0 - 2.0 * alpha,
        source.missing if source else "that of the result handed in",
        df=df,
    )
    sign = 1.0 if higher_is_better else -1.0
    if not standard_error > 0.0 or math.isnan(df):
        reason = getattr(difference, "reason", None) or "the difference has no standard error"
        warn_degenerate("Non-inferiority is", reason)
        nan = math.nan
        nothing = ConfidenceInterval(nan, nan)
        return NonInferiority(
            estimate,
            standard_error,
            df,
            margin,
            nan,
            None,
            None,
            nan,
            nan,
            nothing,
            alpha,
            higher_is_better,
            reason,
            provenance,
        )
    quantile = float(ndtri(1.0 - alpha) if math.isinf(df) else stdtrit(df, 1.0 - alpha))
    interval = ConfidenceInterval(estimate - quantile * standard_error, estimate + quantile * standard_error)
    bound = interval.low if higher_is_better else interval.high
    statistic = (sign * estimate + margin) / standard_error
    return NonInferiority(
        estimate,
        standard_error,
        df,
        margin,
        bound,
        sign * bound > -margin,
        sign * bound > 0.0,
        statistic,
        student_pvalue(statistic, df, "greater"),
        interval,
        alpha,
        higher_is_better,
        None,
        provenance,
    )


def _single_difference(result: Any) -> Any:
    differences = getattr(result, "differences", None)
    if differences is not None:
        if len(differences) != 1:
            raise ValueError(
                f"result holds {len(differences)} differences: hand in the one that the protocol names, "
                "for example result.difference('aided', 'unaided')."
            )
        return differences[0]
    absent = [name for name in ("estimate", "standard_error", "df") if not hasattr(result, name)]
    if absent:
        raise ValueError(f"result is not a difference: {type(result).__name__} lacks {', '.join(absent)}.")
    return result
