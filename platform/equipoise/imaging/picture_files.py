"""PNG and TIFF pictures as planar images and masks: grey values only, one picture to a file.

A picture does not say how large its pixels are, so its spacing is nominal (1 mm) and said to be unknown.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from equipoise.imaging.errors import (
    ImageTooLargeError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedImageError,
)
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits

PICTURE_SUFFIXES = (".png", ".tif", ".tiff")
"""Names that are taken for these formats."""

_FORMATS = ("PNG", "TIFF")
_GREY_MODES = ("1", "L", "I", "I;16", "I;16B", "I;16L")
_COLOUR_MODES = ("LA", "P", "PA", "RGB", "RGBA")
_PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 262, 0
_FAULTS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError)


def is_picture(path: Path) -> bool:
    """Say whether the file's name is that of a picture."""
    return path.name.lower().endswith(PICTURE_SUFFIXES)


def picture_shape(path: Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> tuple[int, int]:
    """Return rows and columns, the pixels unread.

    Raises
    ------
    NotAnImageError, ImageTooLargeError, UnsupportedImageError
    """
    with _opened(path) as picture:
        columns, rows = picture.size
        most_bytes = min(limits.max_image_bytes, limits.max_frame_bytes)
        if rows * columns * 2 > most_bytes:
            raise ImageTooLargeError(
                f"{path.name} claims {rows} x {columns} pixels; at most {most_bytes:,} bytes are read as one image.",
                file=path.name,
            )
        if _picture_count(picture, path) != 1:
            raise UnsupportedImageError(
                f"{path.name} holds several pictures; send one to a file.", file=path.name
            )
        if picture.mode not in _GREY_MODES + _COLOUR_MODES or _loses_bits(picture):
            raise UnsupportedImageError(
                f"{path.name} holds pixels that are not whole grey values; save it with 8 or 16 bits.",
                file=path.name,
            )
    return rows, columns


def picture_pixels(path: Path) -> NDArray[np.int32]:
    """Return the grey values, (y, x).

    Raises
    ------
    UnsupportedImageError
        If the picture has colours.
    TruncatedFileError
        If the pixels cannot be decoded.
    """
    with _opened(path) as picture:
        try:
            picture.load()
            tags = getattr(picture, "tag_v2", {})
            if picture.mode.startswith("I") and tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO:
                raise UnsupportedImageError(
                    f"{path.name} shows low values white; save it with black as zero.", file=path.name
                )
            if picture.mode in _COLOUR_MODES:
                return _grey(np.asarray(picture.convert("RGBA")), path)
            return np.asarray(picture.convert("L") if picture.mode == "1" else picture).astype(np.int32)
        except _FAULTS as error:
            raise TruncatedFileError(
                f"The pixels of {path.name} cannot be decoded: the file is damaged or ends early; copy it again.",
                file=path.name,
            ) from error


def _picture_count(picture: Image.Image, path: Path) -> int:
    try:
        return int(getattr(picture, "n_frames", 1))
    except _FAULTS as error:  # to count them, the library opens the next one
        raise NotAnImageError(
            f"{path.name} is damaged: what follows its first picture cannot be read; save it again.",
            file=path.name,
        ) from error


def _loses_bits(picture: Image.Image) -> bool:
    """Say whether the library would cut 16-bit colours or grey with transparency to 8 bits."""
    return picture.mode in _COLOUR_MODES and any(
        ";16" in str(tile[3]) for tile in getattr(picture, "tile", ())
    )


def _grey(rgba: NDArray[np.uint8], path: Path) -> NDArray[np.int32]:
    colours = rgba[..., :3]
    if (colours != colours[..., :1]).any() or (rgba[..., 3] != np.iinfo(np.uint8).max).any():
        raise UnsupportedImageError(
            f"{path.name} has colours or transparency; send it as grey values.", file=path.name
        )
    return colours[..., 0].astype(np.int32)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are checked here, by limits of our own
            picture = Image.open(path, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(
            f"{path.name} claims more pixels than any picture that is read.", file=path.name
        ) from error
    except (UnidentifiedImageError, *_FAULTS) as error:
        raise NotAnImageError(
            f"{path.name} is not the picture that its name says; send the file itself.", file=path.name
        ) from error
    with picture, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield picture
