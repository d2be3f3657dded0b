"""A simulated observer's delineation: the reference displaced smoothly, with a bias, and now and then a wrong slice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

_NOVICE_SD_MM = 5.0
_EXPERT_SD_MM = 0.6
_CORRELATION_MM = (7.0, 11.0)
"""Along the slice axis and in the slice: how far a deviation of the hand carries on."""
_POINTS_PER_LENGTH = 3


@dataclass(frozen=True)
class ObserverModel:
    """How one observer draws.

    Attributes
    ----------
    skill : float
        0 (a novice, boundary off by about 5 mm) to 1 (an expert, about 0.6 mm).
    bias_mm : float
        Mean displacement of the boundary, positive outwards.
    slice_error_rate : float
        Probability that a slice is drawn badly: forgotten, or with a piece too much or too little.
    end_slice_mm : float
        Standard deviation of where the observer sees the first and last slice.
    """

    skill: float = 0.8
    bias_mm: float = 0.0
    slice_error_rate: float = 0.0
    end_slice_mm: float = 1.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.skill <= 1.0:
            raise ValueError(f"skill must be in [0, 1], got {self.skill}.")
        if not 0.0 <= self.slice_error_rate <= 1.0:
            raise ValueError(f"slice_error_rate must be in [0, 1], got {self.slice_error_rate}.")
        if self.end_slice_mm < 0.0:
            raise ValueError(f"end_slice_mm must not be negative, got {self.end_slice_mm}.")

    @property
    def boundary_sd_mm(self) -> float:
        """Standard deviation of the boundary's displacement, falling exponentially with skill."""
        return float(_NOVICE_SD_MM * (_EXPERT_SD_MM / _NOVICE_SD_MM) ** self.skill)


def simulated_observer(
    mask: Mask,
    spacing_mm: tuple[float, float, float],
    rng: np.random.Generator,
    *,
    skill: float = 0.8,
    bias_mm: float = 0.0,
    slice_error_rate: float = 0.0,
    end_slice_mm: float = 1.5,
) -> Mask:
    """Draw a structure as an observer would.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        The structure as it is.
    spacing_mm : tuple of float
        (z, y, x).
    rng : numpy.random.Generator
        The drawing is a function of its state.
    skill, bias_mm, slice_error_rate, end_slice_mm
        See :class:`ObserverModel`.

    Returns
    -------
    ndarray of bool, shape (z, y, x)
        What the observer drew; an empty mask stays empty.

    Raises
    ------
    ValueError
        If the mask is not three-dimensional, or a parameter is out of range.

    Notes
    -----
    The signed distance to the boundary is shifted by a smooth random field of the given standard deviation, so
    contours stay closed and smooth. For a tumour of 32 mm in slices of 5 mm the median volumetric Dice is 0.98 at
    skill 1, 0.96 at 0.8, 0.88 at 0.5, 0.84 at 0.3 and 0.70 at 0 (40 drawings each).

    Examples
    --------
    >>> ball = np.linalg.norm(np.indices((20, 40, 40)) - np.array([10, 20, 20])[:, None, None, None], axis=0) < 9
    >>> drawn = simulated_observer(ball, (2.0, 1.0, 1.0), np.random.default_rng(1), skill=1.0)
    >>> bool(2 * (drawn & ball).sum() / (drawn.sum() + ball.sum()) > 0.8)
    True
    """
    model = ObserverModel(skill, bias_mm, slice_error_rate, end_slice_mm)
    mask = np.asarray(mask, bool)
    if mask.ndim != 3:
        raise ValueError(f"mask must have the axes (z, y, x), got {mask.ndim} axes.")
    if min(spacing_mm) <= 0:
        raise ValueError(f"spacing_mm must be (z, y, x), each positive, got {spacing_mm}.")
    drawn = np.zeros_like(mask)
    if not mask.any():
        return drawn
    field_rng, end_rng, slice_rng = rng.spawn(3)
    box = _box(mask, spacing_mm, reach_mm=4.0 * model.boundary_sd_mm + abs(bias_mm) + 4.0)
    local = mask[box]
    distance = _signed_distance(local, spacing_mm)
    shift = model.bias_mm + model.boundary_sd_mm * _smooth_field(field_rng, local.shape, spacing_mm)
    part = distance < shift
    part &= _seen_slices(local, spacing_mm, end_rng, model)[:, None, None]
    _spoil_slices(part, distance, slice_rng, model)
    drawn[box] = _largest(part)
    return drawn


