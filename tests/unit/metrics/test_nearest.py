"""The search for nearest surface elements: the same distances by every route."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from equipoise.metrics import _nearest
from equipoise.metrics._nearest import nearest_distances_mm
from equipoise.metrics.surface_elements import surface_elements


def surface_of(mask, spacing_mm):
    return surface_elements(np.pad(mask, 1), spacing_mm=spacing_mm)


def positions_mm(surface, spacing_mm):
    return np.argwhere(surface.is_surface) * spacing_mm


def far_apart(shape, *, shift):
    first, second = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    first[1:3, 2:6, 1:5] = True
    first[2, 4, 3] = False
    second[1:2, 2:5, 1:4] = True
    return first, np.roll(second, shift, axis=(0, 1, 2))


@pytest.mark.parametrize(
    ("shape", "shift", "spacing_mm", "route"),
    [
        ((5, 9, 9), (0, 1, 1), (3.0, 0.9, 0.9), [8]),
        ((5, 9, 9), (0, 1, 1), (0.5, 0.7, 0.7), [8]),
        ((5, 9, 60), (0, 0, 25), (3.0, 0.9, 0.9), [8, 32]),
        ((5, 60, 60), (1, 22, 22), (3.0, 0.9, 0.9), [8, 32]),
        ((5, 9, 90), (0, 0, 60), (3.0, 0.9, 0.9), [8, 32, "whole grid"]),
        ((40, 9, 9), (33, 1, 0), (3.0, 0.9, 0.9), [8, 32, "whole grid"]),
        ((40, 9, 9), (33, 1, 0), (0.1, 0.9, 0.9), [8]),
        ((5, 9, 30), (0, 1, 14), (3.0, 0.9, 0.8), ["whole grid"]),
    ],
)
def test_every_route_finds_the_nearest_element(monkeypatch, shape, shift, spacing_mm, route):
    taken = []
    for name, word in (("_in_plane_squares", None), ("_transformed_mm", "whole grid")):
        original = getattr(_nearest, name)

        def spy(*args, original=original, word=word, **options):
            taken.append(word or options["band"])
            return original(*args, **options)

        monkeypatch.setattr(_nearest, name, spy)
    surfaces = [surface_of(mask, spacing_mm) for mask in far_apart(shape, shift=shift)]
    [found] = nearest_distances_mm(surfaces[0], [surfaces[1]], spacing_mm=spacing_mm)
    points = [positions_mm(surface, spacing_mm) for surface in surfaces]
    assert_allclose(found, cdist(points[1], points[0]).min(axis=1), rtol=1e-14)
    assert taken == route


@pytest.mark.parametrize("pixel_mm", [0.9, 0.7, 1.1, 0.9765625, 0.3])
def test_distances_along_an_axis_are_exactly_their_steps(pixel_mm):
    mask = np.zeros((1, 1, 12), dtype=bool)
    mask[0, 0, 0] = True
    moved = np.roll(mask, 7, axis=2)
    spacing_mm = (1.0, pixel_mm, pixel_mm)
    surfaces = [surface_of(each, spacing_mm) for each in (mask, moved)]
    [found] = nearest_distances_mm(surfaces[0], [surfaces[1]], spacing_mm=spacing_mm)
    assert_array_equal(np.unique(found), [np.sqrt((6 * pixel_mm) ** 2), np.sqrt((7 * pixel_mm) ** 2)])


def test_bands_and_the_whole_grid_agree_to_the_last_digits(blobs):
    spacing_mm = (2.5, 0.7, 0.7)
    for seed in range(10):
        first, second = (surface_of(blobs(seed + s, shape=(9, 30, 25)), spacing_mm) for s in (0, 100))
        [found] = nearest_distances_mm(first, [second], spacing_mm=spacing_mm)
        whole = _nearest._transformed_mm(first.is_surface, second.flat_indices, spacing_mm=spacing_mm)
        assert_allclose(found, whole, rtol=1e-15)


def test_answers_come_back_per_surface(blobs):
    spacing_mm = (2.5, 0.7, 0.7)
    target, *others = (surface_of(blobs(seed), spacing_mm) for seed in range(4))
    together = nearest_distances_mm(target, others, spacing_mm=spacing_mm)
    for other, found in zip(others, together, strict=True):
        assert_array_equal(found, nearest_distances_mm(target, [other], spacing_mm=spacing_mm)[0])


def test_nothing_to_reach_is_infinitely_far_and_nothing_to_ask_is_nothing(blobs):
    some, none = surface_of(blobs(1), (1, 1, 1)), surface_of(np.zeros((7, 9, 8), bool), (1, 1, 1))
    [found] = nearest_distances_mm(none, [some], spacing_mm=(1, 1, 1))
    assert_array_equal(found, np.full(some.flat_indices.size, np.inf))
    assert [each.size for each in nearest_distances_mm(some, [none, none], spacing_mm=(1, 1, 1))] == [0, 0]
    assert nearest_distances_mm(some, [], spacing_mm=(1, 1, 1)) == []


@pytest.mark.parametrize("few_points", [0, 10**9])
def test_looking_at_few_points_or_at_all_gives_the_same(monkeypatch, blobs, few_points):
    monkeypatch.setattr(_nearest, "FEW_POINTS", few_points)  # 0: always one by one; large: always everywhere
    for spacing_mm in ((2.5, 0.7, 0.7), (0.4, 1.3, 1.3)):
        for seed in range(6):
            first, second = (surface_of(blobs(seed + s, shape=(12, 20, 15)), spacing_mm) for s in (0, 100))
            [found] = nearest_distances_mm(first, [second], spacing_mm=spacing_mm)
            points = [positions_mm(surface, spacing_mm) for surface in (first, second)]
            assert_allclose(found, cdist(points[1], points[0]).min(axis=1), rtol=1e-14)


def test_planes_larger_than_a_chunk_are_worked_on_slice_by_slice(monkeypatch, blobs):
    spacing_mm = (2.5, 0.7, 0.7)
    first, second = (surface_of(blobs(seed), spacing_mm) for seed in (1, 2))
    [expected] = nearest_distances_mm(first, [second], spacing_mm=spacing_mm)
    monkeypatch.setattr(_nearest, "CHUNK_POINTS", 1)
    [found] = nearest_distances_mm(first, [second], spacing_mm=spacing_mm)
    assert_array_equal(found, expected)
