"""Images frame by frame: what an image is, is known before its voxels are read, and only a few frames are in memory.

Archiving reads this way, so that what it needs does not grow with the number of slices. Whoever computes with voxels
wants them all at once and takes :func:`equipoise.imaging.series.load_series`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.geometry import AxisTransform, Grid, display_transform
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.pack import ReadFrame
from equipoise.imaging.series import DicomSeries, load_series, voxels_of
from equipoise.imaging.volume import ImageVolume, SeriesDescription, WindowPreset

_AS_THEY_LIE = (0, 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class ImageStack:
    """An image the usual way round, its frames unread.

    Parameters
    ----------
    grid : Grid
        Where the voxels lie, the usual way round.
    transform : AxisTransform
        How the frames are turned from the original.
    frames : callable
        Returns, in order, a function for each frame that reads it, (y, x); call these in any threads.
    clipped_voxels : callable
        Returns how many voxels lay beyond 16 bits, once all frames are read.
    """

    grid: Grid
    transform: AxisTransform
    modality: str
    windows: tuple[WindowPreset, ...]
    description: SeriesDescription
    frames: Callable[[], Iterator[ReadFrame]]
    clipped_voxels: Callable[[], int] = lambda: 0


def stack_of_volume(volume: ImageVolume, *, clipped_voxels: int = 0) -> ImageStack:
    """Return the frames of a volume that is in memory already; it is not copied."""
    transform = AxisTransform() if volume.planar else display_transform(volume.grid)
    turned = transform.apply(volume.array)
    return ImageStack(
        transform.apply_to_grid(volume.grid),
        transform,
        volume.modality,
        volume.windows,
        volume.description,
        frames=lambda: (partial(np.ascontiguousarray, frame) for frame in turned),
        clipped_voxels=lambda: clipped_voxels,
    )


def stack_of_series(series: DicomSeries, *, limits: ReadLimits = DEFAULT_LIMITS) -> ImageStack:
    """Return the frames of a series that is still in its files.

    A series whose frames cannot be read in the order in which they are shown (made along another axis, or frames of
    several files in turn) is loaded whole.

    Raises
    ------
    TruncatedFileError
        Here or while frames are read: if a file's pixels cannot be decoded.
    ImageTooLargeError
        If the series must be loaded whole and claims more than one image may.
    """
    transform = AxisTransform() if series.description.views else display_transform(series.grid)
    voxels = voxels_of(series, limits=limits)
    if transform.axes_zyx != _AS_THEY_LIE or not voxels.in_order:
        loaded = load_series(series, limits=limits)
        return stack_of_volume(loaded.volume, clipped_voxels=loaded.clipped_voxels)
    flip_z, flip_y, flip_x = transform.flips_zyx

    def frames() -> Iterator[ReadFrame]:
        for read in voxels.frames(backwards=flip_z):
            yield partial(_turned, read, flip_y, flip_x)

    return ImageStack(
        transform.apply_to_grid(series.grid),
        transform,
        series.modality,
        voxels.windows,
        voxels.description,
        frames,
        clipped_voxels=lambda: voxels.clipped,
    )


def _turned(read: ReadFrame, flip_y: bool, flip_x: bool) -> NDArray[np.int16]:  # noqa: FBT001 - two of a kind
    return np.ascontiguousarray(read()[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
