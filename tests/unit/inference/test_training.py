"""Training: the published recipe's parts, runs that a seed makes and that resume bit for bit, refusals."""

import csv
import json
import os

import numpy as np
import pytest

if not os.environ.get("CI"):
    pytest.importorskip("torch", reason="the extra `inference` is not installed")

import torch

from equipoise.cli.main import main
from equipoise.imaging import Grid, ImageVolume, Mask
from equipoise.imaging.export import write_image_nrrd, write_mask_nrrd
from equipoise.inference.cards import read_card
from equipoise.inference.shapes import UNetShape, VggShape
from equipoise.inference.training import augment
from equipoise.inference.training.cases import (
    ClassificationCase,
    SegmentationCase,
    read_segmentation_case,
    segmentation_case,
    split,
    write_segmentation_case,
)
from equipoise.inference.training.classification import ClassificationTask, cell_loss
from equipoise.inference.training.errors import CheckpointError, TrainingDataError
from equipoise.inference.training.loop import Recipe, annealed, train
from equipoise.inference.training.losses import dice_loss, false_alarm_loss, segmentation_loss
from equipoise.inference.training.segmentation import SegmentationTask, deep_tissue
from equipoise.inference.training.sources import Source, read_labels, segmentation_cases
from equipoise.inference.vgg import VggClassifier


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def squares(count: int) -> list[SegmentationCase]:
    """Return cases of two slices with a bright square each."""
    cases = []
    for n in range(count):
        bins = np.full((2, 64, 64), 5, np.uint8)
        target = np.zeros(bins.shape, bool)
        target[:, 10 + n : 26 + n, 20:40] = True
        bins[target] = 40
        cases.append(SegmentationCase(f"case {n}", bins, target))
    return cases


def segmentation(**options) -> SegmentationTask:
    cases = squares(3)
    shape = UNetShape(width=1, activation="elu", scale=1 / 45)
    return SegmentationTask(shape, cases[:2], cases[2:], **({"seed": 3, "steps": 2} | options))


def planes(count: int) -> list[ClassificationCase]:
    rng = np.random.default_rng(1)
    return [
        ClassificationCase(f"scan {n}", rng.random((512, 512)).astype(np.float16), positive=n % 3 == 0)
        for n in range(count)
    ]


def classification(**options) -> ClassificationTask:
    cases = planes(10)
    return ClassificationTask(VggShape(width=1, units=4), cases[:7], cases[6:], **({"seed": 3} | options))


# --- parts of the recipe --------------------------------------------------------------------------------------------


def test_dice_is_of_the_images_that_show_a_tumour_and_cross_entropy_of_all():
    target = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    sure = 50 * (2 * target - 1)
    assert dice_loss(sure, target).item() == pytest.approx(0.0, abs=1e-6)
    half = torch.zeros(
        2, 2, requires_grad=True
    )  # probability 1/2: 2 * 1 + 1 over 1 + 2 + 1 in the first image
    assert dice_loss(half, target).item() == pytest.approx(1 - 3 / 4)
    overlap = 0.7 * 0.25 + 0.3 * 1 / (1 + 200)  # one marked pixel on the image without a tumour
    assert segmentation_loss(half, target, weight=0.9).item() == pytest.approx(
        0.9 * overlap + 0.1 * np.log(2)
    )
    nothing = dice_loss(half, torch.zeros(2, 2))
    nothing.backward()
    assert nothing.item() == 0
    assert (half.grad == 0).all()


def test_false_alarms_are_of_the_images_without_a_tumour():
    target = torch.zeros(3, 1, 20, 20)
    target[0, 0, 5, 5] = 1.0
    marked = torch.full((3, 1, 20, 20), -50.0)
    assert false_alarm_loss(marked, target).item() == pytest.approx(0.0, abs=1e-6)
    marked[0] = 50.0  # an image with a tumour: Dice's
    marked[1, 0, :10] = 50.0  # 200 pixels
    assert false_alarm_loss(marked, target).item() == pytest.approx(0.5 * 200 / 400)
    assert false_alarm_loss(marked[:1], target[:1]).item() == 0


