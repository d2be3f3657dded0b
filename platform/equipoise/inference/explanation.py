"""How well a heat map points at the lesions: hits, energy inside, overlap at matched area, against shuffled maps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ExplanationQuality:
    """Agreement of a heat map with lesion masks.

    Attributes
    ----------
    pointing_hit : bool
        Whether the hottest pixel lies on a lesion.
    energy_inside : float
        Share of the map's sum that lies on lesions, 0 to 1.
    overlap : float
        Dice of the lesions with the hottest pixels, as many as the lesions have, 0 to 1.
    """

    pointing_hit: bool
    energy_inside: float
    overlap: float


@dataclass(frozen=True, slots=True)
class ExplanationComparison:
    """A map's quality beside that of its shuffled copies.

    Attributes
    ----------
    observed : ExplanationQuality
    shuffled_hit_rate, shuffled_energy, shuffled_overlap : float
        Means over the copies.
    p_value : float
        Share of the copies whose energy inside is at least the map's, the map itself counted (one-sided).
    """

    observed: ExplanationQuality
    shuffled_hit_rate: float
    shuffled_energy: float
    shuffled_overlap: float
    p_value: float


def explanation_quality(heat: NDArray[np.floating], lesions: NDArray[np.bool_]) -> ExplanationQuality:
    """Measure one map.

    Parameters
    ----------
    heat : array, any shape
        Not negative.
    lesions : array of bool, same shape
        At least one pixel.

    Raises
    ------
    ValueError
        If the shapes differ, the map is negative or not finite, or there is no lesion.

    Notes
    -----
    A map of zeros points nowhere: no hit, no energy, no overlap. Of equally hot pixels the first counts.

    Examples
    --------
    >>> heat = np.array([[0.0, 1.0], [3.0, 0.0]])
    >>> explanation_quality(heat, np.array([[False, False], [True, False]]))
    ExplanationQuality(pointing_hit=True, energy_inside=0.75, overlap=1.0)
    """
    _validate(heat, lesions)
    return _quality(np.asarray(heat, float).ravel(), lesions.ravel())


def compare_with_shuffled(
    heat: NDArray[np.floating],
    lesions: NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    block: int = 32,
    copies: int = 200,
) -> ExplanationComparison:
    """Measure a map beside copies whose blocks are shuffled.

    Parameters
    ----------
    heat, lesions : array, shape (rows, columns)
    block : int
        Side of the blocks that are shuffled whole: the grain of the map, so that copies are as smooth as it is.
    copies : int

    Raises
    ------
    ValueError
        As :func:`explanation_quality`, or if the map has fewer than two blocks.
    """
    _validate(heat, lesions)
    rows, columns = heat.shape[0] // block, heat.shape[1] // block
    if rows * columns < 2:
        raise ValueError(f"heat of shape {heat.shape} has fewer than two blocks of {block} x {block}.")
    # Rows and columns beyond the last whole block stay out of both, so that both are of the same pixels.
    values: NDArray[np.float64] = np.array(heat[: rows * block, : columns * block], np.float64)
    lesions = lesions[: rows * block, : columns * block]
    if not lesions.any():
        raise ValueError("lesions has no pixel within the whole blocks.")
    blocks = values.reshape(rows, block, columns, block).transpose(0, 2, 1, 3).reshape(-1, block, block)
    inside = lesions.ravel()
    observed = _quality(values.ravel(), inside)
    shuffled = []
    for _ in range(copies):
        mixed = blocks[rng.permutation(len(blocks))].reshape(rows, columns, block, block)
        shuffled.append(_quality(mixed.transpose(0, 2, 1, 3).ravel(), inside))
    as_good = sum(quality.energy_inside >= observed.energy_inside for quality in shuffled)
    return ExplanationComparison(
        observed=observed,
        shuffled_hit_rate=float(np.mean([quality.pointing_hit for quality in shuffled])),
        shuffled_energy=float(np.mean([quality.energy_inside for quality in shuffled])),
        shuffled_overlap=float(np.mean([quality.overlap for quality in shuffled])),
        p_value=(as_good + 1) / (copies + 1),
    )


def _validate(heat: NDArray[np.floating], lesions: NDArray[np.bool_]) -> None:
    if heat.shape != lesions.shape:
        raise ValueError(f"heat has shape {heat.shape}, lesions {lesions.shape}.")
    if lesions.dtype != np.bool_ or not lesions.any():
        raise ValueError("lesions must be booleans with at least one pixel inside.")
    if not np.isfinite(heat).all() or heat.min() < 0:
        raise ValueError("heat must be finite and not negative.")


def _quality(heat: NDArray[np.float64], inside: NDArray[np.bool_]) -> ExplanationQuality:
    total = float(heat.sum())
    if total == 0:
        return ExplanationQuality(pointing_hit=False, energy_inside=0.0, overlap=0.0)
    area = int(np.count_nonzero(inside))
    hottest = _hottest(heat, area)
    return ExplanationQuality(
        pointing_hit=bool(inside[int(heat.argmax())]),
        energy_inside=float(heat[inside].sum()) / total,
        overlap=int(np.count_nonzero(inside[hottest])) / area,
    )


def _hottest(heat: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the places of so many hottest pixels, the first of equally hot ones; in no order."""
    least = np.partition(heat, len(heat) - count)[len(heat) - count]
    above = np.flatnonzero(heat > least)
    equal = np.flatnonzero(heat == least)[: count - len(above)]
    return np.concatenate([above, equal])
