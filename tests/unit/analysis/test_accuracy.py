"""ROC, decisions and the multi-reader analysis on tables small enough to count."""

import math

import numpy as np
import pytest

from equipoise.analysis import AnalysisInputError, AnalysisPlan, run_analysis
from equipoise.simulation.roe_metz import RoeMetzModel
from equipoise.simulation.streams import stream
from equipoise.stats import auc, mrmc, mrmc_ustatistics

TRUTH = {"case": ["C1", "C2", "C3", "C4", "C5"], "truth": [0, 0, 1, 1, 1]}
SCORES = [0.1, 0.4, 0.35, 0.8, 0.6]


def readings(scores=SCORES, decisions=(0, 0, 0, 1, 1), **columns):
    return {
        "participant": ["R1"] * 5,
        "case": TRUTH["case"],
        "score": scores,
        "decision": decisions,
        **columns,
    }


def run(name, table, truth=TRUTH, **parameters):
    tables = {"readings": table} if truth is None else {"readings": table, "truth": truth}
    return run_analysis(name, tables, plan=AnalysisPlan(parameters=parameters), rng_seed=3)


def problems(name, table, truth=TRUTH, **parameters):
    with pytest.raises(AnalysisInputError) as caught:
        run(name, table, truth, **parameters)
    return list(caught.value.problems)


# ---------------------------------------------------------------- ROC


def test_the_area_is_that_of_the_statistics_with_both_intervals():
    result = run("roc", readings(), n_resamples=200)
    number = result.number("auc", participant="R1")
    assert number.value == pytest.approx(5 / 6)
    expected = auc(SCORES, TRUTH["truth"]).confidence_interval
    assert (number.low, number.high) == (expected.low, expected.high)
    assert result.number("auc.bootstrap", participant="R1").seed == 3
    (row,) = result.tables["auc"].records()
    assert (row["n"], row["n_positive"], row["n_negative"], row["n_missing"]) == (5, 3, 2, 0)


def test_own_decisions_and_youden_are_operating_points():
    rows = run("roc", readings()).tables["operating-points"].records()
    own, youden = rows
    assert (own["rule"], own["sensitivity"], own["specificity"]) == (
        "own decision",
        pytest.approx(2 / 3),
        1.0,
    )
    assert youden["rule"] == "Youden, exploratory"


def test_missing_scores_of_readers_are_left_out_and_counted():
    result = run("roc", readings(scores=[0.1, None, 0.35, 0.8, 0.6]))
    number = result.number("auc", participant="R1")
    assert (number.value, number.n, number.n_missing) == (1.0, 4, 1)
    assert number.missing == "unscored readings left out and counted"


def test_failed_results_of_an_algorithm_count_as_wrong_with_the_available_beside():
    table = readings(scores=[0.1, 0.2, 0.7, 0.8, None], participant_kind=["algorithm"] * 5)
    result = run("roc", table)
    assert result.number("auc", participant="R1").value == pytest.approx(4 / 6)
    assert result.number("auc.available_only", participant="R1").value == 1.0
    assert any("1 failed result counted as wrong" in note for note in result.notes)


def test_one_class_only_is_undefined_with_the_reason():
    number = run("roc", readings(), {"case": TRUTH["case"], "truth": [1] * 5}).number("auc", participant="R1")
    assert (number.value, number.reason) == (None, "all 5 readings are of diseased cases")


def test_areas_of_decisions_are_labelled():
    number = run("roc", readings(scores=[None] * 5)).number("auc", participant="R1")
    assert (number.label, number.value) == ("(sensitivity + specificity)/2", pytest.approx((2 / 3 + 1) / 2))


def test_cases_without_a_final_reference_standard_are_counted_and_unlisted_ones_refused():
    truth = {"case": TRUTH["case"], "truth": [0, 0, None, 1, 1]}
    assert (
        "1 item without a final reference standard left out (1 reading)."
        in run("roc", readings(), truth).notes
    )
    assert problems("roc", readings(), {"case": ["C1"], "truth": [0]}) == [
        "truth: no row for case C2, C3, C4, C5, read in readings."
    ]


