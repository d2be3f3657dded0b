"""Segmentation measures against google-deepmind/surface-distance, case by case."""

import json
from pathlib import Path

import numpy as np
import pytest

from equipoise.analysis.verification import own_cases_folder, verify_folder
from equipoise.metrics import pairwise_segmentation_metrics, segmentation_metrics


def segmentation_report(folder: Path):
    return next(report for report in verify_folder(folder).families if report.family == "segmentation")


@pytest.fixture
def only_segmentation(tmp_path):
    """Return a maker of a folder that links the segmentation family of another."""

    def make(source):
        (tmp_path / "segmentation").symlink_to(source / "segmentation", target_is_directory=True)
        return tmp_path

    return make


@pytest.mark.shared
def test_all_shared_cases_agree(fixtures_folder, only_segmentation):
    report = segmentation_report(only_segmentation(fixtures_folder))
    assert [outcome.problems for outcome in report.outcomes] == [()] * 7
    assert all(outcome.n_compared >= 21 for outcome in report.outcomes)


def test_all_shipped_cases_agree(only_segmentation):
    report = segmentation_report(only_segmentation(own_cases_folder()))
    assert [outcome.problems for outcome in report.outcomes] == [()] * 5


# fixtures/segmentation, deepmind surface-distance 0.1: DSC, HD, HD95, surface Dice at 1.18/2/3 mm, path length in mm
PUBLISHED = {
    "sphere_shift_iso": (0.7596899, 2.236068, 2.0, (0.6780777, 0.9728027, 1.0), 366.0),
    "ellipsoid_dilated_aniso": (0.6575410, 6.0, 5.732646, (0.3430986, 0.7082807, 0.8282572), 291.146),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values_come_out_of_the_public_doors(fixtures_folder, name):
    with np.load(fixtures_folder / "segmentation" / "data" / f"{name}.npz") as arrays:
        reference, candidate, spacing_mm = arrays["ref"], arrays["auto"], arrays["spacing_zyx_mm"]
    dice, hausdorff, hausdorff_95, surface_dice, path = PUBLISHED[name]
    taus = (1.18, 2.0, 3.0)
    single = segmentation_metrics(reference, candidate, spacing_mm, taus)
    [(_, _, paired)] = pairwise_segmentation_metrics({"a": reference, "b": candidate}, spacing_mm, taus)
    for metrics in (single, paired):
        assert metrics.dice == pytest.approx(dice, abs=1e-7)
        assert metrics.hausdorff_mm == pytest.approx(hausdorff, abs=5e-7)
        assert metrics.hausdorff_95_mm == pytest.approx(hausdorff_95, abs=5e-7)
        assert tuple(metrics.surface_dice.values()) == pytest.approx(surface_dice, abs=1e-7)
        assert metrics.added_path_length_mm == pytest.approx(path, abs=5e-4)


def test_the_shipped_cases_are_not_the_shared_ones(fixtures_folder):
    own = {
        entry["id"]
        for entry in json.loads((own_cases_folder() / "segmentation/cases.json").read_text())["cases"]
    }
    shared = json.loads((fixtures_folder / "segmentation/cases.json").read_text())["cases"]
    assert own.isdisjoint(entry["id"] for entry in shared)
