"""Checks of masks, spacings and tolerances, made once at the public doors."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
"""A mask ``(z, y, x)``, True in the structure."""

Spacing = tuple[float, float, float]
"""Voxel spacing ``(z, y, x)`` in mm."""


def validated_mask(mask: npt.ArrayLike, *, name: str) -> Mask:
    """Return the mask as a three-dimensional boolean array, without a copy where it is one already.

    Raises
    ------
    TypeError
        If the values are neither booleans nor integers.
    ValueError
        If the array does not have three axes, or integers other than 0 and 1 occur.
    """
    array = np.asarray(mask)
    if array.ndim != 3:
        raise ValueError(f"'{name}' must have three axes (z, y, x), but its shape is {array.shape}.")
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "iu":
        raise TypeError(f"'{name}' must hold booleans or the integers 0 and 1, not {array.dtype}.")
    if array.size and (array.min() < 0 or array.max() > 1):
        values = f"{array.min()} to {array.max()}"
        raise ValueError(f"'{name}' must hold 0 and 1 only, but its values run from {values}.")
    return array.view(np.bool_) if array.dtype.itemsize == 1 else array.astype(np.bool_)


def validated_pair(reference: npt.ArrayLike, candidate: npt.ArrayLike) -> tuple[Mask, Mask]:
    """Return two masks of one shape.

    Raises
    ------
    ValueError
        If the shapes differ, beside what :func:`validated_mask` refuses.
    """
    first = validated_mask(reference, name="reference")
    second = validated_mask(candidate, name="candidate")
    if first.shape != second.shape:
        raise ValueError(
            f"'reference' and 'candidate' must have one shape, not {first.shape} and {second.shape}."
        )
    return first, second


def validated_masks(masks: Mapping[str, npt.ArrayLike], *, name: str = "masks") -> dict[str, Mask]:
    """Return named masks of one shape.

    Raises
    ------
    ValueError
        If the shapes differ, beside what :func:`validated_mask` refuses.
    """
    checked = {key: validated_mask(mask, name=f"{name}[{key!r}]") for key, mask in masks.items()}
    shapes = {key: mask.shape for key, mask in checked.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"'{name}' must have one shape, but theirs are {shapes}.")
    return checked


def validated_spacing(spacing_mm: Sequence[float] | npt.NDArray[np.floating]) -> Spacing:
    """Return the spacing as three floats.

    Raises
    ------
    ValueError
        If there are not three finite positive numbers.
    """
    values = tuple(float(value) for value in spacing_mm)
    if len(values) != 3 or not all(math.isfinite(value) and value > 0 for value in values):
        raise ValueError(f"'spacing_mm' must be three positive numbers (z, y, x), not {tuple(spacing_mm)}.")
    return values[0], values[1], values[2]


def validated_tolerances(tolerances_mm: Iterable[float]) -> tuple[float, ...]:
    """Return the tolerances as floats.

    Raises
    ------
    ValueError
        If one is negative or not a number.
    """
    values = tuple(float(value) for value in tolerances_mm)
    for value in values:
        if not value >= 0:
            raise ValueError(f"'tolerances_mm' must be nonnegative numbers, but {value} is among them.")
    return values
