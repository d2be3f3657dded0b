"""Overlap of contours of a whole simulated study at once: Dice of pairs of observers, data only.

On the logit scale an overlap is the sum of the population's middle, how hard the case is, how far each of the two
observers strays in general and on this case, and what is left. Every part is symmetric about 0, so the population's
median Dice is the one that is set.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Index = NDArray[np.intp]


@dataclass(frozen=True)
class OverlapPopulation:
    """Dice of two contours of the same case.

    Attributes
    ----------
    median : float
        Over cases and observers, between 0 and 1.
    case_sd, observer_sd, observer_case_sd, pair_sd : float
        Standard deviations on the logit scale: of cases, of observers in general, of an observer on a case, and of
        what is left of a pair.
    """

    median: float
    case_sd: float = 0.0
    observer_sd: float = 0.0
    observer_case_sd: float = 0.0
    pair_sd: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.median < 1:
            raise ValueError(f"median must lie between 0 and 1, got {self.median:g}.")


def simulated_overlaps(
    population: OverlapPopulation, cases: Index, first: Index, second: Index, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the Dice coefficient of every pair of contours.

    Parameters
    ----------
    population : OverlapPopulation
    cases, first, second : ndarray of int, shape (n,)
        Of each pair, counted from 0.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float, shape (n,)
        Between 0 and 1.
    """
    n_cases = int(cases.max(initial=-1)) + 1
    n_observers = int(max(first.max(initial=-1), second.max(initial=-1))) + 1
    case = rng.normal(0.0, population.case_sd, n_cases)
    observer = rng.normal(0.0, population.observer_sd, n_observers)
    strays = rng.normal(0.0, population.observer_case_sd, (n_observers, n_cases)) + observer[:, None]
    rest = rng.normal(0.0, population.pair_sd, cases.size)
    middle = float(logit(population.median))
    overlaps: NDArray[np.float64] = expit(
        middle + case[cases] + strays[first, cases] + strays[second, cases] + rest
    )
    return overlaps
