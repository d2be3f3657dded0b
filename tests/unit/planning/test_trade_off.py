"""The grid of readers and cases, and its figure: the same bytes for the same plan."""

import numpy as np
import pytest

from equipoise.analysis.drawing import draw_figure
from equipoise.analysis.planning import trade_off
from equipoise.analysis.planning.trade_off import grid_around
from equipoise.stats import difference_power


def power_at(n_readers, n_cases):
    return difference_power(
        0.03, n_readers=n_readers, n_cases=n_cases, reader_sd=0.02, case_sd=0.05, residual_sd=0.06
    )


def test_the_grid_holds_every_pair_once_in_order():
    told = []
    grid = trade_off(power_at, (6, 4, 6), (40, 10), progress=lambda *where: told.append(where))
    assert grid.table.to_csv().splitlines() == [
        "readers,cases,power",
        *(f"{r},{c},{power_at(r, c).power}" for r in (4, 6) for c in (10, 40)),
    ]
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("number, lowest", [(2, 2), (6, 2), (251, 5), (1, 1), (7, 5), (200, 2)])
def test_a_grid_has_the_plan_in_it_and_no_sample_that_cannot_be(number, lowest):
    steps = grid_around(number, lowest=lowest)
    assert number in steps
    assert steps == sorted(set(steps))
    assert min(steps) >= min(lowest, number)
    assert max(steps) >= 2 * number
    assert len(steps) <= 26


def test_the_figure_is_drawn_in_every_format_and_twice_alike(tmp_path):
    grid = trade_off(power_at, range(2, 12), range(5, 100, 5))
    figure = grid.figure(title="Power", caption="n", target=0.85, chosen=(8, 40))
    for folder in ("first", "second"):
        names = [path.name for path in draw_figure(figure, tmp_path / folder, formats=("svg", "png"))]
        assert names == ["power.svg", "power.png"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    drawing = (tmp_path / "first" / "power.svg").read_text(encoding="utf-8")
    for words in (">0.85<", ">Readers<", ">Cases<", ">Power<"):
        assert words in drawing


def test_a_grid_without_any_contour_is_drawn_too(tmp_path):
    grid = trade_off(lambda r, c: power_at(40, 400), (4, 6), (10, 40))
    assert np.ptp(grid.power) == 0
    figure = grid.figure(title="Power", caption="n", target=0.8, chosen=(4, 10))
    assert len(draw_figure(figure, tmp_path, formats=("svg",))) == 1
