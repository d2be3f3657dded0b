"""The AUC of one curve. R values: R 4.2.2, pROC 1.18.0, data as in two_scores.py.

> a <- c(1,1,1,2,2,2,2,3,3,3,4,5,2,3,3,4,4,4,5,5); truth <- rep(0:1, c(12, 8))
> r <- roc(truth, a, levels=c(0,1), direction="<"); c(auc(r), var(r))
[1] 0.796875000000  0.010104533054
> ci.auc(r, method="delong"); ci.auc(r, method="delong", conf.level=.9)
[1] 0.5998568596 0.7968750000 0.9938931404
[1] 0.6315321645 0.7968750000 0.9622178355
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import ConfidenceInterval, auc
from tests.unit.stats.two_scores import FIRST, PATIENT, SECOND, TRUTH

METHODS = ("delong", "bootstrap", "bootstrap-stratified")


@st.composite
def rated_cases(draw):
    """Two or more cases of each class on a short scale, so that ties are common."""
    sizes = draw(st.tuples(st.integers(2, 12), st.integers(2, 12)))
    scores = draw(st.lists(st.integers(-4, 4), min_size=sum(sizes), max_size=sum(sizes)))
    return np.array(scores, dtype=float), np.repeat([0, 1], sizes)


def pairwise_auc(scores, truth):
    """The definition, pair by pair."""
    positives, negatives = scores[truth == 1], scores[truth == 0]
    wins = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positives for n in negatives]
    return sum(wins) / len(wins)


def pairwise_delong_variance(scores, truth):
    """DeLong's equations with loops and no ranks."""
    parts = []
    for own, others, sign in ((1, 0, 1.0), (0, 1, -1.0)):
        components = [
            np.mean([0.5 * (np.sign(sign * (x - y)) + 1.0) for y in scores[truth == others]])
            for x in scores[truth == own]
        ]
        parts.append(np.var(components, ddof=1) / len(components))
    return sum(parts)


def test_four_cases_by_hand():
    result = auc([1, 2, 2, 3], [0, 0, 1, 1])
    assert result.estimate == 0.875
    assert (result.n_positive, result.n_negative) == (2, 2)
    # Placements of the positives .75 and 1, of the negatives 1 and .75: variance .03125 / 2 of each class.
    assert result.variance == pytest.approx(0.03125)


def test_agrees_with_proc():
    result = auc(FIRST, TRUTH)
    assert result.estimate == 0.796875
    assert result.variance == pytest.approx(0.010104533054, rel=5e-11)
    assert result.standard_error == pytest.approx(math.sqrt(0.010104533054), rel=5e-11)
    assert result.confidence_interval.low == pytest.approx(0.5998568596, abs=5e-11)
    assert result.confidence_interval.high == pytest.approx(0.9938931404, abs=5e-11)
    narrow = auc(FIRST, TRUTH, confidence_level=0.9).confidence_interval
    assert narrow.low == pytest.approx(0.6315321645, abs=5e-11)
    assert narrow.high == pytest.approx(0.9622178355, abs=5e-11)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_definition_pair_by_pair(seed):
    rng = np.random.default_rng(seed)
    scores, truth = rng.integers(0, 12, 40).astype(float), rng.permutation(np.repeat([0, 1], 20))
    result = auc(scores, truth)
    assert result.estimate == pytest.approx(pairwise_auc(scores, truth), abs=1e-15)
    assert result.variance == pytest.approx(pairwise_delong_variance(scores, truth), rel=1e-12)


