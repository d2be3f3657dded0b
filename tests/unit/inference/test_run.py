"""Whole pipelines with networks whose answer is known: lesions, the image's own grid, files, refusals."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK

if not os.environ.get("CI"):
    pytest.importorskip("torch", reason="the extra `inference` is not installed")

import torch

from equipoise.cli.main import main
from equipoise.imaging import Grid, ImageVolume, read_mask
from equipoise.imaging.dicom_write import write_ct_series
from equipoise.imaging.export import write_image_nrrd
from equipoise.imaging.volume import SeriesDescription
from equipoise.inference import prepare_nsclc
from equipoise.inference.cards import ModelCard
from equipoise.inference.errors import UnusableScanError
from equipoise.inference.files import NAMESPACE
from equipoise.inference.run import run_classification, run_segmentation
from equipoise.inference.runtime import Runtime
from equipoise.inference.unet import UNet, UNetShape, initialise
from equipoise.inference.vgg import VggClassifier, VggShape
from equipoise.inference.weights import save_weights, state_of
from equipoise.metrics import segmentation_metrics

DENSE_BIN = 40
"""Bins from 0 HU up: soft tissue inside the lung mask."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def brightness_unet(*, steepness: float = 4.0) -> UNet:
    """Return a U-Net that marks every pixel above DENSE_BIN: the outermost skip carries the bins through."""
    network = UNet(UNetShape(width=1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for number in (0, 1, 20, 21, 22):
            getattr(network, f"conv_{number:02d}").weight[0, 0, 1, 1] = 1.0
        last = dict(network.named_parameters())
        last["conv_23.weight"][0, 0] = steepness
        last["conv_23.bias"][0] = -steepness * (DENSE_BIN + 0.5)
    return network.eval()


def runtime_of(network, architecture="unet", **changes) -> Runtime:
    fields = {"name": "known", "version": "1", "purpose": "tests", "data": "nothing", "sha256": "0" * 64}
    card = ModelCard(architecture=architecture, shape=network.shape.as_json(), **(fields | changes))
    return Runtime.of(state_of(network), card, runtime="torch", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def volume(phantom) -> ImageVolume:
    return ImageVolume(phantom.image, Grid(phantom.image.shape, phantom.spacing_mm, (-200.0, -150.0, 30.0)))


def test_dense_tissue_in_the_lungs_is_segmented_on_the_image(volume, phantom):
    result = run_segmentation(volume, runtime_of(brightness_unet()))
    dense = (phantom.image >= 25) & result.lung_mask.array  # from bin 41 up
    np.testing.assert_array_equal(result.probability > 0.5, dense)
    lesions = result.report["lesions"]
    assert max(lesions, key=lambda lesion: lesion["voxels"])["name"] == "GTV-1"
    assert lesions[0]["volume_ml"] == pytest.approx(
        result.lesions["GTV-1"].array.sum() * np.prod(phantom.spacing_mm) / 1000
    )
    assert lesions[0]["ground_glass_ml"] == 0.0
    assert set(result.report["seconds"]) == {
        "read",
        "resample",
        "lungs",
        "bin",
        "network",
        "lesions",
        "total",
    }
    assert result.report["hardware"]["kind"] == "cpu"


def test_a_volume_stored_the_other_way_round_gives_the_same_lesions(volume):
    runtime = runtime_of(brightness_unet())
    expected = run_segmentation(volume, runtime)
    grid = volume.grid
    nz, _, nx = grid.shape_zyx
    last = grid.index_to_patient(np.array([nx - 1, 0, nz - 1]))
    flipped = ImageVolume(
        np.ascontiguousarray(volume.array[::-1, :, ::-1]),
        Grid(grid.shape_zyx, grid.spacing_mm_zyx, tuple(last), ((-1, 0, 0), (0, 1, 0), (0, 0, -1))),
    )
    result = run_segmentation(flipped, runtime)
    assert result.lesions.keys() == expected.lesions.keys()
    for name, mask in result.lesions.items():
        assert mask.grid == flipped.grid
        np.testing.assert_array_equal(mask.array[::-1, :, ::-1], expected.lesions[name].array)
    one, other = result.report["lesions"][0], expected.report["lesions"][0]
    assert one["longest_diameter_slice"] == nz - 1 - other["longest_diameter_slice"]
    assert one["longest_diameter_ends_mm_xyz"] == other["longest_diameter_ends_mm_xyz"]
    assert one["side"] == other["side"]
    assert result.report["detection"] == expected.report["detection"]


def test_repeats_are_the_same_bit_for_bit(volume):
    runtime = runtime_of(brightness_unet())
    one, other = run_segmentation(volume, runtime), run_segmentation(volume, runtime)
    np.testing.assert_array_equal(one.probability, other.probability)
    mask = one.lesions["GTV-1"].array
    assert (
        segmentation_metrics(mask, other.lesions["GTV-1"].array, volume.grid.spacing_mm_zyx, (1.0,)).dice
        == 1.0
    )


def test_published_keeps_one_component(volume):
    result = run_segmentation(volume, runtime_of(brightness_unet()), pipeline="nsclc-published")
    assert list(result.lesions) == ["GTV-1"]
    assert result.report["threshold"] == 0.99


def test_a_scan_without_lungs_gives_an_empty_result_with_a_remark():
    volume = ImageVolume(np.full((6, 40, 40), -1000, np.int16), Grid((6, 40, 40), (5.0, 8.0, 8.0)))
    result = run_segmentation(volume, runtime_of(brightness_unet(), demonstration=True))
    assert dict(result.lesions) == {}
    assert not result.probability.any()
    assert [w["code"] for w in result.report["warnings"]] == ["lungs_not_found", "demonstration_model"]
    assert result.report["detection"]["left"] == {"probability": 0.0, "detected": False}


def test_other_modalities_are_refused():
    planar = ImageVolume(
        np.zeros((2, 16, 8), np.int16),
        Grid((2, 16, 8), (1.0, 2.0, 2.0)),
        "NM",
        description=SeriesDescription(),
    )
    with pytest.raises(UnusableScanError, match="modality NM"):
        run_segmentation(planar, runtime_of(brightness_unet()))


def bone_scan(views=("anterior", "posterior")) -> ImageVolume:
    counts = np.random.default_rng(5).poisson(40, (2, 128, 64)).astype(np.int16)
    counts[0, 40:50, 20:30] += 400
    return ImageVolume(
        counts, Grid((2, 128, 64), (1.0, 2.0, 2.0)), "NM", description=SeriesDescription(views=views)
    )


def small_vgg() -> VggClassifier:
    torch.manual_seed(2)
    return VggClassifier(VggShape(width=2, units=8)).eval()


def test_a_bone_scan_gets_probabilities_and_a_heat_map_on_its_views():
    result = run_classification(bone_scan(), runtime_of(small_vgg(), "vgg"))
    assert result.heat.shape == (2, 128, 64)
    assert sum(result.report["probabilities"].values()) == pytest.approx(1.0)
    assert result.report["heat_map"]["layer"] == "features.28"
    assert 0 <= result.heat.min() <= result.heat.max() <= 1
    swapped = bone_scan(("posterior", "anterior"))
    other = ImageVolume(swapped.array[::-1].copy(), swapped.grid, "NM", description=swapped.description)
    assert (
        run_classification(other, runtime_of(small_vgg(), "vgg")).report["probabilities"]
        == (result.report["probabilities"])
    )


def pointing_vgg() -> VggClassifier:
    """Return a network whose last maps show the brightest pixel of every 16 x 16, all of it for metastases."""
    network = VggClassifier(VggShape(width=1, units=1)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for layer in network.features:
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight[0, :, 1, 1] = 1 / 3 if layer.in_channels == 3 else 0
                layer.weight[0, 0, 1, 1] = 1 / 3 if layer.in_channels == 3 else 1
        network.hidden.weight[0, 0] = 1.0
        network.classes.weight[1, 0] = 50.0
    return network


@pytest.mark.parametrize("view", [0, 1])
@pytest.mark.parametrize("cell", [(0, 0), (0, 15), (31, 0), (31, 15), (17, 9)])
@pytest.mark.parametrize("shape", [(512, 124), (1024, 256)], ids=["a narrow view", "a large view"])
def test_heat_lies_where_the_counts_are(view, cell, shape):
    rows, columns = shape[0] / 32, shape[1] / 16  # pixels of the view to a cell of the last maps
    counts = np.full((2, *shape), 10, np.int16)
    at = {view: cell, 1 - view: (8, 5)}
    for which, (y, x) in at.items():
        counts[which, int((y + 0.5) * rows), int((x + 0.5) * columns)] = 900
    scan = ImageVolume(
        counts,
        Grid(counts.shape, (1.0, 2.0, 2.0)),
        "NM",
        description=SeriesDescription(views=("anterior", "posterior")),
    )
    result = run_classification(scan, runtime_of(pointing_vgg(), "vgg"))
    assert result.report["heat_map"]["class"] == "metastases"
    for heat, (y, x) in zip(result.heat, (at[0], at[1]), strict=True):
        hottest = (np.argwhere(heat > 0.99 * heat.max()) + 0.5) / (rows, columns)
        np.testing.assert_array_equal(np.floor(hottest), np.broadcast_to((y, x), hottest.shape))
        warm = (np.argwhere(heat > 0) + 0.5) / (rows, columns)
        assert np.abs(warm - (y + 0.5, x + 0.5)).max() <= 1  # nor does any reach the other view


def infer(*arguments) -> int:
    try:
        main(["infer", *map(str, arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "known.safetensors"
    network = brightness_unet()
    card = ModelCard("known", "1", "unet", network.shape.as_json(), purpose="tests", data="nothing")
    save_weights(network, path, card)
    return path


def test_the_command_writes_masks_maps_and_reports_and_goes_on_after_a_bad_input(
    tmp_path, volume, weights, capsys
):
    write_ct_series(volume, tmp_path / "scan", patient_code="scan", namespace=NAMESPACE)
    write_image_nrrd(volume, tmp_path / "other.nrrd")
    (tmp_path / "broken.nrrd").write_bytes(b"NRRD0004\nnonsense")
    output = tmp_path / "out"
    inputs = [tmp_path / "broken.nrrd", tmp_path / "scan", tmp_path / "other.nrrd"]
    assert infer("nsclc", *inputs, "--output", output, "--weights", weights, "--device", "cpu") == 1
    expected = run_segmentation(volume, runtime_of(brightness_unet()))
    for name in ("scan", "other"):
        report = json.loads((output / name / "result.json").read_text())
        assert report["lesions"][0]["volume_ml"] == pytest.approx(expected.report["lesions"][0]["volume_ml"])
        assert report["seconds"]["write"] > 0
        assert sorted(path.name for path in (output / name).iterdir()) == sorted(report["files"])
        mask = read_mask(output / name / "GTV-1.nrrd")
        np.testing.assert_array_equal(mask.array, expected.lesions["GTV-1"].array)
        outlined = read_mask(output / name / "rtstruct.dcm", roi="GTV-1", image=volume)
        np.testing.assert_array_equal(outlined.array, expected.lesions["GTV-1"].array)
        image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(output / name / "probability.nrrd")))
        np.testing.assert_allclose(image, expected.probability, atol=1e-6)
    broken = json.loads((output / "broken" / "result.json").read_text())
    assert broken["error"]["kind"] == "NotAnImageError"
    shown = capsys.readouterr()
    assert "broken.nrrd: no result." in shown.err
    assert "scan: GTV-1" in shown.out
    assert len(json.loads((output / "summary.json").read_text())) == 3


def test_the_command_refuses_what_does_not_fit(tmp_path, weights, capsys):
    (tmp_path / "scan").mkdir()
    assert infer("liver", tmp_path / "scan", "--output", tmp_path, "--weights", weights) == 2
    assert "There is no pipeline 'liver'" in capsys.readouterr().err
    assert infer("bone-scan", tmp_path / "scan", "--output", tmp_path, "--weights", weights) == 2
    assert "is a unet model" in capsys.readouterr().err
    assert infer("nsclc", tmp_path / "absent", "--output", tmp_path, "--weights", weights) == 2
    assert "does not exist" in capsys.readouterr().err
    assert (
        infer("nsclc", tmp_path / "scan", "--output", tmp_path, "--weights", tmp_path / "no.safetensors") == 2
    )
    assert "no.safetensors does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("activation", ["relu", "elu"])
def test_cropping_with_the_margin_changes_no_mask(volume, activation):
    scan = prepare_nsclc(volume.array, volume.grid.spacing_mm_zyx)
    keep = slice(len(scan.bins) // 2, len(scan.bins) // 2 + 1)
    mask = scan.lung_mask[keep] & (np.arange(512) < 200)
    scan = replace(scan, bins=scan.bins[keep] * mask, lung_mask=mask, midline_x=scan.midline_x[keep])
    assert scan.lung_mask.any()
    network = UNet(UNetShape(width=4, activation=activation))
    initialise(network, seed=11)
    torch.manual_seed(11)
    for parameter in network.parameters():
        if parameter.dim() == 1:  # without biases, padding and empty pixels would be the same thing
            torch.nn.init.normal_(parameter, 0.0, 0.1)
    with torch.no_grad():
        network.get_parameter("conv_23.weight").mul_(0.02)  # away from where the sigmoid is flat
    runtime = runtime_of(network)
    seen = scan.lung_mask

    def logits(margin):
        probability = runtime.segment(scan, margin=margin)[seen].astype(float)
        return np.log(probability / (1 - probability))

    boxed, whole = logits(48), logits(None)
    assert np.abs(boxed - whole).max() < 0.05 * whole.std()
    # Beyond what a pixel can see nothing changes at all: boxes fall on the same poolings as whole planes.
    np.testing.assert_allclose(logits(160), whole, atol=1e-4 * whole.std())
    one, other = boxed > np.median(whole), whole > np.median(whole)
    assert 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)) >= 0.99


def test_bf16_stays_near_fp32(volume):
    scan = prepare_nsclc(volume.array, volume.grid.spacing_mm_zyx)
    keep = slice(len(scan.bins) // 2, len(scan.bins) // 2 + 1)
    scan = replace(scan, bins=scan.bins[keep], lung_mask=scan.lung_mask[keep], midline_x=scan.midline_x[keep])
    network = UNet(UNetShape(width=4, scale=1 / 45))
    initialise(network, seed=11)
    card = ModelCard("known", "1", "unet", network.shape.as_json(), purpose="tests", data="nothing")
    fp32, bf16 = (
        Runtime.of(state_of(network), card, runtime="torch", device="cpu", precision=precision).segment(scan)
        for precision in ("fp32", "bf16")
    )
    assert float(np.abs(bf16 - fp32).mean()) < 0.01


@pytest.mark.slow
@pytest.mark.shared
def test_real_patients_run_end_to_end_from_their_folders(patients_folder, tmp_path, weights):
    folders = sorted(path for path in patients_folder.iterdir() if path.is_dir())
    output = tmp_path / "out"
    assert infer("nsclc", *folders, "--output", output, "--weights", weights, "--device", "cpu") == 0
    for folder in folders:
        report = json.loads((output / folder.name / "result.json").read_text())
        assert report["warnings"] == []
        assert report["lesions"][0]["name"] == "GTV-1"
        assert {"read", "lungs", "network", "write"} <= report["seconds"].keys()
        looked_at = read_mask(output / folder.name / "lungs-looked-at.nrrd")
        tumour = read_mask(folder, roi="GTV-1", image=looked_at.grid)
        assert np.count_nonzero(looked_at.array & tumour.array) / tumour.voxel_count >= 0.95
