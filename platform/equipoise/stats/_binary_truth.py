"""Validation of scores, decisions, reference standard and clusters, shared by every ROC method.

Nothing is computed here. Scores are finite and higher means more suspicious; the direction is stated by the
study and never guessed from the data.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def as_scores(scores: ArrayLike, *, name: str = "scores") -> Floats:
    """Return finite scores of shape (n,), or raise ``ValueError`` naming the first bad value."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"{name} must be one-dimensional and not empty, got shape {values.shape}.")
    finite = np.isfinite(values)
    if not finite.all():
        place = int(np.flatnonzero(~finite)[0])
        raise ValueError(
            f"{name} must be finite, got {values[place]} at index {place}: leave such cases out beforehand, "
            "or give an explicit rule for them."
        )
    return values


def as_binary(values: ArrayLike, *, name: str) -> Bools:
    """Return 0/1 or False/True values of shape (n,) as booleans, or raise ``ValueError``."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one-dimensional and not empty, got shape {array.shape}.")
    if array.dtype == np.bool_:
        return array
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold 0 and 1 (or False and True): {error}.") from error
    positive: Bools = numbers == 1.0
    bad = ~(positive | (numbers == 0.0))
    if bad.any():
        place = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{name} must hold 0 and 1 only, got {numbers[place]} at index {place}.")
    return positive


def as_scores_and_truth(scores: ArrayLike, truth: ArrayLike) -> tuple[Floats, Bools]:
    """Return scores and reference standard of equal length with both classes, or raise ``ValueError``."""
    values, positive = as_scores(scores), as_binary(truth, name="truth")
    require_same_length(values, positive, names=("scores", "truth"))
    n_positive = int(np.count_nonzero(positive))
    if n_positive in (0, positive.size):
        present = "positive" if n_positive else "negative"
        raise ValueError(f"truth holds one class only: all {positive.size} cases are {present}.")
    return values, positive


def require_same_length(*arrays: NDArray[Any], names: tuple[str, ...]) -> None:
    """Raise ``ValueError`` naming the arguments if their lengths differ."""
    if len({array.shape[0] for array in arrays}) > 1:
        sizes = ", ".join(f"{name} {array.shape[0]}" for name, array in zip(names, arrays, strict=True))
        raise ValueError(f"{' and '.join(names)} must have the same length, got {sizes}.")


def as_cluster_codes(clusters: ArrayLike, *, n: int) -> tuple[NDArray[np.intp], int]:
    """Return each row's cluster as a code from 0 and the number of clusters (at least two), or raise."""
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise ValueError(f"clusters must have one label per row, shape ({n},), got shape {labels.shape}.")
    place: dict[Any, int] = {}
    codes = np.array([place.setdefault(label, len(place)) for label in labels.tolist()], dtype=np.intp)
    if any(label is None or label != label for label in place):
        raise ValueError("clusters must not be missing: give every row the patient it belongs to.")
    if len(place) < 2:
        raise ValueError("clusters holds one cluster only: between-cluster variation cannot be estimated.")
    return codes, len(place)
