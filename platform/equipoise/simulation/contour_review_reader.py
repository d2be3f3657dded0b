"""A simulated reader who reviews a contour: accepts it, edits it or rejects it, and guesses who made it. Data only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from equipoise.metrics import surface_distances
from equipoise.simulation.observer import simulated_observer

Mask = NDArray[np.bool_]
Verdict = Literal["accept", "edit", "reject"]
Origin = Literal["person", "algorithm", "dont_know"]

_PER_READINGS = 100
"""Fatigue is told per so many readings."""


@dataclass(frozen=True, eq=False)
class ContourReviewAnswer:
    """One simulated review.

    Attributes
    ----------
    cannot_assess : bool
        Whether no answer was given; everything but the times then means nothing.
    acceptability : int
        Step of the scale, 1 the best.
    verdict : str
        ``accept``, ``edit`` or ``reject``.
    mask : ndarray of bool, shape (z, y, x), or None
        What the contour was edited to; None unless the verdict is ``edit``.
    slice_s : mapping of int to float
        Seconds spent on editing each slice that was changed, by slice number.
    origin : str
        Whom the reader takes for the maker: ``person``, ``algorithm`` or ``dont_know``.
    judged_s, decision_s, wall_s : float
        From the first paint to the step of the scale, to the last act or the verdict, and to the submit.
    """

    cannot_assess: bool
    acceptability: int
    verdict: Verdict
    mask: Mask | None
    slice_s: dict[int, float]
    origin: Origin
    judged_s: float
    decision_s: float
    wall_s: float


@dataclass(frozen=True)
class ContourReviewReader:
    """How one reader reviews.

    The reader has an outline of their own in mind, more or less near the structure, and judges the contour by the share
    of the surface that agrees with it.

    Attributes
    ----------
    skill : float
        0 (a novice) to 1 (an expert), see :class:`equipoise.simulation.ObserverModel`.
    bias_mm : float
        Mean displacement of the reader's own outline, positive outwards.
    tolerance_mm : float
        Up to which distance the contour and the reader's outline agree.
    limits : sequence of float
        Agreement (surface Dice) from which on a contour takes step 1, 2, ... of the scale, falling; below the last one
        it takes the worst step.
    leniency : float
        Added to the agreement: positive accepts more.
    insight : float
        Probability of knowing who made the contour; 0 is a blinded reader, who guesses.
    dont_know_rate : float
        Probability that a reader who does not know says so.
    cannot_assess_rate : float
        Probability of giving no answer.
    speed : float
        1 is average; twice as fast at 2.
    look_mu_s, look_sigma_s, look_tau_s : float
        Ex-Gaussian time until the contour is judged.
    slice_mu_s, slice_sigma_s, slice_tau_s : float
        Ex-Gaussian time of editing one slice.
    fatigue : float
        Relative change of time per 100 readings; positive is slower.
    """

    skill: float = 0.8
    bias_mm: float = 0.0
    tolerance_mm: float = 3.0
    limits: Sequence[float] = (0.95, 0.8, 0.5)
    leniency: float = 0.0
    insight: float = 0.0
    dont_know_rate: float = 0.4
    cannot_assess_rate: float = 0.005
    speed: float = 1.0
    look_mu_s: float = 20.0
    look_sigma_s: float = 5.0
    look_tau_s: float = 10.0
    slice_mu_s: float = 5.0
    slice_sigma_s: float = 1.0
    slice_tau_s: float = 3.0
    fatigue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("insight", "dont_know_rate", "cannot_assess_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}.")
        times = ("look_mu_s", "look_sigma_s", "look_tau_s", "slice_mu_s", "slice_sigma_s", "slice_tau_s")
        for name in ("tolerance_mm", "speed", *times):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")
        if not self.limits or list(self.limits) != sorted(set(self.limits), reverse=True):
            raise ValueError(f"limits must fall from step to step, got {tuple(self.limits)}.")

    def answer(
        self,
        rng: np.random.Generator,
        structure: Mask,
        shown: Mask,
        spacing_mm: tuple[float, float, float],
        *,
        by_algorithm: bool,
        allow_edit: bool = True,
        position: int = 1,
    ) -> ContourReviewAnswer:
        """Review one contour.

        Parameters
        ----------
        rng : numpy.random.Generator
            The reading's own stream (:func:`equipoise.simulation.stream`).
        structure, shown : ndarray of bool, shape (z, y, x)
            The structure as it is, and the contour under review.
        spacing_mm : tuple of float
            (z, y, x).
        by_algorithm : bool
            Who made the contour, which only a reader with insight knows.
        allow_edit : bool
            Whether a contour may be edited; if not, one that needs changes is rejected.
        position : int
            Place in the reader's order, from 1; fatigue grows with it.

        Returns
        -------
        ContourReviewAnswer
            The answers, the edited contour and the times in seconds.

        Raises
        ------
        ValueError
            If the masks are not three-dimensional and of one shape, a parameter is out of range, or the position is
            below 1.
        """
        if position < 1:
            raise ValueError(f"position must be at least 1, got {position}.")
        draw_rng, guess_rng, time_rng = rng.spawn(3)
        own = simulated_observer(structure, spacing_mm, draw_rng, skill=self.skill, bias_mm=self.bias_mm)
        agreement = (
            surface_distances(own, shown, spacing_mm).surface_dice(self.tolerance_mm)
            if own.any() and shown.any()
            else 0.0
        )
        step = 1 + sum(agreement + self.leniency < limit for limit in self.limits)
        verdict = self._verdict(step, changeable=allow_edit and bool(own.any() and (own != shown).any()))
        changed = np.flatnonzero((own != shown).any(axis=(1, 2))) if verdict == "edit" else np.array([], int)
        slower = max(0.1, 1.0 + self.fatigue * (position - 1) / _PER_READINGS) / self.speed
        judged = max(1.0, time_rng.normal(self.look_mu_s, self.look_sigma_s)) * slower
        judged += float(time_rng.exponential(self.look_tau_s)) * slower
        each = np.maximum(1.0, time_rng.normal(self.slice_mu_s, self.slice_sigma_s, changed.size))
        each = (each + time_rng.exponential(self.slice_tau_s, changed.size)) * slower
        decision = judged + 2.0 * slower + float(each.sum())
        return ContourReviewAnswer(
            cannot_assess=bool(guess_rng.random() < self.cannot_assess_rate),
            acceptability=step,
            verdict=verdict,
            mask=own if verdict == "edit" else None,
            slice_s={int(z): float(s) for z, s in zip(changed, each, strict=True)},
            origin=self._guess(guess_rng, by_algorithm=by_algorithm),
            judged_s=judged,
            decision_s=decision,
            wall_s=decision + 3.0 * slower,
        )

    def _verdict(self, step: int, *, changeable: bool) -> Verdict:
        if step == 1:
            return "accept"
        return "edit" if changeable and step <= len(self.limits) else "reject"

    def _guess(self, rng: np.random.Generator, *, by_algorithm: bool) -> Origin:
        knows, says, heads = rng.random(3)
        if knows < self.insight:
            return "algorithm" if by_algorithm else "person"
        if says < self.dont_know_rate:
            return "dont_know"
        return "algorithm" if heads < 0.5 else "person"
