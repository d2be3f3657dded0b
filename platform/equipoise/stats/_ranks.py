"""Midranks, the one thing every rank test shares."""

import numpy as np
from numpy.typing import NDArray


def midranks(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the ranks (1 based, ties share their mean rank) and the sizes of the groups of ties."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = last - (counts - 1) / 2.0
    return mean_rank[inverse], counts
