"""Answers of a whole simulated study at once, reading by reading of a given allocation. Data only.

The models are those of :class:`~equipoise.simulation.PreferencePopulation` and
:class:`~equipoise.simulation.roe_metz.RoeMetzModel`; here every effect is drawn once and laid over all readings, so
that hundreds of studies take seconds.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from equipoise.simulation.preference_reader import PreferencePopulation
from equipoise.simulation.roe_metz import RoeMetzModel

Index = NDArray[np.intp]
LEVELS = 101
"""Steps of the suspicion scale, 0 to 100."""


@dataclass(frozen=True, eq=False)
class StudyReadings:
    """Who reads what: one entry per reading, each counted from 0.

    Attributes
    ----------
    readers, items : ndarray of int, shape (n,)
    case_of_item : ndarray of int, shape (n_items,)
    conditions : ndarray of int, shape (n,)
        0 where there is one.
    b_left : ndarray of bool, shape (n,)
        Whether candidate b stands on the left; False where no pair is shown.
    """

    readers: Index
    items: Index
    case_of_item: Index
    conditions: Index
    b_left: NDArray[np.bool_]

    @property
    def cases(self) -> Index:
        """The case of every reading."""
        cases: Index = self.case_of_item[self.items]
        return cases


def simulated_preferences(
    population: PreferencePopulation, readings: StudyReadings, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return whether candidate b is preferred, for every reading; readers neither lapse nor refuse.

    Parameters
    ----------
    population : PreferencePopulation
    readings : StudyReadings
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    count = int(readings.readers.max(initial=-1)) + 1
    leaning = rng.normal(0.0, population.reader_sd, count)
    side = rng.normal(population.side_logit, population.side_sd, count)
    effects = population.item_effects(rng, readings.case_of_item)
    pull = np.where(readings.b_left, 1.0, -1.0) * side[readings.readers]
    probability = expit(effects[readings.items] + leaning[readings.readers] + pull)
    preferred: NDArray[np.bool_] = rng.random(readings.readers.size) < probability
    return preferred


def simulated_scores(
    model: RoeMetzModel, readings: StudyReadings, truth: Index, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the suspicion of every reading, 0 to 1 in 101 steps.

    Parameters
    ----------
    model : RoeMetzModel
        Its separations in the order of the conditions' numbers.
    readings : StudyReadings
    truth : ndarray of int, shape (n_cases,)
        1 diseased, 0 not.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float, shape (n,)
    """
    readers, cases, conditions = readings.readers, readings.cases, readings.conditions
    n_readers, n_cases, n_conditions = (
        int(readers.max(initial=-1)) + 1,
        truth.size,
        len(model.separations),
    )
    of_truth = truth[cases]
    draw = rng.standard_normal
    latent = (
        of_truth * np.asarray(model.separations)[conditions]
        + math.sqrt(model.var_reader) * draw((2, n_readers))[of_truth, readers]
        + math.sqrt(model.var_reader_condition)
        * draw((2, n_conditions, n_readers))[of_truth, conditions, readers]
        + math.sqrt(model.var_case) * draw(n_cases)[cases]
        + math.sqrt(model.var_case_condition) * draw((n_conditions, n_cases))[conditions, cases]
        + math.sqrt(model.var_reader_case) * draw((n_readers, n_cases))[readers, cases]
        + math.sqrt(model.var_error) * draw(readers.size)
    )
    middle = float(np.mean(model.separations)) / 2
    scores: NDArray[np.float64] = np.round(ndtr(latent - middle) * (LEVELS - 1)) / (LEVELS - 1)
    return scores
