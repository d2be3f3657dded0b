"""What a repeated rehearsal holds a primary analysis to, on outcomes made by hand."""

import math
from dataclasses import replace

import pytest

from trials.domain.rehearsal_gate import (
    Expected,
    RunOutcome,
    gate_report,
    monte_carlo_interval,
)

EXPECTED = Expected(
    analysis="mrmc",
    quantity="difference",
    set_to=0.1,
    confidence_level=0.95,
    alpha=0.05,
    readers=6,
    cases=100,
)
N = 200


def outcomes(*, shift=0.0, covered=190, rejected_null=10, rejected_effect=120, undefined=0):
    """Return both sets of runs; estimates alternate around what was set, so that their mean is it plus the shift."""
    runs = []
    for seed in range(N):
        estimate = 0.1 + shift + (0.05 if seed % 2 else -0.05)
        low, high = (0.0, 0.2) if seed < covered else (0.3, 0.4)
        defined = seed >= undefined
        runs.append(
            RunOutcome(
                seed,
                False,
                estimate if defined else None,
                low if defined else None,
                high if defined else None,
                seed < rejected_effect,
            )
        )
        runs.append(RunOutcome(seed, True, estimate - 0.1, -0.1, 0.1, seed < rejected_null))
    return runs


def report(runs, expected=EXPECTED):
    return gate_report(runs, expected, protocol_sha256="ab" * 32, repeats=N, first_seed=0)


def failing(runs, expected=EXPECTED):
    return [check.name for check in report(runs, expected).checks if not check.holds]


def test_nominal_analysis_passes_with_its_monte_carlo_errors():
    found = report(outcomes())
    assert found.passed
    assert found.problems == ()
    assert (found.computed, found.coverage, found.type_one, found.power) == (400, 0.95, 0.05, 0.6)
    assert found.bias == pytest.approx(0.0, abs=1e-12)
    assert found.bias_mcse == pytest.approx(math.sqrt(0.0025 * N / (N - 1) / N))
    assert found.coverage_mcse == pytest.approx(math.sqrt(0.95 * 0.05 / N))
    assert found.power_mcse == pytest.approx(math.sqrt(0.6 * 0.4 / N))
    assert found.seeds == "0 to 199"
    assert any("Power at these numbers: 60.0 % (Monte-Carlo error 3.5 %)" in line for line in found.lines)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"shift": 0.0107}, ["bias"]),
        ({"shift": 0.0105}, []),
        ({"shift": -0.0107}, ["bias"]),
        ({"covered": 180}, ["coverage"]),
        ({"covered": 181}, []),
        ({"covered": 200}, ["coverage"]),
        ({"rejected_null": 20}, ["type_one"]),
        ({"rejected_null": 19}, []),
        ({"rejected_null": 0}, ["type_one"]),
        ({"undefined": 20}, []),
        ({"undefined": 21}, ["computed"]),
    ],
)
def test_what_differs_by_more_than_three_monte_carlo_errors_fails_and_nothing_else(changes, names):
    assert failing(outcomes(**changes)) == names


def test_conservative_method_is_held_to_the_unsafe_side_alone():
    conservative = replace(EXPECTED, is_conservative=True)
    assert failing(outcomes(covered=200, rejected_null=0), conservative) == []
    assert failing(outcomes(covered=180, rejected_null=20), conservative) == ["coverage", "type_one"]


def test_liberal_method_is_held_to_the_other_side():
    liberal = replace(EXPECTED, is_liberal=True, alpha=None)
    assert failing(outcomes(covered=180), liberal) == []
    assert failing(outcomes(covered=200), liberal) == ["coverage"]


def test_plan_that_only_estimates_has_neither_type_one_error_nor_power():
    found = report([one for one in outcomes() if not one.null], replace(EXPECTED, alpha=None))
    assert (found.type_one, found.power) == (None, None)
    assert [check.name for check in found.checks] == ["computed", "bias", "coverage"]
    assert found.passed


def test_nothing_computed_does_not_pass():
    runs = [RunOutcome(seed, null, None, None, None, None) for seed in range(N) for null in (False, True)]
    assert failing(runs) == ["computed"]
    assert not report(runs).passed


def test_monte_carlo_interval_is_three_standard_errors_within_0_and_1():
    low, high = monte_carlo_interval(0.95, 200)
    assert (low, high) == (pytest.approx(0.9038, abs=1e-4), pytest.approx(0.9962, abs=1e-4))
    assert monte_carlo_interval(0.05, 20)[0] == 0.0


def test_outcome_is_kept_as_a_row_and_comes_back():
    one = RunOutcome(7, True, 0.1, -0.1, 0.3, False)
    assert RunOutcome.of_row(one.row()) == one
