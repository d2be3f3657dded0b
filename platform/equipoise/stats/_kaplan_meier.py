"""The Kaplan-Meier estimate of survival, its median and its restricted mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    normal_quantile,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._survival_data import group_codes, risk_table, survival_times

Floats = NDArray[np.float64]

INTERVALS = ("log-log", "log", "plain")

_SAME = 1e-9
"""Survival probabilities closer than this are the same: products of fractions do not come out exact."""


@dataclass(frozen=True)
class SurvivalAt:
    """Survival at one time. ``n_risk``: under observation just before it."""

    time: float
    n_risk: int
    survival: float
    standard_error: float
    confidence_interval: ConfidenceInterval


@dataclass(frozen=True)
class SurvivalQuantile:
    """The time by which a share has had the event; ``nan`` (also of a bound): not reached."""

    probability: float
    time: float
    confidence_interval: ConfidenceInterval


@dataclass(frozen=True)
class RestrictedMean:
    """Mean time without the event up to ``tau``; standard error of Greenwood's kind."""

    tau: float
    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class SurvivalCurve:
    """The survival of one group.

    Attributes
    ----------
    group : label
        ``None`` where there are no groups.
    time : ndarray of float, shape (m,)
        Distinct times of events and censoring.
    n_risk, n_event, n_censored : ndarray of int, shape (m,)
    survival, standard_error : ndarray of float, shape (m,)
        After each time; Greenwood. The standard error is ``nan`` where survival is 0.
    low, high : ndarray of float, shape (m,)
        Pointwise limits; ``nan`` where the transformation has none (survival 0, for log-log also 1).
    n, n_events : int
    interval : str
    """

    group: Any
    time: Floats
    n_risk: NDArray[np.intp]
    n_event: NDArray[np.intp]
    n_censored: NDArray[np.intp]
    survival: Floats
    standard_error: Floats
    low: Floats
    high: Floats
    n: int
    n_events: int
    interval: str
    confidence_level: float

    @property
    def median(self) -> SurvivalQuantile:
        """The median survival time."""
        return self.quantile(0.5)

    def quantile(self, probability: float) -> SurvivalQuantile:
        """Return the time by which ``probability`` of the group has had the event.

        The first time with survival at most ``1 - probability``, the middle of the flat part where survival
        equals it; limits by inverting the pointwise limits (Brookmeyer & Crowley).
        """
        level = 1.0 - probability
        interval = ConfidenceInterval(
            _first_time(self.time, self.low, level), _first_time(self.time, self.high, level)
        )
        return SurvivalQuantile(probability, _first_time(self.time, self.survival, level), interval)

    def at(self, times: ArrayLike) -> tuple[SurvivalAt, ...]:
        """Return the survival at some times (any order)."""
        result = []
        for time in np.asarray(times, dtype=np.float64).ravel():
            last = int(np.searchsorted(self.time, time, side="right")) - 1
            next_ = int(np.searchsorted(self.time, time, side="left"))
            n_risk = int(self.n_risk[next_]) if next_ < len(self.time) else 0
            if last < 0:
                result.append(SurvivalAt(float(time), n_risk, 1.0, 0.0, ConfidenceInterval(1.0, 1.0)))
                continue
            interval = ConfidenceInterval(float(self.low[last]), float(self.high[last]))
            values = float(self.survival[last]), float(self.standard_error[last])
            result.append(SurvivalAt(float(time), n_risk, *values, interval))
        return tuple(result)

    def restricted_mean(self, tau: float) -> RestrictedMean:
        """Return the area under the curve from 0 to ``tau``.

        ``nan`` with a warning where the curve ends before ``tau`` above 0: what follows is not known.
        """
        if tau <= 0.0 or not math.isfinite(tau):
            raise ValueError(f"tau must be positive and finite, got {tau}.")
        if tau > self.time[-1] and self.survival[-1] > 0.0:
            reason = f"the curve ends at {self.time[-1]:g}, before tau = {tau:g}"
            warn_degenerate("Restricted mean survival", reason)
            return RestrictedMean(tau, math.nan, math.nan, NO_INTERVAL, reason)
        inside = self.time < tau
        edges = np.concatenate([[0.0], self.time[inside], [tau]])
        heights = np.concatenate([[1.0], self.survival[inside]])
        areas = heights * np.diff(edges)
        after = np.cumsum(areas[::-1])[::-1][1:]
        risk, events = self.n_risk[inside].astype(np.float64), self.n_event[inside].astype(np.float64)
        free = risk > events
        terms = np.zeros(len(risk))
        # Where all at risk have the event nothing of the curve is left: no term.
        terms[free] = after[free] ** 2 * events[free] / (risk[free] * (risk[free] - events[free]))
        estimate, error = float(areas.sum()), math.sqrt(float(terms.sum()))
        half = normal_quantile(self.confidence_level) * error
        return RestrictedMean(tau, estimate, error, ConfidenceInterval(estimate - half, estimate + half))


