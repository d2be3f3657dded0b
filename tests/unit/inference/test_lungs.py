"""Lung isolation on real patients, on phantoms, and on scans that are none."""

import numpy as np
import pytest
from scipy import ndimage

from equipoise.inference import InferenceError, prepare_nsclc, prepare_nsclc_published
from equipoise.inference.errors import LungsNotFoundError, UnusableScanError, WarningCode
from equipoise.simulation import ThoraxPhantom, thorax_phantom
from tests.unit.inference import slow_published

PREPARE = {"nsclc": prepare_nsclc, "nsclc-published": prepare_nsclc_published}


def covered(mask: np.ndarray, region: np.ndarray) -> float:
    return np.count_nonzero(mask & region) / np.count_nonzero(region)


@pytest.mark.shared
@pytest.mark.parametrize("pipeline", PREPARE)
def test_real_lungs_are_covered_and_the_couch_is_absent(pipeline, real_scans):
    for scan in real_scans:
        prepared = PREPARE[pipeline](scan.hu, scan.spacing_mm)
        mask = prepared.to_image(prepared.lung_mask)
        assert covered(mask, scan.masks["Lung L"]) >= 0.98
        assert covered(mask, scan.masks["Lung R"]) >= 0.98
        assert covered(mask, scan.masks["GTV-1"]) >= 0.95
        outside = mask & ~scan.masks["Patient"]
        assert np.count_nonzero(outside) / np.count_nonzero(mask) < 0.002
        back = np.flatnonzero(scan.masks["Patient"].any(axis=(0, 2)))[-1]
        assert np.flatnonzero(mask.any(axis=(0, 2)))[-1] < back
        assert prepared.warnings == ()


@pytest.mark.shared
def test_published_steps_equal_the_plain_ones_on_a_real_scan(real_scans):
    scan = real_scans[1]
    part = slice(15, 31)  # the lower ends of the lungs
    bins, first, mask = slow_published.prepared(scan.hu[part], scan.spacing_mm)
    prepared = prepare_nsclc_published(scan.hu[part], scan.spacing_mm)
    assert prepared.first_slice == first
    np.testing.assert_array_equal(prepared.bins, bins)
    np.testing.assert_array_equal(prepared.lung_mask, mask)


@pytest.mark.parametrize("pixel_mm", [2.9, 4.3], ids=["padded", "cropped"])
@pytest.mark.parametrize("seed", [1, 2])
def test_published_steps_equal_the_plain_ones_on_phantoms(seed, pixel_mm):
    spacing = (18.0, pixel_mm, pixel_mm)
    phantom = thorax_phantom(np.random.default_rng(seed), shape=(19, 128, 128), spacing_mm=spacing)
    bins, first, mask = slow_published.prepared(phantom.image, spacing)
    prepared = prepare_nsclc_published(phantom.image, spacing)
    assert prepared.first_slice == first
    np.testing.assert_array_equal(prepared.lung_mask, mask)
    np.testing.assert_array_equal(prepared.bins, bins)
    assert prepared.bins.max() == 45


def made_chest(
    *, lungs: tuple[tuple[int, int, int, int, int], ...], bones=((40, 60), (452, 472)), slices: int = 7
) -> np.ndarray:
    """Return 512 x 512 pixels of 1 mm: a body, bones at two columns, lungs (y, x, radius, first, last slice)."""
    y, x = np.indices((512, 512))
    hu = np.full((slices, 512, 512), -1000, np.int16)
    hu[:, np.hypot((y - 256) / 180, (x - 256) / 240) < 1] = 30
    for left, right in bones:
        hu[:, 200:300, left:right] = 700
    for centre_y, centre_x, radius, first, last in lungs:
        hu[first : last + 1, np.hypot(y - centre_y, x - centre_x) < radius] = -850
    return hu


