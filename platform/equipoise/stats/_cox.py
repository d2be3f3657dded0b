"""Cox's proportional hazards regression."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    normal_quantile,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._concordance_index import ConcordanceIndex, concordance_index
from equipoise.stats._survival_data import risk_table, survival_times

Floats = NDArray[np.float64]

TIES = ("efron", "breslow")

_MAX_STEPS = 50

_DIVERGED = 15.0
"""A linear predictor that moves this much per standard deviation of a covariate: the likelihood has no
maximum."""


@dataclass(frozen=True)
class ChiSquareTest:
    """A chi-square test."""

    statistic: float
    df: float
    pvalue: float


@dataclass(frozen=True)
class CoxTerm:
    """One covariate: log hazard ratio, and Wald's interval and test."""

    name: str
    coefficient: float
    standard_error: float
    hazard_ratio: float
    confidence_interval: ConfidenceInterval
    statistic: float
    pvalue: float


@dataclass(frozen=True)
class CoxModel:
    """A fitted proportional hazards model.

    Attributes
    ----------
    terms : tuple of CoxTerm
        ``confidence_interval`` is of the hazard ratio.
    covariance : ndarray of float, shape (p, p)
        Of the coefficients.
    log_likelihood_null, log_likelihood : float
        Partial, without and with the covariates.
    likelihood_ratio, score, wald : ChiSquareTest
        Of all covariates together.
    concordance : ConcordanceIndex
        Of the linear predictor.
    """

    terms: tuple[CoxTerm, ...]
    covariance: Floats
    log_likelihood_null: float
    log_likelihood: float
    likelihood_ratio: ChiSquareTest
    score: ChiSquareTest
    wald: ChiSquareTest
    concordance: ConcordanceIndex
    ties: str
    n: int
    n_events: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None
    _partial: "_Partial | None" = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> CoxTerm:
        for term in self.terms:
            if term.name == name:
                return term
        raise KeyError(name)

    def proportional_hazards(self) -> Mapping[str, ChiSquareTest]:
        """Test each covariate, and all (``"global"``), for an effect that changes with time.

        Score tests of an interaction with ``1 - S(t-)``, as ``survival::cox.zph`` (version 3) with its
        default transformation.

        References
        ----------
        .. [1] Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted
           residuals. Biometrika 1994;81:515.
        """
        if self._partial is None:
            warn_degenerate("Test of proportional hazards", self.reason or "no model")
            return {}
        coefficients = np.array([term.coefficient for term in self.terms])
        return self._partial.time_effects(coefficients, [term.name for term in self.terms])


def cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: Any,
    ties: str = "efron",
    *,
    names: Sequence[str] | None = None,
    confidence_level: float = 0.95,
) -> CoxModel:
    """Estimate hazard ratios of covariates.

    Parameters
    ----------
    time : array_like of float, shape (n,)
    event : array_like of {0, 1}, shape (n,)
    covariates : array_like of float, shape (n,) or (n, p); mapping of name to column; or data frame
        Numbers; code categories as indicators. Rows with a missing value are left out and counted.
    ties : {"efron", "breslow"}
    names : sequence of str, optional
        Of the columns of an array.
    confidence_level : float, default 0.95

    Returns
    -------
    CoxModel

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    As ``survival::coxph``. Where there is no event, covariates are constant or collinear, or one orders the
    events completely (the likelihood has no maximum), the numbers are ``nan`` with
    :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187.
    .. [2] Efron B. The efficiency of Cox's likelihood function for censored data. JASA 1977;72:557.

    Examples
    --------
    >>> model = cox([5, 8, 3, 9, 7, 2, 4, 6], [1, 0, 1, 1, 0, 1, 1, 1], {"size": [3, 1, 4, 1.5, 5, 9, 2, 6]})
    >>> round(model["size"].hazard_ratio, 4), model.n_events
    (1.3893, 6)
    """
    if ties not in TIES:
        raise ValueError(f"ties must be one of {TIES}, got {ties!r}.")
    z = normal_quantile(validate_confidence_level(confidence_level))
    matrix, labels = _columns(covariates, names)
    data = survival_times(time, event, missing=np.any(np.isnan(matrix), axis=1))
    matrix = matrix[data.kept]
    provenance = Provenance(
        f"Cox proportional hazards, ties by {ties.capitalize()}",
        "inverse observed information",
        confidence_level,
        "rows with a missing value are left out and counted",
        df=math.inf,
    )
    shape = (len(matrix), int(data.event.sum()), data.n_missing, provenance)
    reason = _why_undefined(matrix, data.event)
    partial = None
    if reason is None:
        partial = _Partial(data.time, data.event, matrix, ties)
        coefficients, reason = partial.maximum()
    if partial is None or reason is not None:
        warn_degenerate("Cox model", reason or "no model")
        return _undefined(labels, ties, shape, reason or "no model")
    null, at = partial(np.zeros(len(labels))), partial(coefficients)
    covariance = np.asarray(np.linalg.inv(at.information), dtype=np.float64)
    df = float(len(labels))
    terms = tuple(
        _term(name, float(coefficients[i]), math.sqrt(float(covariance[i, i])), z)
        for i, name in enumerate(labels)
    )
    return CoxModel(
        terms,
        covariance,
        null.log_likelihood,
        at.log_likelihood,
        _chi_square(2.0 * (at.log_likelihood - null.log_likelihood), df),
        _chi_square(float(null.gradient @ np.linalg.solve(null.information, null.gradient)), df),
        _chi_square(float(coefficients @ at.information @ coefficients), df),
        concordance_index(data.time, data.event, matrix @ coefficients, confidence_level=confidence_level),
        ties,
        *shape,
        None,
        partial,
    )


