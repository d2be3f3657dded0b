"""NRRD, NIfTI and MetaImage files by SimpleITK, and pictures: images and masks.

The header's claim is checked before SimpleITK allocates for it, and a header may name no data file but a
plain one beside itself: otherwise a sent header could make the server read any file it can.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from equipoise.imaging.errors import (
    EmptyMaskError,
    ImageTooLargeError,
    NotAnImageError,
    RoiAbsentError,
    RoiAmbiguousError,
    TruncatedFileError,
    UnsafeArchiveError,
    UnsupportedImageError,
)
from equipoise.imaging.geometry import Grid, matrix3, triple
from equipoise.imaging.image_form import UNNAMED_MODALITY
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.mask import Mask
from equipoise.imaging.picture_files import PICTURE_SUFFIXES, is_picture, picture_pixels, picture_shape
from equipoise.imaging.slices import PLANAR_ORIENTATION, SliceHeader
from equipoise.imaging.volume import ImageVolume, SeriesDescription, SpacingSource, default_windows
from equipoise.imaging.voxel_values import INT16_MAX, INT16_MIN, scaled_voxels

SUFFIXES = (".nrrd", ".nii", ".nii.gz", ".mha", ".mhd", *PICTURE_SUFFIXES)
"""Names that are taken for these formats."""

_HEADER_BYTES = 1 << 16
_DETACHED = re.compile(
    rb"^\s*(?:data ?file|elementdatafile)\s*[:=]\s*(.*?)\s*$", re.IGNORECASE | re.MULTILINE
)
_PLAIN_NAME = re.compile(r"[\w][\w .+-]*")
_RAW_ENCODING = re.compile(rb"^\s*encoding\s*:\s*raw\s*$", re.IGNORECASE | re.MULTILINE)
_RAW_NOT_COMPRESSED = re.compile(rb"^\s*compresseddata\s*=\s*true\s*$", re.IGNORECASE | re.MULTILINE)
_MAX_LABELS_LISTED = 20
_PICTURE_PIXELS = "unsigned integer"
_GZIP_BLOCK_BYTES = 1 << 20
_STARTS = {".nrrd": (b"NRRD",), ".nii.gz": (b"\x1f\x8b",)}


@dataclass(frozen=True, slots=True)
class VolumeFile:
    """A volume file whose header has been read; the voxels are still in the file."""

    path: Path
    grid: Grid
    pixel_type: str

    @property
    def is_integer(self) -> bool:
        """Whether the voxels are whole numbers."""
        return "integer" in self.pixel_type


def is_volume_file(path: Path) -> bool:
    """Say whether the file's name is one of these formats."""
    return path.name.lower().endswith(SUFFIXES)


