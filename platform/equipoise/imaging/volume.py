"""Images in memory: voxels, where they lie, and the few technical facts that may be kept about them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.geometry import AxisTransform, Grid, display_transform


@dataclass(frozen=True, slots=True)
class WindowPreset:
    """Which values a screen spreads from black to white."""

    name: str
    centre: float
    width: float


CT_WINDOWS = (
    WindowPreset("lung", -600.0, 1600.0),
    WindowPreset("mediastinum", 40.0, 400.0),
    WindowPreset("bone", 400.0, 1800.0),
)
"""Presets offered on every CT, in HU; the first is the default of the thoracic templates."""


PET_UNITS = frozenset(
    {
        *("1CM", "BQML", "CM2", "CM2ML", "CNTS", "CPS", "GML", "MGMINML", "MLG", "MLMING", "MLMINML", "MLML"),
        *("NONE", "PCNT", "PROPCNTS", "PROPCPS", "STDDEV", "UMOLMINML", "UMOLML"),
    }
)
"""The defined terms of Units (DICOM PS3.3 C.8.9.1.1.3); any other word may be anything and is dropped."""


def known_units(text: str) -> str | None:
    """Return the code if it is one of DICOM's."""
    return text if text in PET_UNITS else None


DESCRIPTION_VERSION = 2
"""Of a description as JSON. Version 1 had neither a version nor facts of the patient; it reads as one without."""


SAMPLED_FRAMES = 16
"""At least so many frames, if there are, give an image's window."""


class SpacingSource(StrEnum):
    """What an image's pixel spacing measures."""

    PATIENT = "patient"
    DETECTOR = "detector"
    """The detector or the film: structures in the patient are magnified by an unknown factor."""
    UNKNOWN = "unknown"
    """Nothing was said; the spacing is nominal and nothing may be measured by it."""