def test_lesion_cells_count_half_each_and_unknown_scans_not_at_all():
    scores = torch.zeros(2, 1, 2, 2)
    scores[0, 0, 0, 0] = 3.0
    lesions = torch.zeros(2, 1, 32, 32)
    lesions[0, 0, 5, 9] = 1.0  # one pixel marks its cell
    lesions[1] = -1.0
    expected = 0.5 * (np.log1p(np.exp(-3.0)) + np.log(2))
    assert cell_loss(scores, lesions).item() == pytest.approx(expected, rel=1e-5)
    assert cell_loss(scores, torch.full((2, 1, 32, 32), -1.0)).item() == 0


def test_the_lesion_head_is_no_part_of_the_model(tmp_path):
    task = classification()
    best, _ = train(task, Recipe(1, 1e-3, 5), tmp_path)
    assert any(name.startswith("lesions.") for name in best)
    model = task.model(best)
    assert sorted(model.state_dict()) == sorted(VggClassifier(VggShape(width=1, units=4)).state_dict())
    torch.testing.assert_close(model.state_dict()["hidden.bias"], best["classifier.hidden.bias"])


def test_an_image_that_nothing_is_done_to_stays_as_it_is():
    image = torch.arange(36.0).reshape(1, 1, 6, 6)
    same = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    torch.testing.assert_close(augment.moved(image, same, (6, 6), mode="bilinear"), image)
    torch.testing.assert_close(augment.moved(image, same, (2, 4), mode="nearest"), image[..., 2:4, 1:5])


def test_images_are_mirrored_left_to_right_and_turned_without_stretching():
    image = torch.arange(32.0).reshape(1, 1, 4, 8)
    mirrored = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]])
    torch.testing.assert_close(augment.moved(image, mirrored, (4, 8), mode="nearest"), image.flip(3))
    quarter = torch.tensor([[[0.0, -1, 0], [1, 0, 0]]])
    turned = augment.moved(image, quarter, (8, 4), mode="nearest")
    torch.testing.assert_close(turned, image.rot90(1, (2, 3)))


def test_augmentation_stays_within_its_limits_and_leaves_the_outside_alone():
    rng = np.random.default_rng(2)
    matrices = augment.transforms(rng, 500, augment.CT)
    determinants = np.linalg.det(matrices[:, :, :2].numpy())
    assert 0.9**2 - 1e-6 <= np.abs(determinants).min() < np.abs(determinants).max() <= 1.1**2 + 1e-6
    assert 0.4 < np.mean(determinants < 0) < 0.6  # mirrored
    bins = torch.from_numpy(rng.integers(0, 46, (8, 1, 32, 32)).astype(np.float32))
    changed = augment.changed_bins(bins, rng)
    assert (changed[bins == 0] == 0).all()
    assert (changed != bins).any()
    assert changed.min() >= 0
    assert changed.max() <= 45
    torch.testing.assert_close(changed, changed.round())


def test_deep_tissue_is_surrounded_by_tissue_and_no_tumour():
    bins = np.zeros((1, 64, 64), np.uint8)
    bins[0, 10:50, 12:52] = 45  # a dome of 40 x 40 pixels
    target = np.zeros(bins.shape, bool)
    target[0, 20:22] = True
    deep = deep_tissue(SegmentationCase("dome", bins, target))[0]
    expected = np.zeros((64, 64), bool)
    expected[20:40, 22:42] = True
    expected[20:22] = False
    np.testing.assert_array_equal(deep, expected)


def test_a_run_goes_on_from_weights(tmp_path):
    first, _ = train(segmentation(), Recipe(1, 1e-3, 5), tmp_path / "first")
    start = {name: value.numpy() for name, value in first.items()}
    task = segmentation(start=start)
    for name, value in task.network.state_dict().items():
        assert torch.equal(value, first[name])
    assert task.settings() != segmentation().settings()


@pytest.mark.parametrize("shares", [(0.8, 0.3), (-0.1, 0.5)])
def test_shares_of_crops_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match="shares of crops must not be negative, nor together above 1"):
        segmentation(shares=shares)


