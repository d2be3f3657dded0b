"""The area of a surface element, by neighbour code."""

from itertools import permutations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from skimage.measure import marching_cubes

from equipoise.metrics import surface_element_areas_mm2

SPACING_MM = (2.5, 0.7, 1.3)

# surface-distance 0.1 (PyPI), lookup_tables.create_table_neighbour_code_to_surface_area((2.5, 0.7, 1.3))
PEER_AREAS_MM2 = {
    1: 0.4752154116819024,
    3: 1.687498148147132,
    7: 1.880646235045707,
    15: 0.9099999999999999,
    22: 1.4256462350457073,
    23: 2.8512924700914146,
    24: 0.9504308233638048,
    27: 3.3167781861183854,
    60: 3.374996296294264,
    105: 1.9008616467276096,
    126: 0.9504308233638048,
    129: 0.9504308233638048,
    171: 2.3006462350457073,
    254: 0.4752154116819024,
}


def test_areas_equal_the_reference_tools_table():
    areas = surface_element_areas_mm2(SPACING_MM)
    assert_allclose([areas[code] for code in PEER_AREAS_MM2], list(PEER_AREAS_MM2.values()), rtol=1e-12)


def test_nothing_and_everything_have_no_surface():
    areas = surface_element_areas_mm2(SPACING_MM)
    assert areas[0] == 0
    assert areas[255] == 0
    assert np.all(areas[1:255] > 0)


def test_a_flat_wall_has_the_area_of_the_voxel_face():
    areas = surface_element_areas_mm2(SPACING_MM)
    assert_allclose(areas[0b11110000], 0.7 * 1.3)
    assert_allclose(areas[0b11001100], 2.5 * 1.3)
    assert_allclose(areas[0b10101010], 2.5 * 0.7)


def test_foreground_and_background_have_the_same_surface():
    areas = surface_element_areas_mm2(SPACING_MM)
    assert_allclose(areas, areas[::-1], rtol=1e-15)


def test_areas_are_those_of_marching_cubes_up_to_three_voxels():
    areas = surface_element_areas_mm2(SPACING_MM)
    checked = 0
    for code in range(1, 255):
        corners = np.array([code >> (7 - bit) & 1 for bit in range(8)], dtype=float).reshape(2, 2, 2)
        if corners.sum() > 3:
            continue
        vertices, faces, _, _ = marching_cubes(corners, 0.5, spacing=SPACING_MM, method="lorensen")
        triangles = vertices[faces].astype(float)
        edges = triangles[:, 1:] - triangles[:, :1]
        area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2
        assert_allclose(areas[code], area, rtol=1e-5, err_msg=f"code {code}")
        checked += 1
    assert checked == 8 + 28 + 56


def test_areas_turn_with_the_axes():
    areas = surface_element_areas_mm2(SPACING_MM)
    for order in permutations(range(3)):
        turned = surface_element_areas_mm2(tuple(SPACING_MM[axis] for axis in order))
        for code in range(256):
            corners = np.array([code >> (7 - bit) & 1 for bit in range(8)]).reshape(2, 2, 2)
            bits = corners.transpose(order).ravel()
            turned_code = int("".join(str(bit) for bit in bits), 2)
            assert turned[turned_code] == pytest.approx(areas[code], rel=1e-14)


def test_areas_do_not_change_under_mirrors():
    areas = surface_element_areas_mm2(SPACING_MM)
    for axis, code in product(range(3), range(256)):
        corners = np.array([code >> (7 - bit) & 1 for bit in range(8)]).reshape(2, 2, 2)
        mirrored = int("".join(str(bit) for bit in np.flip(corners, axis).ravel()), 2)
        assert areas[mirrored] == pytest.approx(areas[code], rel=1e-14)


def test_the_returned_table_is_the_callers_own():
    first = surface_element_areas_mm2(SPACING_MM)
    first[15] = 0
    assert_allclose(surface_element_areas_mm2(SPACING_MM)[15], 0.91)
