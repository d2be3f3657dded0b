"""The model of reading time: log time on condition, position and period, with random readers and cases."""

import itertools
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, stdtr, stdtrit

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._crossed_effects import reader_case_item
from equipoise.stats._linear_mixed import LinearMixedFit, fit_linear_mixed
from equipoise.stats._tidy import Columns, Labels, Table, codes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TimeRatio:
    """Ratio of geometric mean times, ``first`` over ``second``, all else equal.

    ``standard_error`` and ``statistic`` (t) are of the log ratio; ``df`` by Satterthwaite.
    """

    first: Any
    second: Any
    ratio: float
    confidence_interval: ConfidenceInterval
    standard_error: float
    df: float
    statistic: float
    pvalue: float


@dataclass(frozen=True)
class ReadingTimeModel:
    """Reading time by condition.

    Attributes
    ----------
    ratios : tuple of TimeRatio
        Every pair of conditions.
    position : TimeRatio or None
        Per later position in the reading order (``first`` is one position later).
    periods : tuple of TimeRatio
        Each later period over the first.
    interaction_pvalue : float
        Condition x period, Wald chi-square; ``nan`` where the design cannot tell it.
    geometric_means : mapping of condition to float
        Raw, not adjusted; in the unit of the times.
    standard_deviations : mapping of str to float
        Of the random effects and the ``residual``, log scale.
    n, n_missing, n_not_positive, n_algorithm : int
        Readings modelled; without a time; with a time that has no logarithm; of algorithms, whose time is
        never tested against readers'.
    n_repeats : int
        Readings with ``repeat`` above 1, left out.
    notes : tuple of str
    """

    ratios: tuple[TimeRatio, ...]
    position: TimeRatio | None
    periods: tuple[TimeRatio, ...]
    interaction_pvalue: float
    geometric_means: Mapping[Any, float]
    standard_deviations: Mapping[str, float]
    n: int
    n_missing: int
    n_not_positive: int
    n_algorithm: int
    n_repeats: int
    n_readers: int
    n_cases: int
    notes: tuple[str, ...]
    provenance: Provenance
    reason: str | None = None


