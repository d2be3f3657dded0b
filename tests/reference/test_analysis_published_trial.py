"""The published lung-tumour trial through the analyses: every value within the tolerance of its case."""

import json

import pytest

from equipoise.analysis import AnalysisPlan, run_analysis
from tests.reference import analysis_tables as tables

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def cases(fixtures_folder):
    document = json.loads((fixtures_folder / "duneai" / "cases.json").read_text(encoding="utf-8"))
    return {case["id"]: case["expected"] for case in document["cases"]}


@pytest.fixture(scope="module")
def data(fixtures_folder):
    return fixtures_folder / "duneai" / "data"


def close(expected):
    return pytest.approx(expected, rel=1e-9, abs=1e-12)


# ---------------------------------------------------------------- preference


@pytest.fixture(scope="module")
def preference(data, tmp_path_factory):
    """Run the command line as a researcher would, and return what it wrote and said."""
    from typer.testing import CliRunner

    from equipoise.cli.main import app

    folder = tmp_path_factory.mktemp("preference")
    arguments = ["analyse", "preference", "--readings", str(data / "preference.csv"), "--output", str(folder)]
    arguments += [
        "--column",
        "group=speciality",
        "--set",
        "algorithm_mark=dl_score",
        "--set",
        "other_mark=dr_score",
    ]
    arguments += ["--set", "both=algorithm", "--set", "neither=against", "--no-figures"]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0, outcome.output
    return json.loads((folder / "results.json").read_text(encoding="utf-8")), outcome.output


def number(document, quantity, **subject):
    (found,) = [n for n in document["numbers"] if n["quantity"] == quantity and n["subject"] == subject]
    return found


@pytest.mark.parametrize(
    "case, subject",
    [
        ("pref_overall", {}),
        ("pref_students", {"group": "Student"}),
        ("pref_medical_doctors", {"group": "Medical Doctor"}),
    ],
)
def test_preference_scores_are_those_published(preference, cases, case, subject):
    document, _ = preference
    expected = cases[case]
    assert number(document, "preference_score.median", **subject)["n"] == expected["n"]
    for name in ("median", "iqr", "q1", "q3", "mean"):
        assert number(document, f"preference_score.{name}", **subject)["value"] == close(expected[name])


def test_rows_that_mark_both_or_neither_are_counted(preference, cases):
    document, printed = preference
    expected = cases["pref_counts"]
    assert number(document, "rows_marking_both")["value"] == expected["rows_both_1"]
    assert number(document, "rows_marking_neither")["value"] == expected["rows_both_0"]
    assert number(document, "rows_marking_both")["n"] == expected["rows_total"]
    concerned = number(document, "participants_with_unclear_rows")
    assert concerned["value"] == expected["participants_with_non_exclusive_rows"]
    groups = {row[0]: row[1] for row in document["tables"]["groups"]["rows"][1:]}
    assert groups == expected["participants"]
    assert {row[2] for row in document["tables"]["scores"]["rows"]} == {expected["items_per_participant"]}
    assert "51 rows marked both contours (counted for the algorithm) and 60 neither" in printed


def test_preference_default_leaves_unclear_rows_out_and_says_so(data):
    plan = AnalysisPlan(
        parameters={"algorithm_mark": "dl_score", "other_mark": "dr_score", "model": False},
        columns={"readings": {"group": "speciality"}},
    )
    result = run_analysis("preference", {"readings": data / "preference.csv"}, plan=plan)
    assert sum(result.tables["scores"]["n"]) == 4040 - 111
    assert any("51 rows marked both contours (left out) and 60 neither (left out)" in n for n in result.notes)


# ---------------------------------------------------------------- time


