import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import preference_score, repeat_consistency, side_bias
from tests.unit.stats.readings import preference_rows


def rows(answers, *, reader="r1", **more):
    return [
        {"participant": reader, "case": f"c{i}", "preferred": answer, **more}
        for i, answer in enumerate(answers)
    ]


ANOTHER = rows(["algorithm", "algorithm", "expert"], reader="z")
"""A second reader, so that the readers' scores have a spread and their test a difference."""


def test_score_counts_no_preference_in_the_denominator_only():
    result = preference_score(rows(["algorithm", "algorithm", "expert", "none"]) + ANOTHER)
    reader = result.readers[0]
    assert (reader.n_algorithm, reader.n_other, reader.n_none, reader.n) == (2, 1, 1, 4)
    assert reader.score_percent == 50.0
    assert reader.tested_share == 0.625


def test_missing_and_not_assessable_readings_are_neither_for_nor_against():
    answers = rows(["algorithm", "expert", None, "not_assessable"])
    answers.append(
        {"participant": "r1", "case": "c9", "preferred": "expert", "flags": "interrupted;not_assessable"}
    )
    reader = preference_score(answers + ANOTHER).readers[0]
    assert (reader.n, reader.n_missing, reader.n_not_assessable) == (2, 1, 2)
    assert reader.score_percent == 50.0


def test_repeats_enter_no_score_and_are_counted():
    result = preference_score(rows(["algorithm", "expert"]) + rows(["expert", "expert"], repeat=2) + ANOTHER)
    assert result.readers[0].n == 2
    assert result.n_repeats == 2


def test_binomial_test_of_a_reader_agrees_with_r():
    # > binom.test(14, 20)$p.value
    # [1] 0.115318298
    reader = preference_score(rows(["algorithm"] * 14 + ["expert"] * 6) + ANOTHER).readers[0]
    assert reader.binomial_pvalue == pytest.approx(0.115318298, rel=1e-8)


def test_groups_are_summarised_over_their_readers():
    readings = [
        *rows(["algorithm", "expert"], reader="a", group="radiologist"),
        *rows(["algorithm", "algorithm"], reader="b", group="radiologist"),
        *rows(["expert", "expert"], reader="c", group="student"),
        *rows(["expert", "algorithm"], reader="d", group="student"),
    ]
    result = preference_score(readings)
    assert {name: group.median for name, group in result.groups.items()} == {
        "radiologist": 75.0,
        "student": 25.0,
    }
    assert (result.overall.n, result.overall.mean) == (4, 50.0)


def test_shares_at_equal_distance_from_one_half_are_tied_whatever_their_floats():
    # 51 and 50 of 101 lie 1/202 from one half on either side, but 100 * 51 / 101 - 50 != 50 - 100 * 50 / 101.
    readings = []
    for reader, wins in (("a", 51), ("b", 50), ("c", 53)):
        readings += rows(["algorithm"] * wins + ["expert"] * (101 - wins), reader=reader)
    test = preference_score(readings).wilcoxon
    assert (test.rank_sum_positive, test.rank_sum_negative) == (4.5, 1.5)
    assert test.median == pytest.approx(51 / 101 - 0.5)


@pytest.mark.parametrize("source", ["algorithm", "algorithm:nnunet-1.2", "AI", "nnunet", "nnunet/1.2"])
def test_algorithms_sources_are_known_by_name(source):
    readings = rows([source, "expert-1"]) + rows([source, source], reader="z")
    readings.append(
        {"participant": "nnunet", "participant_kind": "algorithm", "case": "c0", "preferred": None}
    )
    result = preference_score(readings)
    assert result.algorithm == (source,)
    assert [reader.participant for reader in result.readers] == ["r1", "z"]


def test_unknown_sources_ask_for_the_algorithms_name():
    readings = rows(["model-x", "dr-1"]) + rows(["dr-1"], reader="z")
    with pytest.raises(ValueError, match="say which is the algorithm's"):
        preference_score(readings)
    assert preference_score(readings, algorithm="model-x").readers[0].score_percent == 50.0


