"""`equipoise metrics` on mask files."""

import json

import numpy as np
import pytest
import SimpleITK

from equipoise.cli.main import main
from equipoise.metrics import segmentation_metrics

SPACING_MM = (2.5, 0.8, 1.1)


@pytest.fixture
def mask_file(tmp_path):
    def write(name, array, spacing_mm=SPACING_MM):
        image = SimpleITK.GetImageFromArray(array.astype(np.uint8))
        image.SetSpacing(spacing_mm[::-1])
        SimpleITK.WriteImage(image, str(tmp_path / name))
        return tmp_path / name

    return write


@pytest.fixture
def cube():
    mask = np.zeros((6, 10, 12), dtype=bool)
    mask[1:4, 2:7, 3:9] = True
    return mask


def run(*arguments):
    try:
        main(["metrics", *map(str, arguments)])
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_the_table_has_a_column_per_candidate(mask_file, cube, capsys):
    paths = [mask_file("a.nrrd", cube), mask_file("b.nii.gz", np.roll(cube, 1, axis=2))]
    assert run(paths[0], paths[0], paths[1], "--tolerance", 1, "--tolerance", 2.5) == 0
    printed = capsys.readouterr()
    rows = [line.split("  ") for line in printed.out.splitlines()]
    table = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert table[""] == ["a.nrrd", "b.nii.gz"]
    assert table["dice"] == ["1.0000", "0.8333"]
    assert table["volume_reference_ml"] == ["0.1980", "0.1980"]
    assert table["hausdorff_mm"] == ["0.0000", "1.1000"]
    assert list(table) == [
        "",
        "dice",
        "jaccard",
        "volume_reference_ml",
        "volume_candidate_ml",
        "hausdorff_mm",
        "hausdorff_95_mm",
        "mean_surface_distance_mm",
        "surface_dice at 1 mm",
        "surface_dice at 2.5 mm",
        "added_path_length_mm",
        "(surface measures as google-deepmind/surface-distance; path length as Vaassen 2020)",
    ]
    assert printed.err == ""


def test_json_has_full_precision_and_public_names(mask_file, cube, capsys):
    other = np.roll(cube, 1, axis=1)
    reference, candidate = mask_file("a.nrrd", cube), mask_file("b.nrrd", other)
    assert run(reference, candidate, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    [found] = document["candidates"]
    expected = segmentation_metrics(cube, other, SPACING_MM)
    assert document["spacing_zyx_mm"] == pytest.approx(SPACING_MM)
    for name in ("dice", "jaccard", "hausdorff_mm", "hausdorff_95_mm", "mean_surface_distance_mm"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=1e-12)
    assert found["surface_dice"] == {"1.18": pytest.approx(expected.surface_dice[1.18])}
    assert found["added_path_length_mm"] == pytest.approx(expected.added_path_length_mm)
    assert (found["empty_masks"], found["reason"]) == ([], None)


def test_an_empty_candidate_is_a_result_with_its_reason(mask_file, cube, capsys):
    paths = mask_file("a.nrrd", cube), mask_file("none.nrrd", np.zeros_like(cube))
    assert run(*paths, "--json") == 0
    [found] = json.loads(capsys.readouterr().out)["candidates"]
    assert (found["dice"], found["surface_dice"]) == (0, {"1.18": 0})
    assert (found["hausdorff_mm"], found["mean_surface_distance_mm"]) == (None, None)
    assert (found["empty_masks"], found["reason"]) == (["candidate"], "empty mask")
    assert run(*paths) == 0
    assert "empty mask" in capsys.readouterr().out


def test_every_unusable_candidate_has_its_sentence(mask_file, cube, tmp_path, capsys):
    reference = mask_file("a.nrrd", cube)
    other_grid = mask_file("grid.nrrd", cube[:4])
    assert run(reference, tmp_path / "absent.nrrd", other_grid) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, second = printed.err.splitlines()
    assert first == f"{tmp_path / 'absent.nrrd'} does not exist."
    assert second.startswith(f"{other_grid}: ")


def test_a_negative_tolerance_is_refused(mask_file, cube, capsys):
    path = mask_file("a.nrrd", cube)
    assert run(path, path, "--tolerance", -1) == 2
    assert capsys.readouterr().err == "--tolerance must not be negative, but -1.0 was given.\n"


@pytest.mark.shared
def test_regions_of_a_clinical_structure_set_are_compared(patients_folder, capsys):
    folder = patients_folder / "LUNG1-001_20180209_CT"
    assert run(folder, folder, "--roi", "GTV-1", "--candidate-roi", "CTV-1", "--json") == 0
    [found] = json.loads(capsys.readouterr().out)["candidates"]
    assert 0.6 < found["dice"] < 0.8  # the clinical target lies around the tumour
    assert found["volume_reference_ml"] < found["volume_candidate_ml"]
    assert run(folder, folder, "--roi", "no such region") == 2
    assert "no such region" in capsys.readouterr().err