def test_several_items_of_a_case_are_clusters():
    table = {
        "participant": ["R1"] * 6,
        "case": ["C1", "C1", "C2", "C2", "C3", "C3"],
        "item": ["left", "right"] * 3,
        "score": [0.1, 0.9, 0.3, 0.7, 0.2, 0.25],
        "truth": [0, 1, 0, 1, 0, 1],
    }
    result = run("roc", table, None)
    expected = auc(table["score"], table["truth"], clusters=table["case"])
    assert result.number("auc", participant="R1").standard_error == expected.standard_error
    assert any("take the case as the unit" in note for note in result.notes)


def test_algorithm_and_reader_are_compared_on_the_same_cases():
    table = {
        "participant": ["R1"] * 5 + ["net"] * 5,
        "participant_kind": ["reader"] * 5 + ["algorithm"] * 5,
        "case": TRUTH["case"] * 2,
        "score": [*SCORES, 0.1, 0.2, 0.9, 0.7, 0.8],
    }
    result = run("roc", table)
    difference = result.number("auc_difference", algorithm="net", participant="R1")
    assert (difference.value, difference.n) == (pytest.approx(1 - 5 / 6), 5)
    kinds = dict(
        zip(
            result.figures["roc"].data.text("participant"),
            result.figures["roc"].data.text("kind"),
            strict=True,
        )
    )
    assert kinds == {"R1": "reader", "net": "algorithm"}


def test_training_cases_mark_the_figure_as_apparent_performance():
    truth = {**TRUTH, "used_in_training": ["no", "no", "tuning", "no", "unknown"]}
    result = run("roc", readings(participant_kind=["algorithm"] * 5), truth)
    sentence = "Apparent performance: 2 of 5 cases were, or may have been, used in training."
    assert sentence in result.notes
    assert sentence in result.figures["roc"].caption
    assert result.figures["roc"].title.endswith("(apparent performance)")


def test_repeats_do_not_enter():
    table = readings(repeat=[1] * 5)
    table = {name: [*values, values[0]] for name, values in table.items()}
    table["repeat"][-1] = 2
    result = run("roc", table)
    assert result.number("auc", participant="R1").n == 5
    assert "1 repeated reading did not enter the estimates (repeat above 1)." in result.notes


# ---------------------------------------------------------------- decisions


def test_the_confusion_matrix_is_counted_with_exact_and_wilson_intervals():
    result = run("operating-point", readings(decisions=[0, 1, 1, 1, 0]))
    (row,) = result.tables["accuracy"].records()
    assert [row[name] for name in ("tp", "fp", "tn", "fn")] == [2, 1, 1, 1]
    number = result.number("sensitivity", participant="R1")
    assert number.value == pytest.approx(2 / 3)
    # R: binom.test(2, 3)$conf.int is 0.09429932 0.99159624; Wilson is 0.2076596 0.9385081.
    assert (number.low, number.high) == pytest.approx((0.09429932, 0.99159624), abs=1e-8)
    wilson = result.number("sensitivity.wilson", participant="R1")
    assert (wilson.low, wilson.high) == pytest.approx((0.2076596, 0.9385081), abs=1e-7)


def test_indeterminate_answers_are_left_out_and_wrong_in_the_sensitivity_analysis():
    result = run("operating-point", readings(decisions=[0, 0, None, 1, 1]))
    (row,) = result.tables["accuracy"].records()
    assert (row["n"], row["n_indeterminate"], row["sensitivity"]) == (4, 1, 1.0)
    (wrong,) = result.tables["indeterminate-as-wrong"].records()
    assert (wrong["n"], wrong["sensitivity"], wrong["specificity"]) == (5, pytest.approx(2 / 3), 1.0)


def test_predictive_values_are_carried_to_the_target_prevalence():
    result = run("operating-point", readings(decisions=[0, 1, 1, 1, 0]), prevalence=0.1)
    number = result.number("ppv.at_prevalence", participant="R1")
    sensitivity, specificity = 2 / 3, 1 / 2
    expected = sensitivity * 0.1 / (sensitivity * 0.1 + (1 - specificity) * 0.9)
    assert number.value == pytest.approx(expected)
    assert "at the sample's prevalence of 60.0 %" in result.number("ppv", participant="R1").label