@dataclass(frozen=True)
class KaplanMeier:
    """Survival curves, one per group in the order of the groups' labels."""

    curves: tuple[SurvivalCurve, ...]
    n: int
    n_events: int
    n_missing: int
    provenance: Provenance

    def __getitem__(self, group: Any) -> SurvivalCurve:
        for curve in self.curves:
            if curve.group == group:
                return curve
        raise KeyError(group)


def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    groups: Sequence[Any] | None = None,
    interval: str = "log-log",
    *,
    confidence_level: float = 0.95,
) -> KaplanMeier:
    """Estimate the share without the event over time.

    Parameters
    ----------
    time : array_like of float, shape (n,)
        To the event or the end of observation, at least 0.
    event : array_like of {0, 1}, shape (n,)
    groups : sequence of label, length n, optional
        Rows without a group are left out and counted.
    interval : {"log-log", "log", "plain"}
        Scale of the pointwise limits. ``"log"`` is R's default.
    confidence_level : float, default 0.95

    Returns
    -------
    KaplanMeier

    Notes
    -----
    As ``survival::survfit``; someone censored at the time of an event is still at risk for it.

    References
    ----------
    .. [1] Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. JASA 1958;53:457.
    .. [2] Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29.
    .. [3] Klein JP, Moeschberger ML. Survival Analysis, 2nd ed. Springer, 2003, sections 4.2 to 4.5.

    Examples
    --------
    >>> curve = kaplan_meier([1, 2, 3, 4, 5], [1, 0, 1, 1, 0]).curves[0]
    >>> [round(float(s), 6) for s in curve.survival]
    [0.8, 0.8, 0.533333, 0.266667, 0.266667]
    >>> curve.median.time, curve.at([3.5])[0].n_risk
    (4.0, 2)
    """
    if interval not in INTERVALS:
        raise ValueError(f"interval must be one of {INTERVALS}, got {interval!r}.")
    validate_confidence_level(confidence_level)
    names: list[Any] = [None]
    index, missing = np.zeros(len(np.asarray(time)), dtype=np.intp), None
    if groups is not None:
        names, index, missing = group_codes(groups, len(index), name="groups")
    data = survival_times(time, event, missing=missing)
    if len(data.time) == 0:
        raise ValueError("There is no complete observation.")
    index = index[data.kept]
    curves = []
    for i, name in enumerate(names):
        own = index == i
        if own.any():
            curves.append(_curve(name, data.time[own], data.event[own], interval, confidence_level))
    provenance = Provenance(
        f"Kaplan-Meier, pointwise {interval} limits",
        "Greenwood",
        confidence_level,
        "rows with a missing time, event or group are left out and counted",
        df=math.inf,
    )
    return KaplanMeier(tuple(curves), len(data.time), int(data.event.sum()), data.n_missing, provenance)


