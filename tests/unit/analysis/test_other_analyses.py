"""Times, agreement, contours, survival and surveys on tables small enough to count."""

import math

import numpy as np
import pytest

from equipoise.analysis import AnalysisInputError, AnalysisPlan, run_analysis
from equipoise.stats import cohen_kappa, krippendorff_alpha


def run(name, **given):
    table = {
        "survival": "survival",
        "observer-variability": "segmentations",
        "segmentation-performance": "segmentations",
    }
    parameters = given.pop("parameters", {})
    return run_analysis(
        name, {table.get(name, "readings"): given}, plan=AnalysisPlan(parameters=parameters), rng_seed=5
    )


def problems(name, **given):
    with pytest.raises(AnalysisInputError) as caught:
        run(name, **given)
    return list(caught.value.problems)


# ---------------------------------------------------------------- time


def test_times_are_described_per_participant_and_the_algorithm_apart():
    result = run(
        "reading-time",
        participant=["R1", "R1", "R2", "R2", "net", "net"],
        participant_kind=["reader"] * 4 + ["algorithm"] * 2,
        case=["C1", "C2"] * 3,
        active_s=[10, 20, 30, None, 1, 3],
    )
    mean = result.number("time.mean", participant_kind="reader")
    assert (mean.value, mean.n, mean.n_missing) == (20.0, 3, 1)
    assert result.number("time.sd", participant="R1").value == pytest.approx(math.sqrt(50))
    assert result.number("time.mean", participant_kind="algorithm").value == 2.0
    assert (
        result.figures["reading-time"].title
        == "Readers took a median of 20 s per reading, the algorithm 2.0 s"
    )
    assert "One condition only: nothing to compare between conditions." in result.notes


@pytest.fixture(scope="module")
def timed():
    rng = np.random.default_rng(8)
    rows = [(r, c, a) for r in range(5) for c in range(12) for a in ("aided", "unaided")]
    seconds = [float(np.exp(3 + 0.1 * r - 0.5 * (a == "aided") + 0.2 * rng.normal())) for r, _, a in rows]
    return {
        "participant": [f"R{r}" for r, _, _ in rows],
        "case": [f"C{c:02d}" for _, c, _ in rows],
        "condition": [a for _, _, a in rows],
        "active_s": seconds,
    }


def test_conditions_are_compared_by_the_model_as_ratios(timed):
    result = run("reading-time", **timed)
    ratio = result.number("time_ratio", first="aided", second="unaided")
    assert ratio.value == pytest.approx(math.exp(-0.5), abs=0.05)
    assert ratio.low < math.exp(-0.5) < ratio.high
    assert ratio.pvalue < 1e-6


def test_flagged_readings_stay_in_with_a_sensitivity_analysis_without_them(timed):
    flags = ["interrupted", *[""] * (len(timed["case"]) - 1)]
    result = run("reading-time", **timed, flags=flags)
    assert result.number("time_ratio", first="aided", second="unaided").n == 120
    assert result.number("time_ratio.without_flagged", first="aided", second="unaided").n == 119


def test_a_flag_of_the_per_protocol_set_makes_no_sensitivity_analysis_of_its_own(timed):
    rest = [""] * (len(timed["case"]) - 2)
    alone = run("reading-time", **timed, flags=["not_per_protocol:order", "not_per_protocol", *rest])
    assert not [number for number in alone.numbers if number.quantity == "time_ratio.without_flagged"]
    beside = run(
        "reading-time", **timed, flags=["not_per_protocol:order", "interrupted not_per_protocol", *rest]
    )
    assert beside.number("time_ratio.without_flagged", first="aided", second="unaided").n == 119


def test_unknown_pairs_of_a_published_figure_are_refused(timed):
    assert problems("reading-time", **timed, parameters={"published_pairs": "R1:R9"}) == [
        "Parameter published_pairs: 'R1:R9' does not name a pair A:B of: R0, R1, R2, R3, R4."
    ]


def test_a_table_without_times_is_refused():
    assert problems("reading-time", participant=["R1"], case=["C1"], active_s=[None]) == [
        "readings: column 'active_s' holds no time."
    ]


# ---------------------------------------------------------------- agreement


