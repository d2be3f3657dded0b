"""What simulated readers may be set to, and what makes a rehearsal count."""

import pytest

from equipoise.common.errors import ValidationFailedError
from trials.domain.rehearsal import (
    Cells,
    RehearsalPlan,
    SetEstimate,
    lock_lacks,
    minutes_words,
    plan_of_text,
    run_problems,
)

FULL = Cells(planned=4, read=4, not_assessable=1, missing=())


def test_plan_that_says_nothing_is_the_default_one():
    assert plan_of_text("") == RehearsalPlan()
    assert plan_of_text("readers: {}") == RehearsalPlan()


def test_yaml_and_json_set_the_same():
    yaml = plan_of_text("preference:\n  mean_logit: 0.5\nclassification:\n  aucs: {aided: 0.95}\n")
    json = plan_of_text('{"preference": {"mean_logit": 0.5}, "classification": {"aucs": {"aided": 0.95}}}')
    assert yaml == json
    assert (yaml.preference.mean_logit, yaml.classification.aucs) == (0.5, {"aided": 0.95})
    assert yaml.preference.case_sd == RehearsalPlan().preference.case_sd


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("reader: {}", "/reader"),
        ("readers: {skill_lowest: 1.5}", "/readers/skill_lowest"),
        ("classification: {auc_aided: 1.0}", "/classification/auc_aided"),
        ("classification: {aucs: {aided: 0.3}}", "/classification/aucs/aided"),
        ("material: {cases: 1}", "/material/cases"),
    ],
)
def test_plan_that_cannot_be_is_refused_at_its_place(text, pointer):
    with pytest.raises(ValidationFailedError) as refused:
        plan_of_text(text)
    assert list(refused.value.data["fields"]) == [pointer]


def test_plan_that_is_no_list_of_keys_is_refused():
    with pytest.raises(ValidationFailedError, match="key: value"):
        plan_of_text("- 1\n- 2")


def test_run_counts_when_every_cell_was_read_and_everything_analysed():
    assert run_problems(FULL, stopped=(), analyses_failed={}, primary="mrmc") == ()


def test_missing_cells_are_counted_and_the_first_five_named():
    cells = Cells(planned=10, read=3, not_assessable=0, missing=tuple(f"R-01 I-{n:03d}" for n in range(7)))
    [problem] = run_problems(cells, stopped=(), analyses_failed={}, primary="mrmc")
    assert problem == (
        "7 of 10 planned readings have no answer: R-01 I-000; R-01 I-001; R-01 I-002; R-01 I-003; R-01 I-004; and 2 "
        "more."
    )


def test_reader_who_stopped_and_analysis_that_failed_are_told():
    problems = run_problems(
        FULL, stopped=("Reader R-01 could not go on.",), analyses_failed={"roc": "no truth"}, primary="mrmc"
    )
    assert problems == (
        "Reader R-01 could not go on.",
        "The secondary analysis roc could not be computed: no truth",
    )


def test_allocation_without_a_reading_does_not_count():
    nothing = Cells(planned=0, read=0, not_assessable=0, missing=())
    assert not nothing.complete
    assert run_problems(nothing, stopped=(), analyses_failed={}, primary="mrmc") == (
        "The allocation plans no reading.",
    )


@pytest.mark.parametrize(
    ("low", "high", "covers"), [(0.4, 0.6, True), (0.51, 0.6, False), (None, None, None)]
)
def test_interval_covers_the_set_value_or_is_not_there(low, high, covers):
    assert SetEstimate("preference", "p", "", 0.5, low, high, 0.5).covers is covers


def test_time_that_readers_need_is_said_as_people_say_it():
    assert minutes_words([130.0, 45.2, 61.0]) == (
        "A reader needs about 1 h 01 min of reading (from 45 min to 2 h 10 min), breaks left out."
    )
    assert minutes_words([0.2, 2.0]) == (
        "A reader needs about 1 min of reading (from 1 min to 2 min), breaks left out."
    )
    assert minutes_words([]) == "Nobody read."


@pytest.mark.parametrize(
    ("singles", "repeated", "words"),
    [
        ([], [], "has not been rehearsed. "),
        ([("b", True)], [], "changed since its last rehearsal"),
        ([("a", True), ("a", False)], [], "did not go through"),
        (
            [("a", True)],
            [("a", True, 200), ("a", False, 200)],
            "found its primary analysis wrong for this design",
        ),
        ([("a", True)], [("a", False, 200), ("a", True, 199)], "with at least 200 repeats"),
        ([("a", True)], [("a", False, 200), ("a", False, 20), ("a", True, 20)], "with at least 200 repeats"),
        ([("a", True)], [("a", False, 0)], "broke before it found anything"),
        ([("a", True)], [("a", False, 200), ("a", False, 0)], "found its primary analysis wrong"),
        ([], [("a", True, 200)], "has not been rehearsed"),
    ],
)
def test_lock_is_told_what_is_missing_of_rehearsals(singles, repeated, words):
    assert words in lock_lacks("a", singles=singles, repeated=repeated)


@pytest.mark.parametrize(
    ("singles", "repeated"),
    [
        ([("a", True)], []),
        ([("a", False), ("a", True)], [("b", False, 200)]),
        ([("a", True), ("b", False)], [("a", False, 200), ("a", True, 200)]),
        ([("a", True)], [("a", False, 20), ("a", True, 20), ("a", True, 10)]),
        ([("a", True)], [("a", False, 0), ("a", True, 20)]),
    ],
)
def test_lock_may_lean_on_the_last_rehearsals_of_its_own_hash(singles, repeated):
    assert lock_lacks("a", singles=singles, repeated=repeated) is None
