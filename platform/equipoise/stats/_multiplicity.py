"""Corrections for several tests."""

import math
from collections.abc import Sequence

CORRECTIONS = ("bonferroni", "holm", "none")


def bonferroni(pvalues: Sequence[float], *, n_tests: int | None = None) -> tuple[float, ...]:
    """Multiply each p-value by the number of tests, at most 1.

    Parameters
    ----------
    pvalues : sequence of float in [0, 1]
        ``nan`` (an undefined test) stays ``nan`` and counts as a test.
    n_tests : int, optional
        Default: how many p-values there are.

    References
    ----------
    .. [1] Dunn OJ. Multiple comparisons among means. J Am Stat Assoc 1961;56:52.

    Examples
    --------
    >>> bonferroni([0.01, 0.4])
    (0.02, 0.8)
    """
    _validate(pvalues)
    factor = len(pvalues) if n_tests is None else n_tests
    return tuple(p if math.isnan(p) else min(1.0, p * factor) for p in pvalues)


def holm(pvalues: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values by Holm's step-down procedure, which controls the family-wise error and beats
    Bonferroni.

    Parameters
    ----------
    pvalues : sequence of float in [0, 1]
        ``nan`` (an undefined test) stays ``nan`` and counts as a test, ranked last.

    Returns
    -------
    tuple of float
        In the order given.

    References
    ----------
    .. [1] Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    _validate(pvalues)
    order = sorted(range(len(pvalues)), key=lambda i: (math.isnan(pvalues[i]), pvalues[i]))
    adjusted = [math.nan] * len(pvalues)
    running = 0.0
    for step, i in enumerate(order):
        if math.isnan(pvalues[i]):
            break
        running = max(running, min(1.0, pvalues[i] * (len(pvalues) - step)))
        adjusted[i] = running
    return tuple(adjusted)


def adjust(pvalues: Sequence[float], correction: str) -> tuple[float, ...]:
    """Apply a correction by its name."""
    if correction == "bonferroni":
        return bonferroni(pvalues)
    if correction == "holm":
        return holm(pvalues)
    if correction == "none":
        return tuple(pvalues)
    raise ValueError(f"correction must be one of {CORRECTIONS}, got {correction!r}.")


def _validate(pvalues: Sequence[float]) -> None:
    wrong = [p for p in pvalues if not (math.isnan(p) or 0.0 <= p <= 1.0)]
    if wrong:
        raise ValueError(f"p-values must be in [0, 1], got {wrong}.")
