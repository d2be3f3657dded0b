"""Power of a multi-reader study: RJafroc's numbers, hand-computed ones, and what must not matter."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from equipoise.simulation.roe_metz import RoeMetzModel
from equipoise.stats import VarianceComponents, mrmc, mrmc_power, smallest_number
from equipoise.stats._power import _over_scale, power_of_test

# STATISTICS 1.7: Van Dyke, jackknife, 114 cases.
VAN_DYKE = VarianceComponents(
    var_reader=0.0015349993, var_interaction=0.0002004025, var_error=0.0008022883,
    cov1=0.0003466137, cov2=0.0003440748, cov3=0.0002390284,
)  # fmt: skip
DIFFERENCE = -0.043800322


def planned(**changes):
    given = {"n_readers": 6, "n_cases": 111, "pilot_cases": 114}
    return mrmc_power(VAN_DYKE, DIFFERENCE, **{**given, **changes})


@pytest.mark.parametrize(
    "changes, expected",
    [
        # RJafroc 2.1.2, tests/testthat/test-SsSampleSizeRoc.R: SsPowerGivenJK(dataset02, FOM = "Wilcoxon", ...)
        ({"n_readers": 6, "n_cases": 111}, 0.5526116),  # analysisOption = "RRRC"
        ({"n_readers": 10, "n_cases": 165}, 0.80541995),
        ({"n_readers": 10, "n_cases": 131, "readers": "fixed"}, 0.80091813),  # "FRRC"
        ({"n_readers": 10, "n_cases": 53, "cases": "fixed"}, 0.80496663),  # "RRFC"
    ],
)
def test_power_is_that_of_rjafroc_on_the_van_dyke_data(changes, expected):
    # The components are given to 7 digits here, hence the tolerance.
    assert planned(**changes).power == pytest.approx(expected, abs=4e-7)


def test_smallest_number_of_cases_is_that_of_rjafroc():
    # The same file: SsSampleSizeKGivenJ(dataset02, J = 6, FOM = "Wilcoxon", method = "OR")$KRRRC is 251.
    assert smallest_number(lambda n: planned(n_cases=n)) == 251
    assert planned(n_cases=250).power < 0.8 <= planned(n_cases=251).power


def test_smallest_number_of_readers_is_found_the_same_way():
    found = smallest_number(lambda r: planned(n_readers=r, n_cases=165))
    assert (
        planned(n_readers=found - 1, n_cases=165).power < 0.8 <= planned(n_readers=found, n_cases=165).power
    )
    assert found == 10


def test_with_too_few_readers_no_number_of_cases_is_enough():
    assert smallest_number(lambda n: planned(n_readers=2, n_cases=n), highest=2000) is None


def test_the_noncentrality_is_the_papers_computed_by_hand():
    # k = 114 / 228 = 0.5; D = .0002004025 + .5 (.0008022883 - .0003466137 + 3 x .0001050464) = .0005858094
    found = planned(n_readers=4, n_cases=228)
    assert found.noncentrality**2 == pytest.approx(4 * DIFFERENCE**2 / (2 * 0.0005858094), rel=1e-9)
    # E MS(TR) = .0002004025 + .5 (.0004556746 - .0001050464) = .0003757166
    assert found.df == pytest.approx(3 * (0.0005858094 / 0.0003757166) ** 2, rel=1e-9)


def test_two_sided_power_is_a_noncentral_f_and_one_sided_a_noncentral_t():
    two, one = planned(), planned(sides=1, alpha=0.025, higher_is_better=False)
    critical = scipy_stats.t.ppf(0.975, two.df)
    assert two.power == pytest.approx(
        scipy_stats.ncf.sf(critical**2, 1, two.df, two.noncentrality**2), abs=1e-10
    )
    assert one.power == pytest.approx(scipy_stats.nct.sf(critical, one.df, one.noncentrality), abs=1e-10)


@pytest.mark.parametrize("effects", [{}, {"readers": "fixed"}, {"cases": "fixed"}])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_without_a_difference_the_power_is_alpha(effects, alpha):
    for sides in (1, 2):
        found = mrmc_power(
            VAN_DYKE, 0.0, n_readers=5, n_cases=80, pilot_cases=114, alpha=alpha, sides=sides, **effects
        )
        assert found.power == pytest.approx(alpha, abs=1e-9)


def test_at_the_margin_non_inferiority_is_shown_as_often_as_alpha_allows():
    found = mrmc_power(VAN_DYKE, -0.05, n_readers=6, n_cases=200, pilot_cases=114, margin=0.05)
    assert found.power == pytest.approx(0.025, abs=1e-9)
    other_way = mrmc_power(
        VAN_DYKE, 0.05, n_readers=6, n_cases=200, pilot_cases=114, margin=0.05, higher_is_better=False
    )
    assert other_way.power == pytest.approx(0.025, abs=1e-9)
    equal = mrmc_power(VAN_DYKE, 0.0, n_readers=6, n_cases=200, pilot_cases=114, margin=0.05)
    superior = mrmc_power(VAN_DYKE, 0.05, n_readers=6, n_cases=200, pilot_cases=114, alpha=0.025, sides=1)
    assert equal.power == pytest.approx(superior.power, abs=1e-12)


def test_the_sign_of_the_difference_does_not_matter_to_a_two_sided_test():
    assert (
        mrmc_power(VAN_DYKE, -DIFFERENCE, n_readers=6, n_cases=111, pilot_cases=114).power == planned().power
    )


def test_negative_components_count_as_none_where_the_analysis_counts_them_so():
    negative = dataclasses.replace(VAN_DYKE, var_interaction=-1e-4, cov2=1e-4, cov3=2e-4)
    none = dataclasses.replace(VAN_DYKE, var_interaction=0.0, cov2=2e-4, cov3=2e-4)
    given = {"n_readers": 6, "n_cases": 111, "pilot_cases": 114}
    assert mrmc_power(negative, 0.03, **given).power == mrmc_power(none, 0.03, **given).power


def test_a_pilot_result_gives_the_same_as_its_components():
    study = RoeMetzModel.with_aucs((0.8, 0.9)).draw(
        np.random.default_rng(4), n_readers=4, n_positive=20, n_negative=30
    )
    pilot = mrmc(study.table(("A", "B")))
    given = {"n_readers": 8, "n_cases": 150}
    assert mrmc_power(pilot, 0.05, **given) == mrmc_power(pilot.components, 0.05, pilot_cases=50, **given)


def test_the_same_size_and_difference_as_the_pilot_gives_its_standard_error():
    study = RoeMetzModel.with_aucs((0.8, 0.9), var_reader_condition=0.1).draw(
        np.random.default_rng(4), n_readers=6, n_positive=30, n_negative=30
    )
    pilot = mrmc(study.table(("A", "B")))
    assert pilot.components.var_interaction > 0.0
    found = mrmc_power(pilot, 0.1, n_readers=6, n_cases=60)
    assert found.standard_error == pytest.approx(pilot.differences[0].standard_error, rel=1e-9)
    assert found.df == pytest.approx(pilot.differences[0].df, rel=1e-9)


def test_sensitivity_is_planned_in_diseased_cases():
    study = RoeMetzModel.with_aucs((0.8, 0.9)).draw(
        np.random.default_rng(4), n_readers=4, n_positive=20, n_negative=30
    )
    pilot = mrmc(study.table(("A", "B")), metric="sensitivity", threshold=1.0)
    given = {"n_readers": 8, "n_cases": 60}
    assert mrmc_power(pilot, 0.05, **given) == mrmc_power(pilot.components, 0.05, pilot_cases=20, **given)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"n_readers": 1}, "n_readers must be at least 2 with random readers, got 1"),
        ({"n_cases": 0}, "n_cases must be at least 2"),
        ({"readers": "fixed", "cases": "fixed"}, "cannot both be fixed"),
        ({"alpha": 0.0}, "alpha must lie strictly between 0 and 0.5"),
        ({"sides": 3}, "sides must be 1 or 2"),
        ({"margin": -0.1}, "margin must be positive"),
        ({"pilot_cases": None}, "pilot_cases must be given"),
        ({"pilot_cases": 0}, "pilot_cases must be at least 1"),
        ({"readers": "some"}, "readers must be 'random' or 'fixed'"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        planned(**changes)


def test_a_pilot_of_one_reader_or_without_variance_is_refused():
    one = dataclasses.replace(VAN_DYKE, var_interaction=math.nan)
    with pytest.raises(ValueError, match="defines no var_interaction"):
        mrmc_power(one, 0.05, n_readers=6, n_cases=111, pilot_cases=114)
    certain = VarianceComponents(0.0, 0.0, 1e-3, 1e-3, 0.0, 0.0)
    with pytest.raises(ValueError, match="no variance"):
        mrmc_power(certain, 0.05, n_readers=6, n_cases=111, pilot_cases=114)


def test_a_pilot_with_missing_readings_is_refused():
    study = RoeMetzModel.with_aucs((0.8, 0.9)).draw(
        np.random.default_rng(4), n_readers=4, n_positive=20, n_negative=30
    )
    table = {name: column[1:] for name, column in study.table(("A", "B")).items()}
    with pytest.raises(ValueError, match="fully crossed"):
        mrmc_power(mrmc(table), 0.05, n_readers=6, n_cases=111)


@pytest.mark.parametrize("given", [{"power": 1.0}, {"lowest": 5, "highest": 4}])
def test_a_search_without_an_answer_is_refused(given):
    with pytest.raises(ValueError, match="must"):
        smallest_number(lambda n: 0.5, **given)


@pytest.mark.parametrize("df", [1.0, 3.3, 20.0, 99.5, 1000.0, 12345.6, 9.9e5])
@pytest.mark.parametrize("given", [{"sides": 2}, {"sides": 1}, {"sides": 2, "margin": 0.001}])
def test_power_rises_to_one_and_is_never_undefined(df, given):
    # scipy.special's noncentral distributions give nan between 37 and 39 for some degrees of freedom.
    distances = [0.0, 0.5, 1.0, 2.0, 5.0, 12.0, 20.0, 35.0, 37.0, 38.0, 38.5, 39.0, 50.0, 150.0, 1e3, 1e6]
    found = [power_of_test(distance, 1.0, df, alpha=0.05, **given)[0] for distance in distances]
    assert np.all(np.diff(found) >= -1e-9)
    assert found[-1] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("one_sided", [True, False])
def test_the_way_round_scipys_gap_agrees_with_scipy_beside_it(one_sided):
    for df, distance in ((3.3, 2.0), (20.0, 3.0), (99.5, 1.5)):
        critical = scipy_stats.t.ppf(0.975, df)
        expected = scipy_stats.nct.sf(critical, df, distance)
        if not one_sided:
            expected += scipy_stats.nct.cdf(-critical, df, distance)
        assert _over_scale(distance, critical, df, one_sided=one_sided) == pytest.approx(expected, abs=2e-5)
