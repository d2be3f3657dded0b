"""What the results of all estimators share: intervals, provenance of a number, source of randomness."""

import math
import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtri

from equipoise.common.warnings import DegenerateDataWarning

STATS_VERSION: Final = "1.0"
"""Version of the estimators. It changes whenever a number that they return can change."""

DEFAULT_SEED: Final = 20_220_616
"""Seed where the caller gives no ``rng``: the same call gives the same numbers."""

Rng = np.random.Generator | int | None
"""What ``rng`` accepts: a generator (used and advanced), a seed, or nothing (:data:`DEFAULT_SEED`)."""


@dataclass(frozen=True)
class ConfidenceInterval:
    """Bounds of an interval; both ``nan`` where it is not available."""

    low: float
    high: float

    def cut(self, lowest: float, highest: float) -> "ConfidenceInterval":
        """Return the interval cut to the range in which the quantity can lie."""
        if math.isnan(self.low) or math.isnan(self.high):
            return self
        return ConfidenceInterval(min(max(self.low, lowest), highest), min(max(self.high, lowest), highest))


NO_INTERVAL: Final = ConfidenceInterval(math.nan, math.nan)
"""The interval that is not available."""


@dataclass(frozen=True)
class Provenance:
    """How a number came about: what a report prints beside it.

    Attributes
    ----------
    method : str
        The estimator, in words with its source.
    variance_estimator : str
    confidence_level : float
    missing : str
        What happened to missing values.
    df : float or None
        Degrees of freedom of the reference distribution; ``inf`` for the normal, None where several apply.
    seed, n_resamples : int or None
        Only of random methods. The seed is None as well where the caller handed in a generator.
    version : str
        :data:`STATS_VERSION`.
    """

    method: str
    variance_estimator: str
    confidence_level: float
    missing: str
    df: float | None = None
    seed: int | None = None
    n_resamples: int | None = None
    version: str = f"equipoise.stats {STATS_VERSION}"


def resolve_rng(rng: Rng) -> tuple[np.random.Generator, int | None]:
    """Return a generator and the seed it started from (None for a generator of the caller)."""
    if isinstance(rng, np.random.Generator):
        return rng, None
    if rng is None:
        return np.random.default_rng(DEFAULT_SEED), DEFAULT_SEED
    if int(rng) != rng or rng < 0:
        raise ValueError(f"rng must be a numpy Generator, a nonnegative seed or None, got {rng!r}.")
    return np.random.default_rng(int(rng)), int(rng)


def validate_confidence_level(confidence_level: float) -> float:
    """Return the level, or raise ``ValueError`` if it does not lie strictly between 0 and 1."""
    if not 0.0 < confidence_level < 1.0:
        raise ValueError(f"confidence_level must lie strictly between 0 and 1, got {confidence_level!r}.")
    return float(confidence_level)


def normal_quantile(confidence_level: float) -> float:
    """Return the two-sided normal multiplier of a confidence level (1.96 for 0.95)."""
    return float(ndtri(0.5 + confidence_level / 2.0))


def symmetric_interval(estimate: float, standard_error: float, multiplier: float) -> ConfidenceInterval:
    """Return ``estimate`` plus and minus ``multiplier`` standard errors."""
    half = multiplier * standard_error
    return ConfidenceInterval(estimate - half, estimate + half)


def warn_degenerate(what: str, reason: str, *, stacklevel: int = 3) -> None:
    """Warn that ``what`` is not available, and why."""
    warnings.warn(f"{what} not available: {reason}.", DegenerateDataWarning, stacklevel=stacklevel)


class UnclusteredItemsWarning(UserWarning):
    """Several rows belong to one case, and the analysis treats them as independent."""
