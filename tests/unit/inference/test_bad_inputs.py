"""One run over inputs that are each wrong in another way: every one gets its reason or the right answer."""

import json
import shutil

import numpy as np
import pydicom
import pytest
import SimpleITK

from equipoise.cli.main import main
from equipoise.imaging import Grid, ImageVolume
from equipoise.imaging.dicom_write import write_ct_series
from equipoise.imaging.export import write_image_nrrd
from equipoise.inference.cards import ModelCard
from equipoise.inference.files import NAMESPACE
from equipoise.inference.shapes import UNetShape, weight_shapes
from equipoise.inference.weight_files import write_state

SENTENCES = {
    "corrupt": "corrupt",
    "no-image": "",
    "infinite": "numbers",
    "overflowing": "16",
    "tilted": "was made with a tilted gantry; send an untilted reconstruction",
    "half-missing": "",
}
"""Input -> a part of its reason."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, phantom):
    folder = tmp_path_factory.mktemp("inputs")
    grid = Grid(phantom.image.shape, phantom.spacing_mm)
    volume = ImageVolume(phantom.image, grid)
    write_image_nrrd(volume, folder / "good.nrrd")
    content = (folder / "good.nrrd").read_bytes()
    (folder / "corrupt.nrrd").write_bytes(content[: len(content) // 2])
    (folder / "no-image.txt").write_text("see attached")

    def with_values(name: str, values: np.ndarray) -> None:
        image = SimpleITK.GetImageFromArray(values)
        image.SetSpacing(grid.spacing_mm_xyz)
        SimpleITK.WriteImage(image, str(folder / name))

    infinite = phantom.image.astype(np.float32)
    infinite[3, 4, 5] = np.inf
    with_values("infinite.nrrd", infinite)
    with_values("overflowing.nrrd", phantom.image.astype(np.int32) + 100_000)
    with_values("one-slice.nrrd", phantom.image[18:19])
    middle = ImageVolume(phantom.image[14:20], Grid((6, *grid.shape_zyx[1:]), grid.spacing_mm_zyx))
    for name in ("tilted", "half-missing"):
        write_ct_series(middle, folder / name, patient_code="P-1", namespace=NAMESPACE)
    for path in (folder / "tilted").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.GantryDetectorTilt = "12"
        x, y, z = (float(v) for v in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y + 0.2 * z, z]
        dataset.save_as(path)
    (sorted((folder / "half-missing").iterdir())[2]).unlink()
    head_first = Grid(
        grid.shape_zyx,
        grid.spacing_mm_zyx,
        tuple(grid.index_to_patient(np.array([0, 0, grid.shape_zyx[0] - 1]))),
        ((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    )
    write_image_nrrd(
        ImageVolume(np.ascontiguousarray(phantom.image[::-1]), head_first), folder / "head-first.nrrd"
    )
    return folder


@pytest.fixture(scope="module")
def reports(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(1)
    card = ModelCard(
        name="random",
        version="1",
        architecture="unet",
        shape=UNetShape(width=1).as_json(),
        purpose="tests",
        data="nothing",
        threshold=0.6,
    )
    state = {
        name: rng.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in weight_shapes(UNetShape(width=1)).items()
    }
    weights = folder / "random.safetensors"
    write_state(state, weights, card)
    paths = [str(path) for path in sorted(inputs.iterdir())]
    runtime = ["--runtime", "onnx", "--threads", "1"]
    with pytest.raises(SystemExit) as ended:
        main(["infer", "nsclc", *paths, "--output", str(folder / "out"), "--weights", str(weights), *runtime])
    assert ended.value.code == 1
    summary = json.loads((folder / "out" / "summary.json").read_text())
    yield {row["folder"]: row for row in summary}
    shutil.rmtree(folder)


def test_every_input_has_a_report(inputs, reports):
    assert sorted(reports) == sorted(path.name.split(".")[0] for path in inputs.iterdir())


@pytest.mark.parametrize("name", SENTENCES)
def test_what_cannot_be_used_has_its_reason(reports, name):
    sentence = reports[name]["error"]["sentence"]
    assert SENTENCES[name] in sentence
    assert sentence.endswith((".", ":")) or "." in sentence
    assert "lesions" not in reports[name]


def test_one_slice_is_looked_at_with_a_remark(reports):
    assert "few_slices" in [remark["code"] for remark in reports["one-slice"]["warnings"]]
    assert reports["one-slice"]["slices_looked_at"] == [0, 1]


def test_a_head_first_scan_gives_what_the_usual_one_gives(reports):
    one, other = reports["good"], reports["head-first"]
    assert one["detection"] == other["detection"]
    keys = ("name", "side", "voxels", "volume_ml", "longest_diameter_mm", "longest_diameter_ends_mm_xyz")
    assert [[lesion[key] for key in keys] for lesion in one["lesions"]] == [
        [lesion[key] for key in keys] for lesion in other["lesions"]
    ]
