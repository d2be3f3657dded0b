"""Images in memory: voxels, where they lie, and the few technical facts that may be kept about them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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

    def as_json(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return {**asdict(self), "views": list(self.views)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "SeriesDescription":
        """Read what :meth:`as_json` wrote."""
        return cls(**{**document, "views": tuple(document.get("views", ()))})


@dataclass(frozen=True, slots=True, eq=False)
class ImageVolume:
    """A stack of slices, or the frames of a planar image.

    Parameters
    ----------
    array : int16 array, shape (z, y, x)
        Values after rescaling (HU for CT), rounded to whole numbers.
    grid : Grid
        Where the voxels lie. Planar images have no place in the patient: identity directions, origin 0, slice
        spacing 1.
    modality : str
        DICOM's code: ``CT``, ``MR``, ``NM``.
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