def log_hazard(time: Floats, event: NDArray[np.bool_], covariate: Floats) -> float:
    """Return the log hazard ratio of one covariate (Efron), ``nan`` where it is not defined."""
    matrix = covariate[:, None]
    if _why_undefined(matrix, event) is not None:
        return math.nan
    coefficients, reason = _Partial(time, event, matrix, "efron").maximum()
    return math.nan if reason is not None else float(coefficients[0])


@dataclass(frozen=True)
class _Value:
    log_likelihood: float
    gradient: Floats
    information: Floats


class _Partial:
    """The partial likelihood as a function of the coefficients."""

    def __init__(self, time: Floats, event: NDArray[np.bool_], matrix: Floats, ties: str) -> None:
        order = np.argsort(-time, kind="stable")
        self._time, self._event, self._ties = time[order], event[order], ties
        # Centred: the likelihood does not change, and exponentials stay in range.
        self._matrix = matrix[order] - matrix.mean(axis=0)
        self._spread = matrix.std(axis=0)
        self._times = np.unique(self._time[self._event])[::-1]
        # Latest time first: those at risk at a time are the first ``at_risk`` rows.
        self._at_risk = np.searchsorted(-self._time, -self._times, side="right")
        dead = np.flatnonzero(self._event)
        self._dead = dead
        self._death_time = np.searchsorted(-self._times, -self._time[dead])
        self._deaths = np.bincount(self._death_time, minlength=len(self._times))
        place = np.concatenate([np.arange(d) for d in self._deaths])
        self._entry = np.repeat(np.arange(len(self._times)), self._deaths)
        self._fraction = place / self._deaths[self._entry] if ties == "efron" else np.zeros(len(place))
        p = self._matrix.shape[1]
        self._products = (self._matrix[:, :, None] * self._matrix[:, None, :]).reshape(len(time), p * p)

    def _moments(self, coefficients: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the risk set's sum of weights, and mean and covariance of the covariates, of each death."""
        p = self._matrix.shape[1]
        weight = np.exp(self._matrix @ coefficients)
        parts = np.column_stack([weight, weight[:, None] * self._matrix, weight[:, None] * self._products])
        at_risk = np.cumsum(parts, axis=0)[self._at_risk - 1]
        dying = np.zeros_like(at_risk)
        np.add.at(dying, self._death_time, parts[self._dead])
        sums = at_risk[self._entry] - self._fraction[:, None] * dying[self._entry]
        mean = sums[:, 1 : p + 1] / sums[:, :1]
        second = (sums[:, p + 1 :] / sums[:, :1]).reshape(-1, p, p)
        return sums[:, 0], mean, second - mean[:, :, None] * mean[:, None, :]

    def __call__(self, coefficients: Floats) -> _Value:
        total, mean, covariance = self._moments(coefficients)
        of_dead = self._matrix[self._dead]
        log_likelihood = float(np.sum(of_dead @ coefficients) - np.sum(np.log(total)))
        return _Value(log_likelihood, of_dead.sum(axis=0) - mean.sum(axis=0), covariance.sum(axis=0))

    def maximum(self) -> tuple[Floats, str | None]:
        """Return the coefficients (Newton, halving steps), or why there are none."""
        coefficients = np.zeros(self._matrix.shape[1])
        value = self(coefficients)
        for _ in range(_MAX_STEPS):
            try:
                step = np.linalg.solve(value.information, value.gradient)
            except np.linalg.LinAlgError:
                return coefficients, "the covariates are collinear"
            if float(step @ value.gradient) < 1e-16 * (1.0 + abs(value.log_likelihood)):
                return coefficients, None
            length = 1.0
            while True:
                trial = coefficients + length * step
                if np.max(np.abs(trial) * self._spread) > _DIVERGED:
                    return (
                        coefficients,
                        "a covariate orders the events completely: the likelihood has no maximum",
                    )
                moved = self(trial)
                if moved.log_likelihood >= value.log_likelihood - 1e-10 or length < 1e-8:
                    break
                length /= 2.0
            coefficients, value = trial, moved
        return coefficients, "the likelihood could not be maximised"

    def time_effects(self, coefficients: Floats, names: list[str]) -> dict[str, ChiSquareTest]:
        """Return the score tests of covariate x (1 - S(t-))."""
        _, mean, covariance = self._moments(coefficients)
        p = len(names)
        pooled = risk_table(self._time, self._event)
        survival = np.concatenate([[1.0], np.cumprod(1.0 - pooled.n_event / pooled.n_risk)])
        before = 1.0 - survival[np.searchsorted(pooled.time, self._times, side="left")]
        of_death = before[self._entry]
        centre = float(np.mean(before[self._death_time]))
        weight = of_death - centre
        own = before[self._death_time] - centre
        residual = self._matrix[self._dead]
        score = own @ residual - weight @ mean
        plain = covariance.sum(axis=0)
        mixed = np.einsum("d,dij->ij", weight, covariance)
        squared = np.einsum("d,dij->ij", weight**2, covariance)
        full = np.block([[plain, mixed], [mixed, squared]])
        gradient = np.concatenate([np.zeros(p), score])
        result = {}
        for label, chosen in [*((name, [i]) for i, name in enumerate(names)), ("global", list(range(p)))]:
            places = [*range(p), *(p + i for i in chosen)]
            part = gradient[places]
            statistic = float(part @ np.linalg.solve(full[np.ix_(places, places)], part))
            result[label] = _chi_square(statistic, float(len(chosen)))
        return result


def _columns(covariates: Any, names: Sequence[str] | None) -> tuple[Floats, list[str]]:
    if isinstance(covariates, Mapping) or hasattr(covariates, "columns"):
        own = list(covariates) if isinstance(covariates, Mapping) else list(covariates.columns)
        matrix = np.column_stack([np.asarray(covariates[name], dtype=np.float64) for name in own])
        return matrix, [str(name) for name in own]
    matrix = np.asarray(covariates, dtype=np.float64)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim != 2:
        raise ValueError(f"covariates must have shape (n,) or (n, p), got {matrix.shape}.")
    labels = list(names) if names is not None else [f"x{i + 1}" for i in range(matrix.shape[1])]
    if len(labels) != matrix.shape[1]:
        raise ValueError(f"names must name {matrix.shape[1]} columns, got {len(labels)}.")
    return matrix, labels


def _why_undefined(matrix: Floats, event: NDArray[np.bool_]) -> str | None:
    if not np.any(event):
        return "no event"
    if np.any(np.ptp(matrix, axis=0) == 0.0):
        return "a covariate does not vary"
    if np.linalg.matrix_rank(matrix - matrix.mean(axis=0)) < matrix.shape[1]:
        return "the covariates are collinear"
    return None


def _term(name: str, coefficient: float, error: float, z: float) -> CoxTerm:
    interval = ConfidenceInterval(math.exp(coefficient - z * error), math.exp(coefficient + z * error))
    statistic = coefficient / error
    pvalue = 2.0 * float(ndtr(-abs(statistic)))
    return CoxTerm(name, coefficient, error, math.exp(coefficient), interval, statistic, pvalue)


def _chi_square(statistic: float, df: float) -> ChiSquareTest:
    return ChiSquareTest(statistic, df, float(chdtrc(df, max(statistic, 0.0))))


def _undefined(
    labels: list[str], ties: str, shape: tuple[int, int, int, Provenance], reason: str
) -> CoxModel:
    nan = math.nan
    test = ChiSquareTest(nan, float(len(labels)), nan)
    terms = tuple(CoxTerm(name, nan, nan, nan, NO_INTERVAL, nan, nan) for name in labels)
    concordance = ConcordanceIndex(nan, nan, NO_INTERVAL, 0, 0, 0, 0, 0, *shape, reason)
    p = len(labels)
    return CoxModel(
        terms, np.full((p, p), nan), nan, nan, test, test, test, concordance, ties, *shape, reason
    )