def test_contouring_times_are_those_published(data, cases):
    plan = AnalysisPlan(
        parameters={
            "time": "wall_s",
            "missing": "listwise",
            "ddof": 0,
            "published_pairs": ["Dr4:DL", "Dr5:DL"],
        }
    )
    result = run_analysis("reading-time", {"readings": tables.reading_times(data / "time.csv")}, plan=plan)
    doctors, algorithm = cases["time_doctors"], cases["time_dl"]
    mean = result.number("time.mean", participant_kind="reader")
    assert (mean.n, mean.value) == (doctors["n_values"], close(doctors["mean"]))
    assert result.number("time.sd", participant_kind="reader").value == close(doctors["sd_ddof0"])
    assert result.number("time.mean", participant_kind="algorithm").value == close(algorithm["mean"])
    assert result.number("time.sd", participant_kind="algorithm").value == close(algorithm["sd_ddof0"])
    test = result.number("time.mann_whitney", first="Dr4", second="DL")
    assert test.statistic == cases["time_mw_dr4_dl"]["U1"]
    assert test.pvalue == close(cases["time_mw_dr4_dl"]["p_bonferroni"])
    assert "Dr4 against DL p = 2.816e-09" in result.figures["reading-time"].caption


def test_contouring_times_default_to_all_available_values(data, cases):
    plan = AnalysisPlan(parameters={"time": "wall_s"})
    result = run_analysis("reading-time", {"readings": tables.reading_times(data / "time.csv")}, plan=plan)
    expected = cases["time_doctors"]["all_available"]
    mean = result.number("time.mean", participant_kind="reader")
    assert (mean.n, mean.n_missing, mean.value) == (expected["n_values"], 1, close(expected["mean"]))
    assert result.number("time.sd", participant_kind="reader").value == close(expected["sd_ddof1"])


# ---------------------------------------------------------------- observers


def test_repeated_contours_are_those_published(data, cases):
    plan = AnalysisPlan(
        parameters={"algorithms": ["DL"], "published_pairs": ["Dr4:DL", "Dr5:DL"], "n_resamples": 50}
    )
    segmentations = tables.repeated_contours(data / "intra_dsc.csv")
    result = run_analysis("observer-variability", {"segmentations": segmentations}, plan=plan)
    expected = cases["intra_dsc_doctors"]
    median = result.number("dice.median", family="intra-reader")
    assert (median.n, median.value) == (expected["n"], close(expected["median"]))
    assert result.number("dice.iqr", family="intra-reader").value == close(expected["iqr"])
    for name, case in (("Dr4", "intra_dsc_mw_dr4_dl"), ("Dr5", "intra_dsc_mw_dr5_dl")):
        test = result.number("intra.mann_whitney", first=name, second="DL")
        assert (test.statistic, test.pvalue) == (cases[case]["U1"], close(cases[case]["p_bonferroni"]))
    assert (
        "The algorithm is reproducible: yes (identical contours on repetition; not tested)."
        in result.findings
    )


def test_pairs_between_doctors_count_once_and_have_the_published_distribution(data, cases):
    plan = AnalysisPlan(parameters={"n_resamples": 50})
    segmentations = tables.pairs_between_readers(data / "inter_dsc.csv")
    result = run_analysis("observer-variability", {"segmentations": segmentations}, plan=plan)
    expected = cases["inter_dsc_all"]["pairs_only"]
    median = result.number("dice.median", family="reader-reader")
    assert median.n == expected["n"] / 2
    assert median.value == close(expected["median"])
    assert any(note.startswith("525 rows repeated a pair in the other order") for note in result.notes)


# ---------------------------------------------------------------- segmentation performance


@pytest.fixture(scope="module")
def performance(data):
    plan = AnalysisPlan(
        parameters={
            "subgroups": ["pet", "atelectasis", "volume", "volume*pet", "slice_thickness_mm", "location"],
            "slice_thickness_mm": ["[0, 2.5)", "[2.5, 5)", "[5, 7.5)"],
            "against": {"slice_thickness_mm": "[5, 7.5)"},
            "published_hd95_below": 100,
            "n_resamples": 50,
        }
    )
    segmentations = tables.contours_against_reference(data / "segmentation_test.csv")
    return run_analysis("segmentation-performance", {"segmentations": segmentations}, plan=plan)


