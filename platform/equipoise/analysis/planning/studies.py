"""Simulated trials with the analysis that is planned for them: each says whether its test rejects.

Every study is a frozen dataclass of plain values: it can be sent to another process and compared.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from equipoise.simulation.preference_reader import PreferencePopulation
from equipoise.simulation.roe_metz import RoeMetzModel
from equipoise.stats import mrmc, non_inferiority, preference_model, reading_time_model
from equipoise.stats._crossed_effects import reader_case_item
from equipoise.stats._linear_mixed import fit_linear_mixed

LEVEL_SD = 0.3
"""What readers and cases add to both conditions alike; it cancels in the difference, a model must still cope."""
NO_BOOTSTRAP = 2
"""Resamples of a bootstrap whose result is not used."""


@dataclass(frozen=True)
class PlannedTest:
    """The test that a study ends in: two-sided, one-sided, or of non-inferiority."""

    alpha: float = 0.05
    sides: int = 2
    margin: float | None = None
    higher_is_better: bool = True

    def rejects(self, estimate: float, standard_error: float, df: float, pvalue: float) -> bool | None:
        """Return whether the test rejects, given a difference with its two-sided p-value."""
        if not standard_error > 0.0 or math.isnan(df):
            return None
        if self.margin is None and self.sides == 2:
            return None if math.isnan(pvalue) else bool(pvalue < self.alpha)
        if self.margin is None:
            t = (estimate if self.higher_is_better else -estimate) / standard_error
            above = float(stdtr(df, -t)) if math.isfinite(df) else float(stdtr(1e12, -t))
            return bool(above < self.alpha)
        result = SimpleNamespace(estimate=estimate, standard_error=standard_error, df=df)
        return non_inferiority(
            result, self.margin, higher_is_better=self.higher_is_better, alpha=self.alpha / self.sides
        ).non_inferior


TWO_SIDED: Final = PlannedTest()
TWO_SIDED_LOWER: Final = PlannedTest(higher_is_better=False)
"""For times and distances: a margin lies above the comparator."""


@dataclass(frozen=True)
class MRMCStudy:
    """Scores by Roe and Metz, compared by :func:`equipoise.stats.mrmc`; first condition minus second.

    With fixed readers, their effect on the difference would be drawn anew every time: ``var_reader_condition`` of
    the model must then be 0.
    """

    model: RoeMetzModel
    n_readers: int
    n_positive: int
    n_negative: int
    readers: str = "random"
    test: PlannedTest = TWO_SIDED

    def __post_init__(self) -> None:
        if len(self.model.separations) != 2:
            raise ValueError(f"the model must have two conditions, got {len(self.model.separations)}.")
        if self.readers == "fixed" and self.model.var_reader_condition > 0.0:
            raise ValueError("with fixed readers the model's var_reader_condition must be 0.")

    def analyse(self, rng: np.random.Generator) -> Any:
        """Draw one study and return its analysis."""
        drawn = self.model.draw(
            rng, n_readers=self.n_readers, n_positive=self.n_positive, n_negative=self.n_negative
        )
        readers: Any = self.readers
        return mrmc(drawn.table(("first", "second")), readers=readers)

    def __call__(self, rng: np.random.Generator) -> bool | None:
        """Draw, analyse, test."""
        found = self.analyse(rng).difference("first", "second")
        return self.test.rejects(found.estimate, found.standard_error, found.df, found.pvalue)


@dataclass(frozen=True)
class PreferenceStudy:
    """Choices of simulated readers, analysed by :func:`equipoise.stats.preference_model` against one half."""

    population: PreferencePopulation
    n_readers: int
    n_cases: int
    items_per_case: int = 1
    test: PlannedTest = TWO_SIDED

    def __post_init__(self) -> None:
        if self.test.margin is not None:
            raise ValueError("preference is tested against one half; there is no margin.")

    def __call__(self, rng: np.random.Generator) -> bool | None:
        """Draw, analyse, test."""
        result = preference_model(self._table(rng), n_resamples=NO_BOOTSTRAP, rng=rng)
        if result.reason is not None or math.isnan(result.pvalue):
            return None
        if self.test.sides == 2:
            return bool(result.pvalue < self.test.alpha)
        return bool(result.statistic > float(ndtri(1.0 - self.test.alpha)))

    def _table(self, rng: np.random.Generator) -> dict[str, list[Any]]:
        """Return one trial's readings: every reader reads every item once, sides balanced within readers."""
        r, n_items = self.n_readers, self.n_cases * self.items_per_case
        cases = np.repeat(np.arange(self.n_cases), self.items_per_case)
        readers = self.population.readers(rng, r)
        effects = self.population.item_effects(rng, cases)
        is_left = rng.permuted(np.tile(np.arange(n_items) % 2 == 0, (r, 1)), axis=1)
        chance = np.array(
            [
                [
                    reader.probability_of_b(side_b="left" if left else "right", effect_logit=effect)
                    for left, effect in zip(of_reader, effects, strict=True)
                ]
                for reader, of_reader in zip(readers, is_left, strict=True)
            ]
        )
        prefers = rng.random((r, n_items)) < chance
        sources = np.array(["expert", "algorithm"])
        left = is_left.ravel().astype(int)
        return {
            "participant": np.repeat(np.arange(r), n_items).tolist(),
            "case": np.tile(cases, r).tolist(),
            "item": np.tile(np.arange(n_items), r).tolist(),
            "preferred": sources[prefers.ravel().astype(int)].tolist(),
            "left_source": sources[left].tolist(),
            "right_source": sources[1 - left].tolist(),
        }


