"""Linear regression with crossed random intercepts, by REML (as lme4's ``lmer``, tests as lmerTest's)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from equipoise.stats._crossed_effects import CrossedFactors, Solver

Floats = NDArray[np.float64]

_BOUNDARY = 1e-4
"""A standard deviation below this share of the residual's counts as 0."""

_WIDEST = 1e4
"""No standard deviation is looked for beyond this multiple of the residual's: a line search that jumps further loses
all digits of the likelihood."""


@dataclass(frozen=True)
class LinearMixedFit:
    """A fitted model.

    Attributes
    ----------
    coefficients : ndarray of float, shape (p,)
    covariance : ndarray of float, shape (p, p)
    deviations : dict of factor name to float
        Standard deviations of the random intercepts.
    residual_deviation : float
    reml_criterion : float
        -2 x the restricted log-likelihood.
    """

    coefficients: Floats
    covariance: Floats
    deviations: dict[str, float]
    residual_deviation: float
    reml_criterion: float
    _model: "_Reml"
    _relative: Floats

    def satterthwaite_df(self, contrast: Floats) -> float:
        """Return the degrees of freedom of ``contrast @ coefficients``, ``nan`` where they are not
        defined."""
        return self._model.satterthwaite_df(contrast, self._relative, self.residual_deviation)


def fit_linear_mixed(outcome: Floats, design: Floats, factors: CrossedFactors) -> LinearMixedFit:
    """Fit ``outcome = design @ b + sum of random intercepts + residual`` by restricted maximum likelihood.

    Parameters
    ----------
    outcome : ndarray of float, shape (n,)
    design : ndarray of float, shape (n, p), of full column rank, n > p
    factors : CrossedFactors
        May hold no factor: then this is least squares.

    References
    ----------
    .. [1] Bates D, Maechler M, Bolker B, Walker S. Fitting linear mixed-effects models using lme4. J Stat
       Softw 2015;67(1), equations 34 to 42.
    .. [2] Kuznetsova A, Brockhoff PB, Christensen RHB. lmerTest package. J Stat Softw 2017;82(13), section 2.
    """
    from scipy.optimize import minimize  # imported late: it costs 0.2 s that other functions do not need

    model = _Reml(outcome, design, factors)
    k = len(factors.sizes)
    relative = np.zeros(k)
    if k:
        starts = (np.full(k, 1.0), np.full(k, 0.2))
        found = min(
            (
                minimize(
                    model.criterion,
                    start,
                    method="L-BFGS-B",
                    jac="3-point",
                    bounds=[(0.0, _WIDEST)] * k,
                    options={"ftol": 1e-14, "gtol": 1e-8, "maxiter": 300},
                )
                for start in starts
            ),
            key=lambda result: float(result.fun),
        )
        relative = np.asarray(found.x, dtype=np.float64)
    parts = model.parts(relative)
    deviation = math.sqrt(parts.residual / (len(outcome) - design.shape[1]))
    deviations = {name: float(value * deviation) for name, value in zip(factors.names, relative, strict=True)}
    return LinearMixedFit(
        parts.coefficients,
        deviation**2 * parts.inverse,
        deviations,
        deviation,
        model.criterion(relative),
        model,
        relative,
    )


@dataclass(frozen=True)
class _Parts:
    """What one set of relative standard deviations implies, the residual variance apart."""

    coefficients: Floats
    inverse: Floats
    residual: float
    log_determinants: float


class _Reml:
    """The restricted likelihood as a function of the standard deviations relative to the residual's."""

    def __init__(self, outcome: Floats, design: Floats, factors: CrossedFactors) -> None:
        self._factors = factors
        self._n, self._p = design.shape
        both = np.column_stack([design, outcome])
        self._gram = both.T @ both
        self._levels = factors.to_levels(both) if factors.sizes else np.zeros((0, self._p + 1))
        self._ones = np.ones(self._n)

    def parts(self, relative: Floats) -> _Parts:
        """Return the generalised least squares fit."""
        gram, log_determinant = self._gram, 0.0
        if len(relative):
            solver = Solver(self._factors, self._ones, relative)
            scaled = self._factors.spread(relative)[:, None] * self._levels
            gram = gram - scaled.T @ solver.solve(scaled)
            log_determinant = solver.log_determinant
        p = self._p
        factor = cho_factor(gram[:p, :p], lower=True)
        coefficients = np.asarray(cho_solve(factor, gram[:p, p]))
        residual = max(float(gram[p, p] - gram[:p, p] @ coefficients), 0.0)
        log_determinant += 2.0 * float(np.sum(np.log(np.diag(factor[0]))))
        return _Parts(coefficients, np.asarray(cho_solve(factor, np.eye(p))), residual, log_determinant)

    def criterion(self, relative: Floats) -> float:
        """Return -2 x the restricted log-likelihood, the residual variance profiled out."""
        parts = self.parts(np.abs(relative))
        df = self._n - self._p
        return float(parts.log_determinants + df * (1.0 + math.log(2.0 * math.pi * parts.residual / df)))

    def satterthwaite_df(self, contrast: Floats, relative: Floats, residual_deviation: float) -> float:
        """Return ``2 f^2 / (g' A g)`` for the variance f of the contrast (Kuznetsova 2017, equation 5)."""
        free = np.concatenate([relative > _BOUNDARY, [True]])
        point = np.concatenate([relative, [residual_deviation]])

        def deviance(parameters: Floats) -> float:
            parts = self.parts(np.abs(parameters[:-1]))
            variance = parameters[-1] ** 2
            df = self._n - self._p
            scaled = parts.residual / variance
            return float(parts.log_determinants + df * math.log(2.0 * math.pi * variance) + scaled)

        def variance_of(parameters: Floats) -> float:
            parts = self.parts(np.abs(parameters[:-1]))
            return float(parameters[-1] ** 2 * (contrast @ parts.inverse @ contrast))

        hessian, gradient = _derivatives(deviance, variance_of, point, np.flatnonzero(free))
        variance = variance_of(point)
        try:
            spread = float(gradient @ np.linalg.solve(hessian / 2.0, gradient))
        except np.linalg.LinAlgError:
            return math.nan
        return 2.0 * variance**2 / spread if spread > 0.0 else math.nan


def _derivatives(
    first: Callable[[Floats], float],
    second: Callable[[Floats], float],
    point: Floats,
    places: NDArray[np.intp],
) -> tuple[Floats, Floats]:
    """Return the Hessian of ``first`` and the gradient of ``second`` in some parameters, central
    differences."""
    steps = 1e-4 * np.maximum(np.abs(point[places]), 1e-2)
    m = len(places)

    def moved(*moves: tuple[int, float]) -> Floats:
        where = point.copy()
        for i, distance in moves:
            where[places[i]] += distance
        return where

    hessian, gradient = np.empty((m, m)), np.empty(m)
    centre = first(point)
    for i, h in enumerate(steps):
        hessian[i, i] = (first(moved((i, h))) - 2.0 * centre + first(moved((i, -h)))) / h**2
        gradient[i] = (second(moved((i, h))) - second(moved((i, -h)))) / (2.0 * h)
        for j in range(i):
            g = steps[j]
            cross = first(moved((i, h), (j, g))) - first(moved((i, h), (j, -g)))
            cross += first(moved((i, -h), (j, -g))) - first(moved((i, -h), (j, g)))
            hessian[i, j] = hessian[j, i] = cross / (4.0 * h * g)
    return hessian, gradient
