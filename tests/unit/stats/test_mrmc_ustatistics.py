"""One-shot U-statistics against sums over all index pairs, and against the bootstrap they are the limit of."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm, t

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import auc, mrmc, mrmc_ustatistics
from tests.unit.stats.rated_cases import cell_scores, random_readings, typed_readings, with_missing


def slow_moments(readings, first, second):
    """M1 to M8 by going through all pairs of (reader, diseased, non-diseased) triples."""
    cells = cell_scores(readings)
    scores = {}
    for (condition, reader), cell in cells.items():
        for i, j in product(cell, cell):
            if cell[i][1] == 1 and cell[j][1] == 0:
                scores.setdefault(condition, {})[reader, i, j] = 0.5 * (np.sign(cell[i][0] - cell[j][0]) + 1)
    order = [(True, True, True), (True, True, False), (True, False, True), (True, False, False)]
    order += [(False, *rest) for rest in ((True, True), (True, False), (False, True), (False, False))]
    sums = dict.fromkeys(order, 0.0)
    counts = dict.fromkeys(order, 0)
    for x, s in scores[first].items():
        for y, u in scores[second].items():
            relation = tuple(a == b for a, b in zip(x, y, strict=True))
            sums[relation] += s * u
            counts[relation] += 1
    return [sums[r] / counts[r] if counts[r] else 0.0 for r in order], [counts[r] for r in order]


@pytest.mark.filterwarnings("ignore:A part of the multi-reader analysis")
@pytest.mark.parametrize("missing", [False, True])
def test_moments_agree_with_sums_over_all_pairs(missing):
    readings = random_readings(1, n_readers=3, n_cases=8)
    readings = with_missing(readings, 5) if missing else readings
    result = mrmc_ustatistics(readings)
    for names in (("m0", "m0"), ("m0", "m1"), ("m1", "m1")):
        expected, counts = slow_moments(readings, *names)
        np.testing.assert_allclose(result.moments[names].moments, expected, atol=1e-13)
        shares = np.array(counts) / sum(counts)
        np.testing.assert_allclose(result.moments[names].coefficients[:7], shares[:7], atol=1e-13)
        covariance = shares @ np.array(expected) - expected[7]
        assert result.moments[names].covariance == pytest.approx(covariance, abs=1e-13)


def test_fully_crossed_equals_obuchowski_rockette_without_the_max():
    readings = random_readings(2)
    result, other = mrmc_ustatistics(readings), mrmc(readings, covariance="unbiased")
    r, c = 4, other.components
    expected = 2 / r * (other.anova["condition x reader"].mean_square + r * (c.cov2 - c.cov3))
    assert result.differences[0].variance == pytest.approx(expected, rel=1e-9)
    for mean, theirs in zip(result.condition_means, other.condition_means, strict=True):
        assert mean.estimate == pytest.approx(theirs.estimate)
        assert mean.variance == pytest.approx(theirs.ms_reader / r + theirs.cov2, rel=1e-9)


def test_v_statistic_is_the_bootstrap_over_readers_and_cases():
    readings = random_readings(3, n_readers=3, n_cases=16)
    cells = cell_scores(readings)
    scores = np.array([[s for s, _ in cell.values()] for cell in cells.values()]).reshape(2, 3, 16)
    truth = np.array([t for _, t in next(iter(cells.values())).values()])
    positives, negatives = scores[:, :, truth == 1], scores[:, :, truth == 0]
    psi = 0.5 * (np.sign(positives[..., :, None] - negatives[..., None, :]) + 1)
    rng, differences = np.random.default_rng(1), []
    for _ in range(20_000):
        r, i, j = (rng.integers(0, n, n) for n in psi.shape[1:])
        means = psi[:, r][:, :, i][:, :, :, j].mean(axis=(1, 2, 3))
        differences.append(means[0] - means[1])
    result = mrmc_ustatistics(readings, estimator="v-statistic")
    assert result.differences[0].variance == pytest.approx(np.var(differences), rel=0.04)
    assert "ideal bootstrap" in result.provenance.variance_estimator


@pytest.mark.filterwarnings("ignore:A part of the multi-reader analysis")
def test_proportions_have_the_kernel_of_one_class():
    readings = random_readings(4)
    result = mrmc_ustatistics(readings, metric="sensitivity", threshold=4)
    other = mrmc(readings, metric="sensitivity", threshold=4)
    c, r = other.components, 4
    # The jackknife of a proportion is its unbiased variance, so both analyses are the same here.
    expected = 2 / r * (other.anova["condition x reader"].mean_square + r * (c.cov2 - c.cov3))
    assert result.differences[0].estimate == pytest.approx(other.differences[0].estimate)
    assert result.differences[0].variance == pytest.approx(expected, rel=1e-9)
    components = result.moments["m0", "m0"].components
    assert components["N"] == pytest.approx(0.0, abs=1e-15)
    mirrored = readings.assign(truth=1 - readings["truth"], score=-readings["score"])
    other_class = mrmc_ustatistics(mirrored, metric="specificity", threshold=-3.5)
    assert other_class.differences[0].variance == pytest.approx(result.differences[0].variance, rel=1e-9)


@pytest.mark.filterwarnings("ignore:A part of the multi-reader analysis")
def test_t_takes_whole_degrees_of_freedom():
    result = mrmc_ustatistics(random_readings(5), estimator="v-statistic").differences[0]
    smaller = 3.0
    assert result.df >= smaller
    expected = 2 * t.sf(abs(result.statistic), math.floor(result.df))
    assert result.pvalue == pytest.approx(expected if result.df <= 50 else 2 * norm.sf(abs(result.statistic)))
    assert result.pvalue_normal == pytest.approx(2 * norm.sf(abs(result.statistic)))
    assert result.interval_normal.high == pytest.approx(
        result.estimate + norm.ppf(0.975) * result.standard_error
    )


def test_readers_nested_in_conditions_are_compared():
    readings = random_readings(6, n_readers=5, n_cases=40)
    first = (readings["condition"] == "m0") & readings["reader"].isin(["r0", "r1", "r2"])
    second = (readings["condition"] == "m1") & readings["reader"].isin(["r3", "r4"])
    result = mrmc_ustatistics(readings[first | second])
    difference = result.differences[0]
    assert difference.n_readers == 5
    assert [mean.n_readers for mean in result.condition_means] == [3, 2]
    assert not math.isnan(difference.pvalue)
    cross = result.moments["m0", "m1"]
    assert cross.coefficients[:4] == (0.0, 0.0, 0.0, 0.0)
    assert cross.components["R"] == 0.0


@pytest.mark.filterwarnings("ignore:A part of the multi-reader analysis")
def test_missing_readings_weigh_readers_by_their_pairs():
    readings = with_missing(random_readings(7), 3, 0.3)
    wins = pairs = 0.0
    for (condition, _), cell in cell_scores(readings).items():
        if condition == "m0":
            positives = [s for s, t in cell.values() if t == 1]
            negatives = [s for s, t in cell.values() if t == 0]
            area = auc(positives + negatives, [1] * len(positives) + [0] * len(negatives)).estimate
            wins += area * len(positives) * len(negatives)
            pairs += len(positives) * len(negatives)
    assert mrmc_ustatistics(readings).condition_means[0].estimate == pytest.approx(wins / pairs)


@pytest.mark.filterwarnings("ignore::equipoise.common.warnings.DegenerateDataWarning")
def test_negative_variance_is_not_available():
    for seed in range(200):
        readings = random_readings(seed, n_readers=2, n_cases=12)
        difference = mrmc_ustatistics(readings).differences[0]
        if difference.variance < 0:
            assert math.isnan(difference.standard_error)
            assert math.isnan(difference.pvalue)
            assert difference.reason == "the estimated variance is negative"
            with pytest.warns(DegenerateDataWarning, match="negative"):
                mrmc_ustatistics(readings)
            return
    pytest.fail("no table with a negative unbiased variance among the seeds")


def test_one_reader_has_no_unbiased_variance_over_readers():
    with pytest.warns(DegenerateDataWarning):
        result = mrmc_ustatistics(typed_readings().query("reader == 'a'"))
    assert math.isnan(result.condition_means[0].variance)
    assert result.condition_means[0].reason is not None


@pytest.mark.parametrize(
    "options, words",
    [
        ({"metric": "partial_auc"}, "metric must be one of"),
        ({"estimator": "jackknife"}, "estimator must be one of"),
        ({"confidence_level": 0.0}, "confidence_level must lie"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        mrmc_ustatistics(typed_readings(), **options)
