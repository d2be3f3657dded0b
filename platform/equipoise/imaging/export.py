"""Masks and images as files for others: NRRD and NIfTI here, DICOM in ``dicom_write`` and ``segmentation_write``."""

from pathlib import Path

import numpy as np
import SimpleITK

from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume


def write_mask_nrrd(mask: Mask, path: Path) -> None:
    """Write a mask as compressed NRRD, 1 inside and 0 outside, on its grid."""
    _write(SimpleITK.GetImageFromArray(mask.array.astype(np.uint8)), mask.grid, path)


def write_image_nrrd(volume: ImageVolume, path: Path) -> None:
    """Write an image as compressed NRRD of 16-bit numbers, on its grid."""
    _write(SimpleITK.GetImageFromArray(volume.array), volume.grid, path)


def write_mask_nifti(mask: Mask, path: Path) -> None:
    """Write a mask as NIfTI (compressed by a name in ``.nii.gz``), 1 inside and 0 outside, on its grid."""
    _write(SimpleITK.GetImageFromArray(mask.array.astype(np.uint8)), mask.grid, path)


def write_image_nifti(volume: ImageVolume, path: Path) -> None:
    """Write an image as NIfTI of 16-bit numbers, on its grid."""
    _write(SimpleITK.GetImageFromArray(volume.array), volume.grid, path)


def _write(image: SimpleITK.Image, grid: Grid, path: Path) -> None:
    image.SetSpacing(grid.spacing_mm_xyz)
    image.SetOrigin(grid.origin_mm_xyz)
    image.SetDirection(grid.direction.ravel().tolist())
    SimpleITK.WriteImage(image, str(path), useCompression=True)
