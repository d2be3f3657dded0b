"""The models that come with the package: their cards, their scores on held-out phantoms, their heat maps."""

import json

import numpy as np
import pytest

from equipoise.cli.main import main
from equipoise.imaging.nuclear_write import write_whole_body_scan
from equipoise.inference.bone_scan import on_plane
from equipoise.inference.cards import read_card
from equipoise.inference.errors import WeightsError
from equipoise.inference.explanation import compare_with_shuffled
from equipoise.inference.files import NAMESPACE
from equipoise.inference.run import run_classification
from equipoise.inference.runtime import Runtime
from equipoise.inference.shipped import FOLDER, SHIPPED, shipped_model
from equipoise.inference.training.phantom_cases import bone_scan_case, thorax_case
from equipoise.inference.training.scoring import (
    HELD_OUT_SEED,
    bone_scan_volume,
    heat_of,
    median_interval,
    score_classification,
    score_segmentation,
    segmentation_row,
)
from equipoise.simulation import stream
from equipoise.stats import auc

MOST_BYTES = 6_000_000


def runtime_of(pipeline: str) -> Runtime:
    return Runtime.load(shipped_model(pipeline), runtime="onnx", device="cpu", precision="fp32", threads=1)


@pytest.fixture(scope="module")
def bone_scans():
    return runtime_of("bone-scan")


@pytest.fixture(scope="module")
def scans():
    return [bone_scan_case(HELD_OUT_SEED, number) for number in range(24)]


@pytest.mark.parametrize("pipeline", SHIPPED)
def test_a_card_says_what_its_model_is_for_and_how_it_was_made(pipeline):
    card = read_card(shipped_model(pipeline))
    assert card.demonstration
    assert card.training["seed"] != HELD_OUT_SEED
    assert "for trying things out alone" in card.purpose.lower()
    assert "validation" in card.scores


def test_the_models_are_small_and_nothing_else_lies_beside_them():
    files = sorted(path.name for path in FOLDER.iterdir())
    assert files == sorted(
        [*SHIPPED.values(), *(name.replace(".safetensors", ".json") for name in SHIPPED.values())]
    )
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES


def test_there_is_no_model_for_the_published_pipeline():
    with pytest.raises(WeightsError, match="No model comes with Equipoise for the pipeline nsclc-published"):
        shipped_model("nsclc-published")


def test_held_out_scans_with_metastases_score_higher(bone_scans, scans):
    scores = [
        run_classification(bone_scan_volume(scan), bone_scans).report["probabilities"]["metastases"]
        for scan in scans
    ]
    truth = [scan.positive for scan in scans]
    assert sum(truth) == 13
    assert auc(scores, truth).estimate >= 0.9


def test_heat_maps_point_at_metastases_better_than_their_shuffled_copies(bone_scans, scans):
    results = [
        compare_with_shuffled(
            heat_of(bone_scans, scan), on_plane(scan.masks["metastases"]), rng=stream(1, number), copies=100
        )
        for number, scan in enumerate(scans)
        if scan.positive
    ]
    assert np.mean([r.observed.energy_inside for r in results]) > 2 * np.mean(
        [r.shuffled_energy for r in results]
    )
    assert np.mean([r.observed.overlap for r in results]) > 2 * np.mean([r.shuffled_overlap for r in results])


def test_a_held_out_tumour_is_outlined():
    row = segmentation_row(runtime_of("nsclc"), thorax_case(HELD_OUT_SEED, 0))
    assert row["dice"] >= 0.8


@pytest.fixture(scope="module")
def forty():
    return score_segmentation(runtime_of("nsclc"), range(40), seed=HELD_OUT_SEED)


@pytest.mark.slow
def test_forty_held_out_chests_are_outlined(forty):
    assert forty["dice"]["n"] == 36
    assert forty["dice"]["median"] >= 0.8


@pytest.mark.slow
def test_the_lung_tumour_card_tells_the_truth(forty):
    said = read_card(shipped_model("nsclc")).evaluation
    assert said["cases"] == forty["cases"]
    assert forty["dice"]["median"] == pytest.approx(said["dice"]["median"], abs=0.01)
    assert forty["found"] == said["found"]
    assert forty["without_tumour"]["marked"] == said["without_tumour"]["marked"]


@pytest.fixture(scope="module")
def hundred(bone_scans):
    return score_classification(bone_scans, range(100), seed=HELD_OUT_SEED)


@pytest.mark.slow
def test_the_bone_scan_card_tells_the_truth(hundred):
    said = read_card(shipped_model("bone-scan")).evaluation
    assert said["cases"] == 100
    assert hundred["auc"]["estimate"] == pytest.approx(said["auc"]["estimate"], abs=0.01)
    maps = hundred["heat_maps"]
    assert maps["energy_inside"] > 2 * maps["energy_inside_shuffled"]
    assert maps["overlap"] > 2 * maps["overlap_shuffled"]


@pytest.mark.slow
def test_a_hundred_held_out_scans_are_told_apart(hundred):
    assert hundred["auc"]["estimate"] >= 0.9


def test_the_command_needs_no_weights(tmp_path, scans, capsys):
    scan = scans[0]
    path = tmp_path / "scan.dcm"
    write_whole_body_scan(
        scan.anterior,
        scan.posterior,
        path,
        spacing_mm=scan.spacing_mm,
        patient_code="P-1",
        namespace=NAMESPACE,
    )
    with pytest.raises(SystemExit) as ended:
        main(["infer", "bone-scan", str(path), "--output", str(tmp_path / "out"), "--threads", "1"])
    assert ended.value.code in (0, None)
    report = json.loads((tmp_path / "out" / "scan" / "result.json").read_text())
    assert report["model"] == read_card(shipped_model("bone-scan")).model_id
    assert report["warnings"][0]["code"] == "demonstration_model"
    assert "is a demonstration model" in capsys.readouterr().out


def test_the_interval_of_a_median_is_by_order_statistics():
    # 2 * P(Binomial(10, 1/2) <= 1) = 0.0215, with <= 2 it is 0.109: the second value from each end.
    assert median_interval([float(n) for n in range(10, 0, -1)]) == (2.0, 9.0)
    assert median_interval([1.0] * 5) == (None, None)
    assert median_interval([]) == (None, None)
