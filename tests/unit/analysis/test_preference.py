"""The preference analysis on a trial small enough to count by hand, and on tables collected elsewhere."""

import pytest

from equipoise.analysis import AnalysisInputError, AnalysisPlan, run_analysis


@pytest.fixture
def result(preference_columns):
    return run_analysis("preference", {"readings": preference_columns}, rng_seed=7)


def test_scores_are_counted_per_participant(result):
    rows = {row["participant"]: row for row in result.tables["scores"].records()}
    assert [rows[name]["score_percent"] for name in ("R1", "R2", "R4")] == [75.0, 50.0, 75.0]
    assert rows["R3"]["score_percent"] == pytest.approx(100 / 3)
    assert (rows["R2"]["n"], rows["R2"]["n_none"], rows["R2"]["tested_percent"]) == (4, 1, 62.5)
    assert (rows["R3"]["n"], rows["R3"]["n_missing"]) == (3, 1)
    assert rows["R1"]["exact_p"] == 0.625  # 2 x (1 + 4) / 16


def test_groups_and_everyone_are_summarised(result):
    assert result.number("preference_score.median").value == 62.5
    assert result.number("preference_score.mean").value == pytest.approx((75 + 50 + 100 / 3 + 75) / 4)
    assert result.number("preference_score.median", group="Radiologist").value == 62.5
    assert result.number("preference_score.iqr", group="Radiologist").value == 12.5
    assert result.number("preference_score.median", group="Student").value == pytest.approx(650 / 12)


def test_the_model_comes_first_and_carries_its_interval(result):
    number = result.number("preference_probability.bootstrap")
    assert number.value == pytest.approx(100 * (9 + 0.5) / 15)
    assert (number.n, number.n_missing, number.seed) == (15, 1, 7)
    assert number.low < number.value < number.high
    assert result.findings[0].startswith(("A new reader of a new case", "The mixed model does not"))


def test_sides_repeats_blinding_and_times_are_reported(result):
    sides = {row["participant"]: row for row in result.tables["sides"].records()}
    # R1 saw the algorithm on the right, left, right, left and chose algorithm x 3, expert.
    assert (sides["R1"]["n_left"], sides["R1"]["n_right"]) == (1, 3)
    assert result.number("left_choice_share").n == 14
    consistency = result.number("consistency")
    assert (consistency.value, consistency.n) == (0.5, 2)
    blinding = result.number("blinding")
    assert (blinding.value, blinding.n) == (pytest.approx(2 / 3), 3)
    assert result.tables["blinding"].records()[0] == {
        "guess": "correct",
        "n": 2,
        "n_with_preference": 2,
        "preference_score_percent": 100.0,
    }
    assert result.number("reading_time.median").value == 11.5
    assert "2 readings repeated (repeat above 1): outside the effect estimates." in result.notes
    assert "1 reading without an answer left out and counted: neither for nor against." in result.notes


def test_the_figures_state_the_finding_and_carry_their_data(result):
    histogram = result.figures["preference-histogram"]
    assert histogram.title == "The median preference score of 4 participants was 62.5 % (IQR 29.2)."
    assert histogram.data["value"].tolist() == [75.0, 50.0, pytest.approx(100 / 3), 75.0]
    assert "n = 4, 15 readings" in histogram.caption
    violin = result.figures["preference-by-group"]
    assert violin.data.levels("group") == ["Radiologist", "Student"]


def test_without_a_plan_the_result_is_exploratory_and_with_one_it_has_its_role(preference_columns, result):
    assert result.role == "exploratory"
    plan = AnalysisPlan(role="primary", confidence_level=0.9, seed=3)
    planned = run_analysis("preference", {"readings": preference_columns}, plan=plan)
    assert (planned.role, planned.rng_seed, planned.confidence_level) == ("primary", 3, 0.9)
    assert planned.data_sha256 == result.data_sha256


def test_the_same_input_gives_the_same_text(preference_columns, result):
    again = run_analysis("preference", {"readings": preference_columns}, rng_seed=7)
    assert again.to_json_text() == result.to_json_text()


MARKS = {
    "participant": ["P1"] * 4 + ["P2"] * 4,
    "item": ["1", "2", "3", "4"] * 2,
    "ai": [1, 1, 0, 1, 1, 0, 0, 1],
    "dr": [0, 0, 1, 1, 0, 1, 0, 0],
}


