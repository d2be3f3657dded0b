"""Logistic regression with crossed random intercepts, by the Laplace approximation (as lme4's ``glmer``)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from equipoise.stats._crossed_effects import CrossedFactors, Solver

Floats = NDArray[np.float64]

BOUNDARY = 1e-3
"""A standard deviation below this (logits) counts as 0: its effect on a probability is below the third
digit."""

_DIVERGED = 12.0
"""A coefficient beyond this (logits) means separation, not an estimate."""


@dataclass(frozen=True)
class LogisticMixedFit:
    """A fitted model, parameters in the order fixed effects, standard deviations of the factors.

    Attributes
    ----------
    coefficients : ndarray of float, shape (p,)
    deviations : dict of factor name to float
        Standard deviations of the random intercepts, logits.
    covariance : ndarray of float, shape (p + factors, p + factors)
        Of all parameters jointly, from the curvature of the Laplace log-likelihood; rows of standard
        deviations at the boundary 0 are 0.
    log_likelihood : float
    converged : bool
    reason : str or None
        Why the fit is not to be used.
    """

    coefficients: Floats
    deviations: dict[str, float]
    covariance: Floats
    log_likelihood: float
    converged: bool
    reason: str | None = None


def fit_logistic_mixed(outcome: Floats, design: Floats, factors: CrossedFactors) -> LogisticMixedFit:
    """Fit ``logit P(outcome) = design @ b + sum of random intercepts`` by maximum (Laplace) likelihood.

    Parameters
    ----------
    outcome : ndarray of float, shape (n,)
        In [0, 1]; a half counts as half a success and half a failure.
    design : ndarray of float, shape (n, p)
    factors : CrossedFactors
        May hold no factor: then this is logistic regression.

    Notes
    -----
    The deviance is minimised over fixed effects and standard deviations together (lme4's ``nAGQ = 1``), from
    the best of a penalised start. Standard errors come from the joint curvature, so that they carry the
    uncertainty of the standard deviations.

    References
    ----------
    .. [1] Breslow NE, Clayton DG. Approximate inference in generalized linear mixed models. JASA 1993;88:9.
    .. [2] Bates D, Maechler M, Bolker B, Walker S. Fitting linear mixed-effects models using lme4. J Stat
       Softw 2015;67(1).
    """
    from scipy.optimize import minimize  # imported late: it costs 0.2 s that other functions do not need

    p, k = design.shape[1], len(factors.sizes)
    deviance = _Laplace(outcome, design, factors)
    start = np.concatenate([_start(outcome, p), np.full(k, 0.5)])
    bounds = [(None, None)] * p + [(0.0, None)] * k
    found = minimize(
        deviance,
        start,
        method="L-BFGS-B",
        jac="3-point",
        bounds=bounds,
        options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 200},
    )
    best = np.asarray(found.x, dtype=np.float64)
    names = factors.names
    deviations = {name: float(best[p + i]) for i, name in enumerate(names)}
    free = np.concatenate([np.ones(p, dtype=bool), best[p:] > BOUNDARY])
    covariance = np.zeros((p + k, p + k))
    reason = None
    if np.max(np.abs(best)) > _DIVERGED:
        reason = "the estimates diverge: some effect separates the answers completely"
    else:
        curvature = _hessian(deviance, best, free) / 2.0
        try:
            np.linalg.cholesky(curvature)
            covariance[np.ix_(free, free)] = np.linalg.inv(curvature)
        except np.linalg.LinAlgError:
            reason = "the likelihood has no curvature in some direction: the data do not define the model"
    return LogisticMixedFit(
        best[:p],
        deviations,
        covariance,
        -float(found.fun) / 2.0,
        bool(found.success) and reason is None,
        reason,
    )


class _Laplace:
    """-2 x the Laplace log-likelihood as a function of (fixed effects, standard deviations)."""

    def __init__(self, outcome: Floats, design: Floats, factors: CrossedFactors) -> None:
        self._outcome, self._design, self._factors = outcome, design, factors
        self._p = design.shape[1]
        self._modes = np.zeros(factors.n_levels)

    def __call__(self, parameters: Floats) -> float:
        fixed = self._design @ parameters[: self._p]
        if not self._factors.sizes:
            return -2.0 * _log_likelihood(self._outcome, fixed)
        deviations = np.abs(parameters[self._p :])
        scale = self._factors.spread(deviations)
        modes = self._modes.copy()
        eta = fixed + self._factors.to_rows(scale * modes)
        objective = _log_likelihood(self._outcome, eta) - 0.5 * float(modes @ modes)
        for _ in range(60):
            probability = expit(eta)
            solver = Solver(self._factors, probability * (1.0 - probability), deviations)
            gradient = scale * self._factors.to_levels(self._outcome - probability) - modes
            step = solver.solve(gradient)
            if float(gradient @ step) < 1e-18:
                break
            length = 1.0
            while True:
                trial = modes + length * step
                trial_eta = fixed + self._factors.to_rows(scale * trial)
                value = _log_likelihood(self._outcome, trial_eta) - 0.5 * float(trial @ trial)
                if value >= objective - 1e-12 or length < 1e-6:
                    break
                length /= 2.0
            modes, eta, objective = trial, trial_eta, value
        probability = expit(eta)
        solver = Solver(self._factors, probability * (1.0 - probability), deviations)
        self._modes = modes
        return -2.0 * objective + solver.log_determinant


def _log_likelihood(outcome: Floats, eta: Floats) -> float:
    return float(np.sum(outcome * eta - np.logaddexp(0.0, eta)))


def _start(outcome: Floats, p: int) -> Floats:
    share = float(np.clip(np.mean(outcome), 0.01, 0.99))
    start = np.zeros(p)
    start[0] = math.log(share / (1.0 - share))
    return start


def _hessian(function: _Laplace, point: Floats, free: NDArray[np.bool_]) -> Floats:
    """Return the second derivatives in the free parameters, central differences."""
    places = np.flatnonzero(free)
    # A step may take a standard deviation below 0: the deviance is even in it (_Laplace takes abs).
    steps = 1e-3 * np.maximum(1.0, np.abs(point[places]))
    m = len(places)
    result = np.empty((m, m))
    centre = function(point)

    def shifted(*moves: tuple[int, float]) -> float:
        moved = point.copy()
        for i, distance in moves:
            moved[places[i]] += distance
        return function(moved)

    for i in range(m):
        h = steps[i]
        result[i, i] = (shifted((i, h)) - 2.0 * centre + shifted((i, -h))) / h**2
        for j in range(i):
            g = steps[j]
            mixed = (
                shifted((i, h), (j, g))
                - shifted((i, h), (j, -g))
                - shifted((i, -h), (j, g))
                + shifted((i, -h), (j, -g))
            )
            result[i, j] = result[j, i] = mixed / (4.0 * h * g)
    return result
