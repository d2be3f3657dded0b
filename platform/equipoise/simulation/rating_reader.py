"""Simulated readers of rated images: what they decide, how suspicious they are, how long they take. Data only.

The suspicion follows the linear model of Roe and Metz that multi-reader analyses are tried with: the truth's
separation, which an aid may widen, plus effects of reader, reader and condition, case, case and condition, reader and
case, and error. What was set is known (:attr:`RatingPopulation.aucs`), so that an estimate can be held against it.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from equipoise.simulation.roe_metz import RoeMetzModel
from equipoise.simulation.streams import stream

HIGHEST_RATING = 100
_READER, _CASE, _READER_CASE = 1, 2, 3
"""Keys of the streams under a population's seed."""


@dataclass(frozen=True)
class RatingAnswer:
    """One simulated reading.

    Attributes
    ----------
    cannot_assess : bool
        Whether no answer was given; decision and rating are then 0 and mean nothing.
    decision : int
        1 disease, 0 none: the latent suspicion against the reader's threshold.
    rating : int
        0 to 100.
    decision_s, rating_s, wall_s : float
        From the first paint to the decision, to the rating, and to the submit.
    """

    cannot_assess: bool
    decision: int
    rating: int
    decision_s: float
    rating_s: float
    wall_s: float


@dataclass(frozen=True)
class RatingReader:
    """How one reader reads.

    Attributes
    ----------
    number : int
        Names the reader's random effects in the population.
    threshold : float
        Latent suspicion from which on the decision is "disease"; a lower one is a bias towards disease.
    rating_shift : float
        Added to the latent suspicion before it becomes a rating: a reader who uses the upper or lower end.
    cannot_assess_rate : float
        Probability of giving no answer.
    speed : float
        1 is average; twice as fast at 2.
    mu_s, sigma_s, tau_s : float
        Ex-Gaussian time to the decision of an average reader at an easy scan.
    fatigue : float
        Relative change of time per 100 readings; positive is slower.
    fatigue_noise : float
        Relative growth of the error's standard deviation per 100 readings.
    """

    number: int
    threshold: float = 0.0
    rating_shift: float = 0.0
    cannot_assess_rate: float = 0.005
    speed: float = 1.0
    mu_s: float = 12.0
    sigma_s: float = 3.0
    tau_s: float = 10.0
    fatigue: float = 0.0
    fatigue_noise: float = 0.0

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(f"number must not be negative, got {self.number}.")
        if not 0.0 <= self.cannot_assess_rate <= 1.0:
            raise ValueError(f"cannot_assess_rate must be in [0, 1], got {self.cannot_assess_rate}.")
        for name in ("speed", "mu_s", "sigma_s", "tau_s"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")


@dataclass(frozen=True)
class RatingPopulation:
    """Readers and cases of one simulated study.

    Attributes
    ----------
    conditions : tuple of str
        Their names, in the order of ``model.separations``. A single unnamed condition is ``("",)``.
    model : RoeMetzModel
        Skill per condition and the variances.
    seed : int
        Of every random effect.
    aided_time_factor : mapping of str to float
        Of the time to the decision, per condition; 1 where it is not named.
    """

    conditions: tuple[str, ...]
    model: RoeMetzModel
    seed: int
    aided_time_factor: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.conditions) != len(self.model.separations):
            raise ValueError(
                f"{len(self.conditions)} conditions need as many separations, got {len(self.model.separations)}."
            )

    @property
    def aucs(self) -> dict[str, float]:
        """Area under the curve of each condition over the population of readers and cases: the values that were set."""
        return dict(zip(self.conditions, self.model.aucs, strict=True))

    def readers(self, rng: np.random.Generator, count: int) -> tuple[RatingReader, ...]:
        """Draw readers of different threshold, use of the scale, speed and fatigue; numbers from 1."""
        middle = float(np.mean(self.model.separations)) / 2
        thresholds = rng.normal(middle, 0.3, count)
        shifts = rng.normal(0.0, 0.2, count)
        speeds = np.exp(rng.normal(0.0, 0.25, count))
        fatigue = rng.normal(0.05, 0.1, count)
        return tuple(
            RatingReader(
                number=number,
                threshold=float(threshold),
                rating_shift=float(shift),
                speed=float(speed),
                fatigue=float(tired),
            )
            for number, (threshold, shift, speed, tired) in enumerate(
                zip(thresholds, shifts, speeds, fatigue, strict=True), start=1
            )
        )

    def suspicion(
        self,
        reader: RatingReader,
        *,
        case: int,
        truth: int,
        condition: str,
        rng: np.random.Generator,
        noise: float = 1.0,
    ) -> float:
        """Return the latent suspicion of a reader for a case: effects of the population, a new error from ``rng``.

        Parameters
        ----------
        case : int
            Names the case's effects; non-negative.
        truth : {0, 1}
        condition : str
            One of ``conditions``.
        rng : numpy.random.Generator
            Of the error of this reading.
        noise : float
            Factor on the error's standard deviation.
        """
        if truth not in (0, 1):
            raise ValueError(f"truth must be 0 or 1, got {truth}.")
        index, n, model = self.conditions.index(condition), len(self.conditions), self.model
        of_reader = stream(self.seed, _READER, reader.number).standard_normal((2, 1 + n))[truth]
        of_case = stream(self.seed, _CASE, case).standard_normal(1 + n)
        of_both = stream(self.seed, _READER_CASE, reader.number, case).standard_normal()
        return float(
            truth * model.separations[index]
            + math.sqrt(model.var_reader) * of_reader[0]
            + math.sqrt(model.var_reader_condition) * of_reader[1 + index]
            + math.sqrt(model.var_case) * of_case[0]
            + math.sqrt(model.var_case_condition) * of_case[1 + index]
            + math.sqrt(model.var_reader_case) * of_both
            + noise * math.sqrt(model.var_error) * rng.standard_normal()
        )

    def answer(
        self,
        reader: RatingReader,
        rng: np.random.Generator,
        *,
        case: int,
        truth: int,
        condition: str,
        position: int = 1,
    ) -> RatingAnswer:
        """Read one scan.

        Parameters
        ----------
        rng : numpy.random.Generator
            The reading's own stream (:func:`equipoise.simulation.streams.stream`).
        case, truth, condition
            As :meth:`suspicion` takes them.
        position : int
            Place in the reader's order, from 1; fatigue grows with it.

        Returns
        -------
        RatingAnswer
            Decision, rating and times in seconds.
        """
        if position < 1:
            raise ValueError(f"position must be at least 1, got {position}.")
        tired = (position - 1) / 100.0
        refused = bool(rng.random() < reader.cannot_assess_rate)
        latent = self.suspicion(
            reader,
            case=case,
            truth=truth,
            condition=condition,
            rng=rng,
            noise=max(0.0, 1.0 + reader.fatigue_noise * tired),
        )
        middle = float(np.mean(self.model.separations)) / 2
        share = float(ndtr(latent + reader.rating_shift - middle))
        difficulty = 1.0 - 2.0 * abs(share - 0.5)
        body = rng.normal(reader.mu_s, reader.sigma_s) + rng.exponential(reader.tau_s)
        slower = (1.0 + 0.6 * difficulty) * max(0.2, 1.0 + reader.fatigue * tired)
        factor = self.aided_time_factor.get(condition, 1.0)
        decision_s = float(max(1.0, body * slower * factor / reader.speed))
        rating_s = decision_s + float(rng.gamma(4.0, 0.4))
        return RatingAnswer(
            cannot_assess=refused,
            decision=0 if refused else int(latent >= reader.threshold),
            rating=0 if refused else round(share * HIGHEST_RATING),
            decision_s=decision_s,
            rating_s=rating_s,
            wall_s=rating_s + float(rng.gamma(4.0, 0.12)),
        )
