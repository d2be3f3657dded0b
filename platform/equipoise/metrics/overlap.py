"""Volumetric overlap of two masks, counted in voxels."""

import math
import warnings

import numpy as np
import numpy.typing as npt

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics._validation import Mask, validated_pair


def dice(reference: npt.ArrayLike, candidate: npt.ArrayLike) -> float:
    """Return the Dice similarity coefficient, ``2 |A and B| / (|A| + |B|)``.

    Parameters
    ----------
    reference, candidate
        Masks ``(z, y, x)`` of one shape, booleans or 0 and 1.

    Returns
    -------
    float
        0 to 1; 0 with one empty mask, ``nan`` with a :class:`DegenerateDataWarning` with two.

    References
    ----------
    .. [1] Dice. Measures of the amount of ecologic association between species. Ecology 26(3), 1945.
    """
    first, second = validated_pair(reference, candidate)
    counts = _counts(first, second)
    return dice_of_counts(*counts)


def jaccard(reference: npt.ArrayLike, candidate: npt.ArrayLike) -> float:
    """Return the Jaccard index, ``|A and B| / |A or B|``.

    Parameters
    ----------
    reference, candidate
        Masks ``(z, y, x)`` of one shape, booleans or 0 and 1.

    Returns
    -------
    float
        0 to 1; 0 with one empty mask, ``nan`` with a :class:`DegenerateDataWarning` with two.

    References
    ----------
    .. [1] Jaccard. The distribution of the flora in the alpine zone. New Phytologist 11(2), 1912.
    """
    first, second = validated_pair(reference, candidate)
    counts = _counts(first, second)
    return jaccard_of_counts(*counts)


def slice_dice(reference: npt.ArrayLike, candidate: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the Dice similarity coefficient of every slice.

    Parameters
    ----------
    reference, candidate
        Masks ``(z, y, x)`` of one shape, booleans or 0 and 1.

    Returns
    -------
    numpy.ndarray
        Shape (z,); 0 where one mask has no foreground in the slice, ``nan`` where neither has (without a
        warning: most slices of a volume are so).
    """
    first, second = validated_pair(reference, candidate)
    both = np.count_nonzero(first & second, axis=(1, 2))
    total = np.count_nonzero(first, axis=(1, 2)) + np.count_nonzero(second, axis=(1, 2))
    values = np.full(total.shape, np.nan)
    np.divide(2 * both, total, out=values, where=total > 0)
    return values


def dice_of_counts(n_reference: int, n_candidate: int, n_both: int) -> float:
    """Return the Dice similarity coefficient from voxel counts; ``nan`` without any."""
    total = n_reference + n_candidate
    return 2 * n_both / total if total else math.nan


def jaccard_of_counts(n_reference: int, n_candidate: int, n_both: int) -> float:
    """Return the Jaccard index from voxel counts; ``nan`` without any."""
    total = n_reference + n_candidate - n_both
    return n_both / total if total else math.nan


def _counts(first: Mask, second: Mask) -> tuple[int, int, int]:
    n_first, n_second = int(np.count_nonzero(first)), int(np.count_nonzero(second))
    if n_first + n_second == 0:
        warnings.warn("Both masks are empty: overlap is undefined.", DegenerateDataWarning, stacklevel=3)
    return n_first, n_second, int(np.count_nonzero(first & second))