def test_overall_performance_is_that_published(performance, cases):
    expected = cases["seg_test_overall"]
    of = {"candidate": "algorithm"}
    for metric, name in (("dice", "dsc"), ("jaccard", "jaccard"), ("surface_dice_1.18", "surface_dsc")):
        assert performance.number(f"{metric}.median", **of).value == close(expected[name]["median"])
        assert performance.number(f"{metric}.iqr", **of).value == close(expected[name]["iqr"])
    path_mm = performance.number("added_path_length_mm.median", **of)
    assert path_mm.value / 10 == close(expected["apl_cm"]["median"])
    assert performance.number("hausdorff_95_mm.median", **of).value == close(expected["h95_all_median"])
    published = performance.number("hausdorff_95_mm.as_published.iqr", **of)
    assert (published.n, published.value) == (
        expected["h95_filtered_lt100"]["n"],
        close(expected["h95_filtered_lt100"]["iqr"]),
    )
    overall = {row["metric"]: row for row in performance.tables["overall"].records()}
    assert overall["hausdorff_95_mm"]["n_empty"] == expected["h95_n_inf"]


def test_subgroups_are_those_published(performance, cases):
    names = {
        "pet": {"no": "0", "yes": "1"},
        "atelectasis": {"no": "0", "yes": "1"},
    }
    checked = 0
    for key, expected in cases["seg_test_subgroups"].items():
        subgroup, _, level = key.partition("_")
        subject = {
            "candidate": "algorithm",
            "subgroup": subgroup,
            "level": names.get(subgroup, {}).get(level, level),
        }
        if subgroup == "slice":
            subject |= {"subgroup": "slice_thickness_mm", "level": level.replace(";", ", ")}
        if level.endswith(("_pet0", "_pet1")):
            subject |= {"subgroup": "volume*pet", "level": level.replace("_pet", " · ")}
        median = performance.number("dice.median", **subject)
        assert (median.n, median.value) == (expected["n"], close(expected["median"])), key
        assert performance.number("dice.iqr", **subject).value == close(expected["iqr"])
        checked += 1
    assert checked == 19


def test_subgroup_tests_are_those_published(performance, cases):
    rows = {
        (row["subgroup"], frozenset((row["first"], row["second"]))): row
        for row in performance.tables["subgroup-tests"].records()
    }
    expected = cases["seg_test_mw"] | cases["seg_test_mw_pet_atelectasis"]
    for key, values in expected.items():
        subgroup, _, pair = key.partition(" ")
        levels = [level.replace(";", ", ") if subgroup == "slice" else level for level in pair.split(" vs ")]
        levels = [{"no": "0", "yes": "1"}.get(level, level) for level in levels]
        row = rows[("slice_thickness_mm" if subgroup == "slice" else subgroup, frozenset(levels))]
        assert {row["u_first"], row["u_second"]} == {values["U1"], values["U2"]}, key
        assert row["p_raw"] == close(values["p_raw"])
        assert row["n_tests"] == values["bonferroni_m"]
        assert row["p_bonferroni"] == close(values["p_bonferroni"])


# ---------------------------------------------------------------- detection


def test_detection_is_that_published(data, cases):
    rows = tables.rows_of(data / "detection_test.csv")
    readings = {
        "participant": ["algorithm"] * len(rows),
        "participant_kind": ["algorithm"] * len(rows),
        "case": [f"L{i:03d}" for i in range(len(rows))],
        "decision": [row["pred"] for row in rows],
        "truth": [row["truth"] for row in rows],
    }
    expected = cases["detection_test"]
    result = run_analysis("operating-point", {"readings": readings})
    of = {"participant": "algorithm"}
    sensitivity, specificity = (result.number(name, **of) for name in ("sensitivity", "specificity"))
    assert [sensitivity.value, sensitivity.low, sensitivity.high] == close(
        [expected["sensitivity"], *expected["sens_clopper_pearson95"]]
    )
    assert [specificity.value, specificity.low, specificity.high] == close(
        [expected["specificity"], *expected["spec_clopper_pearson95"]]
    )
    assert result.number("f1", **of).value == close(expected["f1"])
    (row,) = result.tables["accuracy"].records()
    assert [row[name] for name in ("tp", "fn", "tn", "fp")] == [
        expected[name] for name in ("tp", "fn", "tn", "fp")
    ]
    curve = run_analysis("roc", {"readings": readings})
    area = curve.number("auc", **of)
    assert [area.value, area.low, area.high] == close([expected["auc"], *expected["delong_ci95"]])
    assert area.label == "(sensitivity + specificity)/2"