def test_source_that_merely_begins_like_an_algorithm_is_not_one():
    with pytest.raises(ValueError, match="None of the sources"):
        preference_score(rows(["aida", "dr-1"]))


def test_algorithm_is_refused_as_a_reader():
    with pytest.raises(ValueError, match="of readers only"):
        preference_score(rows(["algorithm"], participant_kind="algorithm"))


def test_items_without_exactly_one_candidate_of_the_algorithm_are_left_out_and_counted():
    readings = rows(["algorithm"], left_source="algorithm", right_source="expert")
    readings += rows(["expert"], left_source="expert", right_source="other expert")
    result = preference_score(readings + ANOTHER)
    assert (result.n, result.n_excluded) == (1 + 3, 1)


def test_other_tasks_are_not_preferences():
    readings = rows(["algorithm"], task="preference") + rows(["expert"], task="blinding")
    assert preference_score(readings + ANOTHER).n == 1 + 3


def test_reader_without_answers_stays_listed():
    with pytest.warns(DegenerateDataWarning):
        result = preference_score(rows([None, None]) + rows(["algorithm", "expert"], reader="r2"))
    assert math.isnan(result.readers[0].score_percent)
    assert result.readers[0].n_missing == 2
    assert result.overall.n == 1


def test_absent_columns_are_named():
    with pytest.raises(ValueError, match="preferred"):
        preference_score([{"participant": "r", "case": "c"}])


def test_any_kind_of_table_gives_the_same():
    readings = preference_rows(4, 6, 1)
    frame = pd.DataFrame(readings)
    assert preference_score(frame) == preference_score(readings) == preference_score(frame.to_dict("list"))


@given(st.lists(st.sampled_from(["algorithm", "expert", "none"]), min_size=1, max_size=30), st.randoms())
def test_order_of_readings_does_not_matter_and_swapped_sources_mirror_the_share(answers, random):
    readings = rows(answers) + ANOTHER
    shuffled = readings[:]
    random.shuffle(shuffled)
    result = preference_score(readings)
    assert preference_score(shuffled) == result
    swap = {"algorithm": "expert", "expert": "algorithm", "none": "none"}
    mirrored = preference_score([r | {"preferred": swap[r["preferred"]]} for r in readings])
    assert mirrored.readers[0].tested_share == pytest.approx(1 - result.readers[0].tested_share)


def test_side_bias_is_the_share_of_left_choices():
    result = side_bias(preference_rows(), n_resamples=500, rng=3)
    left = [r["preferred"] == r["left_source"] for r in preference_rows()]
    assert result.n_left == sum(left)
    assert result.estimate == pytest.approx(sum(left) / len(left))
    assert result.confidence_interval.low < result.estimate < result.confidence_interval.high
    assert len(result.readers) == 12
    assert result.provenance.seed == 3


def test_reader_who_always_takes_the_left_is_seen():
    readings = [
        {"participant": "r", "case": f"c{i}", "preferred": left, "left_source": left, "right_source": right}
        for i, (left, right) in enumerate([("algorithm", "expert"), ("expert", "algorithm")] * 5)
    ]
    result = side_bias(readings, n_resamples=100)
    assert result.estimate == 1.0
    assert result.readers[0].binomial_pvalue == pytest.approx(2 / 2**10)
    assert result.algorithm_left_share == 0.5


def test_consistency_compares_with_the_first_reading_of_the_same_item():
    readings = rows(["algorithm", "expert", "algorithm", "none"]) + rows(
        ["algorithm", "algorithm", None, "none"], repeat=2
    )
    result = repeat_consistency(readings, n_resamples=100)
    assert (result.n, result.n_same, result.n_incomplete) == (3, 2, 1)
    assert result.estimate == pytest.approx(2 / 3)
    assert result.expected == pytest.approx(1 / 3 * 2 / 3 + 1 / 3 * 0 + 1 / 3 * 1 / 3)
    assert result.kappa == pytest.approx((2 / 3 - 1 / 3) / (1 - 1 / 3))


def test_without_repeats_consistency_is_not_available():
    with pytest.warns(DegenerateDataWarning, match="no repeat"):
        result = repeat_consistency(rows(["algorithm", "expert"]))
    assert math.isnan(result.estimate)