def test_each_epoch_has_all_positives_and_as_many_negatives_drawn_anew():
    cases = planes(30)
    for n, case in enumerate(cases):
        case.plane[:] = 0.1 + n / 100  # a plane that says which it is
    task = ClassificationTask(VggShape(width=1, units=4), cases, cases, seed=1)
    epochs = []
    for seed in (1, 2):
        targets = torch.cat([truth for _, (truth, _) in task.batches(np.random.default_rng(seed))])
        assert targets.sum() == 10
        assert len(targets) == 20
        epochs.append(targets.tolist())
    assert task.steps == 3
    assert epochs[0] != epochs[1]


def test_views_are_mirrored_each_on_its_own_half():
    cases = planes(10)
    for case in cases:
        case.plane[:] = 0
        case.plane[:, :256] = 0.5  # the anterior half alone
    task = ClassificationTask(VggShape(width=1, units=4), cases, cases, seed=1)
    for inputs, _ in task.batches(np.random.default_rng(1)):
        assert inputs.shape[1:] == (3, 512, 512)
        assert (inputs[..., 256:] == 0).all()
        assert inputs[..., 50:200].mean() > 0.3


def test_the_split_is_the_seeds():
    names = [str(n) for n in range(10)]
    training, validation = split(names, share=0.2, rng=np.random.default_rng(1))
    assert len(validation) == 2
    assert sorted(training + validation, key=int) == names
    assert split(names, share=0.2, rng=np.random.default_rng(1)) == (training, validation)
    assert len(split(names, share=0.0, rng=np.random.default_rng(1))[1]) == 1
    with pytest.raises(TrainingDataError, match="at least two cases"):
        split(["1"], share=0.5, rng=np.random.default_rng(1))


# --- runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [segmentation, classification])
def test_a_seed_makes_a_run_bit_for_bit(tmp_path, make):
    states = []
    for folder, seed in (("one", 5), ("other", 5), ("third", 6)):
        best, _ = train(make(), Recipe(1, 1e-3, seed), tmp_path / folder)
        states.append(best)
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])
    assert any(not torch.equal(value, states[2][name]) for name, value in states[0].items())


def test_training_lowers_the_loss_and_keeps_the_best_epoch(tmp_path):
    task = segmentation(steps=6)
    best, progress = train(task, Recipe(4, 1e-2, 1, longest_gradient=1.0), tmp_path)
    losses = [row["loss"] for row in progress.curves]
    assert losses[-1] < 0.75 * losses[0]
    place = max(range(4), key=lambda n: (progress.curves[n]["score"], -progress.curves[n]["validation_loss"]))
    assert progress.best_epoch == place
    model = task.model(best).eval()
    with torch.no_grad():
        assert task.validate()["validation_loss"] == pytest.approx(
            progress.curves[place]["validation_loss"], rel=1e-5
        )
    assert model is task.network


class StopError(Exception):
    pass


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("make", [segmentation, classification])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path, make, precision):
    recipe = Recipe(3, 1e-3, 5, precision)
    whole, progress = train(make(), recipe, tmp_path / "whole")

    def stop_in_the_third_epoch(line: str) -> None:
        if line.startswith("epoch 3 of 3: batch 1"):
            raise StopError

    with pytest.raises(StopError):
        train(make(), recipe, tmp_path / "parts", report=stop_in_the_third_epoch)
    torch.manual_seed(99)  # what the caller drew in between is of no account
    resumed, resumed_progress = train(make(), recipe, tmp_path / "parts", resume=True)
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    without_time = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in p.curves]
        for p in (progress, resumed_progress)
    ]
    assert without_time[0] == without_time[1]
    one, other = (json.loads((tmp_path / f / "checkpoint.json").read_text()) for f in ("whole", "parts"))
    assert one["sha256"] == other["sha256"]


