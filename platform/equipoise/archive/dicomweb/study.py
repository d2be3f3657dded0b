"""A stored patient as a DICOM study: which series and instances there are, and each one when it is asked for.

What there is follows from rows alone. Pixels and masks are read when an instance is, one at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.archive.export import dicom_identity
from equipoise.archive.models import StoredMask, StoredVolume
from equipoise.archive.selectors import stored_mask, stored_volume_slice
from equipoise.archive.storage import PackStore, default_store
from equipoise.imaging.dicom_image import DicomImage, has_slices, image_class
from equipoise.imaging.volume import SeriesDescription, WindowPreset

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SEGMENTATION_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
STRUCTURE_SET_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"


@dataclass(frozen=True, slots=True)
class InstanceRef:
    """One instance, as a listing tells it. ``index`` counts from 0 within its series."""

    uid: str
    index: int
    frame_count: int | None = None
    """Of an image with several."""


class Series(ABC):
    """A series that goes out."""

    uid: str
    modality: str
    sop_class_uid: str
    number: int = 1
    description: str = ""
    size_yx: tuple[int, int] | None = None
    """Rows and columns, of images."""

    @property
    @abstractmethod
    def instance_count(self) -> int:
        """How many instances there are."""

    @abstractmethod
    def instances(self) -> Iterator[InstanceRef]:
        """Yield what there is, reading nothing."""

    @abstractmethod
    def header(self, index: int) -> "Dataset":
        """Return an instance without its pixels."""

    @abstractmethod
    def instance(self, index: int) -> "Dataset":
        """Return an instance whole."""


class ImageSeries(Series):
    """A stored volume, or the views of a planar image."""

    def __init__(self, volume: StoredVolume, *, code: str, store: PackStore) -> None:
        self._volume, self._store = volume, store
        self.uid, self.modality = volume.series_uid, volume.modality
        self.sop_class_uid = image_class(self.modality)
        self.size_yx = (volume.row_count, volume.column_count)
        self._outline = DicomImage(
            self.modality,
            volume.grid,
            volume.series_description,
            volume.window_presets,
            dicom_identity(volume, code),
        )

    @property
    def instance_count(self) -> int:
        """How many instances there are."""
        return self._outline.instance_count

    def instances(self) -> Iterator[InstanceRef]:
        """Yield what there is, reading nothing."""
        for index in range(self.instance_count):
            count = len(self._outline.frames_of(index))
            yield InstanceRef(self._outline.identity.instance_uid(index), index, count if count > 1 else None)

    def header(self, index: int) -> "Dataset":
        """Return an instance without its pixels."""
        return self._complete.dataset(index)

    def instance(self, index: int) -> "Dataset":
        """Return an instance whole."""
        frames = self._complete.frames_of(index)
        return self._complete.dataset(index, [self._voxels(frame) for frame in frames])

    def frame_count(self, index: int) -> int:
        """Return how many frames an instance has."""
        return len(self._outline.frames_of(index))

    def stored_frame(self, index: int, frame: int) -> bytes:
        """Return the pixels of an instance's frame (from 0), as the instance stores them."""
        return self._complete.stored_frame(self._voxels(self._outline.frames_of(index)[frame]))

    def picture(self, index: int, frame: int) -> bytes:
        """Return an instance's frame (from 0) as PNG, in the first window that a reader is offered."""
        from equipoise.imaging.thumbnail import thumbnail_png

        voxels = self._voxels(self._outline.frames_of(index)[frame])
        windows = self._volume.window_presets or (WindowPreset("whole range", 0.0, 65536.0),)
        return thumbnail_png(
            voxels,
            window=windows[0],
            spacing_mm_yx=self._volume.spacing_mm_zyx[1:],
            size_px=max(voxels.shape),
        )

    def slices(self, first: int, count: int) -> "list[Dataset]":
        """Return the headers of consecutive slices."""
        return [self._outline.dataset(index) for index in range(first, first + count)]

    def _voxels(self, frame: int) -> NDArray[np.int16]:
        return stored_volume_slice(self._volume, frame, store=self._store)

    @cached_property
    def _complete(self) -> DicomImage:
        """The image with what only its pixels say, where its class needs that (DX: a frame or two)."""
        if self.modality != "DX":
            return self._outline
        frames = [self._voxels(frame) for frame in range(self._volume.frame_count)]
        ends = (min(int(f.min()) for f in frames), max(int(f.max()) for f in frames))
        return replace(self._outline, voxel_range=ends)


