"""Heat maps as levels, and the plain arrays they come as."""

import io

import numpy as np
import pytest

from equipoise.imaging.errors import NotAnImageError, TruncatedFileError, UnsupportedImageError
from equipoise.imaging.heat_map import (
    array_of_npy,
    array_of_raw,
    heat_levels,
    heat_values,
    levels_sha256,
)


def npy(array, **options):
    sink = io.BytesIO()
    np.save(sink, array, **options)
    return sink.getvalue()


def test_levels_stay_what_they_are_and_values_move_by_less_than_half_a_level():
    levels = np.arange(256, dtype=np.uint8).reshape(2, 8, 16)
    assert np.array_equal(heat_levels(levels), levels)
    assert np.array_equal(heat_levels(heat_values(levels)), levels)
    values = np.random.default_rng(1).uniform(0, 1, 10_000)
    assert np.abs(heat_values(heat_levels(values)) - values).max() <= 1 / 510 + 1e-7


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.001, 1.001])
def test_value_that_is_none_or_outside_is_no_heat(value):
    with pytest.raises(ValueError, match="finite and from 0 to 1"):
        heat_levels(np.array([0.5, value]))


def test_whole_numbers_that_are_no_levels_are_refused():
    with pytest.raises(TypeError, match="got int64"):
        heat_levels(np.array([0, 1], np.int64))


def test_hash_knows_the_shape_and_every_level():
    levels = np.zeros((1, 2, 8), np.uint8)
    changed = levels.copy()
    changed[0, 1, 7] = 1
    assert len({levels_sha256(one) for one in (levels, levels.reshape(2, 1, 8), changed)}) == 3
    assert levels_sha256(np.asfortranarray(levels)) == levels_sha256(levels)


@pytest.mark.parametrize("dtype", ["u1", "<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_comes_as_it_was_saved(dtype, order):
    array = np.array(np.random.default_rng(2).integers(0, 2, (2, 3, 5)), dtype=dtype, order=order)
    assert np.array_equal(array_of_npy(npy(array)), array)


def test_pickled_npy_is_refused_and_nothing_is_unpickled(tmp_path):
    touched = tmp_path / "touched"

    class Program:
        def __reduce__(self):
            return (touched.touch, ())

    content = npy(np.array([Program()], dtype=object), allow_pickle=True)
    with pytest.raises(UnsupportedImageError, match="pickled objects"):
        array_of_npy(content)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", NotAnImageError),
        (b"\x93NUMPY", NotAnImageError),
        (b"\x93NUMPY\x01\x00\x05\x00hello", NotAnImageError),
        (npy(np.zeros((2, 3)))[:-1], TruncatedFileError),
        (npy(np.zeros((2, 3))) + b"x", TruncatedFileError),
        (npy(np.zeros((2, 3), np.int32)), UnsupportedImageError),
        (npy(np.zeros((2, 3), np.complex64)), UnsupportedImageError),
        (npy(np.array(["a"])), UnsupportedImageError),
    ],
)
def test_npy_that_is_damaged_or_of_another_kind_is_named(content, error):
    with pytest.raises(error):
        array_of_npy(content)


def test_raw_bytes_have_the_shape_that_stands_beside_them():
    array = np.random.default_rng(3).random((2, 3, 4), np.float32)
    assert np.array_equal(array_of_raw(array.tobytes(), shape=(2, 3, 4), dtype="float32"), array)
    with pytest.raises(TruncatedFileError, match="has 96 bytes; its shape"):
        array_of_raw(array.tobytes(), shape=(2, 3, 5), dtype="float32")
    with pytest.raises(UnsupportedImageError, match="'int8' is none of uint8"):
        array_of_raw(b"x", shape=(1,), dtype="int8")