def marks_result(**rules):
    plan = AnalysisPlan(parameters={"algorithm_mark": "ai", "other_mark": "dr", **rules})
    return run_analysis("preference", {"readings": MARKS}, plan=plan)


@pytest.mark.parametrize(
    "rules, scores, n",
    [
        ({}, [200 / 3, 200 / 3], [3, 3]),
        ({"both": "algorithm", "neither": "against"}, [75.0, 50.0], [4, 4]),
        ({"both": "against", "neither": "algorithm"}, [50.0, 75.0], [4, 4]),
        ({"both": "tie", "neither": "exclude"}, [50.0, 200 / 3], [4, 3]),
    ],
)
def test_rows_that_mark_both_or_neither_follow_the_stated_rule(rules, scores, n):
    rows = marks_result(**rules).tables["scores"].records()
    assert [row["score_percent"] for row in rows] == pytest.approx(scores)
    assert [row["n"] for row in rows] == n
    assert [row["n_unclear_rows"] for row in rows] == [1, 1]


def test_rows_that_mark_both_or_neither_are_counted_and_said():
    result = marks_result()
    assert result.number("rows_marking_both").value == 1
    assert result.number("rows_marking_neither").value == 1
    assert (
        "1 row marked both contours (left out) and 1 neither (left out), of 8 rows, in 2 of 2 participants."
        in result.notes
    )


@pytest.mark.parametrize(
    "change, parameters, sentence",
    [
        ({}, {"both": "ignore"}, "Parameter both: 'ignore' is not one of exclude, algorithm, against, tie."),
        (
            {},
            {"algorithm_mark": "ai"},
            "Parameters algorithm_mark and other_mark name two columns: give both or neither.",
        ),
        ({}, {"colour": "red"}, "There is no parameter 'colour'. Known: "),
        ({}, {}, "readings: column 'preferred' is missing."),
        (
            {"ai": [1, 2, 0, 1, 1, 0, 0, 1]},
            {"algorithm_mark": "ai", "other_mark": "dr"},
            "readings row 3, column ai: '2' is neither 0 nor 1.",
        ),
        (
            {"preferred": ["nnunet"] * 4 + ["expert"] * 4},
            {},
            "None of the sources ['expert', 'nnunet'] is named 'algorithm'",
        ),
    ],
)
def test_bad_rules_and_tables_are_refused_in_a_sentence(change, parameters, sentence):
    with pytest.raises(AnalysisInputError) as caught:
        run_analysis(
            "preference", {"readings": {**MARKS, **change}}, plan=AnalysisPlan(parameters=parameters)
        )
    assert any(sentence in problem for problem in caught.value.problems), caught.value.problems


def test_one_reader_without_any_answer_is_undefined_not_zero():
    table = {"participant": ["P1", "P1"], "case": ["1", "2"], "preferred": ["", ""]}
    result = run_analysis(
        "preference", {"readings": table}, plan=AnalysisPlan(parameters={"algorithm": "algorithm"})
    )
    number = result.number("preference_score", participant="P1")
    assert (number.value, number.reason) == (None, "no answered pair")
    assert result.number("preference_probability").value is None
    assert not result.figures
    assert '"value": 0' not in result.to_json_text().split('"quantity": "preference_score"')[1].split("}")[0]


@pytest.mark.parametrize(
    "side, preferred, counts",
    [
        ("left", "", (1, 0, 0, 0)),
        ("B", "", (0, 1, 0, 0)),
        ("", "expert", (0, 1, 0, 0)),
        ("", "dont_know", (0, 0, 1, 0)),
        ("", "", (0, 0, 0, 1)),
    ],
)
def test_a_guess_of_the_blinding_check_is_right_wrong_unsure_or_missing(
    preference_columns, side, preferred, counts
):
    columns = {name: list(values) for name, values in preference_columns.items()}
    checks = [row for row, task in enumerate(columns["task"]) if task == "blinding-check"]
    for row in checks[1:]:
        columns["preferred"][row] = columns["choice_side"][row] = ""
    columns["choice_side"][checks[0]], columns["preferred"][checks[0]] = side, preferred
    result = run_analysis("preference", {"readings": columns})
    rows = {row["guess"]: row["n"] for row in result.tables["blinding"].records()}
    number = result.number("blinding")
    assert (rows["correct"], rows["wrong"], rows["unsure"], number.n_missing - 2) == counts
