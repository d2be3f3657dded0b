"""The primary inference on preference: a logistic mixed model, with a bootstrap beside it."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from equipoise.stats._bootstrap import crossed_ratio, percentile_interval
from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    Rng,
    normal_quantile,
    resolve_rng,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._crossed_effects import CrossedFactors, reader_case_item
from equipoise.stats._logistic_mixed import LogisticMixedFit, fit_logistic_mixed
from equipoise.stats._preference_readings import PreferenceReadings, cell_tables, preference_readings
from equipoise.stats._tidy import Table

Floats = NDArray[np.float64]

_NODES = 61
"""Gauss-Hermite nodes: the marginal probability is then exact to double precision for deviations up to 3
logits."""


@dataclass(frozen=True)
class SideEffect:
    """How much the left side is favoured: the odds ratio of preferring a candidate on the left instead of the
    right."""

    odds_ratio: float
    confidence_interval: ConfidenceInterval
    statistic: float
    pvalue: float


@dataclass(frozen=True)
class PreferenceModel:
    """Probability that a new reader prefers the algorithm's candidate of a new case.

    Attributes
    ----------
    estimate : float
        Marginal probability: averaged over readers, cases, items and both sides.
    standard_error : float
        On the logit scale.
    confidence_interval : ConfidenceInterval
        Wald on the logit scale, with the uncertainty of the variance components.
    statistic, pvalue : float
        Test of a marginal probability of one half (normal).
    bootstrap_estimate : float
        Share preferring the algorithm's candidate, no preference counted one half.
    bootstrap_interval : ConfidenceInterval
        Percentile, readers and cases resampled independently.
    side : SideEffect or None
        ``None`` where sides are not recorded or never vary.
    standard_deviations : mapping of str to float
        Of the random effects (logits): ``reader``, ``case``, ``item``; only those the data can tell apart.
    coefficients : mapping of str to float
        ``intercept`` and, where estimated, ``side`` (logits).
    notes : tuple of str
        Terms left out, and why.
    """

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    statistic: float
    pvalue: float
    bootstrap_estimate: float
    bootstrap_interval: ConfidenceInterval
    side: SideEffect | None
    standard_deviations: Mapping[str, float]
    coefficients: Mapping[str, float]
    log_likelihood: float
    n: int
    n_none: int
    n_missing: int
    n_readers: int
    n_cases: int
    n_items: int
    notes: tuple[str, ...]
    provenance: Provenance
    reason: str | None = None


def preference_model(
    readings: Table,
    clusters: Any = None,
    *,
    algorithm: str | Collection[str] | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = None,
) -> PreferenceModel:
    """Estimate the probability of preferring the algorithm's candidate, for readers and cases beyond the
    sample.

    The model is ``logit P = intercept + side + reader + case + item in case`` with crossed random intercepts.
    Its marginal probability answers the question of the trial; the bootstrap beside it makes no assumption on
    the distribution of the effects.

    Parameters
    ----------
    readings : Table
        As for :func:`~equipoise.stats.preference_score`. Only first readings enter; no preference counts one
        half.
    clusters : str or sequence of label, optional
        Column, or one label per row, of the units that take the place of the case (patients with several
        cases).
    algorithm : str or collection of str, optional
        As for :func:`~equipoise.stats.preference_score`.
    confidence_level : float, default 0.95
    n_resamples : int, default 2000
    rng : Generator or int, optional
        Seed or generator of the bootstrap.

    Returns
    -------
    PreferenceModel

    Notes
    -----
    A random effect is left out, with a note, where there is one level only, and the item's where no case has
    more than one item. Where all answers are the same, or an effect separates them, the model's numbers are
    ``nan`` with :class:`~equipoise.common.warnings.DegenerateDataWarning`; the bootstrap is given
    nevertheless. Fit by Laplace approximation as by lme4's ``glmer``; its standard errors also carry the
    uncertainty of the variance components.

    References
    ----------
    .. [1] Breslow NE, Clayton DG. Approximate inference in generalized linear mixed models. JASA 1993;88:9.
    .. [2] Zeger SL, Liang KY, Albert PS. Models for longitudinal data: a generalized estimating equation
       approach. Biometrics 1988;44:1049 (marginal probability).
    .. [3] Owen AB. The pigeonhole bootstrap. Ann Appl Stat 2007;1:386.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(3)
    >>> rows = [(f"r{r}", f"c{c}") for r in range(8) for c in range(25)]
    >>> result = preference_model({
    ...     "participant": [reader for reader, _ in rows],
    ...     "case": [case for _, case in rows],
    ...     "preferred": np.where(random.random(200) < 0.6, "algorithm", "expert"),
    ... })
    >>> result.n, result.n_readers, result.n_cases, result.side
    (200, 8, 25, None)
    >>> bool(result.confidence_interval.low < result.estimate < result.confidence_interval.high)
    True
    """
    validate_confidence_level(confidence_level)
    random, seed = resolve_rng(rng)
    coded = preference_readings(readings, algorithm=algorithm, clusters=clusters)
    first = coded.keep(coded.repeat == 1)
    answered = first.keep(~np.isnan(first.answer))
    provenance = Provenance(
        "logistic mixed model, crossed random reader, case and item in case, Laplace; marginal probability",
        "joint curvature of the Laplace log-likelihood, delta method on the logit scale",
        confidence_level,
        "missing and not assessable readings are left out; no preference counts one half",
        df=math.inf,
        seed=seed,
        n_resamples=n_resamples,
    )
    n_missing = len(first.answer) - len(answered.answer)
    if len(answered.answer) == 0:
        warn_degenerate("Preference model", "no answered reading")
        return _without_answers(n_missing, provenance)
    factors, notes = reader_case_item(answered.participant, answered.case, answered.item)
    design, side_note = _design(answered)
    sums, counts = cell_tables(answered.participant, answered.case, answered.answer)
    draws = crossed_ratio(sums, counts, n_resamples=n_resamples, random=random)
    fit, reason = _fit(answered.answer, design, factors)
    if reason is not None:
        warn_degenerate("Preference model", reason)
    usable = fit if reason is None else None
    estimate, error, interval, z, pvalue = _marginal(usable, design.shape[1], confidence_level)
    return PreferenceModel(
        estimate=estimate,
        standard_error=error,
        confidence_interval=interval,
        statistic=z,
        pvalue=pvalue,
        bootstrap_estimate=float(np.mean(answered.answer)),
        bootstrap_interval=percentile_interval(draws, confidence_level),
        side=_side(usable, confidence_level) if design.shape[1] == 2 else None,
        standard_deviations=usable.deviations if usable else {},
        coefficients=_coefficients(usable),
        log_likelihood=usable.log_likelihood if usable else math.nan,
        n=len(answered.answer),
        n_none=int(np.sum(answered.answer == 0.5)),
        n_missing=n_missing,
        n_readers=counts.shape[0],
        n_cases=counts.shape[1],
        n_items=len(set(answered.item)),
        notes=(*notes, *side_note),
        provenance=provenance,
        reason=reason,
    )


def _design(readings: PreferenceReadings) -> tuple[Floats, tuple[str, ...]]:
    intercept = np.ones(len(readings.side))
    if np.any(np.isnan(readings.side)):
        return intercept[:, None], ("no side term: sides are not recorded for every reading",)
    if np.all(readings.side == readings.side[0]):
        return intercept[:, None], ("no side term: the algorithm's candidate is always on the same side",)
    return np.column_stack([intercept, readings.side]), ()


def _fit(
    answers: Floats, design: Floats, factors: CrossedFactors
) -> tuple[LogisticMixedFit | None, str | None]:
    if np.all(answers == answers[0]) and answers[0] != 0.5:
        return None, "every answer is the same"
    fit = fit_logistic_mixed(answers, design, factors)
    return fit, fit.reason


def marginal_probability(parameters: Floats, n_fixed: int) -> float:
    """Return P(algorithm) averaged over random effects and, where there is a side term, both sides."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    spread = math.sqrt(float(np.sum(parameters[n_fixed:] ** 2)))
    sides = (0.0,) if n_fixed == 1 else (0.5 * parameters[1], -0.5 * parameters[1])
    means = [float(weights @ expit(parameters[0] + side + spread * nodes)) for side in sides]
    return float(np.mean(means)) / math.sqrt(2.0 * math.pi)