def _box(mask: Mask, spacing_mm: tuple[float, float, float], *, reach_mm: float) -> tuple[slice, ...]:
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(
            max(0, part.start - int(np.ceil(reach_mm / step))),
            min(n, part.stop + int(np.ceil(reach_mm / step))),
        )
        for part, step, n in zip(found, spacing_mm, mask.shape, strict=True)
    )


def _signed_distance(mask: Mask, spacing_mm: tuple[float, float, float]) -> FloatArray:
    """Return the distance to the boundary in mm, negative inside."""
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=spacing_mm)
    outside = ndimage.distance_transform_edt(~padded, sampling=spacing_mm)
    half = min(spacing_mm[1:]) / 2
    signed = np.where(padded, half - inside, outside - half)
    return np.asarray(signed[1:-1, 1:-1, 1:-1], float)


def _smooth_field(
    rng: np.random.Generator, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]
) -> FloatArray:
    """Return a smooth random field of mean 0 and standard deviation 1 (in expectation).

    Drawn on a grid of a third of the correlation length and interpolated: the field holds nothing finer.
    """
    lengths = (_CORRELATION_MM[0], _CORRELATION_MM[1], _CORRELATION_MM[1])
    coarse = [
        max(1, int(length / step / _POINTS_PER_LENGTH))
        for length, step in zip(lengths, spacing_mm, strict=True)
    ]
    sigma = [length / step / f for length, step, f in zip(lengths, spacing_mm, coarse, strict=True)]
    margin = [int(np.ceil(3 * one)) for one in sigma]
    inner = [-(-n // f) + 1 for n, f in zip(shape, coarse, strict=True)]
    noise = rng.standard_normal([n + 2 * m for n, m in zip(inner, margin, strict=True)])
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap", truncate=3.0)
    gain = 1.0
    for one in sigma:  # standard deviation that white noise keeps under the kernel actually used
        kernel = np.exp(-0.5 * (np.arange(-int(3.0 * one + 0.5), int(3.0 * one + 0.5) + 1) / one) ** 2)
        gain *= float(np.sqrt(np.sum((kernel / kernel.sum()) ** 2)))
    field = smooth[tuple(slice(m, m + n) for n, m in zip(inner, margin, strict=True))] / gain
    for axis, (n, f) in enumerate(zip(shape, coarse, strict=True)):
        at = np.arange(n) / f
        low = at.astype(int)
        part = (at - low).reshape([-1 if one == axis else 1 for one in range(3)])
        field = field.take(low, axis) * (1 - part) + field.take(low + 1, axis) * part
    return np.asarray(field)


def _seen_slices(
    mask: Mask, spacing_mm: tuple[float, float, float], rng: np.random.Generator, model: ObserverModel
) -> NDArray[np.bool_]:
    """Return the slices between the first and the last that the observer takes for the structure."""
    levels = np.flatnonzero(mask.any(axis=(1, 2)))
    sd = model.end_slice_mm * (1.5 - model.skill) / spacing_mm[0]
    low, high = levels[0] + rng.normal(0.0, sd), levels[-1] + rng.normal(0.0, sd)
    index = np.arange(mask.shape[0])
    seen = (index >= np.rint(low)) & (index <= np.rint(high))
    seen[levels[len(levels) // 2]] = True
    return np.asarray(seen)


def _spoil_slices(part: Mask, distance: FloatArray, rng: np.random.Generator, model: ObserverModel) -> None:
    """Make some slices bad, in place: forgotten, swollen or with a piece missing."""
    for level in np.flatnonzero(part.any(axis=(1, 2))):
        if rng.random() >= model.slice_error_rate:
            continue
        kind = rng.integers(3)
        if kind == 0:
            part[level] = False
        elif kind == 1:
            part[level] = distance[level] < rng.uniform(4.0, 9.0)
        else:
            y, x = np.nonzero(part[level])
            direction = rng.uniform(0, 2 * np.pi)
            along = np.cos(direction) * (x - x.mean()) + np.sin(direction) * (y - y.mean())
            cut = along > np.quantile(along, rng.uniform(0.45, 0.75))
            part[level, y[cut], x[cut]] = False


def _largest(mask: Mask) -> Mask:
    """Return the largest piece in every slice: an observer draws one outline per slice here."""
    result = np.zeros_like(mask)
    for level in np.flatnonzero(mask.any(axis=(1, 2))):
        labels, count = ndimage.label(mask[level])
        if count <= 1:
            result[level] = ndimage.binary_fill_holes(mask[level])
            continue
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        result[level] = ndimage.binary_fill_holes(labels == int(sizes.argmax()))
    return result
