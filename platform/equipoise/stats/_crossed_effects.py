"""Linear algebra of crossed random intercepts (readers, cases, items): one level of each factor per row.

With ``Z`` the indicator matrix of all levels, ``L`` diagonal with the standard deviation of each level's
factor, the models need solves with, and the determinant of, ``M = L Z' W Z L + I``. The block of the factor
with most levels is diagonal and is eliminated first, so the dense part is as large as the other factors
together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from equipoise.stats._tidy import Labels, codes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrossedFactors:
    """Which level of each factor a row has.

    Attributes
    ----------
    names : tuple of str
    indices : tuple of ndarray of int, each shape (n,)
        Level of each row, 0 based.
    sizes : tuple of int
        Number of levels.
    """

    names: tuple[str, ...]
    indices: tuple[NDArray[np.intp], ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(
        cls, names: Sequence[str], indices: Sequence[NDArray[np.intp]], sizes: Sequence[int]
    ) -> "CrossedFactors":
        """Build with the factor of most levels first, as the elimination wants it."""
        order = sorted(range(len(names)), key=lambda k: -sizes[k])
        return cls(
            tuple(names[k] for k in order), tuple(indices[k] for k in order), tuple(sizes[k] for k in order)
        )

    @property
    def n_levels(self) -> int:
        """Levels of all factors together."""
        return sum(self.sizes)

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each factor's levels start in a vector over all levels."""
        return tuple(int(start) for start in np.cumsum([0, *self.sizes])[:-1])

    def spread(self, per_factor: Floats) -> Floats:
        """Return one value per level from one per factor."""
        return np.repeat(per_factor, self.sizes)

    def to_rows(self, per_level: Floats) -> Floats:
        """Return ``Z v``: the sum over factors of the row's level value, shape (n,) or (n, m)."""
        parts = (per_level[start + index] for start, index in zip(self.starts, self.indices, strict=True))
        total = next(parts).copy()
        for part in parts:
            total += part
        return total

    def to_levels(self, per_row: Floats) -> Floats:
        """Return ``Z' v``: the sum over each level's rows, shape (levels,) or (levels, m)."""
        if per_row.ndim == 2:
            return np.column_stack([self.to_levels(column) for column in per_row.T])
        return np.concatenate(
            [
                np.bincount(index, per_row, minlength=size)
                for index, size in zip(self.indices, self.sizes, strict=True)
            ]
        )

    def cross_table(self, first: int, second: int, weights: Floats) -> Floats:
        """Return the summed weights of each pair of levels of two factors."""
        rows, columns = self.sizes[first], self.sizes[second]
        cell = self.indices[first] * columns + self.indices[second]
        flat = np.bincount(cell, weights, minlength=rows * columns).astype(np.float64, copy=False)
        return flat.reshape(rows, columns)


def reader_case_item(readers: Labels, cases: Labels, items: Labels) -> tuple[CrossedFactors, tuple[str, ...]]:
    """Return the random effects that the readings can tell apart, and a sentence for each one left out."""
    names: list[str] = []
    indices: list[NDArray[np.intp]] = []
    sizes: list[int] = []
    notes: list[str] = []
    for name, labels in (("reader", readers), ("case", cases), ("item", items)):
        levels, index = codes(list(labels))
        if len(levels) < 2:
            notes.append(f"no random effect of {name}: there is one only")
        elif name == "item" and len(levels) == len(set(cases)):
            notes.append("no random effect of item: no case has more than one")
        elif len(levels) == len(index):
            notes.append(f"no random effect of {name}: each has one reading only")
        else:
            names.append(name)
            indices.append(index)
            sizes.append(len(levels))
    return CrossedFactors.of(names, indices, sizes), tuple(notes)


class Solver:
    """``M = L Z' W Z L + I``, factorised.

    Parameters
    ----------
    factors : CrossedFactors
        At least one factor.
    weights : ndarray of float, shape (n,)
        The diagonal of ``W``.
    deviations : ndarray of float, shape (factors,)
        The diagonal of ``L``, one value per factor.
    """

    def __init__(self, factors: CrossedFactors, weights: Floats, deviations: Floats) -> None:
        first = factors.sizes[0]
        self._first = first
        self._diagonal = 1.0 + deviations[0] ** 2 * np.bincount(factors.indices[0], weights, minlength=first)
        self._log_determinant = float(np.sum(np.log(self._diagonal)))
        self._rest = factors.n_levels - first
        if self._rest:
            self._coupling, dense = _blocks(factors, weights, deviations)
            self._scaled = self._coupling / self._diagonal[:, None]
            self._cholesky = cho_factor(
                dense - self._coupling.T @ self._scaled, lower=True, check_finite=False
            )
            self._log_determinant += 2.0 * float(np.sum(np.log(np.diag(self._cholesky[0]))))

    @property
    def log_determinant(self) -> float:
        """``log det M``."""
        return self._log_determinant

    def solve(self, right: Floats) -> Floats:
        """Return ``M^-1 right``, shape (levels,) or (levels, m)."""
        head, tail = right[: self._first], right[self._first :]
        diagonal = self._diagonal if right.ndim == 1 else self._diagonal[:, None]
        if not self._rest:
            return np.asarray(head / diagonal)
        lower = cho_solve(self._cholesky, tail - self._scaled.T @ head, check_finite=False)
        return np.concatenate([(head - self._coupling @ lower) / diagonal, lower])


def _blocks(factors: CrossedFactors, weights: Floats, deviations: Floats) -> tuple[Floats, Floats]:
    """Return the coupling of the first factor with the others, and the others' own block."""
    others = range(1, len(factors.sizes))
    coupling = np.hstack([deviations[0] * deviations[k] * factors.cross_table(0, k, weights) for k in others])
    rows = []
    for j in others:
        blocks = []
        for k in others:
            if j == k:
                sums = np.bincount(factors.indices[k], weights, minlength=factors.sizes[k])
                blocks.append(np.diag(1.0 + deviations[k] ** 2 * sums))
            else:
                blocks.append(deviations[j] * deviations[k] * factors.cross_table(j, k, weights))
        rows.append(np.hstack(blocks))
    return coupling, np.vstack(rows)
