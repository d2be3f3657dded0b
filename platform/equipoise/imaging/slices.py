"""One slice or view of a series as its header tells it, and its stored pixels when they are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_modality_lut
from pydicom.pixels.utils import iter_pixels

from equipoise.imaging.dicom_header import DAMAGE, DicomHeader, open_dataset, quiet_pydicom
from equipoise.imaging.errors import TruncatedFileError
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits

PLANAR_ORIENTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""Stands where a view has no place in the patient."""

_DECODING_FAULTS = (*DAMAGE, OSError, RuntimeError)


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One slice of a volume, or one view of a planar image."""

    path: Path
    instance_uid: str
    position_mm_xyz: tuple[float, ...]
    orientation: tuple[float, ...]
    shape_yx: tuple[int, int]
    spacing_mm_yx: tuple[float, float]
    slope: float
    intercept: float
    frame: int | None = None
    """Which frame of its file it is (from 0); None where the file is the slice."""
    inverted: bool = False
    """Whether the lowest value is shown white (MONOCHROME1)."""


def rescale_of(header: DicomHeader) -> tuple[float, float]:
    """Return slope and intercept of a header, 1 and 0 where it has none."""
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept")
    return (1.0 if slope is None else slope, 0.0 if intercept is None else intercept)


def stored_pixels(
    slices: Sequence[SliceHeader], *, limits: ReadLimits = DEFAULT_LIMITS
) -> Iterator[tuple[int, NDArray[np.integer]]]:
    """Yield the place in ``slices`` and the pixels of every slice, file by file, one frame decoded at a time.

    Pixels are as stored, or as the modality lookup table gives them where the file has one; slope and
    intercept are not applied.

    Raises
    ------
    TruncatedFileError
        If a file's pixels cannot be decoded.
    """
    by_path: dict[Path, list[int]] = {}
    for place, header in enumerate(slices):
        by_path.setdefault(header.path, []).append(place)
    for path, places in by_path.items():
        for place, pixels in zip(places, _decoded(path, [slices[p] for p in places], limits), strict=True):
            if pixels.shape != slices[place].shape_yx:
                raise TruncatedFileError(
                    f"{path.name} holds another number of pixels than its header says.", file=path.name
                )
            yield place, pixels


def _decoded(path: Path, wanted: list[SliceHeader], limits: ReadLimits) -> Iterator[NDArray[np.integer]]:
    try:
        with quiet_pydicom():
            dataset = open_dataset(path, limits=limits)
            if len(wanted) == 1 and wanted[0].frame is None:
                yield _after_lookup(dataset.pixel_array, dataset)
                return
            frames = [header.frame or 0 for header in wanted]
            for pixels in iter_pixels(dataset, indices=frames):
                yield _after_lookup(pixels, dataset)
    except _DECODING_FAULTS as error:
        raise TruncatedFileError(
            f"The pixels of {path.name} cannot be decoded: the file is damaged or ends early; copy it again.",
            file=path.name,
        ) from error


def _after_lookup(pixels: NDArray[np.integer], dataset: Any) -> NDArray[np.integer]:
    if "ModalityLUTSequence" not in dataset:
        return pixels
    found: NDArray[np.integer] = apply_modality_lut(pixels, dataset)
    return found