@dataclass(frozen=True, slots=True)
class SeriesDescription:
    """The facts of a series that are whitelisted; nothing else of a header outlives reading.

    ``None`` means that the header did not say, or that the trial does not keep it. The facts from ``patient_sex`` on
    may identify: they are kept only by a policy that says so (:mod:`equipoise.archive.deidentification`).
    """

    slice_thickness_mm: float | None = None
    kernel: str | None = None
    tube_voltage_kv: float | None = None
    manufacturer: str | None = None
    model: str | None = None
    views: tuple[str, ...] = ()
    """Names of the frames of a planar image, such as anterior and posterior; empty for a volume."""
    units: str | None = None
    """DICOM's code of what PET values measure, such as ``BQML``."""
    value_slope: float = 1.0
    """``value = value_slope * voxel + value_intercept`` gives what the scanner stored from the 16-bit voxel; the
    slope is negative where low values are shown white."""
    value_intercept: float = 0.0
    spacing_source: SpacingSource = SpacingSource.PATIENT
    patient_sex: str | None = field(default=None, repr=False)
    """DICOM's ``F``, ``M`` or ``O``."""
    patient_age_years: float | None = field(default=None, repr=False)
    patient_size_m: float | None = field(default=None, repr=False)
    patient_weight_kg: float | None = field(default=None, repr=False)
    label: str | None = field(default=None, repr=False)
    """The series' description: the header's own as read from a file; words of imaging alone, or none, in storage."""
    study_date: date | None = field(default=None, repr=False)
    """The header's own as read from a file; a shifted one, or none, in storage."""
    exposure_mas: float | None = None
    uneven_thickness: bool = False
    """Whether the slices of the series state different thicknesses; ``slice_thickness_mm`` is the first one's."""
    rescale_stated: bool | None = None
    """Whether the header states rescale slope and intercept; None for images that need none."""

    def as_json(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return {
            "version": DESCRIPTION_VERSION,
            **asdict(self),
            "views": list(self.views),
            "spacing_source": self.spacing_source.value,
            "study_date": self.study_date.isoformat() if self.study_date else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "SeriesDescription":
        """Read what :meth:`as_json` wrote, in this version or an earlier one."""
        facts = {name: value for name, value in document.items() if name != "version"}
        day = document.get("study_date")
        facts["views"] = tuple(document.get("views", ()))
        facts["spacing_source"] = SpacingSource(document.get("spacing_source", SpacingSource.PATIENT))
        facts["study_date"] = date.fromisoformat(day) if day else None
        return cls(**facts)


@dataclass(frozen=True, slots=True, eq=False)
class ImageVolume:
    """A stack of slices, or the frames of a planar image.

    Parameters
    ----------
    array : int16 array, shape (z, y, x)
        Values after rescaling (HU for CT), rounded to whole numbers; or, where 16 bits do not hold these, numbers
        on the scale that the description gives.
    grid : Grid
        Where the voxels lie. Planar images have no place in the patient: identity directions, origin 0, slice
        spacing 1.
    modality : str
        DICOM's code: ``CT``, ``MR``, ``PT``, ``NM``, ``CR``, ``DX``, ``MG``, ``OT``.
    windows : tuple of WindowPreset
        What the viewer offers, the default first.
    """

    array: NDArray[np.int16]
    grid: Grid
    modality: str = "CT"
    windows: tuple[WindowPreset, ...] = CT_WINDOWS
    description: SeriesDescription = field(default_factory=SeriesDescription)

    def __post_init__(self) -> None:
        if self.array.dtype != np.int16:
            raise TypeError(f"array must be int16, got {self.array.dtype}.")
        if self.array.shape != self.grid.shape_zyx:
            raise ValueError(f"array has shape {self.array.shape}, its grid {self.grid.shape_zyx}.")

    def values(self) -> NDArray[np.float64]:
        """Return the values as the scanner meant them, (z, y, x)."""
        return self.array.astype(np.float64) * self.description.value_slope + self.description.value_intercept

    @property
    def planar(self) -> bool:
        """Whether the frames are views and not slices."""
        return bool(self.description.views)


def turn_for_display(volume: ImageVolume) -> tuple[ImageVolume, AxisTransform]:
    """Return the volume the usual way round and what was done to it. Planar images stay as they are."""
    transform = AxisTransform() if volume.planar else display_transform(volume.grid)
    turned = ImageVolume(
        array=np.ascontiguousarray(transform.apply(volume.array)),
        grid=transform.apply_to_grid(volume.grid),
        modality=volume.modality,
        windows=volume.windows,
        description=volume.description,
    )
    return turned, transform


class PixelHash:
    """The SHA-256 of an image's shape and voxels, frame by frame: the same whatever the file or header."""

    def __init__(self, shape_zyx: tuple[int, int, int]) -> None:
        self._digest = sha256(repr(tuple(shape_zyx)).encode())

    def add(self, frame: NDArray[np.int16]) -> None:
        """Take the next frame, (y, x)."""
        self._digest.update(np.ascontiguousarray(frame, dtype="<i2").data)

    def hexdigest(self) -> str:
        """Return the hash of what was taken."""
        return self._digest.hexdigest()


def pixel_hash(volume: ImageVolume) -> str:
    """Return the hash of a volume in memory, see :class:`PixelHash`."""
    z, y, x = volume.array.shape
    digest = PixelHash((z, y, x))
    for frame in volume.array:
        digest.add(frame)
    return digest.hexdigest()


def default_windows(values: NDArray[np.int16], *, modality: str) -> tuple[WindowPreset, ...]:
    """Return the presets for an image: the CT table, or one from its own voxels."""
    if modality == "CT":
        return CT_WINDOWS
    return (window_of_sample(values[:: max(1, len(values) // SAMPLED_FRAMES)]),)


def window_of_sample(values: NDArray[np.int16]) -> WindowPreset:
    """Return the window from the 1st to the 99.5th percentile of some of an image's voxels."""
    low, high = (float(v) for v in np.percentile(values, (1.0, 99.5)))
    return WindowPreset("whole range", (low + high) / 2, max(high - low, 1.0))
