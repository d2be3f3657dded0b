"""Ratings of subjects by raters as integer codes: the door of the agreement coefficients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._tidy import label, sort_labels

MISSING = -1
"""Code of a missing rating."""


@dataclass(frozen=True)
class Ratings:
    """Coded ratings.

    Attributes
    ----------
    coded : ndarray of int, shape (subjects, raters)
        Index into ``categories``, :data:`MISSING` where there is no rating.
    categories : tuple of label
        In order.
    """

    coded: NDArray[np.intp]
    categories: tuple[Any, ...]

    @property
    def counts(self) -> NDArray[np.float64]:
        """How many raters put each subject in each category, shape (subjects, categories)."""
        chosen = self.coded[:, :, np.newaxis] == np.arange(len(self.categories))
        return np.asarray(chosen.sum(axis=1), dtype=np.float64)


def coded_ratings(ratings: Any, categories: Sequence[Any] | None = None) -> Ratings:
    """Code ratings of subjects (rows) by raters (columns).

    Parameters
    ----------
    ratings : array_like or data frame, shape (subjects, raters)
        Any labels; ``None``, ``nan`` and empty text are missing.
    categories : sequence of label, optional
        The scale, in order, where the study fixes it. Default: the values seen, sorted.

    Raises
    ------
    ValueError
        If the table is not two-dimensional or holds a value outside ``categories``.
    """
    table = np.asarray(ratings, dtype=object)
    if table.ndim != 2:
        raise ValueError(f"ratings must have shape (subjects, raters), got {table.shape}.")
    cleaned = [[label(value) for value in row] for row in table]
    seen = {value for row in cleaned for value in row if value is not None}
    scale = tuple(sort_labels(seen)) if categories is None else tuple(categories)
    place: dict[Any, int] = {value: index for index, value in enumerate(scale)}
    outside = [value for value in sort_labels(seen) if value not in place]
    if outside:
        raise ValueError(f"Ratings {outside} are not among the categories {list(scale)}.")
    place[None] = MISSING
    coded = np.array([[place[value] for value in row] for row in cleaned], dtype=np.intp)
    return Ratings(coded.reshape(table.shape), scale)


def number_table(ratings: ArrayLike, *, name: str = "ratings") -> tuple[NDArray[np.float64], int]:
    """Return the complete rows of a table of numbers (subjects, raters), and how many rows were not
    complete."""
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"{name} must have shape (subjects, raters), got {table.shape}.")
    if table.shape[1] < 2:
        raise ValueError(f"{name} must have at least two raters (columns), got {table.shape[1]}.")
    complete = ~np.any(np.isnan(table), axis=1)
    return table[complete], int(np.sum(~complete))


def number_pairs(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return the pairs without a missing member, and how many had one."""
    first, second = np.asarray(a, dtype=np.float64).ravel(), np.asarray(b, dtype=np.float64).ravel()
    if first.shape != second.shape:
        raise ValueError(f"Paired measurements must have one length, got {first.size} and {second.size}.")
    complete = ~(np.isnan(first) | np.isnan(second))
    return first[complete], second[complete], int(np.sum(~complete))


def weight_matrix(weights: str | ArrayLike, categories: Sequence[Any]) -> NDArray[np.float64]:
    """Return the agreement weights of a scale, 1 on the diagonal.

    Parameters
    ----------
    weights : {"unweighted", "linear", "quadratic", "ordinal"} or array_like, shape (q, q)
        ``"linear"`` and ``"quadratic"`` use the categories' values where they are numbers, else their places;
        ``"ordinal"`` uses places.
    categories : sequence of label, length q
    """
    q = len(categories)
    if not isinstance(weights, str):
        matrix = np.asarray(weights, dtype=np.float64)
        if matrix.shape != (q, q):
            raise ValueError(f"weights must have shape ({q}, {q}), got {matrix.shape}.")
        return matrix
    if weights == "unweighted" or q < 2:
        return np.eye(q)
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in categories)
    values = np.array(categories if numeric else range(q), dtype=np.float64)
    distance = np.abs(values[:, None] - values[None, :]) / np.ptp(values)
    if weights == "linear":
        return np.asarray(1.0 - distance)
    if weights == "quadratic":
        return np.asarray(1.0 - distance**2)
    if weights == "ordinal":
        steps = np.abs(np.arange(q)[:, None] - np.arange(q)[None, :]).astype(np.float64)
        return np.asarray(1.0 - steps * (steps + 1.0) / (q * (q - 1.0)))
    raise ValueError(
        f"weights must be 'unweighted', 'linear', 'quadratic', 'ordinal' or a matrix, got {weights!r}."
    )
