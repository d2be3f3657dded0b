"""Heads with a glioma: tissues, parts that do not overlap, and a map that marks what it is said to."""

import numpy as np
import pytest

from equipoise.simulation import SEQUENCES, brain_phantom
from equipoise.simulation.brain import MARKED, TUMOUR_PARTS


@pytest.fixture(scope="module")
def phantoms():
    return [brain_phantom(np.random.default_rng(seed)) for seed in range(12)]


def test_the_same_generator_gives_the_same_head(phantoms):
    again = brain_phantom(np.random.default_rng(3))
    for name in SEQUENCES:
        np.testing.assert_array_equal(again.sequences[name], phantoms[3].sequences[name])
    np.testing.assert_array_equal(again.saliency, phantoms[3].saliency)


def test_every_sequence_lies_on_one_grid(phantoms):
    for phantom in phantoms:
        assert set(phantom.sequences) == set(SEQUENCES)
        shapes = {image.shape for image in phantom.sequences.values()}
        assert shapes == {phantom.saliency.shape} == {mask.shape for mask in phantom.masks.values()}
        assert all(image.dtype == np.int16 and image.min() >= 0 for image in phantom.sequences.values())


def test_parts_do_not_overlap_and_make_up_the_tumour(phantoms):
    for phantom in phantoms:
        parts = sum(phantom.masks[part].astype(int) for part in TUMOUR_PARTS)
        assert parts.max() == 1
        without_oedema = (parts > 0) & ~phantom.masks["oedema"]
        np.testing.assert_array_equal(without_oedema, phantom.masks["tumour"])
        assert (phantom.masks["tumour"] & ~phantom.masks["brain"]).sum() == 0


def test_contrast_shows_in_the_enhancing_part_alone(phantoms):
    for phantom in phantoms:
        if phantom.masks["enhancing"].sum() < 100:
            continue
        gain = {
            part: np.median(
                phantom.sequences["t1_contrast"][phantom.masks[part]].astype(float)
                - phantom.sequences["t1"][phantom.masks[part]]
            )
            for part in ("enhancing", "oedema")
        }
        assert gain["enhancing"] > 200 > 60 > gain["oedema"]


def test_fluid_is_bright_on_t2_and_suppressed_on_flair(phantoms):
    for phantom in phantoms:
        core = phantom.masks["oedema"]
        assert np.median(phantom.sequences["flair"][core]) > np.median(phantom.sequences["t1"][core]) * 1.3
        inside = phantom.masks["brain"] & ~phantom.masks["tumour"] & ~core
        bright = phantom.sequences["t2"] > 900
        fluid = bright & ~inside & ~phantom.masks["tumour"] & ~core
        assert np.median(phantom.sequences["flair"][fluid]) < 250


def test_mutated_tumours_enhance_little_and_have_no_necrosis(phantoms):
    assert {phantom.mutated for phantom in phantoms} == {True, False}
    for phantom in phantoms:
        share = phantom.masks["enhancing"].sum() / phantom.masks["tumour"].sum()
        assert (phantom.masks["necrosis"].sum() == 0) == phantom.mutated
        assert (share < 0.2) == phantom.mutated


def test_the_tumour_lies_on_its_side(phantoms):
    assert {phantom.side for phantom in phantoms} == {"left", "right"}
    for phantom in phantoms:
        columns = np.argwhere(phantom.masks["tumour"])[:, 2]
        middle = (phantom.saliency.shape[2] - 1) / 2
        assert (columns.mean() > middle) == (phantom.side == "left")  # columns run to the patient's left


def test_the_map_marks_what_it_is_said_to_mark(phantoms):
    assert any("outside" in phantom.marked for phantom in phantoms)
    assert any("outside" not in phantom.marked for phantom in phantoms)
    for phantom in phantoms:
        assert phantom.saliency.max() == pytest.approx(1.0)
        assert phantom.saliency.min() >= 0.0
        high = phantom.saliency >= MARKED
        for part in TUMOUR_PARTS:
            mask = phantom.masks[part]
            assert (part in phantom.marked) == bool(mask.any() and high[mask].mean() >= 0.25)


def test_a_field_of_view_too_small_for_a_head_is_refused():
    with pytest.raises(ValueError, match="needs more room"):
        brain_phantom(np.random.default_rng(1), shape=(8, 32, 32), spacing_mm=(2.0, 1.0, 1.0))
