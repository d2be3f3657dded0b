"""STAPLE, pictures for the case grid, and files for others."""

from io import BytesIO

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from equipoise.imaging.consensus import staple
from equipoise.imaging.dicom_image import uid_from
from equipoise.imaging.dicom_write import write_ct_series, write_structure_set
from equipoise.imaging.errors import EmptyMaskError
from equipoise.imaging.export import write_mask_nrrd
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.reading import read_mask
from equipoise.imaging.thumbnail import thumbnail_png, window_to_grey
from equipoise.imaging.volume import WindowPreset
from tests.unit.imaging.conftest import NAMESPACE


def block(grid: Grid, low: int, high: int) -> Mask:
    array = np.zeros(grid.shape_zyx, dtype=bool)
    array[1:5, low:high, low:high] = True
    return Mask(array, grid)


def test_staple_of_two_that_agree_and_one_that_errs_is_the_two(grid: Grid):
    result = staple({"a": block(grid, 4, 14), "b": block(grid, 4, 14), "c": block(grid, 4, 17)})
    np.testing.assert_array_equal(result.mask.array, block(grid, 4, 14).array)
    assert result.sensitivity["a"] == pytest.approx(1.0, abs=1e-6)
    assert result.specificity["c"] < result.specificity["a"]
    assert list(result.sensitivity) == ["a", "b", "c"]


def test_staple_agrees_with_the_filter_on_the_same_box(grid: Grid):
    rng = np.random.default_rng(11)
    masks = {
        name: Mask(block(grid, 4, 14).array ^ (rng.random(grid.shape_zyx) < 0.05), grid) for name in "abcd"
    }
    images = [SimpleITK.GetImageFromArray(mask.array.astype(np.uint8)) for mask in masks.values()]
    expected = SimpleITK.GetArrayFromImage(SimpleITK.STAPLE(images)) >= 0.5
    # noise fills the grid, so the box is the grid itself
    np.testing.assert_array_equal(staple(masks).mask.array, expected)


def test_staple_refuses_what_has_no_consensus(grid: Grid):
    with pytest.raises(ValueError, match="at least two observers, got 1"):
        staple({"a": block(grid, 4, 14)})
    other = Grid(grid.shape_zyx, grid.spacing_mm_zyx)
    with pytest.raises(ValueError, match="Mask 'b' is on another grid: origin"):
        staple({"a": block(grid, 4, 14), "b": block(other, 4, 14)})
    empty = Mask(np.zeros(grid.shape_zyx, dtype=bool), grid)
    with pytest.raises(EmptyMaskError, match="All masks are empty"):
        staple({"a": empty, "b": empty})


def test_window_runs_from_black_to_white():
    values = np.array([[-1000, -200, 40, 240, 3000]], dtype=np.int16)
    grey = window_to_grey(values, WindowPreset("mediastinum", 40, 400))
    assert grey.tolist() == [[0, 0, 128, 255, 255]]


def test_thumbnail_keeps_the_patients_proportions_and_draws_the_outline(grid: Grid):
    slice_2d = np.zeros((20, 24), dtype=np.int16)
    mask = block(grid, 4, 14).array[2]
    png = thumbnail_png(
        slice_2d, window=WindowPreset("w", 0, 100), spacing_mm_yx=(3.0, 0.75), masks_2d=[mask], size_px=120
    )
    picture = Image.open(BytesIO(png))
    assert picture.size == (36, 120)  # 18 x 60 mm
    assert picture.info == {}
    colours = {colour for _, colour in picture.getcolors() or ()}
    assert colours == {(128, 128, 128), (240, 228, 66)}


def test_exported_mask_is_read_by_others_in_its_place(tmp_path, mask: Mask):
    write_mask_nrrd(mask, tmp_path / "m.nrrd")
    image = SimpleITK.ReadImage(str(tmp_path / "m.nrrd"))
    assert image.GetSpacing() == (0.75, 0.8, 5.0)
    assert image.GetOrigin() == (-10.5, 20.25, -300.0)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), mask.array)


def test_written_dicom_says_nothing_twice_and_the_same_each_time(tmp_path, volume, mask):
    for name in ("one", "two"):
        write_ct_series(volume, tmp_path / name, patient_code="P1", namespace=NAMESPACE)
        write_structure_set(
            {"GTV-1": mask}, tmp_path / name / "rs.dcm", patient_code="P1", namespace=NAMESPACE
        )
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert uid_from(NAMESPACE, "a") != uid_from(NAMESPACE, "b")
    assert len(uid_from(NAMESPACE, "a")) <= 64


def test_random_masks_survive_a_structure_set(tmp_path, volume):
    rng = np.random.default_rng(13)
    write_ct_series(volume, tmp_path, patient_code="P1", namespace=NAMESPACE)
    noisy = Mask(rng.random(volume.grid.shape_zyx) < 0.5, volume.grid)
    write_structure_set({"noise": noisy}, tmp_path / "rs.dcm", patient_code="P1", namespace=NAMESPACE)
    np.testing.assert_array_equal(read_mask(tmp_path, roi="noise").array, noisy.array)
