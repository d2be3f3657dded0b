"""Scores of simulated readers in a multi-reader multi-case study: the linear model of Roe and Metz.

What was set is known (the area under the curve of every condition over the population of readers and cases), so that an
estimate, an interval or a test can be held against it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RoeMetzScores:
    """One simulated study, fully crossed.

    Attributes
    ----------
    scores : ndarray of float, shape (conditions, readers, cases)
        Higher is more suspicious; the scale has no bounds.
    truth : ndarray of int, shape (cases,)
        1 diseased, 0 not; the diseased come first.
    """

    scores: FloatArray
    truth: NDArray[np.intp]

    def table(self, conditions: Sequence[str] | None = None) -> dict[str, list[Any]]:
        """Return the study as a tidy table with columns ``reader, case, condition, score, truth``.

        Parameters
        ----------
        conditions : sequence of str, optional
            Names of the conditions; default ``T1, T2, ...``.
        """
        n_conditions, _, n_cases = self.scores.shape
        names = list(conditions) if conditions is not None else [f"T{i + 1}" for i in range(n_conditions)]
        if len(names) != n_conditions:
            raise ValueError(f"conditions must name {n_conditions} conditions, got {len(names)}.")
        condition, reader, case = (index.ravel().tolist() for index in np.indices(self.scores.shape))
        digits = len(str(n_cases))
        return {
            "reader": [f"R{j + 1:02d}" for j in reader],
            "case": [f"C{k + 1:0{digits}d}" for k in case],
            "condition": [names[i] for i in condition],
            "score": self.scores.ravel().tolist(),
            "truth": np.broadcast_to(self.truth, self.scores.shape).ravel().tolist(),
        }

    def rating_table(
        self, conditions: Sequence[str] | None = None, *, n_levels: int = 101
    ) -> dict[str, list[Any]]:
        """Return the table with scores on the scale of the reading screen: ``n_levels`` steps from 0 to 1.

        The steps are a rising function of the scores, so that areas under the curve change by the ties alone.
        """
        if n_levels < 2:
            raise ValueError(f"n_levels must be at least 2, got {n_levels}.")
        columns = self.table(conditions)
        share = ndtr(np.asarray(columns["score"]) - float(np.mean(self.scores)))
        columns["score"] = (np.round(share * (n_levels - 1)) / (n_levels - 1)).tolist()
        return columns


@dataclass(frozen=True)
class RoeMetzModel:
    """Population of readers and cases from which studies are drawn.

    The score of condition i, reader j, case k with truth t is ``t * separation_i`` plus independent normal effects of
    reader, reader x condition (both drawn for diseased and non-diseased cases apart), case, case x condition,
    reader x case and error.

    Attributes
    ----------
    separations : tuple of float
        Distance of the means of diseased and non-diseased cases, one per condition.
    var_reader, var_reader_condition : float
        Variances of the reader effects, per truth state.
    var_case, var_case_condition, var_reader_case, var_error : float
        Variances of the case effects and the error; together 1 in Roe and Metz's structures.

    References
    ----------
    .. [1] Roe CA, Metz CE. Dorfman-Berbaum-Metz method for statistical analysis of multireader, multimodality
       receiver operating characteristic data: validation with computer simulation. Acad Radiol 1997;4:298.
    .. [2] Roe CA, Metz CE. Variance-component modeling in the analysis of receiver operating characteristic index
       estimates. Acad Radiol 1997;4:587.

    Examples
    --------
    >>> model = RoeMetzModel.with_aucs((0.85, 0.85), var_reader=0.03, var_reader_condition=0.03)
    >>> [round(auc, 3) for auc in model.aucs]
    [0.85, 0.85]
    >>> study = model.draw(np.random.default_rng(1), n_readers=4, n_positive=10, n_negative=12)
    >>> study.scores.shape, int(study.truth.sum())
    ((2, 4, 22), 10)
    """

    separations: tuple[float, ...]
    var_reader: float = 0.0055
    var_reader_condition: float = 0.0055
    var_case: float = 0.3
    var_case_condition: float = 0.3
    var_reader_case: float = 0.2
    var_error: float = 0.2

    def __post_init__(self) -> None:
        if not self.separations:
            raise ValueError("separations must name one condition at least.")
        for name in _VARIANCES:
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        if not self.var_case_total > 0.0:
            raise ValueError("the variances of cases and error must not all be 0.")

    @classmethod
    def with_aucs(cls, aucs: Sequence[float], **variances: float) -> "RoeMetzModel":
        """Build the model whose areas under the curve, over the population, are the given ones.

        Parameters
        ----------
        aucs : sequence of float
            In (0, 1), one per condition.
        **variances : float
            As the attributes.
        """
        if not all(0.0 < auc < 1.0 for auc in aucs):
            raise ValueError(f"aucs must lie strictly between 0 and 1, got {tuple(aucs)}.")
        model = cls(tuple(0.0 for _ in aucs), **variances)
        return replace(model, separations=tuple(float(ndtri(auc)) * model.spread for auc in aucs))

    @property
    def var_case_total(self) -> float:
        """Variance of a score for a given reader."""
        return self.var_case + self.var_case_condition + self.var_reader_case + self.var_error

    @property
    def spread(self) -> float:
        """Standard deviation of the difference of a diseased and a non-diseased score of a random reader."""
        return math.sqrt(2.0 * (self.var_case_total + self.var_reader + self.var_reader_condition))

    @property
    def aucs(self) -> tuple[float, ...]:
        """Area under the curve of each condition, over the population of readers and cases."""
        return tuple(float(ndtr(separation / self.spread)) for separation in self.separations)

    def draw(
        self, rng: np.random.Generator, *, n_readers: int, n_positive: int, n_negative: int
    ) -> RoeMetzScores:
        """Draw one fully crossed study.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_readers, n_positive, n_negative : int
            At least 1.

        Returns
        -------
        RoeMetzScores
        """
        for name, count in (("n_readers", n_readers), ("n_positive", n_positive), ("n_negative", n_negative)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}.")
        parts = [
            self._of_truth(rng, truth, n_readers=n_readers, n_cases=n_cases)
            for truth, n_cases in ((1, n_positive), (0, n_negative))
        ]
        truth = np.repeat(np.array([1, 0], dtype=np.intp), [n_positive, n_negative])
        return RoeMetzScores(np.concatenate(parts, axis=2), truth)

    def _of_truth(self, rng: np.random.Generator, truth: int, *, n_readers: int, n_cases: int) -> FloatArray:
        t, r, c = len(self.separations), n_readers, n_cases
        shapes: tuple[tuple[float, tuple[int, int, int]], ...] = (
            (self.var_reader, (1, r, 1)),
            (self.var_reader_condition, (t, r, 1)),
            (self.var_case, (1, 1, c)),
            (self.var_case_condition, (t, 1, c)),
            (self.var_reader_case, (1, r, c)),
            (self.var_error, (t, r, c)),
        )
        scores: FloatArray = np.zeros((t, r, c)) + truth * np.asarray(self.separations)[:, None, None]
        for variance, shape in shapes:
            scores = scores + math.sqrt(variance) * rng.standard_normal(shape)
        return scores


_VARIANCES = (
    "var_reader",
    "var_reader_condition",
    "var_case",
    "var_case_condition",
    "var_reader_case",
    "var_error",
)

LOW_CORRELATION = {"var_case": 0.1, "var_case_condition": 0.1, "var_reader_case": 0.2, "var_error": 0.6}
"""Case effects small against the error: readers and conditions disagree much on the same case."""
HIGH_CORRELATION = {"var_case": 0.3, "var_case_condition": 0.3, "var_reader_case": 0.2, "var_error": 0.2}
"""Case effects large: readers and conditions agree on which cases are hard."""
