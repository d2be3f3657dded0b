"""Heat maps as levels: 256 steps from 0 (cold) to 1 (hot), and as the plain arrays that programs send.

A float from 0 to 1 becomes the level ``rint(255 * value)`` (ties to the even level), a level is the value ``level /
255``: sent levels stay exactly what they are, and no value moves by more than 1/510. Nothing is rescaled: 1 is as
hot as the method's own scale goes. Arrays are ``(z, y, x)``: the slices of a volume or the views of a planar image.
"""

import io
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.errors import NotAnImageError, TruncatedFileError, UnsupportedImageError

HOTTEST = 255
"""The level of the value 1."""

RAW_TYPES: "dict[str, np.dtype[Any]]" = {
    "uint8": np.dtype("u1"),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}
"""Types of plain arrays without a header: levels, or little-endian floats from 0 to 1."""


def heat_levels(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return a heat map's levels.

    Parameters
    ----------
    values : array of uint8 (levels) or of floats, finite and from 0 to 1

    Returns
    -------
    ndarray of uint8, same shape

    Raises
    ------
    ValueError
        If a float is no number, infinite or outside 0 to 1.
    TypeError
        If the values are neither floats nor uint8.

    Examples
    --------
    >>> heat_levels(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 128, 255]
    """
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values, np.uint8)
    if values.dtype.kind != "f":
        raise TypeError(f"values must be floats from 0 to 1 or uint8 levels, got {values.dtype}.")
    floats = np.asarray(values, np.float64)
    if floats.size and not (floats.min() >= 0 and floats.max() <= 1):  # a NaN fails both
        raise ValueError("values must be finite and from 0 to 1.")
    return np.rint(floats * HOTTEST).astype(np.uint8)


def heat_values(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the values of levels, from 0 to 1."""
    return np.asarray(levels, np.float32) / np.float32(HOTTEST)


def levels_sha256(levels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of shape and levels: the same for one heat map in whatever file it came."""
    digest = sha256(repr(tuple(int(n) for n in levels.shape)).encode())
    digest.update(np.ascontiguousarray(levels).data)
    return digest.hexdigest()


def array_of_npy(content: bytes) -> NDArray[np.generic]:
    """Return the array of an NPY file. Nothing is unpickled, and no more is read than the header claims.

    Raises
    ------
    NotAnImageError
        If the bytes are no NPY file.
    UnsupportedImageError
        If the array holds objects (a pickle, which can hold a program) or anything but floats and uint8.
    TruncatedFileError
        If it has fewer or more bytes than its header says.
    """
    source = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(source)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = read[version](source)
    except (ValueError, KeyError, EOFError, TypeError) as error:
        raise NotAnImageError("The content is no NPY file of version 1 or 2.") from error
    if dtype.hasobject:
        raise UnsupportedImageError(
            "The NPY file holds pickled objects, which can hold a program; save a plain array (allow_pickle=False)."
        )
    if dtype.kind != "f" and dtype != np.uint8:
        raise UnsupportedImageError(f"The NPY file holds {dtype}; send floats from 0 to 1 or uint8 levels.")
    return _array(content[source.tell() :], shape, dtype, order="F" if fortran else "C")


def array_of_raw(content: bytes, *, shape: Sequence[int], dtype: str) -> NDArray[np.generic]:
    """Return the array of plain bytes in C order.

    Raises
    ------
    UnsupportedImageError
        If the type is none of :data:`RAW_TYPES`.
    TruncatedFileError
        If there are fewer or more bytes than the shape needs.
    """
    if dtype not in RAW_TYPES:
        raise UnsupportedImageError(f"The type {dtype!r} is none of {', '.join(RAW_TYPES)}.")
    return _array(content, tuple(shape), RAW_TYPES[dtype], order="C")


def _array(
    content: bytes, shape: tuple[int, ...], dtype: "np.dtype[Any]", *, order: str
) -> NDArray[np.generic]:
    needed = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    if len(content) != needed:
        raise TruncatedFileError(
            f"The array has {len(content)} bytes; its shape {tuple(shape)} of {dtype} needs {needed}."
        )
    flat = np.frombuffer(content, dtype)
    return flat.reshape(shape, order="F" if order == "F" else "C")
