"""Masks as bytes: exact round trips, and damage that is noticed."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Box, Mask, decode_mask, encode_mask

GRID = Grid((4, 5, 6), (3.0, 0.5, 0.7), (1.5, -2.5, 3.25))


@settings(max_examples=60, deadline=None)
@given(arrays(bool, GRID.shape_zyx))
def test_mask_round_trips_exactly(array):
    decoded = decode_mask(encode_mask(Mask(array, GRID)))
    np.testing.assert_array_equal(decoded.array, array)
    assert decoded.grid == GRID


def test_two_rows_of_a_box_are_two_runs_by_hand():
    array = np.zeros(GRID.shape_zyx, dtype=bool)
    array[2, 1, 1:4] = True
    array[2, 2, 3] = True
    encoded = encode_mask(Mask(array, GRID))
    # box 1 x 2 x 3 in C order: 1 1 1 0 0 1, so runs: 0 outside, 3 inside, 2 outside, 1 inside
    assert struct.unpack("<5I", encoded[164:184]) == (4, 0, 3, 2, 1)
    assert struct.unpack("<6I", encoded[20:44]) == (2, 1, 1, 1, 2, 3)
    assert encoded[:6] == b"EQMK1\x01"
    assert len(encoded) == 168 + 4 * 4 + 4


def test_empty_mask_has_no_box_and_round_trips():
    mask = Mask(np.zeros(GRID.shape_zyx, dtype=bool), GRID)
    assert mask.box() is None
    assert not decode_mask(encode_mask(mask)).array.any()


def test_box_and_volume_use_all_three_spacings():
    array = np.zeros(GRID.shape_zyx, dtype=bool)
    array[1:3, 2:5, 5:6] = True
    mask = Mask(array, GRID)
    assert mask.box() == Box((1, 2, 5), (2, 3, 1))
    assert mask.voxel_count == 6
    assert mask.volume_ml == pytest.approx(6 * 3.0 * 0.5 * 0.7 / 1000, abs=1e-15)


@pytest.mark.parametrize("place", [0, 10, 170])
def test_a_changed_byte_is_noticed(place):
    encoded = bytearray(encode_mask(Mask(np.ones(GRID.shape_zyx, dtype=bool), GRID)))
    encoded[place] ^= 1
    with pytest.raises(ValueError, match=r"EQMK1"):
        decode_mask(bytes(encoded))


def test_an_unknown_version_is_refused_by_name():
    body = bytearray(encode_mask(Mask(np.ones(GRID.shape_zyx, dtype=bool), GRID))[:-4])
    body[5] = 2
    with pytest.raises(ValueError, match="EQMK1 encoding version 2 is unknown; this code reads 1"):
        decode_mask(bytes(body) + struct.pack("<I", zlib.crc32(body)))


def test_cut_off_masks_are_refused():
    encoded = encode_mask(Mask(np.ones(GRID.shape_zyx, dtype=bool), GRID))
    with pytest.raises(ValueError, match="checksum does not fit"):
        decode_mask(encoded[:-1])
    with pytest.raises(ValueError, match="magic or header is missing"):
        decode_mask(encoded[:100])


def _with_checksum(body: bytearray) -> bytes:
    return bytes(body) + struct.pack("<I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("place", "value"),
    [(168, 4_000_000_000), (20, 4), (32, 1_000_000), (164, 3), (164, 4_000_000_000)],
    ids=["endless run", "box beyond the grid", "huge box", "fewer runs", "more runs than bytes"],
)
def test_runs_that_do_not_fill_the_box_are_refused_before_memory_is_taken(place, value):
    body = bytearray(encode_mask(Mask(np.ones(GRID.shape_zyx, dtype=bool), GRID))[:-4])
    struct.pack_into("<I", body, place, value)
    with pytest.raises(ValueError, match=r"runs do not fill its box|its length does not fit"):
        decode_mask(_with_checksum(body))


def test_a_mask_of_another_grid_is_refused_by_its_header():
    body = bytearray(encode_mask(Mask(np.zeros(GRID.shape_zyx, dtype=bool), GRID))[:-4])
    struct.pack_into("<3I", body, 8, 100_000, 100_000, 100_000)
    with pytest.raises(
        ValueError, match=r"lies on another grid: shape 100000 x 100000 x 100000 instead of 4 x 5 x 6"
    ):
        decode_mask(_with_checksum(body), wanted=GRID)
    assert (
        decode_mask(encode_mask(Mask(np.ones(GRID.shape_zyx, dtype=bool), GRID)), wanted=GRID).voxel_count
        == 120
    )
