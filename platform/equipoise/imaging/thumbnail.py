"""Small pictures of slices for the administrators' case grid. Readers never see one."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from equipoise.imaging.outline import boundary_loops
from equipoise.imaging.volume import WindowPreset

OUTLINE_COLOURS = ((240, 228, 66), (86, 180, 233), (230, 159, 0), (204, 121, 167))
"""Okabe and Ito's colour-blind-safe palette, without its dark colours, in order of the masks given."""


def window_to_grey(values: NDArray[np.int16], window: WindowPreset) -> NDArray[np.uint8]:
    """Return values spread linearly from black (the window's lower end) to white, cut at both ends."""
    low = window.centre - window.width / 2
    scaled = (values.astype(np.float32) - low) * (255.0 / window.width)
    grey: NDArray[np.uint8] = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return grey


def thumbnail_png(
    slice_2d: NDArray[np.int16],
    *,
    window: WindowPreset,
    spacing_mm_yx: tuple[float, float],
    masks_2d: Sequence[NDArray[np.bool_]] = (),
    size_px: int = 192,
) -> bytes:
    """Return a PNG of a slice with outlines, its longer side ``size_px``, with square millimetres.

    Parameters
    ----------
    slice_2d : int16 array, shape (y, x)
    spacing_mm_yx : tuple of two float
        Row and column spacing: other than equal ones change the picture's aspect, not the patient's.
    masks_2d : sequence of bool arrays, shape (y, x)
    """
    rows, columns = slice_2d.shape
    height_mm, width_mm = rows * spacing_mm_yx[0], columns * spacing_mm_yx[1]
    scale = size_px / max(height_mm, width_mm)
    size = (max(round(width_mm * scale), 1), max(round(height_mm * scale), 1))
    grey = Image.fromarray(window_to_grey(slice_2d, window), mode=None)
    picture = grey.resize(size, Image.Resampling.BILINEAR).convert("RGB")
    pen = ImageDraw.Draw(picture)
    per_pixel = np.array([size[0] / columns, size[1] / rows])
    for number, mask in enumerate(masks_2d):
        colour = OUTLINE_COLOURS[number % len(OUTLINE_COLOURS)]
        for loop_xy in boundary_loops(mask):
            # a pixel's centre is at +0.5 of its edge in the picture
            points = [(float(x), float(y)) for x, y in (loop_xy + 0.5) * per_pixel]
            pen.line([*points, points[0]], fill=colour, width=1)
    sink = BytesIO()
    picture.save(sink, format="PNG", optimize=False)
    return sink.getvalue()
