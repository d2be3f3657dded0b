"""Follow-up of patients whose hazard grows with a quantity that two methods measure with error. Data only.

Concordance of the two measurements is known exactly: for two patients whose true values are given, the probability that
one's event comes first and is seen is that of proportional hazards, and the probability that a measurement orders them
rightly is normal; both are integrated over the population.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
_NODES = 60
"""Of each Gaussian quadrature; more change the concordance in no printed digit."""


@dataclass(frozen=True)
class PrognosisPopulation:
    """Patients, their follow-up, and two measurements of the same quantity.

    Attributes
    ----------
    median : float
        True median of the measured quantity, in its unit.
    sd_doublings : float
        Standard deviation of its binary logarithm over patients.
    log_hazard_per_doubling : float
    median_time : float
        Median time to the event at the median of the quantity.
    shape : float
        Of the Weibull times; 1 is exponential.
    shortest_follow_up, longest_follow_up : float
        Patients come in evenly between the two, counted back from the day on which follow-up ends for all.
    first_error, second_error : float
        Standard deviation of each measurement's error, in doublings.
    """

    median: float = 30.0
    sd_doublings: float = 1.5
    log_hazard_per_doubling: float = 0.3
    median_time: float = 24.0
    shape: float = 1.0
    shortest_follow_up: float = 24.0
    longest_follow_up: float = 60.0
    first_error: float = 0.2
    second_error: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.shortest_follow_up < self.longest_follow_up:
            raise ValueError(
                "shortest_follow_up must be above 0 and below longest_follow_up, got "
                f"{self.shortest_follow_up:g} and {self.longest_follow_up:g}."
            )

    def cumulative_rate(self, doublings: Floats) -> Floats:
        """Return the factor of ``time ** shape`` in the cumulative hazard, by doublings above the median."""
        at_median = math.log(2) / self.median_time**self.shape
        rates: Floats = at_median * np.exp(self.log_hazard_per_doubling * doublings)
        return rates

    def concordance_difference(self, *, censored_after: float = math.inf) -> float:
        """Return Harrell's C of the first measurement minus that of the second, in the population as it is followed.

        Parameters
        ----------
        censored_after : float
            A time at which the analysis ends everybody's follow-up.
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        share = weights / weights.sum()
        value = self.sd_doublings * nodes
        rate = self.cumulative_rate(value)
        both = rate[:, None] + rate[None, :]
        seen_first = rate[:, None] / both * self._seen(both, censored_after)
        pairs = share[:, None] * share[None, :] * seen_first
        apart = value[:, None] - value[None, :]
        first, second = (self._ordered(apart, error) for error in (self.first_error, self.second_error))
        return float((pairs * (first - second)).sum() / pairs.sum())

    def _seen(self, rate: Floats, censored_after: float) -> Floats:
        """Return the probability that the first event of two comes before the first of their two ends of follow-up."""
        start, end = self.shortest_follow_up, self.longest_follow_up
        stop = min(end, max(start, censored_after))
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        at = start + (stop - start) * (nodes + 1) / 2
        density = 2 * (end - at) / (end - start) ** 2 * weights * (stop - start) / 2
        later = ((end - stop) / (end - start)) ** 2
        ends = np.append(at, min(stop, censored_after))
        shares = np.append(density, later)
        within: Floats = -np.expm1(-rate[..., None] * ends**self.shape) @ shares
        return within

    @staticmethod
    def _ordered(apart: Floats, error: float) -> Floats:
        """Return how often a measurement ranks higher whose true value is so many doublings higher."""
        ordered: Floats = ndtr(apart / (math.sqrt(2) * error)) if error > 0 else (np.sign(apart) + 1) / 2
        return ordered


@dataclass(frozen=True, eq=False)
class SimulatedFollowUp:
    """Patients as a survival analysis takes them."""

    time: Floats
    event: NDArray[np.int_]
    first: Floats
    second: Floats


def simulated_follow_up(
    population: PrognosisPopulation, patients: int, rng: np.random.Generator
) -> SimulatedFollowUp:
    """Return times, events and both measurements of so many patients.

    Parameters
    ----------
    population : PrognosisPopulation
    patients : int
    rng : numpy.random.Generator

    References
    ----------
    Bender R, Augustin T, Blettner M. Generating survival times to simulate Cox proportional hazards models. Stat Med
    2005;24:1713-1723, table II (Weibull).
    """
    value = rng.normal(0.0, population.sd_doublings, patients)
    until = (rng.standard_exponential(patients) / population.cumulative_rate(value)) ** (1 / population.shape)
    end = rng.uniform(population.shortest_follow_up, population.longest_follow_up, patients)
    first, second = (
        population.median * np.exp2(value + rng.normal(0.0, error, patients))
        for error in (population.first_error, population.second_error)
    )
    return SimulatedFollowUp(np.minimum(until, end), (until <= end).astype(np.int_), first, second)
