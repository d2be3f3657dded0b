"""Times to an event or to the end of observation: the door of the survival methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._tidy import codes, label

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SurvivalTimes:
    """Complete observations.

    Attributes
    ----------
    time : ndarray of float, shape (n,)
        At least 0, any unit.
    event : ndarray of bool, shape (n,)
        Whether the event was seen at ``time``; otherwise observation ended there.
    kept : ndarray of bool, shape (given,)
        Which of the given rows these are.
    """

    time: Floats
    event: NDArray[np.bool_]
    kept: NDArray[np.bool_]

    @property
    def n_missing(self) -> int:
        """Rows left out for a missing value."""
        return int(np.sum(~self.kept))


def survival_times(
    time: ArrayLike, event: ArrayLike, *, missing: NDArray[np.bool_] | None = None
) -> SurvivalTimes:
    """Validate times and events and leave out rows with a missing value.

    Parameters
    ----------
    time : array_like of float, shape (n,)
    event : array_like, shape (n,)
        1 or True: the event; 0 or False: censored.
    missing : ndarray of bool, shape (n,), optional
        Further rows to leave out.

    Raises
    ------
    ValueError
        If shapes differ, a time is negative or infinite, or an event is neither 0 nor 1.
    """
    times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if times.ndim != 1 or times.shape != events.shape:
        raise ValueError(f"time and event must have one length, got shapes {times.shape} and {events.shape}.")
    kept = ~(np.isnan(times) | np.isnan(events))
    if missing is not None:
        if missing.shape != times.shape:
            raise ValueError(f"Every variable needs one value per time ({times.size}), got {missing.shape}.")
        kept &= ~missing
    times, events = times[kept], events[kept]
    if np.any(times < 0.0) or np.any(np.isinf(times)):
        raise ValueError("time must be finite and at least 0.")
    if not np.all((events == 0.0) | (events == 1.0)):
        raise ValueError("event must be 1 (seen) or 0 (censored) everywhere.")
    return SurvivalTimes(times, events == 1.0, kept)


def group_codes(
    groups: Sequence[Any], length: int, *, name: str
) -> tuple[list[Any], NDArray[np.intp], NDArray[np.bool_]]:
    """Return the group names in order, each row's index (0 where missing) and which rows have no group."""
    if len(groups) != length:
        raise ValueError(f"{name} must hold one label per time ({length}), got {len(groups)}.")
    labels = [label(value) for value in groups]
    names = codes([value for value in labels if value is not None])[0]
    place = {value: index for index, value in enumerate(names)}
    index = np.array([place.get(value, 0) for value in labels], dtype=np.intp)
    return names, index, np.array([value is None for value in labels], dtype=bool)


@dataclass(frozen=True)
class RiskTable:
    """Who is at risk and who has the event at each distinct time.

    All arrays have shape (distinct times,).
    """

    time: Floats
    n_risk: Floats
    n_event: Floats
    n_censored: Floats


def risk_table(time: Floats, event: NDArray[np.bool_], times: Floats | None = None) -> RiskTable:
    """Count at each of ``times`` (default: the distinct times) those at risk just before, events and
    censored."""
    at = np.unique(time) if times is None else times
    ordered = np.sort(time)
    n_risk = len(time) - np.searchsorted(ordered, at, side="left")
    places = np.searchsorted(at, time)
    n_event = np.bincount(places[event], minlength=len(at))
    n_censored = np.bincount(places[~event], minlength=len(at))
    return RiskTable(at, n_risk.astype(np.float64), n_event.astype(np.float64), n_censored.astype(np.float64))
