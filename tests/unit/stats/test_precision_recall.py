"""The precision-recall curve. R 4.2.2, data as in two_scores.py:

> ap <- function(s) { r0 <- 0; out <- 0; for (t in sort(unique(s), decreasing=TRUE)) {
+   tp <- sum(s>=t & truth==1); r <- tp/sum(truth==1); out <- out + (r-r0)*tp/sum(s>=t); r0 <- r }; out }
> c(ap(a), ap(b))
[1] 0.639180672269 0.700000000000
"""

import numpy as np
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import precision_recall
from tests.unit.stats.two_scores import FIRST, PATIENT, SECOND, TRUTH


def test_area_agrees_with_r():
    assert precision_recall(FIRST, TRUTH, n_resamples=50).auprc == pytest.approx(0.639180672269, abs=5e-13)
    assert precision_recall(SECOND, TRUTH, n_resamples=50).auprc == pytest.approx(0.7, abs=5e-13)


def test_curve_by_hand():
    curve = precision_recall(FIRST, TRUTH, n_resamples=50)
    assert curve.thresholds.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(curve.precision, [8 / 20, 8 / 17, 7 / 12, 5 / 7, 2 / 3])
    np.testing.assert_allclose(curve.recall, [1, 1, 7 / 8, 5 / 8, 2 / 8])
    assert (curve.prevalence, curve.n_positive, curve.n_negative) == (0.4, 8, 12)
    assert curve.estimate == curve.auprc


def test_order_is_all_that_counts_and_seed_is_named():
    plain = precision_recall(FIRST, TRUTH, n_resamples=200, rng=1)
    moved = precision_recall(FIRST**3 - 5, TRUTH, n_resamples=200, rng=1)
    assert (plain.auprc, plain.confidence_interval) == (moved.auprc, moved.confidence_interval)
    assert plain.provenance.seed == 1
    assert plain.confidence_interval.low < plain.auprc < plain.confidence_interval.high


def test_clusters_need_the_plain_bootstrap():
    result = precision_recall(FIRST, TRUTH, method="bootstrap", clusters=PATIENT, n_resamples=200)
    assert result.provenance.variance_estimator == "bootstrap of clusters"
    with pytest.raises(ValueError, match="use 'bootstrap' with clusters"):
        precision_recall(FIRST, TRUTH, clusters=PATIENT)


def test_perfect_separation_is_one_and_warns():
    with pytest.warns(DegenerateDataWarning, match="every resample gives the same value"):
        result = precision_recall([1, 2, 3, 4], [0, 0, 1, 1], n_resamples=50)
    assert result.auprc == 1.0