def restricted_mean_survival(
    time: ArrayLike,
    event: ArrayLike,
    tau: float,
    groups: Sequence[Any] | None = None,
    *,
    confidence_level: float = 0.95,
) -> dict[Any, RestrictedMean]:
    """Estimate the mean time without the event up to ``tau``, per group (key ``None`` without groups).

    Parameters
    ----------
    time, event, groups, confidence_level
        As for :func:`~equipoise.stats.kaplan_meier`.
    tau : float
        The horizon, in the unit of ``time``.

    Returns
    -------
    dict of group to RestrictedMean

    Notes
    -----
    ``nan`` with :class:`~equipoise.common.warnings.DegenerateDataWarning` for a group whose curve ends above
    0 before ``tau``. R carries the last value on instead.

    References
    ----------
    .. [1] Klein JP, Moeschberger ML. Survival Analysis, 2nd ed. Springer, 2003, section 4.5.

    Examples
    --------
    >>> restricted_mean_survival([1, 2, 3, 4], [1, 1, 1, 1], tau=3)[None].estimate
    2.25
    """
    fit = kaplan_meier(time, event, groups, confidence_level=confidence_level)
    return {curve.group: curve.restricted_mean(tau) for curve in fit.curves}


def _curve(
    name: Any, time: Floats, event: NDArray[np.bool_], interval: str, confidence_level: float
) -> SurvivalCurve:
    table = risk_table(time, event)
    survival = np.asarray(np.cumprod(1.0 - table.n_event / table.n_risk), dtype=np.float64)
    left = table.n_risk - table.n_event
    terms = np.divide(
        table.n_event,
        table.n_risk * left,
        out=np.full(len(left), np.inf),
        where=(left > 0) | (table.n_event == 0),
    )
    terms[table.n_event == 0] = 0.0
    log_error = np.asarray(np.sqrt(np.cumsum(terms)), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        error = np.where(
            np.isinf(log_error), np.nan, survival * np.where(np.isinf(log_error), 0.0, log_error)
        )
    low, high = _limits(survival, log_error, interval, normal_quantile(confidence_level))
    return SurvivalCurve(
        name,
        table.time,
        table.n_risk.astype(np.intp),
        table.n_event.astype(np.intp),
        table.n_censored.astype(np.intp),
        survival,
        error,
        low,
        high,
        len(time),
        int(event.sum()),
        interval,
        confidence_level,
    )


def _limits(survival: Floats, log_error: Floats, interval: str, z: float) -> tuple[Floats, Floats]:
    low, high = np.full(len(survival), np.nan), np.full(len(survival), np.nan)
    alive = np.isfinite(log_error) & (survival > 0.0)
    s, e = survival[alive], log_error[alive]
    if interval == "plain":
        low[alive], high[alive] = np.maximum(s - z * s * e, 0.0), np.minimum(s + z * s * e, 1.0)
    elif interval == "log":
        low[alive], high[alive] = s * np.exp(-z * e), np.minimum(s * np.exp(z * e), 1.0)
    else:
        inner = alive & (survival < 1.0)
        s, e = survival[inner], log_error[inner]
        logs = np.log(s)
        low[inner] = np.exp(logs * np.exp(-z * e / logs))
        high[inner] = np.exp(logs * np.exp(z * e / logs))
    return low, high


def _first_time(time: Floats, values: Floats, level: float) -> float:
    """Return the first time with a value of at most ``level``, the middle of the flat part if it is
    ``level``."""
    with np.errstate(invalid="ignore"):
        reached = np.flatnonzero(values <= level + _SAME)
    if len(reached) == 0:
        return math.nan
    first = int(reached[0])
    if abs(values[first] - level) <= _SAME:
        below = np.flatnonzero(values < level - _SAME)
        end = below[0] if len(below) else -1  # flat to the end: as far as anybody was observed, as R has it
        return float(time[first] + time[end]) / 2.0
    return float(time[first])
