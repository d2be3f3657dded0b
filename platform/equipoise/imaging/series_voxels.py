"""The voxels of a series, slice by slice, as acquired."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.errors import UnsupportedImageError
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.slices import SliceHeader, places_by_file, plain_pixels, stored_pixels
from equipoise.imaging.volume import (
    CT_WINDOWS,
    SAMPLED_FRAMES,
    SeriesDescription,
    WindowPreset,
    window_of_sample,
)
from equipoise.imaging.voxel_values import VoxelRule, hounsfield_voxels, voxel_rule

KEPT_BYTES = 256 << 20
"""Decoded pixels up to this much are kept between the two readings of a series other than CT."""

_LARGEST_RESCALE = 1e12
"""Beyond this a slope or intercept is damage: no scanner's values need it."""


class SeriesVoxels:
    """Reads the slices of a series and makes voxels of them.

    CT is rescaled slice by slice. What the voxels of any other image stand for depends on the range of all its
    slices; these are surveyed first, and read a second time where they are too many to be kept.

    Parameters
    ----------
    slices : sequence of SliceHeader
        In the order in which they lie.
    modality : str
    description : SeriesDescription
        Of the headers.

    Raises
    ------
    TruncatedFileError
        If a file's pixels cannot be decoded.
    UnsupportedImageError
        If a slope or intercept is no usable number.
    """

    def __init__(
        self,
        slices: Sequence[SliceHeader],
        modality: str,
        description: SeriesDescription,
        *,
        limits: ReadLimits = DEFAULT_LIMITS,
    ) -> None:
        self._slices, self._limits = slices, limits
        self._kept: dict[int, NDArray[np.integer]] = {}
        self._clipped: list[int] = []
        self._rule: VoxelRule | None = None
        self.windows: tuple[WindowPreset, ...] = CT_WINDOWS
        self.description = description
        for header in slices:
            _check_rescaling(header)
        if modality != "CT":
            self._survey()

    @property
    def clipped(self) -> int:
        """How many of the voxels read so far lay beyond the range of int16 and were set to its end."""
        return sum(self._clipped)

    @property
    def in_order(self) -> bool:
        """Whether the slices can be read one after another without going back and forth between files."""
        places = [place for group in places_by_file(self._slices).values() for place in group]
        return places == list(range(len(self._slices)))

    def each(self) -> Iterator[tuple[int, NDArray[np.int16]]]:
        """Yield every slice's place and voxels (y, x), file by file."""
        for place, pixels in self._stored(self._slices):
            yield place, self._voxels(pixels, self._slices[place])

    def frames(self, *, backwards: bool = False) -> Iterator["partial[NDArray[np.int16]]"]:
        """Yield a function for every slice, in order, that returns its voxels (y, x) in any thread.

        Only for a series that is :attr:`in_order`. Files that need decoding are decoded before the function is handed
        out, since pydicom is not safe in threads.
        """
        slices = self._slices[::-1] if backwards else self._slices
        if all(header.plain is not None for header in slices):
            for header in slices:
                yield partial(self._plain_voxels, header)
            return
        for place, pixels in self._stored(slices):
            yield partial(self._voxels, pixels, slices[place])

    def _stored(self, slices: Sequence[SliceHeader]) -> Iterator[tuple[int, NDArray[np.integer]]]:
        if not self._kept:
            yield from stored_pixels(slices, limits=self._limits)
            return
        count = len(slices)
        for place in range(count):
            yield place, self._kept[place if slices is self._slices else count - 1 - place]

    def _plain_voxels(self, header: SliceHeader) -> NDArray[np.int16]:
        if header.plain is None:
            raise RuntimeError("Only plain pixels can be read in any thread.")
        return self._voxels(plain_pixels(header, header.plain), header)

    def _voxels(self, pixels: NDArray[np.integer], header: SliceHeader) -> NDArray[np.int16]:
        if self._rule is not None:
            return self._rule.voxels(pixels, header)
        voxels, beyond = hounsfield_voxels(pixels, header)
        if beyond:
            self._clipped.append(beyond)
        return voxels

    def _survey(self) -> None:
        """Read all slices once for their range, and some for the window."""
        count = len(self._slices)
        ends = [(0, 0)] * count
        sample: dict[int, NDArray[np.integer]] = {}
        step, kept_bytes = max(1, count // SAMPLED_FRAMES), 0
        for place, pixels in stored_pixels(self._slices, limits=self._limits):
            ends[place] = (int(pixels.min()), int(pixels.max()))
            kept_bytes += pixels.nbytes
            if kept_bytes <= KEPT_BYTES:
                self._kept[place] = pixels
            if place % step == 0:
                sample[place] = pixels
        if len(self._kept) < count:
            self._kept.clear()
        rule = voxel_rule(ends, self._slices)
        self._rule = rule
        self.description = replace(
            self.description, value_slope=rule.scale.slope, value_intercept=rule.scale.intercept
        )
        sampled = [rule.voxels(sample[place], self._slices[place]) for place in sorted(sample)]
        self.windows = (window_of_sample(np.stack(sampled)),)


def _check_rescaling(header: SliceHeader) -> None:
    if not all(math.isfinite(v) and abs(v) <= _LARGEST_RESCALE for v in (header.slope, header.intercept)):
        raise UnsupportedImageError(
            f"{header.path.name} has a rescale slope or intercept that is no usable number.",
            file=header.path.name,
        )
