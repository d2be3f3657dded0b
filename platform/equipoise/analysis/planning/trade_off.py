"""What readers and cases trade for each other: power over a grid of both, as a table and a figure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.analysis.results import Figure
from equipoise.analysis.tables import Table
from equipoise.stats import Power

N_STEPS = 25
"""How many numbers of readers, and of cases, a grid has at most."""

PowerAt = Callable[[int, int], Power]
"""Power with so many readers and so many cases."""


@dataclass(frozen=True, eq=False)
class TradeOff:
    """Power over a grid.

    Attributes
    ----------
    readers, cases : tuple of int
        Rising.
    power : ndarray of float, shape (readers, cases)
    """

    readers: tuple[int, ...]
    cases: tuple[int, ...]
    power: NDArray[np.float64]

    @property
    def table(self) -> Table:
        """One row per cell: ``readers``, ``cases``, ``power``."""
        rows = [
            (r, c, float(self.power[i, j]))
            for i, r in enumerate(self.readers)
            for j, c in enumerate(self.cases)
        ]
        return Table.of_rows("power", ("readers", "cases", "power"), rows)

    def figure(self, *, title: str, caption: str, target: float, chosen: tuple[int, int]) -> Figure:
        """Return the contours of power, that of the target thick, with the chosen plan marked."""
        return Figure(
            "power",
            "contours",
            title,
            caption,
            self.table,
            width_cm=12.0,
            height_cm=8.5,
            options={"target": target, "chosen": chosen, "xlabel": "Readers", "ylabel": "Cases"},
        )


def trade_off(
    power_at: PowerAt,
    readers: Iterable[int],
    cases: Iterable[int],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> TradeOff:
    """Compute the power over a grid of readers and cases.

    Parameters
    ----------
    power_at : function of (readers, cases)
    readers, cases : iterable of int
        In any order; each counts once.
    progress : function of (done, of how many), optional

    Examples
    --------
    >>> from equipoise.stats import preference_power
    >>> grid = trade_off(lambda r, c: preference_power(0.6, n_readers=r, n_cases=c), (10, 20), (30, 60))
    >>> np.round(grid.power, 2).tolist()
    [[0.6, 0.76], [0.82, 0.94]]
    """
    r, c = tuple(sorted(set(readers))), tuple(sorted(set(cases)))
    power = np.empty((len(r), len(c)))
    for i, n_readers in enumerate(r):
        for j, n_cases in enumerate(c):
            power[i, j] = power_at(n_readers, n_cases).power
        if progress is not None:
            progress(i + 1, len(r))
    return TradeOff(r, c, power)


def grid_around(number: int, *, lowest: int) -> list[int]:
    """Return numbers from the lowest sensible one to twice the given one, which is among them."""
    high = max(2 * number, lowest + N_STEPS - 1)
    low = min(max(lowest, number // 4), number)
    steps = np.linspace(low, high, min(N_STEPS, high - low + 1))
    return sorted({number, *(round(float(step)) for step in steps)})