def _marginal(
    fit: LogisticMixedFit | None, n_fixed: int, confidence_level: float
) -> tuple[float, float, ConfidenceInterval, float, float]:
    if fit is None:
        return math.nan, math.nan, NO_INTERVAL, math.nan, math.nan
    point = np.concatenate([fit.coefficients, list(fit.deviations.values())])

    def on_logits(parameters: Floats) -> float:
        return float(logit(marginal_probability(parameters, n_fixed)))

    gradient = numeric_gradient(on_logits, point)
    centre = on_logits(point)
    error = math.sqrt(float(gradient @ fit.covariance @ gradient))
    half = normal_quantile(confidence_level) * error
    interval = ConfidenceInterval(float(expit(centre - half)), float(expit(centre + half)))
    z = centre / error
    return float(expit(centre)), error, interval, z, 2.0 * float(ndtr(-abs(z)))


def numeric_gradient(function: Callable[[Floats], float], point: Floats) -> Floats:
    """Return the gradient by central differences."""
    step = 1e-5
    result = np.empty(len(point))
    for i in range(len(point)):
        up, down = point.copy(), point.copy()
        up[i] += step
        down[i] -= step
        result[i] = (function(up) - function(down)) / (2.0 * step)
    return result


def _side(fit: LogisticMixedFit | None, confidence_level: float) -> SideEffect:
    if fit is None:
        return SideEffect(math.nan, NO_INTERVAL, math.nan, math.nan)
    effect, error = float(fit.coefficients[1]), math.sqrt(float(fit.covariance[1, 1]))
    half = normal_quantile(confidence_level) * error
    interval = ConfidenceInterval(math.exp(effect - half), math.exp(effect + half))
    return SideEffect(math.exp(effect), interval, effect / error, 2.0 * float(ndtr(-abs(effect / error))))


def _coefficients(fit: LogisticMixedFit | None) -> dict[str, float]:
    if fit is None:
        return {}
    return dict(zip(("intercept", "side"), map(float, fit.coefficients), strict=False))


def _without_answers(n_missing: int, provenance: Provenance) -> PreferenceModel:
    nan = math.nan
    return PreferenceModel(
        nan,
        nan,
        NO_INTERVAL,
        nan,
        nan,
        nan,
        NO_INTERVAL,
        None,
        {},
        {},
        nan,
        0,
        0,
        n_missing,
        0,
        0,
        0,
        (),
        provenance,
        "no answered reading",
    )
