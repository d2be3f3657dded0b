"""Lesions, crops and planar views by hand-made examples; and that nothing here loads torch."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from equipoise.imaging import Grid
from equipoise.inference.bone_scan import heat_on_views, prepare_bone_scan, resized_linear, views_of
from equipoise.inference.crop import network_boxes
from equipoise.inference.errors import UnusableScanError
from equipoise.inference.lesions import components_by_size, describe_lesion, part_of_grid, published_component


def test_importing_and_preparing_loads_no_torch():
    code = (
        "import sys, equipoise.inference as i, equipoise.inference.run, equipoise.inference.cards\n"
        "i.prepare_nsclc, i.prepare_nsclc_published, i.isolate_lungs\n"
        "raise SystemExit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def blocks() -> np.ndarray:
    above = np.zeros((6, 20, 20), bool)
    above[0, 0:6, 0:6] = True  # 36 voxels on one slice
    above[2:4, 10:14, 10:14] = True  # 32 voxels on two slices, all stacked
    above[5, 19, 19] = True
    return above


def test_components_come_by_size_and_single_slices_stay():
    found = components_by_size(blocks())
    assert np.bincount(found.labels.ravel())[1:].tolist() == [36, 32, 1]
    assert (found.kept, found.count) == (3, 3)
    assert found.boxes()[1] == (slice(2, 4), slice(10, 14), slice(10, 14))
    assert components_by_size(np.zeros((2, 4, 4), bool)).kept == 0


def test_more_components_than_are_kept_are_counted():
    above = np.zeros((1, 60, 60), bool)
    for number in range(14):
        above[0, 4 * number, : number + 1] = True
    found = components_by_size(above)
    assert np.bincount(found.labels.ravel())[1:].tolist() == list(range(14, 4, -1))
    assert (found.kept, found.count) == (10, 14)


def test_the_published_component_is_the_most_stacked_one():
    found = published_component(blocks())
    assert np.bincount(found.labels.ravel())[1:].tolist() == [32]
    flat = np.zeros((3, 8, 8), bool)
    flat[1, 2:5, 2:5] = True
    assert published_component(flat).kept == 0  # single-slice lesions always vanish


def test_published_scores_are_those_of_the_definition():
    rng = np.random.default_rng(4)
    above = ndimage.gaussian_filter(rng.standard_normal((8, 30, 30)), (0.6, 1.2, 1.2)) > 0.25
    labels, count = ndimage.label(above, np.ones((3, 3, 3)))
    scores = []
    for label in range(1, count + 1):
        score = 0
        for z, y, x in np.argwhere(labels == label):
            score += (z > 0 and above[z - 1, y, x]) or (z < 7 and above[z + 1, y, x])
        scores.append(score)
    mask = published_component(above).labels == 1
    np.testing.assert_array_equal(mask, labels == int(np.argmax(scores)) + 1)


def test_a_lesion_is_described_in_millilitres_and_patient_coordinates():
    mask = np.zeros((4, 10, 10), bool)
    mask[2, 4, 3:8] = True
    hu = np.full(mask.shape, 40, np.int16)
    hu[2, 4, 3:5] = -500
    grid = Grid(mask.shape, (3.0, 1.0, 2.0), (10.0, 20.0, 30.0))
    lesion = describe_lesion(mask, hu, grid, name="GTV-1", probability=0.9, side="left")
    assert lesion["volume_ml"] == pytest.approx(0.03)
    assert (lesion["solid_ml"], lesion["ground_glass_ml"]) == (pytest.approx(0.018), pytest.approx(0.012))
    assert lesion["longest_diameter_mm"] == 10.0
    box = (slice(1, 4), slice(2, 9), slice(1, 10))
    assert part_of_grid(grid, box) == Grid((3, 7, 9), (3.0, 1.0, 2.0), (12.0, 22.0, 33.0))
    part = describe_lesion(
        mask[box], hu[box], part_of_grid(grid, box), name="GTV-1", probability=0.9, side="left"
    )
    assert part == lesion | {"longest_diameter_slice": 1}
    assert lesion["longest_diameter_ends_mm_xyz"] == [[15.0, 24.0, 36.0], [25.0, 24.0, 36.0]]


@pytest.mark.parametrize("most_sizes", [1, 3, 20])
@pytest.mark.parametrize("seed", range(3))
def test_crops_hold_the_mask_with_its_margin_on_the_grid_of_the_poolings(seed, most_sizes):
    rng = np.random.default_rng(seed)
    masks = np.zeros((21, 512, 512), bool)
    edges = []
    for mask in masks[:-1]:
        top, left = rng.integers(0, 400, 2)
        bottom, right = top + rng.integers(1, 112), left + rng.integers(1, 112)
        mask[top:bottom, left:right] = True
        edges.append(((top, bottom), (left, right)))
    boxes = network_boxes(masks, most_sizes=most_sizes)
    assert boxes[-1] is None
    sizes = set()
    for box, spans in zip(boxes[:-1], edges, strict=True):
        for part, (first, last) in zip(box, spans, strict=True):
            assert part.start % 16 == 0
            assert (part.stop - part.start) % 32 == 0
            assert 0 <= part.start <= max(first - 48, 0)
            assert min(last + 48, 512) <= part.stop <= 512
        sizes.add(tuple(part.stop - part.start for part in box))
    assert len(sizes) <= most_sizes
    assert boxes == network_boxes(masks, most_sizes=most_sizes)
    whole = (slice(0, 512), slice(0, 512))
    assert network_boxes(masks, margin=None) == [whole] * 20 + [None]


def test_crops_grow_where_that_costs_least():
    masks = np.zeros((12, 512, 512), bool)
    for z, size in enumerate([10] * 6 + [40] + [300] * 5):
        masks[z, 100 : 100 + size, 100 : 100 + size] = True
    sizes = [box[0].stop - box[0].start for box in network_boxes(masks, most_sizes=2)]
    assert sizes == [160] * 7 + [416] * 5  # the smallest grow by little, though they are many
    assert network_boxes(masks[:1])[0] == (slice(48, 176), slice(48, 176))


def test_views_are_resized_scaled_and_laid_side_by_side():
    anterior = np.tile(np.arange(256), (512, 1)) + 7
    posterior = np.tile(np.arange(512)[:, None], (1, 256)) * 3
    plane = prepare_bone_scan(anterior, posterior)
    assert plane.shape == (512, 512)
    np.testing.assert_allclose(plane[100, :256], np.arange(256) / 255, atol=1e-6)
    np.testing.assert_allclose(plane[:, 300], np.arange(512) / 511, atol=1e-6)


def test_resizing_is_linear_between_pixel_centres():
    row = np.array([[0.0, 4.0]])
    # cv2.resize([[0, 4]], (4, 1)): 0, 1, 3, 4
    assert resized_linear(row, (1, 4)).tolist() == [[0.0, 1.0, 3.0, 4.0]]
    assert resized_linear(np.array([[0.0, 2.0, 4.0, 6.0]]), (1, 2)).tolist() == [[1.0, 5.0]]


def test_heat_goes_back_to_both_views():
    heat = np.zeros((32, 32), np.float32)
    heat[16, 24] = 1.0  # the posterior view's middle
    on_views = heat_on_views(heat, (128, 64))
    assert not on_views[0].any()
    assert np.unravel_index(int(on_views[1].argmax()), (128, 64)) in [(65, 33), (66, 34), (65, 34), (66, 33)]


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (np.zeros((4, 4)), "one value only"),
        (np.array([[0.0, np.nan], [1.0, 2.0]]), "not numbers"),
        (np.zeros((2, 4, 4)), "one plane"),
    ],
)
def test_views_that_are_none_are_refused(view, reason):
    with pytest.raises(UnusableScanError, match=reason):
        prepare_bone_scan(np.arange(16).reshape(4, 4), view)


def test_views_are_found_by_name_then_by_place():
    frames = np.arange(3 * 4).reshape(3, 2, 2).astype(np.int16)
    anterior, posterior = views_of(frames, ("posterior", "left", "anterior"))
    assert (int(anterior[0, 0]), int(posterior[0, 0])) == (8, 0)
    assert int(views_of(frames[:2], ())[0][0, 0]) == 0
    with pytest.raises(UnusableScanError, match="3 plane"):
        views_of(frames, ())
