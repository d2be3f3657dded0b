"""A simulated reader who outlines: what is drawn, slice by slice, and how long each slice takes. Data only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.simulation.observer import simulated_observer

Mask = NDArray[np.bool_]

_PER_READINGS = 100
"""Fatigue is told per so many readings."""


@dataclass(frozen=True, eq=False)
class ContouringAnswer:
    """One simulated reading.

    Attributes
    ----------
    mask : ndarray of bool, shape (z, y, x), or None
        What was drawn; None if the case could not be assessed, or if nothing was seen.
    slice_s : mapping of int to float
        Seconds spent on each slice, by slice number.
    decision_s, wall_s : float
        From the first paint to the last act, and to the submit.
    """

    mask: Mask | None
    slice_s: dict[int, float]
    decision_s: float
    wall_s: float


@dataclass(frozen=True)
class ContouringReader:
    """How one reader outlines.

    Attributes
    ----------
    skill : float
        0 (a novice) to 1 (an expert), see :class:`equipoise.simulation.ObserverModel`.
    bias_mm : float
        Mean displacement of the border, positive outwards.
    slice_error_rate : float
        Probability that a slice is drawn badly.
    cannot_assess_rate : float
        Probability of giving no contour.
    speed : float
        1 is average; twice as fast at 2.
    search_s : float
        Mean time to find the structure and look over the result, exponentially distributed.
    slice_mu_s, slice_sigma_s, slice_tau_s : float
        Ex-Gaussian time of one slice of an average reader.
    fatigue : float
        Relative change of time per 100 readings; positive is slower.
    """

    skill: float = 0.8
    bias_mm: float = 0.0
    slice_error_rate: float = 0.0
    cannot_assess_rate: float = 0.005
    speed: float = 1.0
    search_s: float = 25.0
    slice_mu_s: float = 7.0
    slice_sigma_s: float = 1.5
    slice_tau_s: float = 4.0
    fatigue: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.cannot_assess_rate <= 1.0:
            raise ValueError(f"cannot_assess_rate must be in [0, 1], got {self.cannot_assess_rate}.")
        for name in ("speed", "search_s", "slice_mu_s", "slice_sigma_s", "slice_tau_s"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")

    def answer(
        self,
        rng: np.random.Generator,
        structure: Mask,
        spacing_mm: tuple[float, float, float],
        *,
        position: int = 1,
    ) -> ContouringAnswer:
        """Outline one structure.

        Parameters
        ----------
        rng : numpy.random.Generator
            The reading's own stream (:func:`equipoise.simulation.stream`).
        structure : ndarray of bool, shape (z, y, x)
            The structure as it is.
        spacing_mm : tuple of float
            (z, y, x).
        position : int
            Place in the reader's order, from 1; fatigue grows with it.

        Returns
        -------
        ContouringAnswer
            The drawing and its times in seconds.

        Raises
        ------
        ValueError
            If the structure is not three-dimensional, a parameter is out of range, or the position is below 1.
        """
        if position < 1:
            raise ValueError(f"position must be at least 1, got {position}.")
        draw_rng, time_rng = rng.spawn(2)
        drawn = simulated_observer(
            structure,
            spacing_mm,
            draw_rng,
            skill=self.skill,
            bias_mm=self.bias_mm,
            slice_error_rate=self.slice_error_rate,
        )
        slower = max(0.1, 1.0 + self.fatigue * (position - 1) / _PER_READINGS) / self.speed
        levels = np.flatnonzero(drawn.any(axis=(1, 2)))
        each = np.maximum(1.0, time_rng.normal(self.slice_mu_s, self.slice_sigma_s, levels.size))
        each = (each + time_rng.exponential(self.slice_tau_s, levels.size)) * slower
        search = float(time_rng.exponential(self.search_s)) * slower
        none = time_rng.random() < self.cannot_assess_rate or levels.size == 0
        decision = search + float(each.sum())
        return ContouringAnswer(
            mask=None if none else drawn,
            slice_s={} if none else {int(z): float(s) for z, s in zip(levels, each, strict=True)},
            decision_s=decision,
            wall_s=decision + 2.0 * slower,
        )
