"""Facts held against limits: each rule at both sides of its limit, and what was not said never passes."""

from dataclasses import replace

import pytest

from equipoise.archive.quality import (
    CheckOutcome,
    QualityLimits,
    QualityRule,
    Range,
    SeriesFacts,
    facts_of_series,
    facts_of_volume,
    is_accepted,
    quality_checks,
)
from equipoise.archive.services import volume_store
from equipoise.imaging.reading import read_folder
from equipoise.imaging.volume import SeriesDescription
from tests.archive.conftest import INSTITUTE, TRIAL, make_volume, write_patient

CHEST = SeriesFacts(
    "CT",
    (120, 512, 500),
    (3.0, 0.9, 0.8),
    SeriesDescription(slice_thickness_mm=3.0, kernel="B30f", tube_voltage_kv=120.0),
)
BONES = SeriesFacts("NM", (2, 1024, 256), (1.0, 2.4, 2.4), SeriesDescription(views=("anterior", "posterior")))
PASSED, FAILED, NOT_STATED = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.NOT_STATED


def outcomes(facts: SeriesFacts, limits: QualityLimits) -> dict[QualityRule, CheckOutcome]:
    return {check.rule: check.outcome for check in quality_checks(facts, limits)}


@pytest.mark.parametrize(
    "rule, good, bad",
    [
        ("modality", {"modalities": ("MR", "CT")}, {"modalities": ("MR",)}),
        ("slices", {"slices": Range(120, 120)}, {"slices": Range(121)}),
        ("slice-spacing", {"slice_spacing_mm": Range(None, 3.0)}, {"slice_spacing_mm": Range(None, 2.99)}),
        ("slice-thickness", {"slice_thickness_mm": Range(3.0)}, {"slice_thickness_mm": Range(3.01)}),
        ("in-plane-spacing", {"in_plane_spacing_mm": Range(0.8, 0.9)}, {"in_plane_spacing_mm": Range(0.85)}),
        ("in-plane-size", {"in_plane_size_mm": Range(400)}, {"in_plane_size_mm": Range(401)}),
        ("kernel", {"kernels": ("b3?F",)}, {"kernels": ("B30", "B31f")}),
        ("tube-voltage", {"tube_voltage_kv": Range(100, 120)}, {"tube_voltage_kv": Range(100, 119)}),
    ],
)
def test_each_rule_has_two_sides(rule, good, bad):
    assert outcomes(CHEST, QualityLimits(**good)) == {QualityRule(rule): PASSED}
    assert outcomes(CHEST, QualityLimits(**bad)) == {QualityRule(rule): FAILED}


def test_uneven_thickness_unstated_rescale_and_exposure_are_found():
    limits = QualityLimits(even_thickness=True, rescale_stated=True, exposure_mas=Range(50, 200))
    told = replace(CHEST.description, exposure_mas=100.0, rescale_stated=True)
    asked = (QualityRule.SLICE_THICKNESS, QualityRule.EXPOSURE, QualityRule.RESCALE)
    assert outcomes(replace(CHEST, description=told), limits) == dict.fromkeys(asked, PASSED)
    odd = replace(told, uneven_thickness=True, exposure_mas=201.0, rescale_stated=False)
    assert outcomes(replace(CHEST, description=odd), limits) == dict.fromkeys(asked, FAILED)
    silent = replace(told, slice_thickness_mm=None, exposure_mas=None, rescale_stated=None)
    assert outcomes(replace(CHEST, description=silent), limits) == {
        asked[0]: NOT_STATED,
        asked[1]: NOT_STATED,
    }


def test_no_limits_ask_nothing():
    assert quality_checks(CHEST, QualityLimits()) == []
    assert is_accepted([])


@pytest.mark.parametrize(
    "spacing_mm, outcome, words",
    [
        (3.0, PASSED, "leave gaps of 0%"),
        (2.4, PASSED, "overlap by 20%"),
        (2.3, FAILED, "overlap by 23%"),
        (3.3, PASSED, "leave gaps of 10%"),
        (3.4, FAILED, "leave gaps of 13%"),
    ],
)
def test_overlap_and_gaps_are_fractions_of_the_thickness(spacing_mm, outcome, words):
    facts = replace(CHEST, spacing_mm_zyx=(spacing_mm, 0.9, 0.8))
    (check,) = quality_checks(facts, QualityLimits(max_overlap=0.2, max_gap=0.1))
    assert check.outcome is outcome
    assert check.sentence == (
        f"Slices of 3 mm every {spacing_mm:g} mm {words} of their thickness; accepted (gap as a fraction, overlap "
        "negative): -0.2 to 0.1."
    )


def test_what_the_header_did_not_say_does_not_pass():
    facts = replace(CHEST, description=SeriesDescription())
    limits = QualityLimits(
        kernels=("*",),
        tube_voltage_kv=Range(),
        slice_thickness_mm=Range(),
        max_overlap=1.0,
        modalities=("CT",),
    )
    checks = quality_checks(facts, limits)
    assert {c.rule.value: c.outcome for c in checks} == {
        "modality": PASSED,
        "slice-thickness": NOT_STATED,
        "slice-overlap": NOT_STATED,
        "kernel": NOT_STATED,
        "tube-voltage": NOT_STATED,
    }
    assert checks[-1].sentence == "The tube voltage is not stated; accepted: anything, if it is stated."
    assert not is_accepted(checks)


def test_rules_about_slices_do_not_apply_to_views():
    limits = QualityLimits(views=("posterior", "anterior"), slices=Range(50), max_gap=0.0, modalities=("NM",))
    assert outcomes(BONES, limits) == {QualityRule.MODALITY: PASSED, QualityRule.VIEWS: PASSED}
    assert outcomes(CHEST, QualityLimits(views=("anterior",))) == {QualityRule.VIEWS: FAILED}
    one_side = replace(BONES, description=SeriesDescription(views=("anterior",)))
    assert outcomes(one_side, limits)[QualityRule.VIEWS] is FAILED


def test_a_range_that_is_none_is_refused():
    with pytest.raises(ValueError, match="low must not exceed high, got 3 and 2"):
        Range(3, 2)


@pytest.mark.django_db
@pytest.mark.db
def test_stored_volumes_and_folders_have_the_same_facts(tmp_path):
    volume = make_volume()
    stored = facts_of_volume(volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE))
    assert stored == SeriesFacts("CT", (6, 20, 24), (5.0, 0.8, 0.75), volume.description)
    (series,) = read_folder(write_patient(tmp_path / "in", "P1")).series
    sent = facts_of_series(series)
    assert (sent.modality, sent.shape_zyx, sent.spacing_mm_zyx) == ("CT", (6, 20, 24), (5.0, 0.8, 0.75))
    assert (sent.description.kernel, sent.description.slice_thickness_mm) == ("B30f", 5.0)