@given(rated_cases())
@pytest.mark.filterwarnings("ignore::equipoise.common.warnings.DegenerateDataWarning")
def test_swapping_labels_mirrors_and_order_is_all_that_counts(cases):
    scores, truth = cases
    result = auc(scores, truth)
    swapped = auc(scores, 1 - truth)
    assert swapped.estimate == pytest.approx(1.0 - result.estimate, abs=1e-15)
    assert swapped.variance == pytest.approx(result.variance, abs=1e-15)
    monotone = auc(np.exp(scores / 3.0) - 7.0, truth)
    assert (monotone.estimate, monotone.variance) == (result.estimate, result.variance)
    order = np.random.default_rng(0).permutation(truth.size)
    permuted = auc(scores[order], truth[order])
    assert permuted.estimate == result.estimate
    assert permuted.variance == pytest.approx(result.variance, abs=1e-16)


@pytest.mark.parametrize("stratified", [False, True])
def test_bootstrap_equals_a_loop_over_whole_data_sets(stratified):
    truth = np.repeat([0, 1], [30, 25])
    scores = np.round(np.random.default_rng(1).normal(size=55) + truth, 1)
    generator = np.random.default_rng(8)
    if stratified:
        drawn = [generator.integers(0, n, (300, n)) for n in (25, 30)]
        samples = [np.concatenate([30 + p, n]) for p, n in zip(*drawn, strict=True)]
    else:
        samples = [generator.integers(0, 55, 55) for _ in range(300)]
    areas = [pairwise_auc(scores[rows], truth[rows]) for rows in samples]
    method = "bootstrap-stratified" if stratified else "bootstrap"
    result = auc(scores, truth, method=method, n_resamples=300, rng=8)
    assert result.variance == pytest.approx(np.var(areas, ddof=1), rel=1e-12)
    low, high = np.quantile(areas, [0.025, 0.975])
    assert result.confidence_interval.low == pytest.approx(low, abs=1e-15)
    assert result.confidence_interval.high == pytest.approx(high, abs=1e-15)


def test_resamples_with_one_class_are_left_out():
    with pytest.warns(DegenerateDataWarning, match="every resample gives the same value"):
        result = auc([1, 2, 3, 4], [0, 0, 0, 1], method="bootstrap", n_resamples=200, rng=1)
    assert result.variance == 0.0
    assert result.confidence_interval == ConfidenceInterval(1.0, 1.0)


def test_result_names_how_it_came_about():
    plain = auc(FIRST, TRUTH).provenance
    assert (plain.variance_estimator, plain.df, plain.confidence_level) == ("DeLong 1988", math.inf, 0.95)
    assert plain.version == "equipoise.stats 1.0"
    random = auc(FIRST, TRUTH, method="bootstrap", n_resamples=50, rng=5).provenance
    assert (random.seed, random.n_resamples) == (5, 50)
    assert random.variance_estimator == "bootstrap of cases"
    generator = auc(FIRST, TRUTH, method="bootstrap", n_resamples=50, rng=np.random.default_rng(5))
    assert generator.provenance.seed is None


def test_same_call_gives_the_same_interval():
    first, again = (auc(FIRST, TRUTH, method="bootstrap", n_resamples=100) for _ in range(2))
    assert first == again


def test_auc_of_decisions_is_named_for_what_it_is():
    result = auc([0, 1, 0, 1], [0, 0, 1, 1])
    assert "(sensitivity + specificity)/2" in result.method
    assert result.estimate == 0.5


def test_clusters_follow_obuchowski():
    # > obu(a, a): equations 4 to 9 of Obuchowski 1997 with loops over patients, R 4.2.2
    # [1] 0.01979395548503
    result = auc(FIRST, TRUTH, clusters=PATIENT)
    assert result.variance == pytest.approx(0.01979395548503, rel=5e-12)
    assert result.estimate == 0.796875
    assert result.n_clusters == 9
    assert "Obuchowski" in result.provenance.variance_estimator
    # > obu(b, b)
    # [1] 0.01016642252604
    assert auc(SECOND, TRUTH, clusters=PATIENT).variance == pytest.approx(0.01016642252604, rel=5e-12)


def test_a_patient_per_row_is_delong():
    alone = auc(FIRST, TRUTH, clusters=np.arange(20))
    assert alone.variance == pytest.approx(auc(FIRST, TRUTH).variance, rel=1e-12)


