"""The minimum of a reading environment, by the table that the browser's part is held to as well; the grey-step test."""

import json
from dataclasses import asdict
from itertools import product
from pathlib import Path

import pytest

from equipoise.common.errors import ValidationFailedError
from trials.domain.environment import display_in, environment_problems
from trials.domain.grey_steps import FIELDS, QUARTERS, TIMES, display_is_fit, grey_steps_result
from trials.domain.protocol.document import check_document, load_protocol
from trials.domain.protocol.v1 import ReadingEnvironment

SAMPLES = Path(__file__).parent / "samples"
EXAMPLES = json.loads((SAMPLES / "environments.json").read_text(encoding="utf-8"))
SCHEMA = {"schema": "equipoise/protocol/1"}


@pytest.mark.parametrize("example", EXAMPLES, ids=[one["name"] for one in EXAMPLES])
def test_what_is_wrong_is_said_with_its_value_and_what_would_be_right(example):
    asked = ReadingEnvironment.model_validate_json(json.dumps(example["asked"]))
    assert [asdict(one) for one in environment_problems(example["environment"], asked)] == example["problems"]


def test_a_protocol_stored_before_there_was_a_minimum_asks_for_nothing():
    stored = json.loads((SAMPLES / "protocol-v1.json").read_text(encoding="utf-8"))
    assert "reading_environment" not in stored
    protocol = load_protocol(stored)
    assert protocol.reading_environment == ReadingEnvironment()
    assert environment_problems({}, protocol.reading_environment) == ()
    assert protocol.reading_environment.grey_steps == "none"


def test_blocking_needs_a_test_that_is_required():
    outcome = check_document(
        {**SCHEMA, "reading_environment": {"grey_steps": "offered", "grey_steps_failing": "block"}}
    )
    [problem] = outcome.problems
    assert problem.pointer == "/reading_environment"
    assert "grey_steps_failing: block needs grey_steps: required." in problem.message
    right = {**SCHEMA, "reading_environment": {"grey_steps": "required", "grey_steps_failing": "block"}}
    assert check_document(right).problems == ()


def test_a_window_that_no_browser_has_is_refused():
    outcome = check_document(
        {**SCHEMA, "reading_environment": {"minimum_window": {"width_px": 12, "height_px": 720}}}
    )
    assert [one.pointer for one in outcome.problems] == ["/reading_environment/minimum_window/width_px"]


def test_a_name_of_a_display_that_is_too_long_or_no_text_is_none():
    assert display_in({"display": "1920x1080+0+0/24"}) == "1920x1080+0+0/24"
    assert display_in({"display": "x" * 81}) == ""
    assert display_in({"display": 7}) == ""
    assert display_in({}) == ""


# ---------------------------------------------------------------- the grey-step test


def answers(dark=(1, 2, 3), bright=(4, 1, 2), **chosen):
    """Return answers that are all right but those given: ``dark_0=None``."""
    rows = []
    for field, shown in (("dark", dark), ("bright", bright)):
        for index, quarter in enumerate(shown):
            given = chosen.get(f"{field}_{index}", quarter)
            rows.append({"field": field, "shown": quarter, "chosen": given})
    return rows


def test_all_patches_found_is_passed_and_one_missed_or_guessed_wrong_is_failed():
    assert grey_steps_result(answers()).outcome == "passed"
    missed = grey_steps_result(answers(dark_1=None))
    assert (missed.dark_found, missed.bright_found, missed.outcome) == (2, 3, "failed")
    wrong = grey_steps_result(answers(bright_2=3))
    assert (wrong.dark_found, wrong.bright_found, wrong.outcome) == (3, 2, "failed")


def test_whoever_sees_nothing_passes_in_1_of_4096_tries():
    guesses = list(product(QUARTERS, repeat=TIMES))
    passed = sum(
        grey_steps_result(answers(**{f"dark_{i}": one for i, one in enumerate(guess)})).dark_found == TIMES
        for guess in guesses
    )
    assert (passed, len(guesses), len(guesses) ** len(FIELDS)) == (1, 64, 4096)


def test_always_the_same_quarter_finds_one_patch_a_field_at_most_here():
    same = {f"{field}_{i}": 1 for field in FIELDS for i in range(TIMES)}
    result = grey_steps_result(answers(**same))
    assert (result.dark_found, result.bright_found, result.outcome) == (1, 1, "failed")


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (answers()[:-1], "/answers"),
        ([*answers(), {"field": "dark", "shown": 1, "chosen": 1}], "/answers"),
        ([], "/answers"),
        ([*answers()[:-1], {"field": "grey", "shown": 1, "chosen": 1}], "/answers/5/field"),
        (answers(dark=(5, 1, 1)), "/answers/0/shown"),
        (answers(bright_0=0), "/answers/3/chosen"),
    ],
)
def test_a_test_that_was_not_the_test_is_refused(given, place):
    with pytest.raises(ValidationFailedError) as refused:
        grey_steps_result(given)
    assert place in refused.value.data["fields"]


@pytest.mark.parametrize(
    ("asked", "failing", "outcomes", "fit"),
    [
        ("none", "warn", [], True),
        ("offered", "warn", [], False),
        ("offered", "warn", ["skipped"], True),
        ("offered", "warn", ["failed"], True),
        ("required", "warn", [], False),
        ("required", "warn", ["skipped"], False),
        ("required", "warn", ["failed"], True),
        ("required", "block", ["failed"], False),
        ("required", "block", ["failed", "passed"], True),
        ("required", "block", ["passed", "failed"], True),
    ],
)
def test_whether_a_display_needs_a_further_test(asked, failing, outcomes, fit):
    assert display_is_fit(outcomes, asked=asked, failing=failing) is fit
