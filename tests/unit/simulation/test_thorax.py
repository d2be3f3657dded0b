"""The thorax phantom: what it shows where, and that a seed makes it."""

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from equipoise.simulation import ThoraxPhantom, TumourSpec, random_tumour, thorax_phantom

SMALL = {"shape": (30, 96, 96), "spacing_mm": (10.0, 4.2, 4.2)}


@pytest.fixture(scope="module")
def phantom() -> ThoraxPhantom:
    return thorax_phantom(np.random.default_rng(1), tumour=TumourSpec(diameter_mm=36, side="right"))


def volume_ml(phantom, name):
    return float(phantom.masks[name].sum() * np.prod(phantom.spacing_mm) / 1e3)


def test_image_and_masks_share_one_grid(phantom):
    assert phantom.image.shape == (60, 256, 256)
    assert phantom.image.dtype == np.int16
    assert phantom.spacing_mm == (5.0, 1.6, 1.6)
    assert {name: mask.shape for name, mask in phantom.masks.items()} == dict.fromkeys(
        ("body", "lung_left", "lung_right", "tumour", "couch"), (60, 256, 256)
    )


def test_organs_have_the_sizes_of_an_adult(phantom):
    assert 12_000 < volume_ml(phantom, "body") < 30_000
    assert 1_800 < volume_ml(phantom, "lung_left") < 4_000
    assert 1_800 < volume_ml(phantom, "lung_right") < 4_000
    widths = np.flatnonzero(phantom.masks["body"].any(axis=(0, 1)))
    assert 300 < (widths[-1] - widths[0]) * 1.6 < 405


def test_tissues_have_the_density_of_tissues(phantom):
    lungs = phantom.masks["lung_left"] | phantom.masks["lung_right"]
    image = phantom.image
    assert -900 < np.median(image[lungs]) < -780
    outside = ~phantom.masks["body"] & ~phantom.masks["couch"]
    assert np.median(image[outside]) == pytest.approx(-1000, abs=10)
    assert 0 < np.median(image[phantom.masks["tumour"]]) < 110
    soft = image[phantom.masks["body"] & ~lungs]
    assert np.mean((soft > -140) & (soft < -60)) > 0.08  # fat
    assert np.mean((soft > 20) & (soft < 90)) > 0.2  # muscle
    assert 0.005 < np.mean(soft > 350) < 0.08  # bone


def test_lungs_lie_on_their_sides_in_the_body_and_the_couch_outside(phantom):
    body, left, right = (phantom.masks[name] for name in ("body", "lung_left", "lung_right"))
    columns = np.arange(256)
    assert (
        np.average(columns, weights=left.sum(axis=(0, 1)))
        > np.average(columns, weights=right.sum(axis=(0, 1))) + 60
    )
    assert not (left & right).any()
    assert not ((left | right) & ~body).any()
    assert not (phantom.masks["couch"] & body).any()
    rows = np.arange(256)
    assert np.average(rows, weights=phantom.masks["couch"].sum(axis=(0, 2))) > np.average(
        rows, weights=body.sum(axis=(0, 2))
    )


def test_the_tumour_is_one_piece_apart_from_the_lungs_masks(phantom):
    tumour = phantom.masks["tumour"]
    _, pieces = ndimage.label(tumour)
    assert pieces == 1
    assert not (tumour & (phantom.masks["lung_left"] | phantom.masks["lung_right"])).any()
    assert volume_ml(phantom, "tumour") == pytest.approx(4 / 3 * np.pi * 18**3 / 1e3, rel=0.45)


def test_lungs_hold_vessels(phantom):
    right = ndimage.binary_erosion(phantom.masks["lung_right"], iterations=2)
    share = np.mean(phantom.image[right] > -500)
    assert 0.01 < share < 0.12