def test_training_leaves_the_callers_random_numbers_and_settings_alone(tmp_path):
    task = segmentation()
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    train(task, Recipe(1, 1e-3, 5), tmp_path)
    torch.testing.assert_close(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_run_leaves_one_checkpoint_and_its_curves(tmp_path):
    train(segmentation(), Recipe(2, 1e-3, 5), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-0002.safetensors",
        "checkpoint.json",
        "curves.csv",
        "curves.svg",
    ]
    with (tmp_path / "curves.csv").open() as source:
        rows = list(csv.DictReader(source))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[0]["learning_rate"]) == pytest.approx(annealed(1e-3, 0.5))
    assert float(rows[1]["learning_rate"]) == pytest.approx(1e-5)
    assert "<svg" in (tmp_path / "curves.svg").read_text()


def test_runs_that_do_not_fit_are_refused_and_nothing_changes(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no checkpoint\.json: there is nothing to resume"):
        train(segmentation(), Recipe(1, 1e-3, 5), tmp_path / "empty", resume=True)
    folder = tmp_path / "run"
    train(segmentation(), Recipe(1, 1e-3, 5), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CheckpointError, match="holds a run already; resume it, or choose another folder"):
        train(segmentation(), Recipe(1, 1e-3, 5), folder)
    with pytest.raises(CheckpointError, match="seed 5 there, 6 now"):
        train(segmentation(), Recipe(1, 1e-3, 6), folder, resume=True)
    with pytest.raises(CheckpointError, match="steps 2 there, 3 now"):
        train(segmentation(steps=3), Recipe(1, 1e-3, 5), folder, resume=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    weights = folder / "checkpoint-0001.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="is absent or not the file"):
        train(segmentation(), Recipe(1, 1e-3, 5), folder, resume=True)
    (folder / "checkpoint.json").write_text("[]")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        train(segmentation(), Recipe(1, 1e-3, 5), folder, resume=True)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must lie between 0 and 1"),
        ({"learning_rate": float("nan")}, "learning_rate must lie between 0 and 1"),
        ({"seed": -1}, "seed must not be negative"),
        ({"precision": "fp16"}, "precision must be one of fp32, bf16"),
        ({"warm_up": 1.0}, "warm_up must be at least 0 and below 1"),
    ],
)
def test_recipes_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**({"epochs": 1, "learning_rate": 1e-3, "seed": 1} | values))


def test_tasks_without_what_they_are_to_learn_are_refused():
    cases = squares(2)
    for case in cases:
        case.target[:] = False
    with pytest.raises(TrainingDataError, match="at least one case with a tumour"):
        SegmentationTask(UNetShape(width=1), cases[:1], cases[1:], seed=1)
    scans = [case for case in planes(9) if not case.positive]
    with pytest.raises(TrainingDataError, match="scans with and without metastases"):
        ClassificationTask(VggShape(width=1), scans, scans, seed=1)


