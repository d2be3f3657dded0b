"""A simulated reader of forms: what is seen of each question, and how long each answer takes. Data only.

What is there to be seen of a question at a case is a standard normal number (:func:`form_truths`), the same for every
reader. A reader sees it with error, so that the correlation between two readers' impressions is the product of their
skills: what was set is known, and an estimate of agreement can be held against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from equipoise.simulation.streams import stream

FloatArray = NDArray[np.float64]

_PER_READINGS = 100
"""Fatigue is told per so many readings."""


def form_truths(seed: int, case: int, counts: Sequence[int]) -> tuple[FloatArray, ...]:
    """Return what is there to be seen at a case, for every question.

    Parameters
    ----------
    seed : int
        Of the simulated study.
    case : int
        Names the case's numbers; non-negative.
    counts : sequence of int
        Per question how many things it asks about: the options of which several may be chosen, else 1.

    Returns
    -------
    tuple of ndarray of float
        Standard normal numbers, one array per question.
    """
    numbers = stream(seed, case).standard_normal(sum(counts))
    return tuple(np.split(numbers, np.cumsum(counts)[:-1]))


@dataclass(frozen=True, eq=False)
class FormAnswer:
    """One simulated form.

    Attributes
    ----------
    cannot_assess : bool
        Whether no answer was given; the impressions then mean nothing.
    levels : tuple of ndarray of float
        Impressions, shaped as the truths: from 0 (none, the lowest) to 1 (the most, the highest).
    look_s : float
        From the first paint until the first question is turned to.
    question_s : ndarray of float, shape (questions,)
        Time that each question takes, if it is asked.
    confirm_s : float
        From the last answer to the submit.
    """

    cannot_assess: bool
    levels: tuple[FloatArray, ...]
    look_s: float
    question_s: FloatArray
    confirm_s: float


@dataclass(frozen=True)
class FormReader:
    """How one reader answers forms.

    Attributes
    ----------
    skill : float
        Correlation of the reader's impressions with what is there: 0 (guesses) to 1 (never errs).
    bias : float
        Added to every impression, in standard deviations; positive says more, or more often yes.
    cannot_assess_rate : float
        Probability of giving no answer.
    speed : float
        1 is average; twice as fast at 2.
    look_s : float
        Mean time to look at the images first, exponentially distributed.
    question_mu_s, question_sigma_s, question_tau_s : float
        Ex-Gaussian time of one question of an average reader.
    fatigue : float
        Relative change of time per 100 readings; positive is slower.
    """

    skill: float = 0.8
    bias: float = 0.0
    cannot_assess_rate: float = 0.005
    speed: float = 1.0
    look_s: float = 20.0
    question_mu_s: float = 4.0
    question_sigma_s: float = 1.0
    question_tau_s: float = 3.0
    fatigue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("skill", "cannot_assess_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}.")
        for name in ("speed", "look_s", "question_mu_s", "question_sigma_s", "question_tau_s"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")

    def answer(
        self, rng: np.random.Generator, truths: Sequence[FloatArray], *, position: int = 1
    ) -> FormAnswer:
        """Fill in one form.

        Parameters
        ----------
        rng : numpy.random.Generator
            The reading's own stream (:func:`equipoise.simulation.stream`).
        truths : sequence of ndarray of float
            What is there, per question (:func:`form_truths`).
        position : int
            Place in the reader's order, from 1; fatigue grows with it.

        Returns
        -------
        FormAnswer
            Impressions and times in seconds.

        Raises
        ------
        ValueError
            If the position is below 1.
        """
        if position < 1:
            raise ValueError(f"position must be at least 1, got {position}.")
        see_rng, time_rng = rng.spawn(2)
        error = np.sqrt(1.0 - self.skill**2)
        levels = tuple(
            np.asarray(ndtr(self.skill * truth + error * see_rng.standard_normal(truth.size) + self.bias))
            for truth in truths
        )
        slower = max(0.1, 1.0 + self.fatigue * (position - 1) / _PER_READINGS) / self.speed
        look = (1.0 + float(time_rng.exponential(self.look_s))) * slower
        each = np.maximum(0.5, time_rng.normal(self.question_mu_s, self.question_sigma_s, len(truths)))
        each = (each + time_rng.exponential(self.question_tau_s, len(truths))) * slower
        return FormAnswer(
            cannot_assess=bool(see_rng.random() < self.cannot_assess_rate),
            levels=levels,
            look_s=look,
            question_s=each,
            confirm_s=1.0 * slower,
        )