def test_agreement_of_decisions_keeps_readers_and_algorithm_apart():
    first, second, net = [0, 0, 1, 1, 1, 0], [0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0]
    result = run(
        "agreement",
        participant=["R1"] * 6 + ["R2"] * 6 + ["net"] * 6,
        participant_kind=["reader"] * 12 + ["algorithm"] * 6,
        case=[f"C{i}" for i in range(6)] * 3,
        decision=first + second + net,
    )
    kappa = result.number("cohen_kappa", first="R1", second="R2")
    assert kappa.value == pytest.approx(cohen_kappa(first, second).estimate)
    assert result.number("percent_agreement", first="R1", second="R2").value == pytest.approx(4 / 6)
    alpha = result.number("krippendorff_alpha_(nominal)")
    assert alpha.value == pytest.approx(krippendorff_alpha(list(zip(first, second, strict=True))).estimate)
    pairs = {
        name: {(r["first"], r["second"]) for r in result.tables[name].records()}
        for name in ("reader-reader", "algorithm-reader")
    }
    assert pairs == {"reader-reader": {("R1", "R2")}, "algorithm-reader": {("R1", "net"), ("R2", "net")}}


def test_agreement_within_readers_uses_the_repeat_and_the_algorithm_is_only_reproducible():
    result = run(
        "agreement",
        participant=["R1"] * 6 + ["net"] * 2,
        participant_kind=["reader"] * 6 + ["algorithm"] * 2,
        case=["C1", "C2", "C3"] * 2 + ["C1", "C1"],
        repeat=[1, 1, 1, 2, 2, 2, 1, 2],
        decision=[0, 1, 1, 0, 1, 0, 1, 1],
    )
    rows = {row["coefficient"]: row for row in result.tables["within-readers"].records()}
    assert rows["Percent agreement"]["estimate"] == pytest.approx(2 / 3)
    assert rows["Cohen kappa"]["n"] == 3
    assert "net (algorithm) is reproducible: yes (1 items; not tested)." in result.findings


