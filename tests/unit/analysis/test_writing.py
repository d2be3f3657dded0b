"""What is written: results.json by its schema, tables, and figures that are the same bytes every time."""

import json
import math
import re
from itertools import pairwise

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from equipoise.analysis import Figure, Table, run_analysis, write_result
from equipoise.analysis.drawing import STYLE, draw_figure, render_figure
from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.wording import estimate_words

NUMBER_FIELDS = {
    "quantity", "label", "subject", "value", "unit", "method", "interval", "standard_error", "statistic", "df",
    "pvalue", "n", "n_missing", "missing", "seed", "reason",
}  # fmt: skip
RESULT_FIELDS = {
    "schema", "name", "title", "method", "version", "role", "data_sha256", "confidence_level", "rng_seed", "parameters",
    "software", "findings", "notes", "numbers", "tables", "figures", "analysis_set", "where",
}  # fmt: skip


@pytest.fixture
def result(preference_columns):
    return run_analysis("preference", {"readings": preference_columns}, rng_seed=7)


def test_results_json_has_its_fields_and_only_plain_numbers(result, tmp_path):
    write_result(result, tmp_path, formats=())
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    document = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert set(document) == RESULT_FIELDS
    assert document["schema"] == "equipoise-analysis-result/1"
    assert re.fullmatch("[0-9a-f]{64}", document["data_sha256"])
    assert set(document["software"]) == {"equipoise", "python", "numpy", "scipy"}
    for number in document["numbers"]:
        assert set(number) == NUMBER_FIELDS
        assert number["value"] is not None or number["reason"], number
        if number["interval"] is not None:
            assert set(number["interval"]) == {"low", "high", "confidence_level", "method"}
            assert number["interval"]["method"], number
    for figure in document["figures"].values():
        assert figure["title"]
        assert "n = " in figure["caption"]


def test_tables_and_figure_data_are_written_as_csv(result, tmp_path):
    written = write_result(result, tmp_path, formats=())
    names = sorted(str(path.relative_to(tmp_path)) for path in written)
    assert names == [
        "figures/preference-by-group.csv",
        "figures/preference-histogram.csv",
        "results.json",
        *sorted(f"tables/{name}.csv" for name in result.tables),
    ]
    assert (tmp_path / "figures" / "preference-histogram.csv").read_text(encoding="utf-8").splitlines() == [
        "participant,value",
        "R1,75",
        "R2,50",
        "R3,33.333333333333336",
        "R4,75",
    ]


