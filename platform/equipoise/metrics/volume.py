"""How large a structure is."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from equipoise.metrics._validation import Spacing, validated_mask, validated_spacing

MM3_PER_ML = 1000
"""Cubic millimetres in a millilitre."""


def volume_ml(mask: npt.ArrayLike, spacing_mm: Sequence[float]) -> float:
    """Return the volume of a mask in ml: voxel count times voxel volume.

    Parameters
    ----------
    mask
        ``(z, y, x)``, booleans or 0 and 1.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    """
    n_voxels = int(np.count_nonzero(validated_mask(mask, name="mask")))
    return volume_of_count_ml(n_voxels, spacing_mm=validated_spacing(spacing_mm))


def volume_of_count_ml(n_voxels: int, *, spacing_mm: Spacing) -> float:
    """Return the volume of so many voxels in ml."""
    return n_voxels * math.prod(spacing_mm) / MM3_PER_ML


def equivalent_diameter_mm(mask: npt.ArrayLike, spacing_mm: Sequence[float]) -> float:
    """Return the diameter in mm of the sphere that has the mask's volume; 0 for an empty mask.

    Parameters
    ----------
    mask
        ``(z, y, x)``, booleans or 0 and 1.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    """
    return float(math.cbrt(6 * volume_ml(mask, spacing_mm) * MM3_PER_ML / math.pi))