def read_volume_header(path: Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> VolumeFile:
    """Read the header and check its claim.

    Raises
    ------
    NotAnImageError, ImageTooLargeError, UnsupportedImageError, UnsafeArchiveError, TruncatedFileError
    """
    name = path.name
    if is_picture(path):
        rows, columns = picture_shape(path, limits=limits)
        return VolumeFile(path, Grid((1, rows, columns), (1.0, 1.0, 1.0)), _PICTURE_PIXELS)
    with path.open("rb") as source:
        head = source.read(_HEADER_BYTES)
    if not head:
        raise TruncatedFileError(f"{name} is empty; copy it again.", file=name)
    starts = next((starts for suffix, starts in _STARTS.items() if name.lower().endswith(suffix)), ())
    if starts and not head.startswith(starts):
        raise NotAnImageError(f"{name} is not what its name says; send the file itself.", file=name)
    _check_data_file(path, head)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    with _quiet_itk():
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise NotAnImageError(
                f"{name} cannot be read as an image: its header is damaged or not what its name says.",
                file=name,
            ) from error
    size = reader.GetSize()
    pixel_type = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
    claimed = int(np.prod([int(n) for n in size], dtype=object)) * reader.GetNumberOfComponents()
    if claimed * max(2, _bytes_per_voxel(pixel_type)) > limits.max_image_bytes:
        raise ImageTooLargeError(
            f"{name} claims {' x '.join(map(str, size))} voxels; at most {limits.max_image_bytes:,} bytes "
            "are read as one "
            "image.",
            file=name,
        )
    if len(size) != 3 or reader.GetNumberOfComponents() != 1:
        raise UnsupportedImageError(
            f"{name} has {len(size)} dimensions and {reader.GetNumberOfComponents()} values per voxel; "
            "volumes have three "
            "and one.",
            file=name,
        )
    _check_length(path, head, claimed * _bytes_per_voxel(pixel_type))
    try:
        grid = Grid(
            shape_zyx=(size[2], size[1], size[0]),
            spacing_mm_zyx=triple(reader.GetSpacing()[::-1]),
            origin_mm_xyz=triple(reader.GetOrigin()),
            direction_3x3=matrix3(np.reshape(reader.GetDirection(), (3, 3))),
        )
    except ValueError as error:
        raise UnsupportedImageError(
            f"{name} has a geometry that is not usable: {error}", file=name
        ) from error
    return VolumeFile(path, grid, pixel_type)


def load_image(file: VolumeFile, *, modality: str = "CT") -> ImageVolume:
    """Read the voxels of an image as int16.

    Raises
    ------
    UnsupportedImageError
        If a value does not fit int16; unlike a scanner's, such a file has no scale that says what was meant.
    TruncatedFileError
        If the voxels cannot be read.
    """
    if is_picture(file.path):
        return _picture_image(file)
    array = _voxels(file)
    if array.size and (array.min() < INT16_MIN or array.max() > INT16_MAX):
        raise UnsupportedImageError(
            f"{file.path.name} has values beyond -32768 to 32767; write it in Hounsfield units as 16-bit "
            "numbers.",
            file=file.path.name,
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise UnsupportedImageError(
                f"{file.path.name} has voxels that are not numbers.", file=file.path.name
            )
        np.rint(array, out=array)
    values = array.astype(np.int16)
    return ImageVolume(values, file.grid, modality, default_windows(values, modality=modality))


def load_mask(file: VolumeFile, *, label: str | None = None) -> Mask:
    """Read the voxels of a mask: everything not 0, or one label of several.

    Raises
    ------
    RoiAmbiguousError, RoiAbsentError
        If the file has several labels and none, or one that it lacks, is named.
    UnsupportedImageError
        If the values are no labels (a probability map).
    EmptyMaskError
        If no voxel is inside.
    """
    name = file.path.name
    array = _voxels(file)
    labels = np.unique(array)
    labels = labels[labels != 0]
    if labels.size == 0:
        raise EmptyMaskError(f"The mask {name} has no voxel; send the contour that was meant.", file=name)
    if not np.isfinite(labels).all() or (labels.size > 1 and not np.array_equal(labels, np.rint(labels))):
        raise UnsupportedImageError(
            f"{name} holds {labels.size} different values, not labels; apply the threshold before sending.",
            file=name,
        )
    listed = ", ".join(f"{v:g}" for v in labels[:_MAX_LABELS_LISTED])
    if label is not None and labels.size > 1:
        chosen = [v for v in labels if f"{v:g}" == label.strip()]
        if not chosen:
            raise RoiAbsentError(f"{name} has no label '{label}'; it has: {listed}.", file=name)
        return Mask(array == chosen[0], file.grid)
    if labels.size > 1:
        raise RoiAmbiguousError(f"{name} has {labels.size} labels ({listed}); name one of them.", file=name)
    return Mask(array != 0, file.grid)


def load_values(file: VolumeFile) -> NDArray[np.number]:
    """Read the voxels of a file as it holds them, (z, y, x).

    Raises
    ------
    TruncatedFileError
        If the voxels cannot be read.
    """
    return _voxels(file)


def _picture_image(file: VolumeFile) -> ImageVolume:
    """Take a picture for a planar image whose pixel size nobody knows."""
    pixels = picture_pixels(file.path)
    header = SliceHeader(
        file.path,
        "",
        (0.0, 0.0, 0.0),
        PLANAR_ORIENTATION,
        (pixels.shape[0], pixels.shape[1]),
        (1.0, 1.0),
        1.0,
        0.0,
    )
    voxels, scale = scaled_voxels([pixels], [header])
    description = SeriesDescription(
        views=("view 1",),
        value_slope=scale.slope,
        value_intercept=scale.intercept,
        spacing_source=SpacingSource.UNKNOWN,
    )
    windows = default_windows(voxels, modality=UNNAMED_MODALITY)
    return ImageVolume(voxels, file.grid, UNNAMED_MODALITY, windows, description)


def _voxels(file: VolumeFile) -> NDArray[np.number]:
    if is_picture(file.path):
        return picture_pixels(file.path)[np.newaxis]
    if file.path.name.lower().endswith(".nii.gz"):
        _check_gzip(file.path, file.grid.voxel_count * _bytes_per_voxel(file.pixel_type))
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(file.path))
    with _quiet_itk():
        try:
            array: NDArray[np.number] = SimpleITK.GetArrayFromImage(reader.Execute())
        except RuntimeError as error:
            raise TruncatedFileError(
                f"The voxels of {file.path.name} cannot be read: the file is damaged or ends early; copy it "
                "again.",
                file=file.path.name,
            ) from error
    return array


def _check_data_file(path: Path, head: bytes) -> None:
    """Let a text header name only its own data, or a plain file beside itself."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return
    text = head.split(b"\n\n", 1)[0] if head.startswith(b"NRRD") else head
    found = _DETACHED.search(text)
    if found is None:
        return
    target = found.group(1).decode("latin-1")
    if target.upper() == "LOCAL":
        return
    beside = path.parent / target
    if not _PLAIN_NAME.fullmatch(target) or target.upper().startswith("LIST") or beside.is_symlink():
        raise UnsafeArchiveError(
            f"{path.name} names a data file elsewhere; send one file that holds its own data.", file=path.name
        )
    if not beside.is_file():
        raise TruncatedFileError(
            f"{path.name} names a data file that is not beside it; send both.", file=path.name
        )


def _check_length(path: Path, head: bytes, needed_bytes: int) -> None:
    """Refuse uncompressed files that are shorter than their voxels: some readers pad with zeros."""
    lower = path.name.lower()
    local_mha = lower.endswith(".mha") and not _RAW_NOT_COMPRESSED.search(head)
    raw_nrrd = (
        lower.endswith(".nrrd")
        and _RAW_ENCODING.search(head.split(b"\n\n", 1)[0])
        and not _DETACHED.search(head)
    )
    if (local_mha or raw_nrrd or lower.endswith(".nii")) and path.stat().st_size < needed_bytes:
        raise TruncatedFileError(f"{path.name} ends before its content does; copy it again.", file=path.name)


def _check_gzip(path: Path, needed_bytes: int) -> None:
    """Refuse compressed NIfTI that ends early: ITK would fill the rest of the image with zeros and say nothing."""
    unpacked = 0
    try:
        with gzip.open(path) as source:
            while block := source.read(_GZIP_BLOCK_BYTES):
                unpacked += len(block)
                if unpacked > needed_bytes + _GZIP_BLOCK_BYTES:
                    break
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TruncatedFileError(
            f"{path.name} ends before its content does; copy it again.", file=path.name
        ) from error
    if unpacked < needed_bytes:
        raise TruncatedFileError(f"{path.name} holds fewer voxels than its header says.", file=path.name)


def _bytes_per_voxel(pixel_type: str) -> int:
    bits = re.match(r"(\d+)-bit", pixel_type)
    return int(bits.group(1)) // 8 if bits else 1


@contextmanager
def _quiet_itk() -> Iterator[None]:
    """Keep ITK from printing paths, which may name a patient, to standard error."""
    before = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(before)
