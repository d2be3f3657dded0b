"""Answers of a whole simulated study at once: whether a reader gives one answer about a case. Data only.

What a reader makes of a case is a normal number: what the case is, how the reader leans, and what is left, whose
standard deviation is 1. The answer is given below the quantile that makes its share over all readers and cases the one
that is set.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from equipoise.simulation.study import StudyReadings

_NODES = 60
"""Of a Gaussian quadrature."""


@dataclass(frozen=True)
class AnswerPopulation:
    """How often an answer is given, and what makes answers alike.

    Attributes
    ----------
    share : float
        Over readers and cases, between 0 and 1.
    case_sd, reader_sd : float
        Standard deviations of cases and of readers beside that of what is left, 1.
    """

    share: float
    case_sd: float = 0.0
    reader_sd: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share must lie between 0 and 1, got {self.share:g}.")

    @property
    def total_sd(self) -> float:
        """Standard deviation of what a reader makes of a case."""
        return math.sqrt(1 + self.case_sd**2 + self.reader_sd**2)

    def variance_between(self, sd: float) -> float:
        """Return the variance over units with this standard deviation of the share that each of them has."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        rest = math.sqrt(self.total_sd**2 - sd**2)
        shares = ndtr((self.total_sd * ndtri(self.share) - sd * nodes) / rest)
        return float((weights / weights.sum()) @ (shares - self.share) ** 2)


def simulated_answers(
    population: AnswerPopulation, study: StudyReadings, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return whether each reading gives the answer.

    Parameters
    ----------
    population : AnswerPopulation
    study : StudyReadings
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    case = rng.normal(0.0, population.case_sd, int(study.case_of_item.max(initial=-1)) + 1)
    reader = rng.normal(0.0, population.reader_sd, int(study.readers.max(initial=-1)) + 1)
    made = case[study.cases] + reader[study.readers] + rng.normal(0.0, 1.0, study.readers.size)
    given: NDArray[np.bool_] = made < population.total_sd * ndtri(population.share)
    return given