def test_a_seed_makes_the_phantom_and_another_seed_another():
    first, again, other = (
        hashlib.sha256(thorax_phantom(np.random.default_rng(seed), **SMALL).image.tobytes()).hexdigest()
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("place", ["parenchyma", "mediastinum", "chest_wall"])
def test_the_tumour_lies_where_it_was_asked_to(place, side):
    spec = TumourSpec(diameter_mm=40, place=place, side=side)
    phantom = thorax_phantom(
        np.random.default_rng(11), shape=(40, 128, 128), spacing_mm=(7.0, 3.2, 3.2), tumour=spec
    )
    tumour = phantom.masks["tumour"]
    assert volume_ml(phantom, "tumour") > 5
    centre = np.average(np.arange(128), weights=tumour.sum(axis=(0, 1)))
    middle = np.average(np.arange(128), weights=phantom.masks["body"].sum(axis=(0, 1)))
    assert (centre > middle) == (side == "left")
    lung = phantom.masks["lung_left"] | phantom.masks["lung_right"]
    rim = ndimage.binary_dilation(tumour) & ~tumour
    in_lung = float(np.mean(lung[rim]))
    assert in_lung > 0.75 if place == "parenchyma" else in_lung < 0.92


def test_without_a_tumour_its_mask_is_empty():
    phantom = thorax_phantom(np.random.default_rng(2), tumour=None, **SMALL)
    assert not phantom.masks["tumour"].any()


@pytest.mark.parametrize("thickness", [1.0, 2.5, 5.0])
def test_thin_slices_show_the_tumour_and_more_noise(thickness):
    phantom = thorax_phantom(
        np.random.default_rng(3), shape=(24, 96, 96), spacing_mm=(thickness, 4.2, 4.2), tumour=TumourSpec(20)
    )
    assert volume_ml(phantom, "tumour") > 1.0
    muscle = phantom.masks["body"] & (phantom.image > 20) & (phantom.image < 90)
    assert muscle.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (4, 96, 96)}, "shape"),
        ({"spacing_mm": (5.0, 0.0, 1.0)}, "spacing_mm"),
    ],
)
def test_impossible_volumes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        thorax_phantom(np.random.default_rng(1), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"diameter_mm": 5}, "diameter_mm"),
        ({"place": "brain"}, "place"),
        ({"margin": "x"}, "margin"),
        ({"side": "up"}, "side"),
    ],
)
def test_impossible_tumours_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TumourSpec(**arguments)


def test_random_tumours_are_mixed_and_within_bounds():
    rng = np.random.default_rng(4)
    tumours = [random_tumour(rng) for _ in range(200)]
    assert {one.place for one in tumours} == {"parenchyma", "mediastinum", "chest_wall"}
    assert {one.margin for one in tumours} == {"lobulated", "spiculated", "smooth"}
    assert 25 < np.median([one.diameter_mm for one in tumours]) < 40


@pytest.mark.parametrize("density, low, high", [("part_solid", -560, -300), ("ground_glass", -620, -480)])
def test_ground_glass_is_denser_than_lung_and_vessels_show_through(density, low, high):
    spec = TumourSpec(diameter_mm=34, density=density)
    with_it, solid = (
        thorax_phantom(np.random.default_rng(2), shape=(20, 128, 128), spacing_mm=(5.0, 3.2, 3.2), tumour=t)
        for t in (spec, TumourSpec(diameter_mm=34))
    )
    tumour = with_it.masks["tumour"]
    np.testing.assert_array_equal(tumour, solid.masks["tumour"])
    assert low < np.median(with_it.image[tumour]) < high
    # A vessel crosses this patient's tumour; haze alone stays 200 HU below.
    assert np.mean(with_it.image[tumour] > -300) > 0.02


def test_ground_glass_tumours_are_drawn_as_often_as_asked_and_change_no_other_draw():
    specs = [random_tumour(np.random.default_rng(n), ground_glass=0.3) for n in range(400)]
    shares = [np.mean([s.density == d for s in specs]) for d in ("solid", "part_solid", "ground_glass")]
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=0.06)
    assert all(s.place == "parenchyma" and s.diameter_mm <= 45 for s in specs if s.density != "solid")
    for n in range(20):
        if specs[n].density == "solid":
            assert specs[n] == random_tumour(np.random.default_rng(n))
    with pytest.raises(ValueError, match=r"ground_glass must be in \[0, 1\]"):
        random_tumour(np.random.default_rng(1), ground_glass=2.0)
