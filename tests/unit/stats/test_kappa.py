import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import (
    brennan_prediger,
    cohen_kappa,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
)

RANDOM = np.random.default_rng(12)
TRUTH = RANDOM.integers(1, 5, 60)
RATINGS = np.stack(
    [np.where(RANDOM.random(60) < 0.65, TRUTH, RANDOM.integers(1, 5, 60)) for _ in range(3)], axis=1
)
FIRST, SECOND = RATINGS[:, 0].tolist(), RATINGS[:, 1].tolist()
HOLES = np.where(RANDOM.random(RATINGS.shape) < 0.2, np.nan, RATINGS.astype(float))


@pytest.mark.parametrize(
    "weights, statsmodels", [("unweighted", None), ("linear", "linear"), ("quadratic", "quadratic")]
)
def test_cohen_agrees_with_statsmodels(weights, statsmodels):
    ours = cohen_kappa(FIRST, SECOND, weights=weights)
    theirs = cohens_kappa(ours.table, wt=statsmodels)
    assert ours.estimate == pytest.approx(theirs.kappa, rel=1e-12)
    assert ours.standard_error == pytest.approx(theirs.std_kappa, rel=1e-10)
    assert ours.statistic == pytest.approx(theirs.z_value, rel=1e-10)
    assert ours.confidence_interval.low == pytest.approx(theirs.kappa_low, rel=1e-9)
    assert ours.pvalue == pytest.approx(theirs.pvalue_two_sided, rel=1e-9)


def test_cohen_by_hand():
    # 20 both yes, 5 and 10 split, 15 both no: po = 35/50, pe = (25 * 30 + 25 * 20) / 2500 = 1/2
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    result = cohen_kappa(first, second)
    assert (result.observed, result.expected) == (pytest.approx(0.7), pytest.approx(0.5))
    assert result.estimate == pytest.approx(0.4)
    assert result.categories == ("no", "yes")


def test_scale_fixed_by_the_study_changes_weighted_kappa_only():
    wide = range(7)
    assert cohen_kappa(FIRST, SECOND, categories=wide).estimate == pytest.approx(
        cohen_kappa(FIRST, SECOND).estimate
    )
    # Linear and quadratic weights scale with the length of the scale, which cancels in kappa.
    linear = cohen_kappa(FIRST, SECOND, weights="linear")
    assert cohen_kappa(FIRST, SECOND, weights="linear", categories=wide).estimate == pytest.approx(
        linear.estimate
    )
    assert cohen_kappa(FIRST, SECOND, weights="linear", categories=wide).observed > linear.observed


def test_rater_with_one_category_has_kappa_0_without_standard_error():
    with pytest.warns(DegenerateDataWarning, match="one category"):
        result = cohen_kappa([1, 1, 1, 1], [1, 2, 1, 2])
    assert result.estimate == 0.0
    assert math.isnan(result.standard_error)
    assert math.isnan(result.pvalue)


def test_raters_with_the_same_single_category_have_no_kappa():
    with pytest.warns(DegenerateDataWarning):
        result = cohen_kappa([1, 1, 1], [1, 1, 1])
    assert math.isnan(result.estimate)
    assert result.percent_agreement == 1.0


@pytest.mark.parametrize("weights", ["unweighted", "linear"])
def test_raters_whose_categories_leave_agreement_no_room_have_no_test(weights):
    """On a line, too: from the lower half of a scale to its upper half distances add up whoever meets whom."""
    with pytest.warns(DegenerateDataWarning, match="agreement cannot vary"):
        result = cohen_kappa(["a", "b", "a", "b"], ["c", "d", "d", "c"], weights=weights)
    assert result.estimate == pytest.approx(0.0, abs=1e-12)
    assert result.reason is not None
    assert math.isnan(result.standard_error)
    assert math.isnan(result.confidence_interval.low)
    assert math.isnan(result.pvalue)


def test_pairs_with_a_missing_rating_are_left_out_and_counted():
    result = cohen_kappa([1, 2, None, 1, 2], [1, 2, 2, math.nan, 1])
    assert (result.n, result.n_missing) == (3, 2)


def test_value_outside_the_scale_is_refused():
    with pytest.raises(ValueError, match="not among the categories"):
        cohen_kappa([1, 2], [1, 5], categories=[1, 2, 3])


def test_fleiss_agrees_with_statsmodels():
    result = fleiss_kappa(RATINGS)
    counts = np.stack([(k == RATINGS).sum(axis=1) for k in range(1, 5)], axis=1)
    assert result.estimate == pytest.approx(statsmodels_fleiss(counts), rel=1e-12)
    pairs = [
        cohen_kappa(RATINGS[:, i], RATINGS[:, j]).estimate for i, j in itertools.combinations(range(3), 2)
    ]
    assert result.light == pytest.approx(np.mean(pairs), rel=1e-12)


def test_fleiss_of_category_is_fleiss_of_the_dichotomy():
    result = fleiss_kappa(RATINGS)
    for category in result.categories:
        own = fleiss_kappa(category.category == RATINGS)
        assert category.kappa == pytest.approx(own.estimate, rel=1e-12)


