"""Roe and Metz's model: the areas that were set come out, and the variances are where they belong."""

import numpy as np
import pytest

from equipoise.simulation.roe_metz import HIGH_CORRELATION, LOW_CORRELATION, RoeMetzModel
from equipoise.simulation.streams import stream


def test_the_areas_set_are_the_areas_of_the_model():
    model = RoeMetzModel.with_aucs((0.702, 0.855), var_reader=0.03, var_reader_condition=0.03)
    assert model.aucs == pytest.approx((0.702, 0.855), abs=1e-12)
    # 2 x (1 + 0.06) = 2.12; ndtri(0.855) = 1.0581216...
    assert model.separations[1] == pytest.approx(1.0581216176847767 * np.sqrt(2.12), rel=1e-12)


def test_the_areas_come_out_over_many_readers_and_cases():
    model = RoeMetzModel.with_aucs((0.8, 0.9), var_reader=0.05, var_reader_condition=0.02, **LOW_CORRELATION)
    found = np.zeros(2)
    n_studies = 60
    for number in range(n_studies):
        study = model.draw(stream(11, number), n_readers=20, n_positive=40, n_negative=40)
        diseased, healthy = study.scores[:, :, study.truth == 1], study.scores[:, :, study.truth == 0]
        found += (diseased[:, :, :, None] > healthy[:, :, None, :]).mean(axis=(1, 2, 3)) / n_studies
    assert found == pytest.approx([0.8, 0.9], abs=0.008)


def test_variances_and_covariances_of_scores_are_those_set():
    model = RoeMetzModel(
        (0.0, 0.0), var_reader=0.5, var_reader_condition=0.3, var_case=0.4, var_case_condition=0.2,
        var_reader_case=0.1, var_error=0.6,
    )  # fmt: skip
    draws = np.array(
        [
            model.draw(stream(5, i), n_readers=2, n_positive=2, n_negative=1).scores[:, :, :2].ravel()
            for i in range(20_000)
        ]
    )
    covariance = np.cov(draws.T)
    # Cells in the order condition, reader, case.
    assert covariance[0, 0] == pytest.approx(2.1, abs=0.07)
    assert covariance[0, 1] == pytest.approx(0.8, abs=0.06)  # other case: reader, reader x condition
    assert covariance[0, 2] == pytest.approx(0.6, abs=0.06)  # other reader: case, case x condition
    assert covariance[0, 4] == pytest.approx(1.0, abs=0.06)  # other condition: reader, case, reader x case
    assert covariance[0, 6] == pytest.approx(0.4, abs=0.06)  # other condition and reader: case
    assert covariance[0, 7] == pytest.approx(0.0, abs=0.06)


def test_reader_effects_are_drawn_for_diseased_and_healthy_cases_apart():
    model = RoeMetzModel((0.0,), var_reader=1.0, var_reader_condition=0.0, **HIGH_CORRELATION)
    means = np.array(
        [
            model.draw(stream(2, i), n_readers=1, n_positive=50, n_negative=50).scores[0, 0]
            for i in range(2000)
        ]
    )
    diseased, healthy = means[:, :50].mean(axis=1), means[:, 50:].mean(axis=1)
    assert np.corrcoef(diseased, healthy)[0, 1] == pytest.approx(0.0, abs=0.07)


def test_the_same_stream_gives_the_same_study_and_the_table_holds_it():
    model = RoeMetzModel.with_aucs((0.8, 0.9))
    first = model.draw(stream(1, 3), n_readers=2, n_positive=2, n_negative=1)
    second = model.draw(stream(1, 3), n_readers=2, n_positive=2, n_negative=1)
    np.testing.assert_array_equal(first.scores, second.scores)
    table = first.table(("unaided", "aided"))
    assert table["reader"] == ["R01"] * 3 + ["R02"] * 3 + ["R01"] * 3 + ["R02"] * 3
    assert table["case"] == ["C1", "C2", "C3"] * 4
    assert table["condition"] == ["unaided"] * 6 + ["aided"] * 6
    assert table["truth"] == [1, 1, 0] * 4
    assert table["score"] == first.scores.ravel().tolist()


def test_ratings_keep_the_order_of_scores_on_a_scale_from_0_to_1():
    model = RoeMetzModel.with_aucs((0.9,))
    study = model.draw(stream(1), n_readers=1, n_positive=30, n_negative=30)
    ratings = np.array(study.rating_table(n_levels=11)["score"])
    assert set(np.round(ratings * 10, 9).tolist()) <= set(range(11))
    order = np.argsort(study.scores.ravel())
    assert (np.diff(ratings[order]) >= 0).all()


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: RoeMetzModel(()), "separations must name one condition"),
        (lambda: RoeMetzModel((1.0,), var_error=-0.1), "var_error must not be negative, got -0.1."),
        (lambda: RoeMetzModel.with_aucs((1.0,)), "aucs must lie strictly between 0 and 1"),
        (
            lambda: RoeMetzModel((1.0,), var_case=0, var_case_condition=0, var_reader_case=0, var_error=0),
            "must not all be 0",
        ),
        (
            lambda: RoeMetzModel((1.0,)).draw(stream(1), n_readers=0, n_positive=1, n_negative=1),
            "n_readers must be at least 1, got 0.",
        ),
        (
            lambda: (
                RoeMetzModel((1.0,))
                .draw(stream(1), n_readers=1, n_positive=1, n_negative=1)
                .table(("a", "b"))
            ),
            "conditions must name 1 conditions, got 2.",
        ),
    ],
)
def test_impossible_models_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