def test_measurements_get_icc_and_bland_altman():
    a, b = [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [1.5, 2.1, 3.4, 4.2, 5.3, 6.6, 7.1, 8.4, 9.2, 10.3, 11.5]
    result = run(
        "agreement", participant=["R1"] * 11 + ["R2"] * 11, case=[f"C{i}" for i in range(11)] * 2, score=a + b
    )
    differences = np.array(a) - np.array(b)
    bias = result.number("bland_altman.bias", first="R1", second="R2")
    assert bias.value == pytest.approx(differences.mean())
    upper = result.number("bland_altman.upper_limit", first="R1", second="R2")
    assert upper.value == pytest.approx(differences.mean() + 1.96 * differences.std(ddof=1))
    assert result.number("icc(2,1)").value > 0.99
    assert result.figures["bland-altman"].data["difference"].tolist() == pytest.approx(differences.tolist())


def test_one_reader_alone_has_no_agreement():
    result = run("agreement", participant=["R1"] * 2, case=["C1", "C2"], decision=[0, 1])
    assert "1 reader: agreement between readers is not available." in result.notes


def test_text_cannot_be_a_measurement():
    found = problems(
        "agreement",
        participant=["R1"],
        case=["C1"],
        q=["often"],
        parameters={"column": "q", "scale": "interval"},
    )
    assert found == ["readings row 2, column q: 'often' is not a number."]


# ---------------------------------------------------------------- contours


def pairs_table():
    rows = [
        ("C1", "R1", "R2", "inter", 0.8, 4.0),
        ("C2", "R1", "R2", "inter", 0.9, 3.0),
        ("C1", "R1", "algorithm", "inter", 0.7, 5.0),
        ("C2", "R1", "algorithm", "inter", 0.0, None),
        ("C1", "R2", "algorithm", "inter", 0.6, 6.0),
        ("C1", "R1", "R1", "intra", 0.95, 1.0),
        ("C2", "R1", "R1", "intra", 0.85, 2.0),
        ("C1", "algorithm", "algorithm", "intra", 1.0, 0.0),
    ]
    names = ("case", "first", "second", "kind", "dice", "hausdorff_95_mm")
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def test_observer_pairs_are_summarised_by_family_with_empty_masks_ranked_worst():
    result = run("observer-variability", **pairs_table(), parameters={"n_resamples": 50})
    assert result.number("dice.median", family="reader-reader").value == pytest.approx(0.85)
    assert result.number("dice.median", family="algorithm-reader").value == 0.6
    distance = result.number("hausdorff_95_mm.median", family="algorithm-reader")
    assert (distance.value, distance.n) == (6.0, 3)
    assert "1 of empty masks ranked worst" in distance.missing
    assert (
        "The algorithm is reproducible: yes (identical contours on repetition; not tested)."
        in result.findings
    )
    medians = {
        (r["first"], r["second"]): r["median"]
        for r in result.tables["pairs"].records()
        if r["metric"] == "dice"
    }
    assert medians["R1", "algorithm"] == 0.35


def test_a_median_of_mostly_empty_masks_is_not_available():
    table = {
        "case": ["C1", "C2", "C3"], "first": ["R1"] * 3, "second": ["R2"] * 3, "kind": ["inter"] * 3,
        "dice": [0, 0, 0.5], "hausdorff_95_mm": ["inf", "inf", 3],
    }  # fmt: skip
    number = run("observer-variability", **table, parameters={"n_resamples": 20}).number(
        "hausdorff_95_mm.median", family="reader-reader"
    )
    assert (number.value, number.reason) == (None, "more than half of the values are of empty masks")


def test_a_pair_in_both_orders_counts_once_and_contradictions_are_refused():
    table = {
        "case": ["C1", "C1"], "first": ["R1", "R2"], "second": ["R2", "R1"], "kind": ["inter"] * 2, "dice": [0.8, 0.8],
    }  # fmt: skip
    result = run("observer-variability", **table, parameters={"n_resamples": 20})
    assert result.number("dice.median", family="reader-reader").n == 1
    assert problems("observer-variability", **{**table, "dice": [0.8, 0.7]}) == [
        "segmentations row 3: the pair R2 and R1 has other values than in row 2."
    ]


def reference_table(**columns):
    n = 6
    return {
        "case": [f"C{i}" for i in range(n)],
        "first": ["reference"] * n,
        "second": ["net"] * n,
        "kind": ["reference"] * n,
        "dice": [0.9, 0.8, 0.7, 0.6, 0.5, None],
        "volume_reference_ml": [10, 20, 150, 151, 5, 30],
        **columns,
    }


def test_failed_results_count_as_0_with_the_available_beside():
    result = run("segmentation-performance", **reference_table(), parameters={"n_resamples": 50})
    median = result.number("dice.median", candidate="net")
    assert (median.value, median.n) == (pytest.approx(0.65), 6)
    rows = result.tables["available-only-net"].records()
    assert (rows[0]["metric"], rows[0]["n"], rows[0]["median"]) == ("dice", 5, 0.7)
    left_out = run(
        "segmentation-performance", **reference_table(), parameters={"failed": "leave-out", "n_resamples": 50}
    )
    assert left_out.number("dice.median", candidate="net").n == 5


def test_default_volume_groups_hold_their_edges():
    result = run(
        "segmentation-performance",
        **reference_table(),
        parameters={"subgroups": "volume_reference_ml", "n_resamples": 50},
    )
    counts = {row["level"]: row["n"] for row in result.tables["subgroups"].records() if row["subgroup"]}
    assert counts == {"[0, 20)": 2, "[20, 150]": 3, "(150, inf)": 1}


def test_default_slice_groups_hold_their_edges():
    table = reference_table(slice_thickness_mm=[2.5, 2.6, 5, 5.1, 1, 0.5])
    result = run(
        "segmentation-performance", **table, parameters={"subgroups": "slice_thickness_mm", "n_resamples": 50}
    )
    counts = {row["level"]: row["n"] for row in result.tables["subgroups"].records() if row["subgroup"]}
    assert counts == {"(0, 2.5]": 3, "(2.5, 5]": 2, "(5, inf)": 1}


def test_labels_of_two_labellers_count_disagreement_as_1():
    table = reference_table(one=[0, 0, 1, 1, 0, 0], two=[0, 1, 0, 1, 0, 0])
    result = run(
        "segmentation-performance", **table,
        parameters={"labels": {"complex": "one+two"}, "subgroups": "complex", "n_resamples": 50},
    )  # fmt: skip
    counts = {row["level"]: row["n"] for row in result.tables["subgroups"].records() if row["subgroup"]}
    assert counts == {"0": 3, "1": 3}


@pytest.mark.parametrize(
    "parameters, sentence",
    [
        (
            {"volume_reference_ml": "0-20"},
            "Parameter volume_reference_ml: '0-20' is not an interval such as '(2.5, 5]'.",
        ),
        ({"volume_reference_ml": "[5, 5]"}, "Parameter volume_reference_ml: '[5, 5]' is empty."),
        (
            {"volume_reference_ml": "[0, 20];[20, 30]"},
            "Parameter volume_reference_ml: [0, 20] and [20, 30] overlap.",
        ),
        ({"subgroups": "pet"}, "segmentations: there is no column 'pet' for a subgroup."),
        ({"metric": "case"}, "Parameter metric: 'case' is not a metric of segmentations."),
    ],
)
def test_impossible_subgroups_are_refused(parameters, sentence):
    found = problems(
        "segmentation-performance", **reference_table(), parameters={"n_resamples": 20, **parameters}
    )
    assert found[0].startswith(sentence), found


# ---------------------------------------------------------------- survival

SURVIVAL = {
    "case": [f"P{i}" for i in range(8)],
    "time": [1, 2, 3, 4, 5, 6, 7, 8],
    "event": [1, 1, 1, 0, 1, 1, 0, 1],
    "volume": [80, 70, 60, 50, 40, 30, 20, 10],
    "noise": [3, 1, 4, 1, 5, 9, 2, 6],
}


def test_measurements_are_split_at_the_median_and_the_continuous_model_comes_first():
    result = run("survival", **SURVIVAL, parameters={"pairs": "volume:noise", "n_resamples": 50})
    assert result.number("c_index", measurement="volume").value == 1.0
    assert list(result.tables) == ["cox", "log-rank", "concordance-differences"]
    rows = {row["groups"]: row for row in result.tables["log-rank"].records()}
    assert (rows["volume"]["cut"], rows["volume"]["n"], rows["volume"]["n_events"]) == (45, 8, 6)
    curve = result.figures["kaplan-meier-volume"].data
    at_risk = curve.where((curve.text("part") == "at_risk") & (curve.text("group") == "high"))
    assert dict(zip(at_risk["time"], at_risk["n_at_risk"], strict=True))[2.0] == 3
    difference = result.number("c_index_difference", first="volume", second="noise")
    assert difference.value == pytest.approx(1.0 - result.number("c_index", measurement="noise").value)


def test_times_are_censored_at_the_horizon_and_the_lost_events_said():
    result = run("survival", **SURVIVAL, parameters={"censor_after": 5, "measurements": "volume"})
    assert "3 times beyond 5 censored there (2 events lost)." in result.notes
    (row,) = result.tables["log-rank"].records()
    assert row["n_events"] == 4


def test_a_median_never_reached_is_said():
    table = {**SURVIVAL, "event": [1, 1, 0, 0, 0, 0, 0, 0]}
    number = run("survival", **table, parameters={"measurements": "volume"}).number(
        "median_survival", groups="volume", group="low"
    )
    assert (number.value, number.reason) == (None, "not reached")


@pytest.mark.parametrize(
    "table",
    [
        {"case": ["P1", "P2"], "time": [1, 2], "event": [0, 0], "x": [1, 2]},
        {"case": ["P1"], "time": [1], "event": [1], "x": [1]},
        {"case": ["P1", "P2", "P3"], "time": [1, 2, 3], "event": [1, 1, 1], "x": [1, 1, 1]},
    ],
)
def test_survival_that_the_data_do_not_define_is_not_available_with_a_reason(table):
    result = run("survival", **table)
    number = result.number("log_rank", groups="x")
    assert (number.value, number.pvalue) == (None, None)
    assert number.reason
    assert "Log-rank test not available: " in result.figures["kaplan-meier-x"].caption


def test_survival_without_a_measurement_is_refused():
    assert problems("survival", case=["P1"], time=[1], event=[1]) == [
        "survival: no numeric column beyond time and event, and no group is named."
    ]
    assert problems("survival", case=["P1"], time=[-1], event=[2], x=[1]) == [
        "survival row 2, column time: -1 is below 0.",
        "survival row 2, column event: '2' is neither 0 nor 1.",
    ]


# ---------------------------------------------------------------- survey


def test_answers_are_counted_in_the_order_of_the_scale():
    result = run(
        "survey",
        participant=["R1"] * 3 + ["R2"] * 3,
        case=["C1", "C2", "C3"] * 2,
        agree=[1, 5, 5, 2, 5, None],
        comment=["x"] * 6,
        parameters={"levels": "1,2,3,4,5"},
    )
    rows = {row["category"]: row for row in result.tables["distribution"].records()}
    assert [rows[str(level)]["count"] for level in range(1, 6)] == [1, 1, 0, 0, 3]
    assert (rows["5"]["share"], rows["5"]["n"], rows["5"]["n_missing"]) == (0.6, 5, 1)
    assert result.number("answer.median", question="agree").value == 5.0
    assert "agree: the most frequent answer was 5: 60 % (95 % CI 0 % to 100 %) of 5 answers, 1 missing." in (
        result.findings
    )
    number = result.number("share", question="agree", category="5")
    assert (number.value, number.low, number.high) == (0.6, rows["5"]["low"], rows["5"]["high"])
    unseen = result.number("share", question="agree", category="3")
    assert (unseen.value, unseen.low, unseen.reason) == (0.0, None, "all answers are the same")
    assert {row["coefficient"] for row in result.tables["agreement"].records()} == {
        "Gwet AC2 (quadratic weights)",
        "Krippendorff alpha (ordinal)",
        "Kendall W (ties corrected)",
    }


def test_a_table_without_questions_is_refused():
    assert problems("survey", participant=["R1"], case=["C1"]) == [
        "readings: no column beyond the known ones, so there is no question."
    ]