def test_scores_become_decisions_by_the_threshold_only_where_one_is_given():
    result = run("operating-point", readings(decisions=[None] * 5), threshold=0.35)
    (row,) = result.tables["accuracy"].records()
    assert [row[name] for name in ("tp", "fp", "tn", "fn")] == [3, 1, 1, 0]
    assert problems("operating-point", readings(decisions=[None] * 5)) == [
        "readings: column 'decision' is missing or empty; give a threshold for the scores (threshold)."
    ]


def test_a_prevalence_outside_0_to_1_is_refused():
    assert problems("operating-point", readings(), prevalence=1.5) == [
        "Parameter prevalence: 1.5 is not between 0 and 1."
    ]


# ---------------------------------------------------------------- MRMC


@pytest.fixture(scope="module")
def study():
    model = RoeMetzModel.with_aucs((0.8, 0.9), var_reader=0.02, var_reader_condition=0.02)
    table = model.draw(stream(4), n_readers=4, n_positive=20, n_negative=20).rating_table(
        ("unaided", "aided")
    )
    table["participant"] = table.pop("reader")
    table["decision"] = [int(score >= 0.5) for score in table["score"]]
    return table


def test_the_comparison_is_that_of_the_statistics_in_the_planned_direction(study):
    result = run("mrmc", study, None, first="aided", second="unaided")
    expected = mrmc({**study, "reader": study["participant"]}).difference("aided", "unaided")
    number = result.number("difference", first="aided", second="unaided")
    assert (number.value, number.pvalue, number.df) == (expected.estimate, expected.pvalue, expected.df)
    assert (number.low, number.high) == tuple(vars(expected.confidence_interval).values())
    unstats = result.number("difference.u_statistics", first="aided", second="unaided")
    assert unstats.value == pytest.approx(expected.estimate, abs=1e-12)
    assert result.figures["reader-by-condition"].data.levels("place") == ["unaided", "aided"]
    assert len(result.tables["covariance"]["cell"]) == 8


def test_non_inferiority_is_judged_for_the_named_difference(study):
    result = run("mrmc", study, None, first="aided", second="unaided", margin=0.05)
    assert any(
        finding.startswith("aided is not inferior to unaided at a margin of 0.05")
        for finding in result.findings
    )
    assert result.number("non_inferiority", first="aided", second="unaided").pvalue < 0.025


def test_algorithms_are_fixed_comparators_never_random_readers(study):
    cases = list(dict.fromkeys(study["case"]))
    truth = dict(zip(study["case"], study["truth"], strict=True))
    table = {name: list(values) for name, values in study.items()}
    table["participant_kind"] = ["reader"] * len(table["case"]) + ["algorithm"] * len(cases)
    table["participant"] += ["net"] * len(cases)
    table["case"] += cases
    table["condition"] += ["stand-alone"] * len(cases)
    table["truth"] += [truth[case] for case in cases]
    table["score"] += [0.5 + 0.1 * truth[case] + 0.001 * place for place, case in enumerate(cases)]
    table["decision"] += [truth[case] for case in cases]
    result = run("mrmc", table, None)
    assert {row["reader"] for row in result.tables["reader-estimates"].records()} == {
        "R01",
        "R02",
        "R03",
        "R04",
    }
    aided = result.number("readers_minus_algorithm", algorithm="net", condition="aided")
    assert (aided.n, aided.value < 0) == (4, True)
    assert {row["condition"] for row in result.tables["readers-minus-algorithm"].records()} == {
        "unaided",
        "aided",
    }


def test_readings_without_a_score_are_missing_and_wrong_in_the_sensitivity_analysis(study):
    table = {name: list(values) for name, values in study.items()}
    table["score"][0] = None
    result = run("mrmc", table, None)
    (main,) = [n for n in result.numbers if n.quantity == "difference"]
    (wrong,) = [n for n in result.numbers if n.quantity == "difference.missing_as_wrong"]
    assert (main.n_missing, wrong.n_missing) == (1, 0)
    assert main.value != wrong.value


