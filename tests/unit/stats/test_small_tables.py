"""Ratings as few and as alike as a pilot's: every coefficient of agreement is a number or said not to exist."""

import warnings

import numpy as np
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import (
    brennan_prediger,
    cohen_kappa,
    concordance_correlation,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    intraclass_correlation,
    krippendorff_alpha,
)


def tables():
    """Return 1500 tables of 1 to 6 subjects by 2 or 3 raters on a scale of 1 to 3, half of them with holes."""
    rng = np.random.default_rng(5)
    for number in range(1500):
        size = int(rng.integers(1, 7)), int(rng.integers(2, 4))
        table = rng.integers(0, int(rng.integers(1, 4)), size).astype(float)
        if number % 2:
            table[rng.random(size) < 0.3] = np.nan
        yield table


COEFFICIENTS = {
    "cohen": lambda table: cohen_kappa(table[:, 0], table[:, 1]),
    "cohen, linear": lambda table: cohen_kappa(table[:, 0], table[:, 1], weights="linear"),
    "cohen, quadratic": lambda table: cohen_kappa(table[:, 0], table[:, 1], weights="quadratic"),
    "conger": conger_kappa,
    "fleiss": fleiss_kappa,
    "gwet": gwet_ac,
    "brennan-prediger": brennan_prediger,
    "krippendorff": krippendorff_alpha,
    "lin": lambda table: concordance_correlation(table[:, 0], table[:, 1]),
}


def numbers(result):
    limits = result.confidence_interval
    return result.estimate, limits.low, limits.high


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_small_tables_have_a_coefficient_or_none(name):
    for table in tables():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            values = numbers(COEFFICIENTS[name](table))
        assert not np.isinf(values).any(), table
        assert all(issubclass(one.category, DegenerateDataWarning) for one in caught), table
        if np.isnan(values).any():
            assert caught, table


def test_small_tables_have_intraclass_correlations_or_none():
    for table in tables():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = intraclass_correlation(table)
        assert all(issubclass(one.category, DegenerateDataWarning) for one in caught), table
        assert not np.isinf([icc.estimate for icc in result.icc.values()]).any(), table
