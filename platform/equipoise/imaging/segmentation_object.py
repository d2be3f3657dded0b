"""DICOM segmentation objects (SEG) to masks on the voxels of the image they belong to.

Each frame carries its own place; frames are put where they say, and refused where that is not a slice of the image.

Conventions
-----------
- Binary and fractional objects have frames per segment; a label map has one set of frames whose values are the
  segments' numbers, 0 for none (DICOM PS3.3 C.8.20.2).
- A voxel of a fractional object is inside from half of the largest fraction on (:data:`FRACTION_INSIDE`): at
  least as probable as not, or at least half occupied.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.dicom_header import DAMAGE, open_dataset, quiet_pydicom
from equipoise.imaging.errors import EmptyMaskError, GridMismatchError, NotAnImageError, UnsupportedImageError
from equipoise.imaging.geometry import UNIT_TOLERANCE, Grid
from equipoise.imaging.mask import Mask

INDEX_TOLERANCE = 0.1
"""How far a frame's first pixel may lie from the image's, in voxels."""

SPACING_RELATIVE_TOLERANCE = 1e-3

FRACTION_INSIDE = 0.5
"""Fraction from which a voxel of a fractional object is inside."""

LABEL_MAP = "LABELMAP"


def segment_counts(dataset: Any) -> list[tuple[int, str, int]]:
    """Return number, label and number of frames of every segment of a header.

    In a label map every frame may hold every segment; its background is no segment.
    """
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    segments = dataset.get("SegmentSequence") or ()
    if dataset.get("SegmentationType") == LABEL_MAP:
        segments = [s for s in segments if int(s.SegmentNumber) != 0]
        frames = Counter({int(s.SegmentNumber): len(groups) for s in segments})
    else:
        frames = Counter(_segment_number(dataset, frame) for frame in groups)
    return [
        (
            int(s.SegmentNumber),
            str(s.get("SegmentLabel") or s.SegmentNumber).strip(),
            frames[int(s.SegmentNumber)],
        )
        for s in segments
    ]


def segment_mask(path: Path, number: int, label: str, grid: Grid) -> Mask:
    """Return one segment on an image's grid, as acquired.

    Raises
    ------
    GridMismatchError
        If a frame is not on the image's voxels.
    EmptyMaskError
        If no pixel is set.
    UnsupportedImageError
        If the object is of a kind that is none of the three.
    NotAnImageError
        If it cannot be read.
    """
    name = path.name
    try:
        with quiet_pydicom():
            dataset = open_dataset(path)
            inside = _membership(dataset, number, name)
            groups = list(dataset.PerFrameFunctionalGroupsSequence)
            frames = dataset.pixel_array.reshape(-1, int(dataset.Rows), int(dataset.Columns))
            if len(frames) != len(groups):
                raise ValueError("The number of frames is not that of their descriptions.")
            array = np.zeros(grid.shape_zyx, dtype=bool)
            for pixels, group in zip(frames, groups, strict=True):
                if dataset.SegmentationType == LABEL_MAP or _segment_number(dataset, group) == number:
                    array[_slice_index(dataset, group, pixels, grid, name)] |= inside(pixels)
    except (*DAMAGE, OSError, RuntimeError) as error:
        raise NotAnImageError(
            f"The segment '{label}' of {name} cannot be read: the file is damaged; export it again.",
            file=name,
        ) from error
    if not array.any():
        raise EmptyMaskError(
            f"The segment '{label}' of {name} has no voxel; send the one that was meant.", file=name
        )
    return Mask(array, grid)


def _membership(dataset: Any, number: int, name: str) -> Callable[[NDArray[np.integer]], NDArray[np.bool_]]:
    """Return what tells the pixels inside a segment from those outside."""
    kind = str(dataset.SegmentationType)
    if kind == "BINARY":
        return lambda pixels: pixels > 0
    if kind == LABEL_MAP:
        return lambda pixels: pixels == number
    if kind == "FRACTIONAL":
        threshold = FRACTION_INSIDE * int(dataset.MaximumFractionalValue)
        return lambda pixels: (pixels > 0) & (pixels >= threshold)
    raise UnsupportedImageError(
        f"{name} is a segmentation of a kind that is not read; send voxels, fractions or labels.", file=name
    )


def _segment_number(dataset: Any, group: Any) -> int:
    """Return a frame's segment; an object of one segment may say it once for all frames."""
    return int(_shared_or_own(dataset, group, "SegmentIdentificationSequence").ReferencedSegmentNumber)


def _shared_or_own(dataset: Any, group: Any, keyword: str) -> Any:
    if keyword in group:
        return group[keyword].value[0]
    return dataset.SharedFunctionalGroupsSequence[0][keyword].value[0]


def _slice_index(dataset: Any, group: Any, pixels: NDArray[np.integer], grid: Grid, name: str) -> int:
    """Return the slice of the image that a frame lies on."""
    position = _numbers(_shared_or_own(dataset, group, "PlanePositionSequence").ImagePositionPatient)
    orientation = _numbers(_shared_or_own(dataset, group, "PlaneOrientationSequence").ImageOrientationPatient)
    spacing_yx = _numbers(_shared_or_own(dataset, group, "PixelMeasuresSequence").PixelSpacing)
    x, y, z = grid.patient_to_index(position)
    in_plane = (
        pixels.shape == grid.shape_zyx[1:]
        and np.allclose(spacing_yx, grid.spacing_mm_zyx[1:], rtol=SPACING_RELATIVE_TOLERANCE)
        and np.allclose(orientation.reshape(2, 3).T, grid.direction[:, :2], atol=UNIT_TOLERANCE)
    )
    index = round(float(z))
    if (
        not in_plane
        or max(abs(x), abs(y), abs(z - index)) > INDEX_TOLERANCE
        or not 0 <= index < grid.shape_zyx[0]
    ):
        raise GridMismatchError(
            f"{name} has a frame that is not on the image's voxels; send the images it was made on.",
            file=name,
        )
    return index


def _numbers(values: Any) -> NDArray[np.float64]:
    return np.array([float(v) for v in values])