def test_switches_are_counted_as_helpful_or_harmful():
    table = {
        "participant": ["R1"] * 8,
        "case": ["C1", "C2", "C3", "C4"] * 2,
        "condition": ["unaided"] * 4 + ["aided"] * 4,
        "score": [0.2, 0.6, 0.4, 0.9, 0.1, 0.7, 0.8, 0.3],
        "decision": [0, 1, 0, 1, 0, 1, 1, 0],
        "truth": [0, 0, 1, 1] * 2,
    }
    result = run("mrmc", table, None, sequential=True)
    rows = {row["truth"]: row for row in result.tables["switches"].records()}
    assert (rows[1]["n_helpful"], rows[1]["n_harmful"]) == (1, 1)
    assert (rows[0]["n_stayed_right"], rows[0]["n_stayed_wrong"]) == (1, 1)
    assert result.number("net_helpful_switches").value == 0.0
    assert any(
        "in the same reading (sequential), 1 decision changed from wrong to right and 1" in f
        for f in result.findings
    )


def test_one_reader_is_fixed_and_said(study):
    rows = np.array(study["participant"]) == "R01"
    table = {name: np.array(values, dtype=object)[rows].tolist() for name, values in study.items()}
    assert "One reader only: the conclusion holds for this reader." in run("mrmc", table, None).notes


def test_only_algorithms_are_refused():
    table = readings(participant_kind=["algorithm"] * 5)
    assert problems("mrmc", table) == ["readings: no reading by a reader; algorithms are fixed comparators."]


def test_unknown_conditions_of_the_plan_are_refused(study):
    (problem,) = problems("mrmc", study, None, first="aided", second="assisted")
    assert problem.startswith("Parameters first and second: no difference of 'aided' and 'assisted'")


def test_proportions_come_from_decisions(study):
    result = run("mrmc", study, None, metric="sensitivity")
    number = result.number("sensitivity", participant="R01", condition="aided")
    rows = [
        d
        for d, p, c, t in zip(
            study["decision"], study["participant"], study["condition"], study["truth"], strict=True
        )
        if (p, c, t) == ("R01", "aided", 1)
    ]
    assert number.value == pytest.approx(sum(rows) / len(rows))
    assert math.isfinite(result.number("equality").pvalue)


def test_means_by_period_of_a_crossover_are_described(study):
    cases = sorted(set(study["case"]))
    early = set(cases[::2])
    table = {name: list(values) for name, values in study.items()}
    table["period"] = [
        "1" if (case in early) == (condition == "aided") else "2"
        for case, condition in zip(table["case"], table["condition"], strict=True)
    ]
    result = run("mrmc", table, None)
    rows = {(row["period"], row["condition"]): row["mean"] for row in result.tables["by-period"].records()}
    assert set(rows) == {("1", "aided"), ("1", "unaided"), ("2", "aided"), ("2", "unaided")}
    effect = result.number("period_effect", condition="aided")
    assert effect.value == pytest.approx(rows["2", "aided"] - rows["1", "aided"])
    interaction = result.number("condition_period_interaction")
    unaided = rows["2", "unaided"] - rows["1", "unaided"]
    assert abs(interaction.value) == pytest.approx(abs(effect.value - unaided))


def parallel_groups(study):
    """Let every reader read in one condition alone, in turn."""
    kept = [
        (int(participant[1:]) % 2 == 0) == (condition == "aided")
        for participant, condition in zip(study["participant"], study["condition"], strict=True)
    ]
    return {
        name: [one for one, yes in zip(values, kept, strict=True) if yes] for name, values in study.items()
    }


def test_parallel_groups_of_readers_are_compared_by_u_statistics(study):
    table = parallel_groups(study)
    result = run("mrmc", table, None, first="aided", second="unaided")
    number = result.number("difference", first="aided", second="unaided")
    columns = {**table, "reader": table["participant"]}
    expected = mrmc_ustatistics(columns).differences[0]
    assert number.value == pytest.approx(expected.estimate)
    assert (number.standard_error, number.pvalue) == (expected.standard_error, expected.pvalue)
    assert number.df == math.floor(expected.df)
    assert "readers nested in conditions" in number.method
    assert "U-statistics, parallel groups" in result.findings[0]
    assert "mrmc_ustatistics" in result.number("equality").reason


def test_parallel_groups_have_no_test_of_a_partial_area(study):
    (problem,) = problems("mrmc", parallel_groups(study), None, metric="partial_auc")
    assert "every reader read in one condition" in problem
    assert "there is none for the partial area under the ROC curve" in problem