def test_two_raters_conger_is_cohen():
    two = RATINGS[:, :2]
    assert conger_kappa(two).estimate == pytest.approx(cohen_kappa(FIRST, SECOND).estimate, rel=1e-12)
    assert percent_agreement(two).estimate == pytest.approx(cohen_kappa(FIRST, SECOND).percent_agreement)


def slow_alpha(table, distance):
    """Coincidence matrix of Krippendorff, pair by pair."""
    pairs, weights = [], []
    for row in table:
        values = [v for v in row if not math.isnan(v)]
        for i, j in itertools.permutations(range(len(values)), 2):
            pairs.append((values[i], values[j]))
            weights.append(1 / (len(values) - 1))
    n = sum(weights)
    margin = {}
    for (c, _), w in zip(pairs, weights, strict=True):
        margin[c] = margin.get(c, 0) + w
    observed = sum(w * distance(c, k, margin) for (c, k), w in zip(pairs, weights, strict=True)) / n
    expected = sum(
        margin[c] * (margin[k] - (c == k)) * distance(c, k, margin) for c in margin for k in margin
    ) / (n * (n - 1))
    return 1 - observed / expected


DISTANCES = {
    "nominal": lambda c, k, m: float(c != k),
    "interval": lambda c, k, m: (c - k) ** 2,
    "ratio": lambda c, k, m: ((c - k) / (c + k)) ** 2,
    "ordinal": lambda c, k, m: (
        (sum(v for g, v in m.items() if min(c, k) <= g <= max(c, k)) - (m[c] + m[k]) / 2) ** 2
    ),
}


@pytest.mark.parametrize("level", DISTANCES)
def test_alpha_agrees_with_the_coincidence_matrix(level):
    assert krippendorff_alpha(HOLES, level=level).estimate == pytest.approx(
        slow_alpha(HOLES, DISTANCES[level]), rel=1e-10
    )


@pytest.mark.parametrize(
    "coefficient", [gwet_ac, conger_kappa, brennan_prediger, percent_agreement, krippendorff_alpha]
)
def test_linearised_standard_errors_agree_with_the_jackknife(coefficient):
    # Complete for percent agreement: with single ratings irrCAC's variance of it, which is followed, is wider.
    table = RATINGS.astype(float) if coefficient is percent_agreement else HOLES
    rated = table[~np.all(np.isnan(table), axis=1)]
    n = len(rated)
    without = [
        coefficient(np.delete(rated, i, axis=0), categories=[1.0, 2.0, 3.0, 4.0]).estimate for i in range(n)
    ]
    jackknife = math.sqrt((n - 1) / n * np.sum((without - np.mean(without)) ** 2))
    assert coefficient(table).standard_error == pytest.approx(jackknife, rel=0.05)


def test_perfect_agreement_is_one():
    table = [[v, v, v] for v in (1, 2, 3, 1, 2)]
    for coefficient in (gwet_ac, conger_kappa, brennan_prediger, krippendorff_alpha):
        result = coefficient(table)
        assert result.estimate == pytest.approx(1.0)
        assert result.confidence_interval.high == 1.0


@pytest.mark.parametrize("coefficient", [gwet_ac, conger_kappa, krippendorff_alpha, brennan_prediger])
def test_single_category_is_not_available(coefficient):
    with pytest.warns(DegenerateDataWarning, match="only one category"):
        result = coefficient([[1, 1], [1, 1], [1, 1]])
    assert math.isnan(result.estimate)


def test_no_pair_of_ratings_is_not_available():
    with pytest.warns(DegenerateDataWarning, match="no subject with two ratings"):
        result = gwet_ac([[1, None], [None, 2]])
    assert math.isnan(result.estimate)
    assert result.n_single == 2


def test_unequal_numbers_of_ratings_have_no_null_test():
    result = fleiss_kappa(HOLES)
    assert math.isnan(result.statistic)
    assert not math.isnan(result.estimate)


def test_ratio_scale_refuses_negative_values():
    with pytest.raises(ValueError, match="at least 0"):
        krippendorff_alpha([[-1, 1], [2, 3]], level="ratio")


@given(st.permutations(range(60)), st.permutations(range(3)))
def test_order_of_subjects_and_raters_does_not_matter(subjects, raters):
    shuffled = RATINGS[np.array(subjects)][:, np.array(raters)]
    for coefficient in (gwet_ac, conger_kappa, krippendorff_alpha, fleiss_kappa):
        a, b = coefficient(RATINGS), coefficient(shuffled)
        assert (b.estimate, b.standard_error) == (
            pytest.approx(a.estimate, rel=1e-12),
            pytest.approx(a.standard_error, rel=1e-9),
        )


@given(st.permutations(["p", "q", "r", "s"]))
def test_names_of_nominal_categories_do_not_matter(names):
    renamed = np.array(names, dtype=object)[RATINGS - 1]
    for coefficient in (gwet_ac, conger_kappa, krippendorff_alpha, fleiss_kappa):
        assert coefficient(renamed).estimate == pytest.approx(coefficient(RATINGS).estimate, rel=1e-12)