@pytest.mark.parametrize(
    ("chest", "kept", "midline"),
    [
        # The middle of columns 40 and 472 - 1 is 255.5, of 41 and 471 it is 256: mirrored without dilation.
        ({"lungs": ((256, 160, 60, 2, 4), (256, 352, 58, 2, 4)), "bones": ((41, 60), (452, 472))}, 2, 256),
        ({"lungs": ((256, 160, 60, 2, 4), (256, 352, 58, 2, 4)), "bones": ((30, 60), (452, 460))}, 2, 244),
        # Two others between 60 and 100 % of the largest: it stays alone; so it does beside its equal.
        ({"lungs": ((256, 140, 60, 2, 4), (256, 372, 56, 2, 4), (256, 256, 50, 2, 4))}, 1, 255),
        ({"lungs": ((256, 140, 60, 2, 4), (256, 372, 60, 2, 4))}, 1, 255),
        # Only one of the others is: both stay. The third is too small a share, but no trachea.
        ({"lungs": ((256, 140, 60, 2, 4), (256, 372, 56, 2, 4), (256, 256, 30, 2, 4))}, 2, 255),
        # A region behind three quarters of the rows is couch, and no candidate for the second lung.
        ({"lungs": ((236, 140, 60, 2, 4), (236, 372, 56, 2, 4), (400, 256, 30, 2, 4))}, 2, 255),
        # Lungs that reach the first slices are not widened along the patient.
        ({"lungs": ((256, 140, 60, 1, 4), (256, 372, 56, 1, 4))}, 2, 255),
        ({"lungs": ((256, 140, 60, 3, 5), (256, 372, 56, 3, 5)), "slices": 8}, 2, 255),
    ],
    ids=[
        "midline at half the width", "midline beside it", "three large regions", "two equal regions",
        "a third small region", "a region at the back", "near the first slice", "widened along the patient",
    ],
)  # fmt: skip
def test_published_steps_equal_the_plain_ones_where_they_branch(chest, kept, midline):
    hu = made_chest(**chest)
    bins, first, mask = slow_published.prepared(hu, (5.0, 1.0, 1.0))
    prepared = prepare_nsclc_published(hu, (5.0, 1.0, 1.0))
    assert (prepared.first_slice, set(prepared.midline_x)) == (first, {midline})
    np.testing.assert_array_equal(prepared.lung_mask, mask)
    np.testing.assert_array_equal(prepared.bins, bins)
    assert ndimage.label(slow_published.lungs_of(hu), np.ones((3, 3, 3)))[1] == kept


def test_published_steps_leave_nothing_of_lungs_on_one_slice():
    hu = made_chest(lungs=((256, 140, 60, 3, 3), (256, 372, 56, 3, 3)), slices=5)
    with pytest.raises(LungsNotFoundError, match="one slice"):
        prepare_nsclc_published(hu, (5.0, 1.0, 1.0))


@pytest.mark.parametrize("pipeline", PREPARE)
def test_phantom_lungs_are_covered_and_its_couch_is_absent(pipeline, phantom):
    prepared = PREPARE[pipeline](phantom.image, phantom.spacing_mm)
    mask = prepared.to_image(prepared.lung_mask)
    if pipeline == "nsclc":
        assert covered(mask, phantom.masks["lung_left"]) >= 0.98
        assert covered(mask, phantom.masks["lung_right"]) >= 0.98
    assert covered(mask, phantom.masks["tumour"]) >= 0.98
    assert not (mask & phantom.masks["couch"]).any()
    assert not (mask & ~phantom.masks["body"]).any()


def test_planes_that_are_not_square_are_taken(phantom: ThoraxPhantom):
    cut = phantom.image[:, 12:116]
    prepared = prepare_nsclc(cut, phantom.spacing_mm)
    mask = prepared.to_image(prepared.lung_mask)
    assert mask.shape == cut.shape
    assert covered(mask, phantom.masks["lung_left"][:, 12:116]) >= 0.98
    with pytest.raises(UnusableScanError, match="square planes only"):
        prepare_nsclc_published(cut, phantom.spacing_mm)


def test_pixels_that_are_not_square_are_taken(phantom: ThoraxPhantom):
    z_mm, y_mm, x_mm = phantom.spacing_mm
    thinned = phantom.image[:, ::2]
    prepared = prepare_nsclc(thinned, (z_mm, 2 * y_mm, x_mm))
    mask = prepared.to_image(prepared.lung_mask)
    assert covered(mask, phantom.masks["lung_right"][:, ::2]) >= 0.98


