"""Simulated readers of a preference trial: what they choose, how long they take, data only.

The choice follows the model that the trial's analysis assumes: on the logit scale the sum of an overall preference for
candidate b, the reader's, the case's and the item's own leaning, a side effect, and what the reader can see of the
difference in quality. What was set is known, so an estimate can be held against it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Choice = Literal["left", "right", "none", "cannot_assess"]
Side = Literal["left", "right"]

_LOGITS_PER_DICE = 25.0
"""What a reader of skill 1 makes of a difference of 1 in Dice: 0.05 moves an even choice to 78 %."""
_NODES = 40


@dataclass(frozen=True)
class PreferenceAnswer:
    """One simulated reading."""

    choice: Choice
    decision_s: float
    """From the first paint to the last change of the answer."""
    wall_s: float
    """To the submit: the decision and the moment it takes to confirm."""
    changes: int
    """How often the answer was set; the last one counts."""


@dataclass(frozen=True)
class PreferenceReader:
    """How one reader chooses and how fast.

    Attributes
    ----------
    skill : float
        0 (sees no difference in quality) to 1.
    leaning_logit : float
        The reader's own liking of candidate b, logit scale.
    side_bias_logit : float
        Pull to the left side, logit scale.
    lapse_rate, cannot_assess_rate : float
        Probabilities of a blind guess and of giving no answer.
    no_preference_band : float
        Where "no preference" is offered: chosen when the probability is within this of one half.
    speed : float
        1 is average; twice as fast at 2.
    mu_s, sigma_s, tau_s : float
        Ex-Gaussian time of an average reader at an easy pair: normal part and exponential tail.
    fatigue : float
        Relative change of time per 100 readings; positive is slower.
    """

    skill: float = 0.8
    leaning_logit: float = 0.0
    side_bias_logit: float = 0.0
    lapse_rate: float = 0.02
    cannot_assess_rate: float = 0.005
    no_preference_band: float = 0.05
    speed: float = 1.0
    mu_s: float = 5.0
    sigma_s: float = 1.2
    tau_s: float = 4.0
    fatigue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("skill", "lapse_rate", "cannot_assess_rate"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {value}.")
        for name in ("speed", "mu_s", "sigma_s", "tau_s"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")

    def probability_of_b(
        self, *, side_b: Side, quality_a: float = 0.0, quality_b: float = 0.0, effect_logit: float = 0.0
    ) -> float:
        """Return the probability of choosing candidate b, before lapses are told apart from choices.

        ``effect_logit`` is what the trial's population adds: overall preference, case and item.
        """
        pull = self.side_bias_logit if side_b == "left" else -self.side_bias_logit
        seen = self.skill * _LOGITS_PER_DICE * (quality_b - quality_a)
        chosen = 1.0 / (1.0 + np.exp(-(effect_logit + self.leaning_logit + pull + seen)))
        return float(self.lapse_rate / 2 + (1.0 - self.lapse_rate) * chosen)

    def answer(
        self,
        rng: np.random.Generator,
        *,
        side_b: Side,
        quality_a: float = 0.0,
        quality_b: float = 0.0,
        effect_logit: float = 0.0,
        position: int = 1,
        allow_no_preference: bool = False,
    ) -> PreferenceAnswer:
        """Read one pair.

        Parameters
        ----------
        rng : numpy.random.Generator
            The reading's own stream (:func:`equipoise.simulation.streams.stream`).
        side_b : {"left", "right"}
            Where candidate b is shown.
        quality_a, quality_b : float
            For instance the Dice of either contour with the truth.
        effect_logit : float
            Overall preference for b, case and item, from :class:`PreferencePopulation`.
        position : int
            Place in the reader's order, from 1; fatigue grows with it.
        allow_no_preference : bool
            Whether the protocol offers it.

        Returns
        -------
        PreferenceAnswer
            Choice by side and times in seconds.
        """
        if position < 1:
            raise ValueError(f"position must be at least 1, got {position}.")
        p = self.probability_of_b(
            side_b=side_b, quality_a=quality_a, quality_b=quality_b, effect_logit=effect_logit
        )
        draw, refusal, hesitation = rng.random(3)
        if refusal < self.cannot_assess_rate:
            choice: Choice = "cannot_assess"
        elif allow_no_preference and abs(p - 0.5) < self.no_preference_band:
            choice = "none"
        else:
            other: Side = "right" if side_b == "left" else "left"
            choice = side_b if draw < p else other
        difficulty = 1.0 - 2.0 * abs(p - 0.5)
        decision_s = self._time_s(rng, difficulty=difficulty, position=position)
        return PreferenceAnswer(
            choice=choice,
            decision_s=decision_s,
            wall_s=decision_s + float(rng.gamma(4.0, 0.12)),
            changes=2 if hesitation < 0.06 + 0.10 * difficulty else 1,
        )

    def _time_s(self, rng: np.random.Generator, *, difficulty: float, position: int) -> float:
        body = rng.normal(self.mu_s, self.sigma_s) + rng.exponential(self.tau_s)
        slower = (1.0 + 0.6 * difficulty) * max(0.2, 1.0 + self.fatigue * (position - 1) / 100.0)
        return float(max(0.8, body * slower / self.speed))


@dataclass(frozen=True)
class PreferencePopulation:
    """What a simulated preference trial is drawn from, on the logit scale.

    Attributes
    ----------
    mean_logit : float
        Overall preference for candidate b; 0 is none.
    reader_sd, case_sd, item_sd : float
        Standard deviations of readers, cases, and items within cases.
    side_logit : float
        Pull to the left side that all readers share.
    side_sd : float
        How readers differ in it.
    """

    mean_logit: float = 0.0
    reader_sd: float = 0.4
    case_sd: float = 0.5
    item_sd: float = 0.3
    side_logit: float = 0.1
    side_sd: float = 0.1

    def __post_init__(self) -> None:
        for name in ("reader_sd", "case_sd", "item_sd", "side_sd"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")

    @property
    def marginal_probability(self) -> float:
        """Probability that b is preferred, over readers, cases, items and both sides: the value that was set.

        For readers without lapses who see no difference in quality. Gauss-Hermite quadrature with 40 nodes.
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        weights = weights / weights.sum()
        sd = np.sqrt(self.reader_sd**2 + self.case_sd**2 + self.item_sd**2 + self.side_sd**2)
        both = [self.mean_logit + side * self.side_logit + sd * nodes for side in (1.0, -1.0)]
        return float(np.mean([np.sum(weights / (1.0 + np.exp(-eta))) for eta in both]))

    def readers(self, rng: np.random.Generator, count: int) -> tuple[PreferenceReader, ...]:
        """Draw readers who choose by the population's model alone (no lapses, no refusals), of different speed."""
        leanings = rng.normal(0.0, self.reader_sd, count)
        sides = rng.normal(self.side_logit, self.side_sd, count)
        speeds = np.exp(rng.normal(0.0, 0.25, count))
        fatigue = rng.normal(-0.08, 0.1, count)
        return tuple(
            PreferenceReader(
                skill=0.0,
                leaning_logit=float(leaning),
                side_bias_logit=float(side),
                lapse_rate=0.0,
                cannot_assess_rate=0.0,
                speed=float(speed),
                fatigue=float(tired),
            )
            for leaning, side, speed, tired in zip(leanings, sides, speeds, fatigue, strict=True)
        )

    def item_effects(self, rng: np.random.Generator, cases: NDArray[np.intp]) -> FloatArray:
        """Draw ``effect_logit`` for every item.

        Parameters
        ----------
        rng : numpy.random.Generator
            Cases first, then items.
        cases : ndarray of int, shape (n_items,)
            The case of each item, counted from 0.

        Returns
        -------
        ndarray of float, shape (n_items,)
            Overall preference plus case plus item.
        """
        cases = np.asarray(cases)
        if cases.size == 0:
            return np.empty(0)
        by_case = rng.normal(0.0, self.case_sd, int(cases.max()) + 1)
        return np.asarray(self.mean_logit + by_case[cases] + rng.normal(0.0, self.item_sd, cases.size))
