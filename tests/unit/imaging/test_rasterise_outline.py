"""Polygons to pixels and pixels to outlines."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.draw import polygon2mask

from equipoise.imaging.outline import (
    OutlinePacket,
    boundary_loops,
    encode_outlines,
    outline_of_slice,
    packet_capacity,
)
from equipoise.imaging.rasterise import rasterise_polygon, rasterise_polygons


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [high, low], [high, high], [low, high]])


def test_pixel_is_inside_if_its_centre_is():
    mask = rasterise_polygon(square(0.6, 3.4), (6, 6))
    assert np.argwhere(mask).tolist() == [[y, x] for y in (1, 2, 3) for x in (1, 2, 3)]


def test_centres_on_an_edge_belong_to_the_left_and_upper_edge():
    left, right = np.array([[0, 0], [2, 0], [2, 4], [0, 4]]), np.array([[2, 0], [4, 0], [4, 4], [2, 4]])
    one, other = rasterise_polygon(left, (5, 5)), rasterise_polygon(right, (5, 5))
    assert not (one & other).any()
    np.testing.assert_array_equal(np.argwhere(one | other), [[y, x] for y in range(4) for x in range(4)])


@given(
    ends=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    left=st.integers(-3, 3),
    right=st.integers(25, 40),
)
def test_neighbours_along_a_slanting_edge_share_no_pixel_and_leave_none(ends, left, right):
    rows, columns = 31, 36
    top, bottom = [ends[0] / 3, -1.0], [ends[1] / 3, 31.7]
    one = rasterise_polygon(np.array([[left, -1.0], top, bottom, [left, 31.7]]), (rows, columns))
    other = rasterise_polygon(np.array([top, [right, -1.0], [right, 31.7], bottom]), (rows, columns))
    whole = rasterise_polygon(
        np.array([[left, -1.0], [right, -1.0], [right, 31.7], [left, 31.7]]), (rows, columns)
    )
    np.testing.assert_array_equal(one ^ other, whole)


def test_a_loop_inside_a_loop_is_a_hole_and_one_in_that_is_not():
    mask = rasterise_polygons([square(-0.5, 8.5), square(1.5, 6.5), square(3.5, 4.5)], (9, 9))
    assert mask.sum() == 81 - 25 + 1
    assert mask[4, 4]
    assert not mask[2, 2]


def test_keyhole_polygon_has_its_hole():
    outer_then_hole = [[-0.5, -0.5], [8.5, -0.5], [8.5, 8.5], [-0.5, 8.5], [-0.5, -0.5]]
    hole = [[2.5, 2.5], [5.5, 2.5], [5.5, 5.5], [2.5, 5.5], [2.5, 2.5]]
    mask = rasterise_polygon(np.array([*outer_then_hole, *hole]), (9, 9))
    assert mask.sum() == 81 - 9


def test_direction_and_starting_vertex_do_not_matter():
    polygon = np.random.default_rng(3).uniform(0, 20, (15, 2))
    expected = rasterise_polygon(polygon, (20, 20))
    np.testing.assert_array_equal(rasterise_polygon(polygon[::-1], (20, 20)), expected)
    np.testing.assert_array_equal(rasterise_polygon(np.roll(polygon, 4, axis=0), (20, 20)), expected)


def test_parts_outside_the_image_are_cut_off():
    assert rasterise_polygon(square(-100, 2.5), (5, 4)).sum() == 9
    assert rasterise_polygon(square(10, 20), (5, 4)).sum() == 0


def test_agrees_with_an_independent_rasteriser_on_random_star_polygons():
    rng = np.random.default_rng(7)
    for _ in range(40):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 30))
        radii = rng.uniform(5, 22, 30)
        polygon = np.column_stack([30.3 + radii * np.cos(angles), 24.7 + radii * np.sin(angles)])
        expected = polygon2mask((50, 60), polygon[:, ::-1])
        np.testing.assert_array_equal(rasterise_polygon(polygon, (50, 60)), expected)


def test_vertices_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="must be finite"):
        rasterise_polygon(np.array([[0, 0], [np.nan, 1], [1, 1]]), (3, 3))
    with pytest.raises(ValueError, match=r"must have shape \(n, 2\), got \(3, 3\)"):
        rasterise_polygon(np.zeros((3, 3)), (3, 3))


@settings(max_examples=80, deadline=None)
@given(arrays(bool, (7, 9)))
def test_loops_rasterise_to_exactly_the_mask_they_came_from(mask):
    np.testing.assert_array_equal(rasterise_polygons(boundary_loops(mask), mask.shape), mask)


def test_one_pixel_is_a_diamond_around_its_centre():
    mask = np.zeros((5, 6), dtype=bool)
    mask[2, 4] = True
    (loop,) = boundary_loops(mask)
    assert sorted(map(tuple, loop.tolist())) == [(3.5, 2.0), (4.0, 1.5), (4.0, 2.5), (4.5, 2.0)]


def test_outline_of_a_pixel_at_the_border_is_closed():
    mask = np.zeros((4, 4), dtype=bool)
    mask[0, 0] = True
    (loop,) = boundary_loops(mask)
    assert loop.min() == -0.5
    assert len(loop) == 4


def test_vertices_are_equally_spaced_along_every_loop():
    yy, xx = np.mgrid[:80, :90]
    mask = (yy - 40) ** 2 + (xx - 45) ** 2 < 30**2
    mask &= (yy - 40) ** 2 + (xx - 45) ** 2 > 10**2
    loops = outline_of_slice(mask)
    assert len(loops) == 2
    for loop, source in zip(loops, boundary_loops(mask), strict=True):
        length = np.hypot(*(np.roll(source, -1, axis=0) - source).T).sum()
        steps = np.hypot(*(np.roll(loop, -1, axis=0) - loop).T)
        assert len(loop) == round(length)
        assert steps.max() == pytest.approx(length / len(loop), abs=1e-5)
        assert steps.min() > 0.7  # a chord across a right angle: 1/sqrt(2)
        assert loop.dtype == np.float32


def test_a_tiny_loop_keeps_eight_vertices():
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 2] = True
    assert [len(loop) for loop in outline_of_slice(mask)] == [8]


def test_a_pair_of_packets_has_equal_bytes_and_apparent_vertices():
    small, large = np.zeros((64, 64), dtype=bool), np.zeros((64, 64), dtype=bool)
    small[10:13, 10:13] = True
    large[2:60, 2:60] = True
    large[20:30, 20:30] = False
    first, second = encode_outlines([outline_of_slice(small), outline_of_slice(large)])
    assert len(first) == len(second) == 16 + 8 * 512
    assert first[:16] == second[:16] == struct.pack("<4sHHII", b"EQOL", 1, 0, 512, 0)


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (8, 8)), st.sampled_from([256, 512]))
def test_packet_round_trips(mask, capacity):
    loops = outline_of_slice(mask)
    decoded = OutlinePacket.decode(OutlinePacket(capacity, tuple(loops)).encode())
    assert decoded.capacity == capacity
    assert len(decoded.loops) == len(loops)
    for one, other in zip(decoded.loops, loops, strict=True):
        np.testing.assert_array_equal(one, other)


def test_capacity_doubles_and_holds_breaks_and_closing_vertex():
    loop = np.zeros((255, 2), dtype=np.float32)
    assert packet_capacity([[loop]]) == 256
    assert packet_capacity([[loop], [loop, loop]]) == 512
    assert packet_capacity([]) == 256
    with pytest.raises(ValueError, match="needs 512 vertices, the packet has 256"):
        OutlinePacket(256, (loop, loop)).encode()


def test_damaged_packets_are_refused():
    good = OutlinePacket(256, ()).encode()
    for bad in (good[:8], good[:-1], b"XXXX" + good[4:]):
        with pytest.raises(ValueError, match="Not an outline packet"):
            OutlinePacket.decode(bad)
