"""What a scan must be before any pipeline looks at it."""

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.errors import InferenceWarning, UnusableScanError, WarningCode

LOWEST_HU, HIGHEST_HU = -2048, 4095
"""What 12 bits with the usual offsets can hold; scanners mark the outside of their field by values below air."""

SHARE_OUT_OF_RANGE = 0.001
"""Share of voxels beyond the range that is let pass: metal and the corners of the field."""

LARGEST_SPACING_MM = 20.0
"""Pixels or slices further apart show no lesion."""


def validated_scan(hu: NDArray[np.number], spacing_mm: tuple[float, float, float]) -> NDArray[np.int16]:
    """Return the voxels as int16 or say why the scan is none.

    Raises
    ------
    UnusableScanError
        If there are not three dimensions, a value is no number, or the spacing is not usable.
    """
    if hu.ndim != 3 or 0 in hu.shape:
        raise UnusableScanError(f"A scan has slices, rows and columns; this one has the shape {hu.shape}.")
    if not all(np.isfinite(s) and 0 < s <= LARGEST_SPACING_MM for s in spacing_mm):
        raise UnusableScanError(
            f"The voxel spacing {spacing_mm} mm is not usable; each must lie above 0 and up to "
            f"{LARGEST_SPACING_MM:g} mm."
        )
    if hu.dtype == np.int16:
        return np.asarray(hu, np.int16)
    if not np.isfinite(hu).all():
        raise UnusableScanError("The image holds values that are not numbers; convert it again.")
    limits = np.iinfo(np.int16)
    if hu.min() < limits.min or hu.max() > limits.max:
        raise UnusableScanError("The image holds values beyond 16 bits; it is not in Hounsfield units.")
    return np.asarray(np.rint(hu), np.int16)


def range_warnings(volume: NDArray[np.int16]) -> list[InferenceWarning]:
    """Say whether the values look like Hounsfield units."""
    sample = volume[:, ::2, ::2]
    # Padding outside the scanner's field is one single value; everything else below air counts.
    padding = sample.min()
    low = np.count_nonzero((sample < LOWEST_HU) & (sample != padding))
    share = (low + np.count_nonzero(sample > HIGHEST_HU)) / sample.size
    if share > SHARE_OUT_OF_RANGE:
        return [
            InferenceWarning(
                WarningCode.OUT_OF_RANGE,
                f"{share:.1%} of the voxels lie beyond {LOWEST_HU} to {HIGHEST_HU}: are these Hounsfield units?",
            )
        ]
    return []
