import math

import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import blinding_index, pair_blinding

UNSURE = "don't know"


def answers(table):
    guesses, truth = [], []
    for arm, row in table.items():
        for guess, count in row.items():
            guesses += [guess] * count
            truth += [arm] * count
    return guesses, truth


def test_indices_agree_with_a_published_port_of_the_r_package():
    # BlindingIndex.jl (port of R package BI), README: x = [48 22; 4 30; 330 319]; bi(x)
    # BI James  Overall    0.896  0.011   0.875  0.918
    # BI Bang   Treatment  0.115  0.018   0.08   0.15
    #           Placebo    0.022  0.019  -0.016  0.06
    table = {"t": {"t": 48, "p": 4, UNSURE: 330}, "p": {"t": 22, "p": 30, UNSURE: 319}}
    result = blinding_index(*answers(table))
    rounded = {
        name: (
            round(v.estimate, 3),
            round(v.standard_error, 3),
            round(v.confidence_interval.low, 3),
            round(v.confidence_interval.high, 3),
        )
        for name, v in {"james": result.james, **result.bang}.items()
    }
    assert rounded == {
        "james": (0.896, 0.011, 0.875, 0.918),
        "t": (0.115, 0.018, 0.08, 0.15),
        "p": (0.022, 0.019, -0.016, 0.06),
    }


@pytest.mark.parametrize(
    "table, bang, james",
    [
        ({"a": {"a": 10}, "b": {"b": 10}}, 1.0, 0.0),
        ({"a": {"b": 10}, "b": {"a": 10}}, -1.0, 1.0),
        ({"a": {"a": 5, "b": 5}, "b": {"a": 5, "b": 5}}, 0.0, 0.5),
    ],
)
def test_extremes_and_chance(table, bang, james):
    result = blinding_index(*answers(table))
    assert [v.estimate for v in result.bang.values()] == [bang, bang]
    assert result.james.estimate == pytest.approx(james, abs=1e-12)


def test_nobody_guessing_is_perfect_blinding_without_standard_error():
    with pytest.warns(DegenerateDataWarning, match="nobody guessed"):
        result = blinding_index(["?"] * 6, ["a", "b"] * 3)
    assert result.james.estimate == 1.0
    assert result.bang["a"].estimate == 0.0


def test_missing_guesses_are_left_out_and_counted():
    result = blinding_index(["a", None, "b", "a"], ["a", "a", "b", "b"])
    assert (result.n, result.n_missing) == (3, 1)
    assert result.counts["b"] == {"a": 1, "b": 1, UNSURE: 0}


def test_guess_of_no_arm_is_refused():
    with pytest.raises(ValueError, match="must name an arm"):
        blinding_index(["a", "c"], ["a", "b"])


def test_pairs_keep_dont_know_in_the_denominator():
    result = pair_blinding(
        ["A", "A", "B", "Don’t know", None],
        ["A", "A", "A", "B", "B"],
        readers=["r1", "r1", "r2", "r2", "r2"],
        cases=list("vwxyz"),
        prefers_algorithm=[1, 0, 1, 0.5, 1],
        n_resamples=200,
    )
    assert (result.n_correct, result.n_wrong, result.n_unsure, result.n, result.n_missing) == (2, 1, 1, 4, 1)
    assert result.estimate == 0.25
    assert result.preference_percent == {"correct": 50.0, "wrong": 100.0, "unsure": 0.0}
    assert result.preference_n == {"correct": 2, "wrong": 1, "unsure": 1}


def test_readers_who_always_know_have_an_index_of_one():
    result = pair_blinding(
        ["A", "B"] * 6, ["A", "B"] * 6, readers=list("rs") * 6, cases=list("uvwxyz") * 2, n_resamples=50
    )
    assert (result.estimate, result.confidence_interval.low, result.confidence_interval.high) == (
        1.0,
        1.0,
        1.0,
    )
    assert math.isnan(result.preference_percent["correct"])


def test_no_guess_no_index():
    with pytest.warns(DegenerateDataWarning, match="no guess"):
        result = pair_blinding([None], ["A"], readers=["r"], cases=["c"])
    assert math.isnan(result.estimate)
    assert result.reason == "no guess"
