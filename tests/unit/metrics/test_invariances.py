"""What must not change when masks are mirrored, turned, padded, moved or swapped; spacing always anisotropic."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from equipoise.metrics import longest_axial_diameter_mm, segmentation_metrics

SPACING_MM = (2.5, 0.9, 1.4)
TOLERANCES_MM = (0.95, 2.05)
"""No distance between corners of this grid equals one of these, so rounding cannot tip a comparison."""

SYMMETRIC = ("dice", "jaccard", "hausdorff_mm", "hausdorff_95_mm", "mean_surface_distance_mm")

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))


@st.composite
def mask_pairs(draw):
    shape = draw(SHAPES)
    reference, candidate = (draw(arrays(np.bool_, shape)) for _ in range(2))
    assume(reference.any() and candidate.any())
    return reference, candidate


def surface_values(reference, candidate, spacing_mm=SPACING_MM):
    metrics = segmentation_metrics(reference, candidate, spacing_mm, TOLERANCES_MM)
    # The 95th percentile is a step: an area sum that rounds across 95 % may take the next distance. 94.7 % may not.
    robust = metrics.surface_distances.hausdorff_mm(94.7)
    names = [name for name in SYMMETRIC if name != "hausdorff_95_mm"]
    return [*(getattr(metrics, name) for name in names), robust, *metrics.surface_dice.values()]


@given(mask_pairs(), st.sampled_from([0, 1, 2]))
@settings(max_examples=60, deadline=None)
def test_mirrored_masks_have_the_same_values(pair, axis):
    reference, candidate = pair
    mirrored = surface_values(np.flip(reference, axis), np.flip(candidate, axis))
    assert mirrored == pytest.approx(surface_values(reference, candidate), rel=1e-12)
    path = segmentation_metrics(reference, candidate, SPACING_MM).added_path_length_mm
    flipped = segmentation_metrics(np.flip(reference, axis), np.flip(candidate, axis), SPACING_MM)
    assert flipped.added_path_length_mm == pytest.approx(path)


@given(mask_pairs(), st.sampled_from(list(permutations(range(3)))))
@settings(max_examples=60, deadline=None)
def test_axes_may_be_exchanged_together_with_their_spacing(pair, order):
    reference, candidate = pair
    spacing_mm = tuple(SPACING_MM[axis] for axis in order)
    turned = surface_values(reference.transpose(order), candidate.transpose(order), spacing_mm)
    assert turned == pytest.approx(surface_values(reference, candidate), rel=1e-12)


@given(mask_pairs(), st.lists(st.integers(0, 3), min_size=6, max_size=6))
@settings(max_examples=60, deadline=None)
def test_background_around_the_masks_changes_nothing(pair, margins):
    widths = list(zip(margins[::2], margins[1::2], strict=True))
    padded = [np.pad(mask, widths) for mask in pair]
    for spacing_mm in (SPACING_MM, (3.0, 1.0, 0.7)):
        expected = segmentation_metrics(*pair, spacing_mm, TOLERANCES_MM)
        got = segmentation_metrics(*padded, spacing_mm, TOLERANCES_MM)
        for name in (*SYMMETRIC, "surface_dice", "added_path_length_mm", "volume_reference_ml"):
            assert getattr(got, name) == getattr(expected, name)


@given(mask_pairs(), st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)))
@settings(max_examples=60, deadline=None)
def test_moving_both_masks_changes_nothing(pair, shift):
    space = [np.pad(mask, [(0, 3)] * 3) for mask in pair]
    moved = [np.roll(mask, shift, axis=(0, 1, 2)) for mask in space]
    expected = segmentation_metrics(*space, SPACING_MM, TOLERANCES_MM)
    got = segmentation_metrics(*moved, SPACING_MM, TOLERANCES_MM)
    for name in (*SYMMETRIC, "surface_dice", "added_path_length_mm"):
        assert getattr(got, name) == getattr(expected, name)


@given(mask_pairs())
@settings(max_examples=60, deadline=None)
def test_swapping_the_masks_swaps_what_has_a_direction_and_nothing_else(pair):
    reference, candidate = pair
    forth = segmentation_metrics(reference, candidate, SPACING_MM, TOLERANCES_MM)
    back = segmentation_metrics(candidate, reference, SPACING_MM, TOLERANCES_MM)
    for name in SYMMETRIC:
        assert getattr(back, name) == pytest.approx(getattr(forth, name), rel=1e-14), name
    assert back.surface_dice == pytest.approx(forth.surface_dice, rel=1e-14)
    assert back.volume_reference_ml == forth.volume_candidate_ml
    assert back.surface_distances.from_reference.mean_mm == forth.surface_distances.from_candidate.mean_mm


@given(mask_pairs())
@settings(max_examples=60, deadline=None)
def test_values_keep_their_order_and_bounds(pair):
    metrics = segmentation_metrics(*pair, SPACING_MM, TOLERANCES_MM)
    assert 0 <= metrics.jaccard <= metrics.dice <= 1
    assert metrics.jaccard == pytest.approx(metrics.dice / (2 - metrics.dice))
    assert 0 <= metrics.hausdorff_95_mm <= metrics.hausdorff_mm
    assert 0 <= metrics.mean_surface_distance_mm <= metrics.hausdorff_mm + 1e-12
    narrow, wide = metrics.surface_dice.values()
    assert 0 <= narrow <= wide <= 1 + 1e-12


@given(mask_pairs())
@settings(max_examples=60, deadline=None)
def test_a_scaled_grid_scales_every_length(pair):
    doubled = tuple(2 * step for step in SPACING_MM)
    once = segmentation_metrics(*pair, SPACING_MM)
    twice = segmentation_metrics(*pair, doubled)
    assert twice.hausdorff_mm == 2 * once.hausdorff_mm
    assert twice.mean_surface_distance_mm == pytest.approx(2 * once.mean_surface_distance_mm, rel=1e-13)
    assert twice.added_path_length_mm == 2 * once.added_path_length_mm
    assert twice.volume_reference_ml == pytest.approx(8 * once.volume_reference_ml)


@given(arrays(np.bool_, SHAPES), st.sampled_from([(1,), (2,), (1, 2), (0,)]))
@settings(max_examples=60, deadline=None)
def test_the_longest_diameter_is_the_same_in_a_mirror(mask, axes):
    assume(mask.any())
    expected = longest_axial_diameter_mm(mask, SPACING_MM).length_mm
    assert longest_axial_diameter_mm(np.flip(mask, axes), SPACING_MM).length_mm == pytest.approx(expected)
    turned = longest_axial_diameter_mm(mask.transpose(0, 2, 1), (SPACING_MM[0], SPACING_MM[2], SPACING_MM[1]))
    assert turned.length_mm == pytest.approx(expected)