@dataclass(frozen=True)
class DifferenceStudy:
    """Paired differences of a measurement, analysed by the mixed model of differences: mean, reader, case.

    The model has the terms whose standard deviation is not 0, as :func:`equipoise.stats.difference_power` plans it;
    with fixed readers (cases) it has none for them, and none is drawn.
    """

    difference: float
    n_readers: int
    n_cases: int
    reader_sd: float
    case_sd: float
    residual_sd: float
    readers: str = "random"
    cases: str = "random"
    test: PlannedTest = TWO_SIDED

    def __post_init__(self) -> None:
        if self.residual_sd == 0.0 and min(self.n_readers, self.n_cases) > 1:
            raise ValueError("residual_sd must be positive with several readers and several cases.")

    def __call__(self, rng: np.random.Generator) -> bool | None:
        """Draw, analyse, test."""
        reader_sd, case_sd = self.modelled_sds
        table = _effects(rng, self.n_readers, self.n_cases, reader_sd, case_sd)
        table = self.difference + table + self.residual_sd * rng.standard_normal(table.shape)
        reader, case = np.indices(table.shape)
        nobody: NDArray[Any] = np.zeros(table.size, dtype=object)
        factors, _ = reader_case_item(
            reader.ravel().astype(object) if reader_sd > 0.0 else nobody,
            case.ravel().astype(object) if case_sd > 0.0 else nobody,
            nobody,
        )
        if min(table.shape) == 1:  # one value per level: nothing to tell apart
            return self._by_t_test(table)
        fit = fit_linear_mixed(table.ravel(), np.ones((table.size, 1)), factors)
        error = math.sqrt(float(fit.covariance[0, 0]))
        df = fit.satterthwaite_df(np.ones(1))
        estimate = float(fit.coefficients[0])
        return self.test.rejects(estimate, error, df, _two_sided(estimate, error, df))

    @property
    def modelled_sds(self) -> tuple[float, float]:
        """Standard deviations of readers and cases that the planned model has a term for."""
        return (
            self.reader_sd if self.readers == "random" else 0.0,
            self.case_sd if self.cases == "random" else 0.0,
        )

    def _by_t_test(self, table: NDArray[np.float64]) -> bool | None:
        values = table.mean(axis=0) if table.shape[1] > 1 else table.mean(axis=1)
        df = float(len(values) - 1)
        error = float(values.std(ddof=1)) / math.sqrt(len(values))
        estimate = float(values.mean())
        return self.test.rejects(estimate, error, df, _two_sided(estimate, error, df))


@dataclass(frozen=True)
class TimeStudy:
    """Log times in two conditions, analysed by :func:`equipoise.stats.reading_time_model` as the protocol names it.

    ``log_ratio`` is of the first over the second condition; the standard deviations are those of paired differences.
    The model has no term for readers or cases that differ in the effect: its type I error says what that costs.
    """

    log_ratio: float
    n_readers: int
    n_cases: int
    reader_sd: float
    case_sd: float
    residual_sd: float
    test: PlannedTest = TWO_SIDED_LOWER

    def __call__(self, rng: np.random.Generator) -> bool | None:
        """Draw, analyse, test."""
        r, c = self.n_readers, self.n_cases
        level = 3.0 + _effects(rng, r, c, LEVEL_SD, LEVEL_SD)
        half = 0.5 * (self.log_ratio + _effects(rng, r, c, self.reader_sd, self.case_sd))
        noise = self.residual_sd / math.sqrt(2.0) * rng.standard_normal((2, r, c))
        log_times = np.stack([level + half, level - half]) + noise
        condition, reader, case = np.indices(log_times.shape)
        result = reading_time_model(
            {
                "participant": reader.ravel().tolist(),
                "case": case.ravel().tolist(),
                "condition": np.array(["first", "second"])[condition.ravel()].tolist(),
                "active_s": np.exp(log_times).ravel().tolist(),
            }
        )
        if not result.ratios:
            return None
        ratio = result.ratios[0]
        sign = 1.0 if ratio.first == "first" else -1.0
        return self.test.rejects(sign * math.log(ratio.ratio), ratio.standard_error, ratio.df, ratio.pvalue)


def _effects(
    rng: np.random.Generator, n_readers: int, n_cases: int, reader_sd: float, case_sd: float
) -> NDArray[np.float64]:
    """Return what readers and cases add, (readers, cases)."""
    by_reader = reader_sd * rng.standard_normal((n_readers, 1))
    return np.asarray(by_reader + case_sd * rng.standard_normal((1, n_cases)))


def _two_sided(estimate: float, standard_error: float, df: float) -> float:
    if not standard_error > 0.0 or math.isnan(df):
        return math.nan
    return 2.0 * float(stdtr(df, -abs(estimate) / standard_error))