def test_a_field_wider_than_the_plane_is_cut_about_the_lungs(phantom: ThoraxPhantom):
    wide = np.full((36, 128, 240), -1000, np.int16)
    wide[:, :, 112:] = phantom.image  # 768 mm wide, the patient at its right end
    prepared = prepare_nsclc(wide, phantom.spacing_mm)
    mask = prepared.to_image(prepared.lung_mask)
    assert covered(mask[:, :, 112:], phantom.masks["lung_left"]) >= 0.98
    assert not mask[:, :, :112].any()


def test_the_last_slice_of_the_lungs_is_kept(phantom: ThoraxPhantom):
    lungs = phantom.masks["lung_left"] | phantom.masks["lung_right"]
    areas = lungs.sum(axis=(1, 2))
    prepared = prepare_nsclc(phantom.image, phantom.spacing_mm)
    assert prepared.first_slice <= np.flatnonzero(areas > 60)[0]
    assert prepared.last_slice > np.flatnonzero(areas > 60)[-1]


def test_one_slice_is_taken_with_a_remark(phantom: ThoraxPhantom):
    prepared = prepare_nsclc(phantom.image[18:19], phantom.spacing_mm)
    assert prepared.bins.shape == (1, 512, 512)
    assert WarningCode.FEW_SLICES in {remark.code for remark in prepared.warnings}
    with pytest.raises(UnusableScanError, match="one slice"):
        prepare_nsclc_published(phantom.image[18:19], phantom.spacing_mm)


@pytest.mark.parametrize("value", [-1000, 0, -3024, 400])
def test_a_scan_of_one_value_has_no_lungs(value):
    hu = np.full((6, 64, 64), value, np.int16)
    prepared = prepare_nsclc(hu, (5.0, 6.0, 6.0))
    assert prepared.bins.shape == (0, 512, 512)
    assert [remark.code for remark in prepared.warnings] == [WarningCode.LUNGS_NOT_FOUND]
    assert not prepared.to_image(prepared.lung_mask).any()
    with pytest.raises(LungsNotFoundError):
        prepare_nsclc_published(hu, (5.0, 6.0, 6.0))


def test_water_with_a_bubble_has_no_lungs():
    hu = np.full((8, 100, 100), -1000, np.int16)
    hu[:, 20:80, 20:80] = 0
    hu[2:6, 40:60, 40:60] = -1000
    prepared = prepare_nsclc(hu, (5.0, 3.0, 3.0))
    assert [remark.code for remark in prepared.warnings] == [WarningCode.LUNGS_NOT_FOUND]


def test_a_missing_lung_is_remarked_upon(phantom: ThoraxPhantom):
    hu = phantom.image.copy()
    hu[ndimage.binary_dilation(phantom.masks["lung_left"], iterations=2)] = 20
    codes = {remark.code for remark in prepare_nsclc(hu, phantom.spacing_mm).warnings}
    assert WarningCode.ONE_LUNG in codes


@pytest.mark.parametrize("pipeline", PREPARE)
@pytest.mark.parametrize(
    ("hu", "spacing", "reason"),
    [
        (np.full((4, 32, 32), np.nan), (5.0, 3.0, 3.0), "not numbers"),
        (np.full((4, 32, 32), np.inf), (5.0, 3.0, 3.0), "not numbers"),
        (np.full((4, 32, 32), 70000), (5.0, 3.0, 3.0), "16 bits"),
        (np.zeros((32, 32), np.int16), (5.0, 3.0, 3.0), "shape"),
        (np.zeros((0, 32, 32), np.int16), (5.0, 3.0, 3.0), "shape"),
        (np.zeros((4, 32, 32), np.int16), (5.0, 0.0, 3.0), "spacing"),
        (np.zeros((4, 32, 32), np.int16), (5.0, float("nan"), 3.0), "spacing"),
        (np.zeros((4, 32, 32), np.int16), (5.0, 0.01, 0.01), "plane"),
    ],
)
def test_what_is_no_scan_is_refused_with_a_reason(pipeline, hu, spacing, reason):
    with pytest.raises(InferenceError, match=reason):
        PREPARE[pipeline](hu, spacing)


def test_numbers_that_are_no_hounsfield_units_are_remarked_upon():
    hu = np.random.default_rng(1).integers(-30000, 30000, (4, 64, 64)).astype(np.int16)
    codes = [remark.code for remark in prepare_nsclc(hu, (5.0, 3.0, 3.0)).warnings]
    assert WarningCode.OUT_OF_RANGE in codes