def reading_time_model(
    readings: Table,
    *,
    time: str = "active_s",
    condition: str = "condition",
    position: str | None = "position",
    period: str | None = "period",
    confidence_level: float = 0.95,
) -> ReadingTimeModel:
    """Compare reading times between conditions as ratios of geometric means.

    Parameters
    ----------
    readings : Table
        One row per reading, as in ``readings.csv``: ``participant, case``, the named columns, and where
        present ``item, repeat, participant_kind``.
    time : str, default "active_s"
        The time to model, in any unit; the plan names which.
    condition : str, default "condition"
    position, period : str or None
        Columns of the place in the reading order and of the period; left out of the model where absent, where
        constant, or where ``None``.
    confidence_level : float, default 0.95

    Returns
    -------
    ReadingTimeModel

    Raises
    ------
    ValueError
        If columns are absent or a reading lacks reader, case or condition.

    Notes
    -----
    ``log time ~ condition + position + period`` with crossed random intercepts of reader, case and item in
    case, by REML; t tests with Satterthwaite's degrees of freedom, as lmerTest gives them. With fewer than
    two readings more than parameters, everything is ``nan`` with
    :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Baayen RH, Davidson DJ, Bates DM. Mixed-effects modeling with crossed random effects for subjects
       and items. J Mem Lang 2008;59:390.
    .. [2] Satterthwaite FE. Biometrics Bulletin 1946;2:110.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(5)
    >>> rows = [(r, c, a) for r in range(6) for c in range(10) for a in ("aided", "unaided")]
    >>> result = reading_time_model({
    ...     "participant": [f"r{r}" for r, _, _ in rows],
    ...     "case": [f"c{c}" for _, c, _ in rows],
    ...     "condition": [a for _, _, a in rows],
    ...     "active_s": [float(np.exp(3 - 0.2 * (a == "aided") + 0.3 * random.normal())) for _, _, a in rows],
    ... })
    >>> result.ratios[0].first, result.ratios[0].second, result.n
    ('aided', 'unaided', 120)
    >>> bool(0.6 < result.ratios[0].ratio < 1.0)
    True
    """
    validate_confidence_level(confidence_level)
    columns = Columns(readings)
    columns.require(["participant", "case", condition, time])
    seconds = columns.numbers(time)
    is_algorithm = np.array(
        [kind == "algorithm" for kind in columns.optional_labels("participant_kind")], dtype=bool
    )
    repeats = np.array([value is not None and int(value) > 1 for value in columns.optional_labels("repeat")])
    candidate = ~is_algorithm & ~repeats.astype(bool)
    usable = candidate & (seconds > 0.0) & np.isfinite(seconds)
    rows = np.flatnonzero(usable)
    provenance = Provenance(
        f"linear mixed model of log {time}: condition, position, period; random reader, case, item in case; REML",
        "model-based, Satterthwaite degrees of freedom",
        confidence_level,
        "readings without a positive time are left out and counted",
    )
    reader, case, arm = (columns.labels(name)[rows] for name in ("participant", "case", condition))
    for name, labels in (("participant", reader), ("case", case), (condition, arm)):
        if any(value is None for value in labels):
            raise ValueError(f"A reading with a time lacks its {name}.")
    log_time = np.log(seconds[rows])
    arms, arm_index = codes(list(arm))
    counts: dict[str, Any] = {
        "n": len(rows),
        "n_missing": int(np.sum(candidate & np.isnan(seconds))),
        "n_not_positive": int(np.sum(candidate & ~np.isnan(seconds) & ~usable)),
        "n_algorithm": int(np.sum(is_algorithm)),
        "n_repeats": int(np.sum(repeats & ~is_algorithm)),
        "n_readers": len(set(reader)),
        "n_cases": len(set(case)),
        "geometric_means": {
            name: math.exp(float(np.mean(log_time[arm_index == i]))) for i, name in enumerate(arms)
        },
        "provenance": provenance,
    }
    design = _Design(arm_index, len(arms))
    place = (
        columns.numbers(position)[rows] if position and position in columns else np.full(len(rows), np.nan)
    )
    design.add_position(place)
    epoch = (
        columns.labels(period)[rows]
        if period and period in columns
        else np.full(len(rows), None, dtype=object)
    )
    design.add_period(epoch)
    matrix = design.matrix
    too_few = len(rows) < matrix.shape[1] + 2
    if len(arms) == 0 or too_few or np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        reason = "too few readings" if too_few else "condition, position and period cannot be told apart"
        warn_degenerate("Reading time model", reason)
        return ReadingTimeModel(
            (), None, (), math.nan, standard_deviations={}, notes=(), reason=reason, **counts
        )
    item = _items(case, columns.optional_labels("item")[rows])
    factors, notes = reader_case_item(reader, case, item)
    fit = fit_linear_mixed(log_time, matrix, factors)
    if fit.residual_deviation == 0.0:
        reason = "the times do not vary beyond the model"
        warn_degenerate("Reading time model", reason)
        return ReadingTimeModel(
            (), None, (), math.nan, standard_deviations={}, notes=notes, reason=reason, **counts
        )
    ratios = tuple(
        _ratio(fit, design.condition_contrast(i, j), arms[i], arms[j], confidence_level)
        for i, j in itertools.combinations(range(len(arms)), 2)
    )
    where = design.position_column
    later = None if where is None else _ratio(fit, _unit(where, matrix), "later", "earlier", confidence_level)
    periods = tuple(
        _ratio(fit, _unit(column, matrix), name, design.first_period, confidence_level)
        for name, column in design.period_columns.items()
    )
    return ReadingTimeModel(
        ratios,
        later,
        periods,
        _interaction(log_time, design, factors),
        standard_deviations={**fit.deviations, "residual": fit.residual_deviation},
        notes=(*notes, *design.notes),
        **counts,
    )


