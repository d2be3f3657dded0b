"""A lung tumour: a lobulated body, spicules into the lung, a necrotic core when it is large."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

Place = Literal["parenchyma", "mediastinum", "chest_wall"]
Margin = Literal["lobulated", "spiculated", "smooth"]
Density = Literal["solid", "part_solid", "ground_glass"]


@dataclass(frozen=True)
class TumourSpec:
    """What tumour a phantom gets.

    Attributes
    ----------
    diameter_mm : float
        Of the sphere of equal volume before the tumour is cut to its place, 8 to 100.
    place : {"parenchyma", "mediastinum", "chest_wall"}
        Free in the lung, against the mediastinum, or against the chest wall.
    margin : {"lobulated", "spiculated", "smooth"}
        Shape of the surface.
    side : {"left", "right"}
        Of the patient.
    density : {"solid", "part_solid", "ground_glass"}
        Ground glass is denser than lung, and its vessels show through; part-solid tumours have a solid core in it.
    """

    diameter_mm: float = 32.0
    place: Place = "parenchyma"
    margin: Margin = "lobulated"
    side: Literal["left", "right"] = "right"
    density: Density = "solid"

    def __post_init__(self) -> None:
        if not 8.0 <= self.diameter_mm <= 100.0:
            raise ValueError(f"diameter_mm must be in [8, 100], got {self.diameter_mm}.")
        for name, value, allowed in (
            ("place", self.place, ("parenchyma", "mediastinum", "chest_wall")),
            ("margin", self.margin, ("lobulated", "spiculated", "smooth")),
            ("side", self.side, ("left", "right")),
            ("density", self.density, ("solid", "part_solid", "ground_glass")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}.")


def random_tumour(rng: np.random.Generator, *, ground_glass: float = 0.0) -> TumourSpec:
    """Return a tumour as trials meet them: mostly 15 to 60 mm, places and margins mixed.

    Parameters
    ----------
    ground_glass : float
        Share of tumours that are of ground glass, half of them with a solid core; those lie free in the lung.
    """
    if not 0.0 <= ground_glass <= 1.0:
        raise ValueError(f"ground_glass must be in [0, 1], got {ground_glass}.")
    places: tuple[Place, ...] = ("parenchyma", "mediastinum", "chest_wall")
    margins: tuple[Margin, ...] = ("lobulated", "spiculated", "smooth")
    spec = TumourSpec(
        diameter_mm=float(np.clip(np.exp(rng.normal(np.log(32.0), 0.45)), 10.0, 90.0)),
        place=places[int(rng.choice(3, p=(0.5, 0.25, 0.25)))],
        margin=margins[int(rng.choice(3, p=(0.5, 0.35, 0.15)))],
        side="right" if rng.random() < 0.5 else "left",
    )
    if ground_glass == 0.0 or rng.random() >= ground_glass:
        return spec
    density: Density = "part_solid" if rng.random() < 0.5 else "ground_glass"
    return replace(spec, density=density, place="parenchyma", diameter_mm=min(spec.diameter_mm, 45.0))


@dataclass(frozen=True)
class TumourShape:
    """The surface of one tumour and its spicules, in mm around its centre (x, y, s)."""

    radius_mm: float
    waves: FloatArray
    """(n, 3) directions times frequency."""
    phases: FloatArray
    amplitudes: FloatArray
    axes: FloatArray
    """(3,) stretch along x, y, s; product 1."""
    spicule_directions: FloatArray
    spicule_lengths_mm: FloatArray

    def distance(self, x: FloatArray, y: FloatArray, s: FloatArray) -> FloatArray:
        """Return the radial distance to the surface, negative inside."""
        px, py, pz = x / self.axes[0], y / self.axes[1], s / self.axes[2]
        r = np.sqrt(px * px + py * py + pz * pz)
        safe = np.maximum(r, 1e-6)
        surface = np.ones_like(r)
        for wave, phase, amplitude in zip(self.waves, self.phases, self.amplitudes, strict=True):
            direction = (px * wave[0] + py * wave[1] + pz * wave[2]) / safe
            surface += amplitude * np.cos(direction + phase)
        return np.asarray(r - self.radius_mm * surface)


def tumour_shape(rng: np.random.Generator, spec: TumourSpec) -> TumourShape:
    """Draw the surface of a tumour."""
    n_waves = {"smooth": 3, "lobulated": 9, "spiculated": 7}[spec.margin]
    strength = {"smooth": 0.03, "lobulated": 0.085, "spiculated": 0.06}[spec.margin]
    frequency = {"smooth": (1.5, 3.0), "lobulated": (2.5, 6.0), "spiculated": (3.0, 7.0)}[spec.margin]
    directions = rng.normal(size=(n_waves, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    axes = np.exp(rng.normal(0.0, 0.1, 3))
    spicules = rng.integers(70, 110) if spec.margin == "spiculated" else 0
    ends = rng.normal(size=(spicules, 3))
    return TumourShape(
        radius_mm=spec.diameter_mm / 2,
        waves=directions * rng.uniform(*frequency, size=(n_waves, 1)),
        phases=rng.uniform(0, 2 * np.pi, n_waves),
        amplitudes=rng.uniform(0.5, 1.0, n_waves) * strength,
        axes=axes / np.cbrt(axes.prod()),
        spicule_directions=ends / np.maximum(np.linalg.norm(ends, axis=1, keepdims=True), 1e-9),
        spicule_lengths_mm=rng.uniform(4.0, 17.0, spicules),
    )