class _SingleInstanceSeries(Series):
    """A series of one object that is made of masks when it is asked for."""

    instance_uid: str
    instance_count = 1

    def instances(self) -> Iterator[InstanceRef]:
        """Yield the one instance."""
        yield InstanceRef(self.instance_uid, 0)

    def header(self, _index: int) -> "Dataset":
        """Return the object without pixels."""
        dataset = self.made()
        if "PixelData" in dataset:
            del dataset.PixelData
        return dataset

    def instance(self, _index: int) -> "Dataset":
        """Return the object."""
        return self.made()

    @abstractmethod
    def made(self) -> "Dataset":
        """Make the object."""


class StructureSetSeries(_SingleInstanceSeries):
    """All contours of an image in one structure set."""

    modality, sop_class_uid, number, description = "RTSTRUCT", STRUCTURE_SET_CLASS, 90, "Contours"

    def __init__(
        self, volume: StoredVolume, masks: Mapping[str, StoredMask], *, code: str, store: PackStore
    ) -> None:
        self._volume, self._masks, self._store = volume, masks, store
        self._identity = dicom_identity(volume, code)
        content = "\n".join(f"{source} {mask.sha256}" for source, mask in sorted(masks.items()))
        self._name = f"rtstruct/{sha256(content.encode()).hexdigest()}"  # other contours are another object
        self.uid, self.instance_uid = (
            self._identity.uid(f"{self._name}/series"),
            self._identity.uid(self._name),
        )

    def made(self) -> "Dataset":
        """Make the structure set."""
        from equipoise.imaging.dicom_write import structure_set

        dataset = structure_set(
            {source: stored_mask(mask, store=self._store) for source, mask in sorted(self._masks.items())},
            identity=self._identity,
            name=self._name,
            image_class=image_class(self._volume.modality),
            facts=self._volume.series_description,
        )
        dataset.SeriesDescription = self.description
        return dataset


class SegmentationSeries(_SingleInstanceSeries):
    """One contour as a segmentation object."""

    modality, sop_class_uid = "SEG", SEGMENTATION_CLASS

    def __init__(
        self, image: ImageSeries, source: str, mask: StoredMask, *, number: int, code: str, store: PackStore
    ) -> None:
        self._image, self._source, self._mask, self._store = image, source, mask, store
        self._identity = dicom_identity(mask.volume, code)
        self._name = f"seg/{mask.sha256}/{source}"
        self.number, self.description, self.size_yx = number, f"Segmentation: {source}", image.size_yx
        self.uid, self.instance_uid = (
            self._identity.uid(f"{self._name}/series"),
            self._identity.uid(self._name),
        )

    def made(self) -> "Dataset":
        """Make the segmentation, on the slices that it touches."""
        from equipoise.imaging.segmentation_write import segmentation

        box = self._mask.bounding_box
        first, count = box.start_zyx[0], box.shape_zyx[0]
        dataset: Dataset = segmentation(
            {self._source: stored_mask(self._mask, store=self._store)},
            slices=self._image.slices(first, count),
            first_slice=first,
            identity=self._identity,
            name=self._name,
            number=self.number,
        )
        dataset.SeriesDescription = self.description
        return dataset


@dataclass(frozen=True, slots=True)
class Study:
    """What goes out of one patient under one study UID."""

    code: str
    uid: str
    facts: SeriesDescription
    series: tuple[Series, ...]

    def find(self, series_uid: str) -> Series | None:
        """Return the series of a UID."""
        return next((series for series in self.series if series.uid == series_uid), None)


def study_of(
    volume: StoredVolume,
    masks: Mapping[str, StoredMask],
    *,
    code: str,
    store: PackStore | None = None,
    first_number: int = 1,
) -> Study:
    """Return a stored image with its masks (by source) as a study; masks of an image without slices stay here."""
    from equipoise.imaging.segmentation_write import SEGMENTATION_NUMBER

    store = store or default_store()
    image = ImageSeries(volume, code=code, store=store)
    image.number = first_number
    series: list[Series] = [image]
    if masks and has_slices(volume.modality, volume.series_description):
        series.append(StructureSetSeries(volume, masks, code=code, store=store))
        series += [
            SegmentationSeries(image, source, mask, number=number, code=code, store=store)
            for number, (source, mask) in enumerate(sorted(masks.items()), start=SEGMENTATION_NUMBER)
        ]
    return Study(code, volume.study_uid, volume.series_description, tuple(series))


def instance_index(series: Series, instance_uid: str) -> InstanceRef | None:
    """Return which instance of a series has a UID."""
    return next((one for one in series.instances() if one.uid == instance_uid), None)


def all_instances(series: Sequence[Series]) -> Iterator[tuple[Series, InstanceRef]]:
    """Yield every instance of these series, reading nothing."""
    for one in series:
        for ref in one.instances():
            yield one, ref