def test_bootstrap_of_patients_keeps_patients_whole():
    n = 40
    truth = np.tile([0, 1], n)
    scores = np.random.default_rng(3).normal(size=2 * n) + truth
    patients = np.repeat(np.arange(n), 2)
    doubled = auc(
        np.tile(scores, 3),
        np.tile(truth, 3),
        clusters=np.tile(patients, 3),
        method="bootstrap",
        n_resamples=4000,
        rng=1,
    )
    once = auc(scores, truth, clusters=patients, method="bootstrap", n_resamples=4000, rng=1)
    assert doubled.variance == pytest.approx(once.variance, rel=1e-9)  # copies of rows add no information
    assert auc(np.tile(scores, 3), np.tile(truth, 3)).variance < 0.5 * doubled.variance


def test_stratified_bootstrap_refuses_clusters():
    with pytest.raises(ValueError, match="use 'bootstrap' with clusters"):
        auc(FIRST, TRUTH, clusters=PATIENT, method="bootstrap-stratified")


@pytest.mark.parametrize("scores", [[1, 2, 3, 4], [5, 5, 5, 5]])
def test_no_spread_is_reported_and_not_hidden(scores):
    with pytest.warns(DegenerateDataWarning, match="variance is 0"):
        result = auc(scores, [0, 0, 1, 1])
    assert result.variance == 0.0
    assert result.confidence_interval == ConfidenceInterval(result.estimate, result.estimate)
    assert "perfect separation or a constant score" in str(result.reason)


def test_one_case_of_a_class_has_no_variance():
    with pytest.warns(DegenerateDataWarning, match="one class has one case only"):
        result = auc([1, 2, 3, 4], [0, 1, 0, 0])
    assert math.isnan(result.variance)
    assert math.isnan(result.confidence_interval.low)
    assert result.estimate == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "scores, truth, options, words",
    [
        ([1.0, math.nan], [0, 1], {}, "scores must be finite, got nan at index 1"),
        ([math.inf, 1.0], [0, 1], {}, "got inf at index 0"),
        ([1, 2], [1, 1], {}, "truth holds one class only: all 2 cases are positive"),
        ([1, 2], [0, 2], {}, "truth must hold 0 and 1 only, got 2.0 at index 1"),
        ([1, 2, 3], [0, 1], {}, "scores and truth must have the same length, got scores 3, truth 2"),
        ([], [], {}, "not empty"),
        ([1, 2], [0, 1], {"confidence_level": 1.0}, "strictly between 0 and 1"),
        ([1, 2], [0, 1], {"method": "wald"}, "method must be one of"),
        ([1, 2], [0, 1], {"method": "bootstrap", "n_resamples": 1}, "n_resamples must be"),
        ([1, 2], [0, 1], {"method": "bootstrap", "rng": -1}, "rng must be"),
        ([1, 2], [0, 1], {"clusters": ["a"]}, "clusters must have one label per row"),
        ([1, 2], [0, 1], {"clusters": ["a", "a"]}, "one cluster only"),
        ([1, 2], [0, 1], {"clusters": ["a", None]}, "clusters must not be missing"),
    ],
)
def test_bad_input_is_named(scores, truth, options, words):
    with pytest.raises(ValueError, match=words):
        auc(scores, truth, **options)


@pytest.mark.slow
def test_delong_interval_covers_as_often_as_it_says():
    rng, covered, n_sets = np.random.default_rng(11), 0, 3000
    truth = np.repeat([0, 1], [60, 60])
    true_auc = 0.7602499389065233  # Phi(1 / sqrt(2)): normal scores one standard deviation apart
    for _ in range(n_sets):
        interval = auc(rng.normal(size=120) + truth, truth).confidence_interval
        covered += interval.low <= true_auc <= interval.high
    assert covered / n_sets == pytest.approx(0.95, abs=0.015)