class _Design:
    """The fixed effects: conditions as deviations from the first, then position, then periods."""

    def __init__(self, arm: NDArray[np.intp], n_arms: int) -> None:
        self._arm, self._n_arms = arm, n_arms
        n = len(arm)
        self._columns = [np.ones(n), *(np.where(arm == i, 1.0, 0.0) for i in range(1, n_arms))]
        self.notes: list[str] = []
        self.position_column: int | None = None
        self.period_columns: dict[Any, int] = {}
        self.first_period: Any = None

    @property
    def matrix(self) -> Floats:
        """The design matrix."""
        return np.column_stack(self._columns)

    def add_position(self, position: Floats) -> None:
        """Add the position, centred, if it is there for all readings and varies."""
        if len(position) == 0 or np.any(np.isnan(position)):
            self.notes.append("no position term: positions are not recorded for every reading")
        elif np.ptp(position) == 0:
            self.notes.append("no position term: the position does not vary")
        else:
            self.position_column = len(self._columns)
            self._columns.append(position - position.mean())

    def add_period(self, period: Labels) -> None:
        """Add the periods, if they are there for all readings and there are several."""
        if any(value is None for value in period):
            self.notes.append("no period term: periods are not recorded for every reading")
            return
        names, index = codes(list(period))
        if len(names) < 2:
            self.notes.append("no period term: there is one only")
            return
        self.first_period = names[0]
        for i, name in enumerate(names[1:], start=1):
            self.period_columns[name] = len(self._columns)
            self._columns.append(np.where(index == i, 1.0, 0.0))

    def condition_contrast(self, first: int, second: int) -> Floats:
        """Return the contrast of two conditions."""
        contrast = np.zeros(len(self._columns))
        if first:
            contrast[first] += 1.0
        if second:
            contrast[second] -= 1.0
        return contrast

    def with_interaction(self) -> tuple[Floats, int]:
        """Return the matrix with condition x period appended, and how many columns that adds."""
        extra = [
            np.where(self._arm == i, 1.0, 0.0) * self._columns[column]
            for i in range(1, self._n_arms)
            for column in self.period_columns.values()
        ]
        return np.column_stack([*self._columns, *extra]), len(extra)


def _exp(value: float) -> float:
    """Return the exponential, infinite where no number holds it: few readers leave a bound without limit."""
    return math.exp(value) if value < math.log(sys.float_info.max) else math.inf


def _ratio(
    fit: LinearMixedFit, contrast: Floats, first: Any, second: Any, confidence_level: float
) -> TimeRatio:
    estimate = float(contrast @ fit.coefficients)
    error = math.sqrt(float(contrast @ fit.covariance @ contrast))
    df = fit.satterthwaite_df(contrast)
    if math.isnan(df):
        return TimeRatio(first, second, math.exp(estimate), NO_INTERVAL, error, df, math.nan, math.nan)
    half = float(stdtrit(df, 0.5 + confidence_level / 2.0)) * error
    interval = ConfidenceInterval(_exp(estimate - half), _exp(estimate + half))
    t = estimate / error
    return TimeRatio(
        first, second, math.exp(estimate), interval, error, df, t, 2.0 * float(stdtr(df, -abs(t)))
    )


def _unit(column: int, matrix: Floats) -> Floats:
    return np.asarray(np.eye(matrix.shape[1])[column])


def _items(case: Labels, item: Labels) -> Labels:
    out = np.empty(len(case), dtype=object)
    for row, (own_case, own_item) in enumerate(zip(case, item, strict=True)):
        out[row] = (str(own_case), "" if own_item is None else str(own_item))
    return out


def _interaction(log_time: Floats, design: _Design, factors: Any) -> float:
    """Return the p-value of condition x period (Wald chi-square), ``nan`` where it cannot be told."""
    matrix, n_extra = design.with_interaction()
    if n_extra == 0 or len(log_time) < matrix.shape[1] + 2:
        return math.nan
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return math.nan
    fit = fit_linear_mixed(log_time, matrix, factors)
    effects = fit.coefficients[-n_extra:]
    statistic = float(effects @ np.linalg.solve(fit.covariance[-n_extra:, -n_extra:], effects))
    return float(chdtrc(n_extra, statistic))