# --- where cases come from ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def case_folder(tmp_path_factory, phantom):
    """Return three cases as files; one is stored with its head first."""
    folder = tmp_path_factory.mktemp("cases")
    grid = Grid(phantom.image.shape, phantom.spacing_mm)
    head_first = Grid(
        grid.shape_zyx,
        grid.spacing_mm_zyx,
        tuple(grid.index_to_patient(np.array([0, 0, grid.shape_zyx[0] - 1]))),
        ((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    )
    for name, placed, turned in (("a", grid, 1), ("b", head_first, -1), ("c", grid, 1)):
        (folder / name).mkdir()
        image = np.ascontiguousarray(phantom.image[::turned])
        tumour = np.ascontiguousarray(phantom.masks["tumour"][::turned])
        write_image_nrrd(ImageVolume(image, placed), folder / name / "image.nrrd")
        write_mask_nrrd(Mask(tumour, placed), folder / name / "mask.nrrd")
    return folder


def test_cases_in_files_are_prepared_as_the_pipeline_prepares_them(case_folder, phantom, tmp_path):
    cases = segmentation_cases(Source(folder=case_folder), tmp_path)
    expected = segmentation_case("a", phantom.image, phantom.spacing_mm, phantom.masks["tumour"])
    assert [case.name for case in cases] == ["a", "b", "c"]
    assert expected.target.sum() > 1000
    for case in cases:
        np.testing.assert_array_equal(case.bins, expected.bins)
        np.testing.assert_array_equal(case.target, expected.target)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = segmentation_cases(Source(folder=case_folder), tmp_path)
    np.testing.assert_array_equal(again[1].bins, cases[1].bins)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_prepared_cases_are_read_back_and_nothing_else_is(tmp_path):
    case = squares(1)[0]
    path = tmp_path / "case 0.npz"
    write_segmentation_case(case, path)
    again = read_segmentation_case(path)
    assert again.name == case.name
    np.testing.assert_array_equal(again.target, case.target)
    for content in (b"", b"PK\x03\x04 no archive"):
        path.write_bytes(content)
        with pytest.raises(TrainingDataError, match=r"case 0\.npz is no prepared case; delete it"):
            read_segmentation_case(path)
    np.savez(path, bins=np.array([{}], dtype=object), target=np.zeros(1), shape=np.ones(3))
    with pytest.raises(TrainingDataError, match="is no prepared case"):
        read_segmentation_case(path)


@pytest.mark.parametrize(
    "text, message",
    [
        (None, r"labels\.csv cannot be read; it must be a CSV file"),
        ("scan,label\n", r"must have the columns file and metastases"),
        ("file,metastases\n", r"lists no scans"),
        ("file,metastases\nscan.dcm,yes\n", r"row 2: metastases is 'yes'; it must be 0 or 1"),
        ("file,metastases\nabsent.dcm,1\n", r"row 2: there is no file 'absent\.dcm' in the folder"),
        ("file,metastases\n../scan.dcm,1\n", r"row 2: there is no file '\.\./scan\.dcm' in the folder"),
        ("file,metastases\nscan.dcm,1\nscan.dcm,0\n", r"row 3: a scan named scan is listed already"),
    ],
)
def test_tables_of_labels_that_are_wrong_are_refused(tmp_path, text, message):
    folder = tmp_path / "scans"
    folder.mkdir()
    for path in (folder / "scan.dcm", tmp_path / "scan.dcm"):
        path.write_bytes(b"")
    if text is not None:
        (folder / "labels.csv").write_text(text)
    with pytest.raises(TrainingDataError, match=message):
        read_labels(folder)


def test_folders_of_cases_that_are_wrong_are_refused(tmp_path):
    def refused(message: str) -> None:
        with pytest.raises(TrainingDataError, match=message):
            segmentation_cases(Source(folder=tmp_path / "data"), tmp_path / "cache")

    refused("is no folder")
    case = tmp_path / "data" / "case-1"
    case.parent.mkdir()
    refused("holds no cases")
    case.mkdir()
    refused("holds 0 entries named image")
    (case / "image.nrrd").write_bytes(b"NRRD0004\n")
    refused("holds 0 entries named mask")
    (case / "mask.nrrd").write_bytes(b"NRRD0004\n")
    refused("case-1: image.nrrd")
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(TrainingDataError, match="either a folder of cases or a number of phantoms"):
        Source(phantoms=3, folder=tmp_path)


def test_the_command_trains_on_a_folder_and_resumes(case_folder, tmp_path, capsys):
    arguments = ["train", "nsclc", "--data", str(case_folder), "--output", str(tmp_path / "run")]
    arguments += ["--epochs", "1", "--steps", "1", "--width", "1", "--threads", "1", "--seed", "3"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code in (0, None)
    output = capsys.readouterr().out
    assert output.startswith("epoch 1 of 1: loss ")
    card = read_card(tmp_path / "run" / "model.safetensors")
    assert card.model_id in output
    assert (card.architecture, card.demonstration) == ("unet", False)
    assert card.training["cases"] == 2
    assert card.training["seed"] == 3
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "holds a run already" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--resume"])
    assert ended.value.code in (0, None)


@pytest.mark.parametrize(
    "options, message",
    [
        ([], "Give either a folder of cases or a number of phantoms."),
        (["--data", "/nowhere"], "/nowhere is no folder."),
        (["--phantoms", "1", "--learning-rate", "2"], "learning_rate must lie between 0 and 1, got 2.0."),
    ],
)
def test_the_command_refuses_bad_input_with_a_sentence(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "train",
                "bone-scan" if "--phantoms" in options else "nsclc",
                "--output",
                str(tmp_path),
                *options,
            ]
        )
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
