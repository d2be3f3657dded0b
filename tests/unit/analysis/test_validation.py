"""The validation by simulation: a small fixed slice, the verdicts, and that the page is what the command writes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from equipoise.analysis import validation
from equipoise.analysis.validation import Draw, Outcome, Setting, simulate, table_row

PAGE = Path(__file__).resolve().parents[3] / "docs" / "validation.md"


def outcome(**changes):
    standard = Outcome(
        study="s", setting="x", method="m", n=1000, n_undefined=0, truth=0.0, bias=0.0, bias_error=0.01, coverage=0.95,
        coverage_error=0.007, rejection=0.05, rejection_error=0.007, is_null=True, expected="nominal",
    )  # fmt: skip
    return dataclasses.replace(standard, **changes)


@pytest.mark.parametrize(
    "changes, behaviour, as_expected",
    [
        ({}, "nominal", True),
        ({"coverage": 0.93}, "nominal", True),  # 3 x sqrt(.95 x .05 / 1000) = 0.0207
        ({"coverage": 0.929}, "liberal", False),
        ({"coverage": 0.929, "expected": "liberal"}, "liberal", True),
        ({"coverage": 0.972}, "conservative", False),
        ({"coverage": 0.972, "expected": "conservative"}, "conservative", True),
        ({"rejection": 0.072}, "liberal", False),
        ({"rejection": 0.5, "is_null": False}, "nominal", True),
        ({"bias": 0.031}, "nominal", False),
    ],
)
def test_a_verdict_counts_what_exceeds_three_monte_carlo_errors(changes, behaviour, as_expected):
    found = outcome(**changes)
    assert (found.behaviour, found.is_as_expected) == (behaviour, as_expected)


def test_coverage_bias_and_rejections_are_counted_and_undefined_replicates_apart():
    draws = [
        Draw(0.1, -0.1, 0.3, 0.2),
        Draw(0.3, 0.1, 0.5, 0.01),
        Draw(0.2, 0.0, 0.4, 0.04),
        Draw(np.nan, np.nan, np.nan),
    ]
    given = iter(draws)
    setting = Setting("s", "x", 1, 4, 0.0, is_null=True, draw=lambda rng: {"m": next(given)})
    (found,) = simulate(setting)
    assert (found.n, found.n_undefined) == (3, 1)
    assert (found.bias, found.coverage, found.rejection) == (
        pytest.approx(0.2),
        pytest.approx(2 / 3),
        pytest.approx(2 / 3),
    )
    assert found.bias_error == pytest.approx(0.1 / np.sqrt(3))


def test_replicates_do_not_depend_on_how_many_are_run():
    setting = validation.paired_settings()[0]
    seen: list[list[Draw]] = [[], []]
    for place, n in enumerate((3, 5)):
        recording = dataclasses.replace(
            setting, draw=lambda rng, place=place: seen[place].append(setting.draw(rng)) or seen[place][-1]
        )
        simulate(recording, n_replicates=n)
    assert seen[0] == seen[1][:3]


@pytest.mark.parametrize(
    "settings",
    [
        "single_curve_settings",
        "paired_settings",
        "multi_reader_settings",
        "shared_out_settings",
        "preference_settings",
    ],
)
def test_a_small_slice_covers_within_chance(settings):
    chosen = getattr(validation, settings)()[0]
    for found in simulate(chosen, n_replicates=12 if settings == "preference_settings" else 60):
        assert found.n_undefined == 0
        assert abs(found.bias) <= 4 * found.bias_error
        assert found.coverage >= 0.8


def test_parts_of_the_cases_are_read_as_the_design_says():
    rng = np.random.default_rng(1)
    read = validation._subsets_rc(rng, 12, 45, 4, 10)
    assert read[:, :10].all()
    assert (read[:, 10:].sum(axis=0) == 4).all()
    assert set(read.sum(axis=1).tolist()) == {10 + 11, 10 + 12}
    blocks = validation._blocks_rc(rng, 12, 48, 4)
    assert (blocks.sum(axis=0) == 3).all()
    assert (blocks.sum(axis=1) == 12).all()
    assert len({tuple(row) for row in blocks.tolist()}) == 4


def test_the_page_holds_what_the_command_makes_of_a_setting():
    setting = validation.paired_settings()[0]
    (found,) = simulate(setting)
    assert table_row(found) in PAGE.read_text(encoding="utf-8").splitlines()


def test_keys_of_settings_are_their_own():
    keys = [setting.key for setting in validation.all_settings()]
    assert len(keys) == len(set(keys)) == 39


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_page_is_what_the_command_makes(tmp_path):
    validation.main(["--output", str(tmp_path / "validation.md")])
    written, committed = (path.read_text(encoding="utf-8") for path in (tmp_path / "validation.md", PAGE))
    tables = [[line for line in text.splitlines() if line.startswith("|")] for text in (written, committed)]
    assert tables[0] == tables[1]
