"""DICOM segmentation objects (SEG) to masks on the voxels of the image they belong to.

Each frame carries its own place; frames are put where they say, and refused where that is not a slice of the image.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from equipoise.imaging.dicom_header import DAMAGE, quiet_pydicom
from equipoise.imaging.errors import EmptyMaskError, GridMismatchError, NotAnImageError, UnsupportedImageError
from equipoise.imaging.geometry import UNIT_TOLERANCE, Grid
from equipoise.imaging.mask import Mask

INDEX_TOLERANCE = 0.1
"""How far a frame's first pixel may lie from the image's, in voxels."""

SPACING_RELATIVE_TOLERANCE = 1e-3


def segment_counts(dataset: Any) -> list[tuple[int, str, int]]:
    """Return number, label and number of frames of every segment of a header."""
    frames = Counter(
        _segment_number(frame) for frame in dataset.get("PerFrameFunctionalGroupsSequence") or ()
    )
    segments = dataset.get("SegmentSequence") or ()
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
        If the object holds probabilities instead of voxels.
    NotAnImageError
        If it cannot be read.
    """
    name = path.name
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(path, force=True)
            if dataset.SegmentationType != "BINARY":
                raise UnsupportedImageError(
                    f"{name} holds a fraction per voxel, not a mask; apply the threshold before sending.",
                    file=name,
                )
            groups = list(dataset.PerFrameFunctionalGroupsSequence)
            frames = dataset.pixel_array.reshape(-1, int(dataset.Rows), int(dataset.Columns))
            if len(frames) != len(groups):
                raise ValueError("The number of frames is not that of their descriptions.")
            array = np.zeros(grid.shape_zyx, dtype=bool)
            for pixels, group in zip(frames, groups, strict=True):
                if _segment_number(group) == number:
                    array[_slice_index(dataset, group, pixels, grid, name)] |= pixels > 0
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


def _segment_number(group: Any) -> int:
    return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _shared_or_own(dataset: Any, group: Any, keyword: str) -> Any:
    if keyword in group:
        return group[keyword].value[0]
    return dataset.SharedFunctionalGroupsSequence[0][keyword].value[0]


def _slice_index(dataset: Any, group: Any, pixels: NDArray[np.uint8], grid: Grid, name: str) -> int:
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
