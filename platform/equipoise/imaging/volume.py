"""Images in memory: voxels, where they lie, and the few technical facts that may be kept about them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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


class SpacingSource(StrEnum):
    """What an image's pixel spacing measures."""

    PATIENT = "patient"
    DETECTOR = "detector"
    """The detector or the film: structures in the patient are magnified by an unknown factor."""
    UNKNOWN = "unknown"
    """Nothing was said; the spacing is nominal and nothing may be measured by it."""


@dataclass(frozen=True, slots=True)
class SeriesDescription:
    """The technical facts of a series that are whitelisted; nothing else of a header outlives reading.

    ``None`` means that the header did not say.
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

    def as_json(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return {**asdict(self), "views": list(self.views), "spacing_source": self.spacing_source.value}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "SeriesDescription":
        """Read what :meth:`as_json` wrote."""
        source = SpacingSource(document.get("spacing_source", SpacingSource.PATIENT))
        return cls(**{**document, "views": tuple(document.get("views", ())), "spacing_source": source})


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


def pixel_hash(volume: ImageVolume) -> str:
    """Return the SHA-256 of the shape and voxels: the same whatever the file or header."""
    digest = sha256(repr(tuple(volume.array.shape)).encode())
    digest.update(np.ascontiguousarray(volume.array, dtype="<i2").data)
    return digest.hexdigest()


def default_windows(values: NDArray[np.int16], *, modality: str) -> tuple[WindowPreset, ...]:
    """Return the presets for an image: the CT table, or one from the 1st to the 99.5th percentile."""
    if modality == "CT":
        return CT_WINDOWS
    sample = values[:: max(1, values.shape[0] // 16)]
    low, high = (float(v) for v in np.percentile(sample, (1.0, 99.5)))
    return (WindowPreset("whole range", (low + high) / 2, max(high - low, 1.0)),)
