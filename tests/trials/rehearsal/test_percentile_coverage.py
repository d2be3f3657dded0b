"""What is known of percentile intervals of few units, against scipy and a simulation."""

import numpy as np
import pytest
from scipy.stats import t

from trials.rehearsal.gates.percentile import percentile_coverage


def test_one_kind_of_unit_gives_a_normal_interval_of_the_variance_that_is_seen():
    """Against t of scipy: of 10 units nine tenths of the variance are seen."""
    reach = 1.959964 * np.sqrt(0.9)
    assert percentile_coverage(0.95, [(3.0, 10)]) == pytest.approx(2 * t.cdf(reach, 9) - 1, rel=1e-6)
    assert percentile_coverage(0.95, [(3.0, 10)]) == pytest.approx(0.904, abs=0.001)


def test_many_units_cover_as_they_say_and_a_part_without_variance_does_not_count():
    assert percentile_coverage(0.95, [(1.0, 100_000)]) == pytest.approx(0.95, abs=1e-4)
    assert percentile_coverage(0.9, [(0.0, 2), (1.0, 100_000)]) == pytest.approx(0.9, abs=1e-4)
    assert percentile_coverage(0.95, []) == 0.95


def test_a_single_unit_says_nothing():
    assert percentile_coverage(0.95, [(1.0, 1), (1.0, 20)]) == 0.0


def test_two_kinds_of_unit_cover_as_often_as_means_of_crossed_normal_effects_do():
    """Brute force: both variances are estimated from their own units, as a bootstrap of each would; t of fractional
    degrees of freedom is an approximation, here to one percent."""
    rng, n, m, runs = np.random.default_rng(5), 5, 20, 200_000
    a, b = rng.normal(0, np.sqrt(n), (runs, n)), rng.normal(0, np.sqrt(m * 0.5), (runs, m))
    error = np.sqrt(a.var(axis=1) / n + b.var(axis=1) / m)
    covered = np.mean(np.abs(a.mean(axis=1) + b.mean(axis=1)) < 1.959964 * error)
    assert percentile_coverage(0.95, [(1.0, n), (0.5, m)]) == pytest.approx(covered, abs=0.01)
