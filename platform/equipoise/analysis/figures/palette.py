"""Colours that readers with colour blindness can tell apart, and where points stand in a swarm."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

OKABE_ITO: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""Okabe & Ito 2008, black last: it is kept for the algorithm."""
ALGORITHM: Final = "#000000"
GREY: Final = "#7F7F7F"
LIGHT: Final = "#D9D9D9"
DASHES: Final[tuple[Any, ...]] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
"""Line styles; colours repeat after seven, colour and style together after twenty-eight."""


def colour(index: int) -> str:
    """Return the colour of the index-th series of readers."""
    return OKABE_ITO[index % (len(OKABE_ITO) - 1)]


def dash(index: int) -> Any:
    """Return the line style of the index-th series."""
    return DASHES[(index // (len(OKABE_ITO) - 1)) % len(DASHES)]


def swarm_offsets(
    values: Sequence[float] | npt.NDArray[Any], *, half_width: float = 0.35, n_bins: int = 40
) -> npt.NDArray[Any]:
    """Return sideways offsets so that points of like value stand beside each other; no randomness."""
    numbers = np.asarray(values, dtype=float)
    offsets = np.zeros(len(numbers))
    if len(numbers) == 0:
        return offsets
    span = float(np.ptp(numbers)) or 1.0
    bins = np.floor((numbers - numbers.min()) / span * n_bins).astype(int)
    counts = np.bincount(bins)
    step = min(half_width / max(counts.max() / 2, 1), 0.08)
    for b in np.flatnonzero(counts > 1):
        members = np.flatnonzero(bins == b)
        members = members[np.argsort(numbers[members], kind="stable")]
        ranks = np.arange(len(members))
        offsets[members] = np.where(ranks % 2 == 0, ranks / 2, -(ranks + 1) / 2) * step
    return offsets