def test_drawn_figures_are_the_same_bytes_and_carry_their_title(result, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        write_result(result, folder, formats=("svg", "png", "pdf"))
    for name, figure in result.figures.items():
        svg = (first / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert f"<dc:title>{figure.title}</dc:title>" in svg
        shown = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
        assert " ".join(figure.title.split()) in " ".join(shown.split())
        assert "dc:date" not in svg
        for ending in ("svg", "png", "pdf"):
            path = f"figures/{name}.{ending}"
            assert (first / path).read_bytes() == (second / path).read_bytes()
        assert (first / "figures" / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert (first / "figures" / f"{name}.pdf").read_bytes()[:5] == b"%PDF-"


def test_figures_have_journal_widths(result, tmp_path):
    write_result(result, tmp_path, formats=("svg",))
    svg = (tmp_path / "figures" / "preference-histogram.svg").read_text(encoding="utf-8")
    width_pt = float(re.search(r'width="([\d.]+)pt"', svg).group(1))
    assert width_pt / 72 * 2.54 == pytest.approx(8.5, abs=0.01)


def test_unknown_formats_are_refused(result, tmp_path):
    with pytest.raises(ValueError, match=r"formats must be among .* got \['gif'\]"):
        write_result(result, tmp_path, formats=("gif",))
    assert not list(tmp_path.iterdir())


def test_undefined_numbers_become_null_with_a_reason():
    builder = ResultBuilder(confidence_level=0.95, seed=1)
    number = builder.number(
        "x", math.inf, label="X", interval=(math.nan, 1.0), pvalue=math.nan, reason="empty mask"
    )
    assert number.to_json()["value"] is None
    assert number.to_json()["interval"] is None
    assert number.to_json()["pvalue"] is None
    assert number.to_json()["reason"] == "empty mask"
    assert builder.number("y", math.nan, label="Y").reason == "the data do not define it"


def test_an_interval_without_width_says_so():
    builder = ResultBuilder(confidence_level=0.95, seed=1)
    number = builder.number("x", 1.0, label="X", interval=(1.0, 1.0))
    assert number.reason.startswith("the interval has no width")
    assert estimate_words(number) == "1.00 (95 % CI without width: the data show no variation)"


@pytest.mark.parametrize(
    ("interval", "reason"),
    [
        ((0.25, math.inf), "the data leave the upper bound without limit; the lower one is 0.25"),
        ((-math.inf, 4.0), "the data leave the lower bound without limit; the upper one is 4"),
        ((-math.inf, math.inf), "the data leave both bounds without limit"),
    ],
)
def test_an_interval_without_limit_says_so_and_gives_the_bound_that_is_known(interval, reason):
    builder = ResultBuilder(confidence_level=0.95, seed=1)
    number = builder.number("x", 1.0, label="X", interval=interval)
    assert (number.value, number.has_interval, number.reason) == (1.0, False, reason)
    assert estimate_words(number) == f"1.00 (no interval: {reason})"
    own = builder.number("y", 1.0, label="Y", interval=interval, reason="empty masks")
    assert own.reason == "empty masks"
    assert builder.number("z", 1.0, label="Z", interval=(math.nan, math.inf)).reason == ""


FIGURES = {
    "confusion": (
        {"participant": ["R1"] * 4, "truth": [1, 1, 0, 0], "decision": [1, 0, 1, 0], "count": [3, 1, 2, 4]},
        {"labels": ("no", "yes")},
    ),
    "roc": (
        {
            "participant": ["R1"] * 5, "kind": ["algorithm"] * 5, "part": ["curve"] * 3 + ["band", "point"],
            "fpr": [0, 0.2, 1, 0.5, 0.2], "tpr": [0, 0.8, 1, None, 0.8], "low": [None] * 3 + [0.7, None],
            "high": [None] * 3 + [0.9, None],
        },
        {"labels": {"R1": "R1: 0.80"}},
    ),
    "forest": (
        {"label": ["a", "b"], "section": ["S", "S"], "estimate": [0.5, None], "low": [0.4, None], "high": [0.6, None]},
        {"reference": 0.5, "xlabel": "x"},
    ),
    "box_swarm": (
        {"group": ["a", "a", "b", "b"], "value": [1.0, 2.0, 30.0, 40.0], "kind": ["reader"] * 2 + ["algorithm"] * 2},
        {"log": True, "brackets": [("a", "b", "***")], "ylabel": "s"},
    ),
    "violin": ({"group": ["a"] * 6 + ["b"], "value": [1, 2, 3, 4, 5, 6, 2]}, {"reference": 3, "limits": (0, 7)}),
    "stacked_bars": (
        {"label": ["q", "q"], "category": ["no", "yes"], "share": [0.25, 0.75], "count": [1, 3]}, {"reference": 50}
    ),
    "paired_lines": (
        {"series": ["R1", "R1", "Mean", "Mean"], "place": ["x", "y"] * 2, "value": [0.1, 0.2, 0.3, 0.4]},
        {"mean": "Mean", "reference": 0.2},
    ),
    "kaplan_meier": (
        {
            "group": ["g"] * 4, "part": ["curve", "curve", "censored", "at_risk"], "time": [0, 2, 2, 0],
            "survival": [1, 0.5, 0.5, None], "low": [1, 0.2, None, None], "high": [1, 0.8, None, None],
            "n_at_risk": [2, 2, 1, 2],
        },
        {},
    ),
    "bland_altman": (
        {"mean": [1, 2], "difference": [0.1, -0.1]},
        {"lines": [("Bias", 0.0, -0.1, 0.1), ("Upper limit", 0.2, None, None)]},
    ),
    "histogram": (
        {"value": [0.2, 0.4, 1.5]}, {"bins": [0, 1, 2], "reference": 1, "xlabel": "Score", "ylabel": "Readers"}
    ),
    "matrix": ({"row": ["a", "b"], "column": ["b", "a"], "value": [0.9, 0.1]}, {"names": ["a", "b"], "limits": (0, 1)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", FIGURES)
def test_every_kind_of_figure_is_drawn_alike_twice(kind, tmp_path):
    columns, options = FIGURES[kind]
    figure = Figure("f", kind, f"A finding about {kind}", "n = 2", Table.of("data", columns), options=options)
    for folder in ("one", "two"):
        draw_figure(figure, tmp_path / folder, formats=("svg",))
    first = (tmp_path / "one" / "f.svg").read_text(encoding="utf-8")
    assert first == (tmp_path / "two" / "f.svg").read_text(encoding="utf-8")
    assert f"A finding about {kind}" in first


WORDS = {
    "forest": ["0.5 (0.4 to 0.6); a"],
    "roc": [
        "R1: 0.80; 1 − specificity 0; Sensitivity 0",
        "R1: 0.80; 1 − specificity 0.2; Sensitivity 0.8",
        "R1: 0.80; 1 − specificity 1; Sensitivity 1",
        "R1: 0.80, operating point; 1 − specificity 0.2; Sensitivity 0.8",
    ],
    "box_swarm": ["a; s 1", "a; s 2", "b; s 30", "b; s 40"],
    "stacked_bars": ["q; no; Share of answers (%) 25", "q; yes; Share of answers (%) 75"],
    "paired_lines": ["R1; x; 0.1", "R1; y; 0.2", "Mean; x; 0.3", "Mean; y; 0.4"],
    "histogram": ["Score 0 to 1; Readers 2", "Score 1 to 2; Readers 1"],
    "bland_altman": ["Mean 1; Difference 0.1", "Mean 2; Difference -0.1"],
    "matrix": [],
}


@pytest.mark.parametrize("kind", FIGURES)
def test_every_point_of_a_figure_lies_on_the_picture_and_says_what_it_is(kind, tmp_path):
    columns, options = FIGURES[kind]
    figure = Figure("f", kind, "A finding", "n = 2", Table.of("data", columns), options=options)
    draw_figure(figure, tmp_path, formats=("svg", "points.json"))
    points = json.loads((tmp_path / "f.points.json").read_text(encoding="utf-8"))["points"]
    assert all(0 <= x <= 1 and 0 <= y <= 1 and words for x, y, words in points)
    if kind in WORDS:
        assert sorted(words for _, _, words in points) == sorted(WORDS[kind])


def test_points_lie_where_the_marks_were_drawn(tmp_path):
    """The picture is read back: the only dark blue on it is at the two points."""
    columns, options = {"mean": [1.0, 2.0], "difference": [0.1, -0.1]}, {"lines": []}
    figure = Figure("f", "bland_altman", "A finding", "", Table.of("data", columns), options=options)
    draw_figure(figure, tmp_path, formats=("png", "points.json"))
    points = json.loads((tmp_path / "f.points.json").read_text(encoding="utf-8"))["points"]
    picture = np.asarray(Image.open(tmp_path / "f.png").convert("RGB")).astype(int)
    for x, y, _ in points:
        red, green, blue = picture[
            round(y * picture.shape[0] - 0.5), round(x * picture.shape[1] - 0.5)
        ].tolist()
        assert (blue - red > 60, green < 200) == (True, True), (x, y, red, green, blue)


def test_names_of_groups_do_not_overlap_and_logarithmic_axes_have_plain_numbers():
    names = [
        "Medical student",
        "Computer science, physics or engineering",
        "Another medical speciality",
        "Radiology",
    ]
    columns = {"group": [name for name in names for _ in range(3)], "value": [1.0, 2.0, 3.0] * 4}
    with rc_context(STYLE):
        canvas = render_figure(Figure("f", "violin", "A finding", "", Table.of("data", columns)))
        FigureCanvasAgg(canvas).draw()
        boxes = [label.get_window_extent() for label in canvas.axes[0].get_xticklabels()]
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
        columns = {"group": ["a"] * 4, "value": [3.0, 8.0, 20.0, 45.0]}
        options = {"log": True, "ylabel": "Time (s)"}
        canvas = render_figure(
            Figure("f", "box_swarm", "A finding", "", Table.of("data", columns), options=options)
        )
        FigureCanvasAgg(canvas).draw()
    axis = canvas.axes[0].yaxis
    shown = {label.get_text() for label in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True))} - {""}
    assert {"10", "20"} <= shown
    assert all(float(one) > 0 for one in shown)
