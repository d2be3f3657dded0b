"""What the door of the multi-reader analyses accepts, and what it names when it refuses."""

import math

import numpy as np
import pandas as pd
import pytest

from equipoise.stats import mrmc, mrmc_ustatistics
from tests.unit.stats.rated_cases import random_readings, typed_readings


def test_every_kind_of_table_gives_the_same():
    frame = typed_readings()
    expected = mrmc(frame).differences
    rows = frame.to_dict("records")
    assert mrmc(rows).differences == expected
    assert mrmc({name: frame[name].tolist() for name in frame}).differences == expected
    assert mrmc({name: frame[name].to_numpy() for name in frame}).differences == expected
    assert mrmc(frame.rename(columns={"reader": "participant"})).differences == expected


def test_labels_are_sorted_numbers_by_size_and_text_by_letter():
    frame = typed_readings()
    numbered = frame.assign(reader=frame["reader"].map({"a": 10, "b": 9, "c": 2}))
    assert [row.reader for row in mrmc(numbered).reader_estimates[:3]] == [2, 9, 10]
    assert [row.condition for row in mrmc(frame).condition_means] == ["aided", "unaided"]


def test_only_the_first_repeat_is_analysed():
    frame = typed_readings()
    again = frame.assign(score=6 - frame["score"], repeat=2)
    both = pd.concat([frame.assign(repeat=1), again])
    result = mrmc(both)
    assert result.differences == mrmc(frame).differences
    assert "96 repeated readings left out (repeat > 1)" in result.provenance.missing


def test_decisions_are_taken_from_their_own_column():
    frame = random_readings(1)
    decided = frame.assign(decision=(frame["score"] >= 4).astype(int), score=frame["score"] / 10)
    by_decision = mrmc(decided, metric="sensitivity")
    by_threshold = mrmc(frame, metric="sensitivity", threshold=4)
    assert by_decision.differences == by_threshold.differences
    assert "decision 1 is positive" in by_decision.method


def test_a_rating_is_never_turned_into_a_decision_unasked():
    with pytest.raises(ValueError, match="needs decisions 0 and 1 in 'score', or a threshold"):
        mrmc(typed_readings(), metric="sensitivity")


def test_algorithms_are_refused_as_random_readers_and_allowed_as_fixed_ones():
    frame = typed_readings().assign(participant_kind="reader")
    frame.loc[frame["reader"] == "c", "participant_kind"] = "algorithm"
    for analyse in (mrmc, mrmc_ustatistics):
        with pytest.raises(ValueError, match=r"c is an algorithm: .* compare_readers_with_algorithm"):
            analyse(frame)
    assert mrmc(frame, readers="fixed").n_readers == 3


def spoiled(column, value, row=5):
    frame = typed_readings().astype({column: object})
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    "readings, words",
    [
        (spoiled("score", math.nan), "column 'score' must hold finite numbers, got nan in row 5"),
        (spoiled("score", math.inf), "got inf in row 5"),
        (spoiled("score", "high"), "column 'score' must hold numbers"),
        (spoiled("truth", 2), "column 'truth' must hold 0 and 1 only"),
        (spoiled("truth", 1), "truth of case 5 is 0 in some rows and 1 in others"),
        (spoiled("reader", None), "column 'reader' is empty in row 5"),
        (spoiled("case", 4), "reader 'a' has 2 readings of case 4 in condition 'aided'"),
        (typed_readings().drop(columns="truth"), r"readings lacks the columns \['truth'\]"),
        (typed_readings().query("truth == 1"), "truth holds one class only: all cases are positive"),
        (typed_readings().iloc[:0], "readings holds no row"),
        ([1, 2], "rows"),
    ],
)
def test_bad_readings_are_named(readings, words):
    with pytest.raises((ValueError, TypeError), match=words):
        mrmc(readings)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"metric": "accuracy"}, "metric must be one of"),
        ({"covariance": "hanley"}, "covariance must be one of"),
        ({"readers": "both"}, "readers must be one of"),
        ({"cases": "all"}, "cases must be one of"),
        ({"confidence_level": 95}, "confidence_level must lie"),
        ({"metric": "sensitivity", "threshold": math.nan}, "threshold must be a number"),
        ({"metric": "sensitivity", "threshold": 3, "covariance": "delong"}, "defined for metric 'auc' only"),
        ({"metric": "partial_auc", "between": (1.0, 0.5)}, "between must satisfy"),
        ({"metric": "partial_auc", "focus": "fpr"}, "focus must be one of"),
        ({"metric": "sensitivity_at_specificity"}, "needs at, a specificity between 0 and 1"),
        ({"metric": "partial_auc", "steps": "smooth"}, "steps must be one of"),
        ({"clusters": "hospital"}, "lacks the column 'hospital'"),
        ({"clusters": [1, 2]}, "clusters must have one label per row"),
        ({"clusters": [1] * 96}, "one cluster only"),
        ({"clusters": list(range(96))}, "belongs to more than one cluster"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        mrmc(typed_readings(), **options)


def test_columns_of_unequal_length_are_refused():
    table = {name: list(column) for name, column in typed_readings().items()}
    table["score"] = table["score"][:-1]
    with pytest.raises(ValueError, match="differ in length"):
        mrmc(table)


def test_numpy_labels_and_blanks_around_text_do_not_make_new_readers():
    frame = typed_readings()
    padded = frame.assign(reader=np.where(frame["case"] % 2, frame["reader"] + " ", frame["reader"]))
    assert mrmc(padded).n_readers == 3
