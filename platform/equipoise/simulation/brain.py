"""MR phantoms of a head with a glioma: four sequences, the tumour's parts, and a map of what a model might have used.

Tissues are ellipsoids with folded or lobulated surfaces; each has one brightness per sequence, blurred a little, under
a slowly varying coil sensitivity and Rician noise. Brightnesses are of no scanner: white matter is brighter than grey
matter on T1 and darker on T2, fluid is dark on T1 and FLAIR and bright on T2, contrast shows in the rim alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.int16]
Region = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

SEQUENCES = ("t1", "t1_contrast", "t2", "flair")
"""T1-weighted without and with contrast, T2-weighted, fluid-attenuated T2-weighted."""

BRIGHTNESS: Mapping[str, tuple[float, float, float, float]] = {
    "air": (5, 5, 5, 5),
    "scalp": (900, 930, 620, 560),
    "skull": (70, 75, 60, 55),
    "fluid": (150, 155, 1000, 90),
    "grey_matter": (420, 430, 560, 480),
    "white_matter": (560, 575, 420, 380),
    "oedema": (430, 440, 800, 830),
    "non_enhancing": (390, 410, 760, 780),
    "enhancing": (440, 980, 640, 690),
    "necrosis": (240, 250, 900, 430),
}
"""Of a tissue on each of :data:`SEQUENCES`; later ones lie over earlier ones."""

TUMOUR_PARTS = ("enhancing", "non_enhancing", "necrosis", "oedema")
"""Masks that a phantom has beside ``brain`` and ``tumour`` (all parts but the oedema)."""

_HEAD_MM = (78.0, 96.0, 72.0)
"""Half axes of the skin: to the sides, front and back, up and down."""
_BLUR = 0.6
_COIL_DEPTH = 0.12
_NOISE = 14.0
_SPOT_MM = 12.0
"""Radius of what a map marks outside the tumour."""


@dataclass(frozen=True)
class BrainPhantom:
    """A simulated MR examination.

    Attributes
    ----------
    sequences : mapping of str to int16 array, shape (z, y, x)
        By name of :data:`SEQUENCES`; on one grid; columns to the left, rows to the back, slices to the head.
    masks : mapping of str to bool array, shape (z, y, x)
        ``brain``, ``tumour`` and :data:`TUMOUR_PARTS`.
    spacing_mm : tuple of three float
        Between slices, rows and columns.
    side : {"left", "right"}
        Of the patient, where the tumour is.
    mutated : bool
        Whether the simulated glioma has the IDH mutation: it enhances little and has no necrosis.
    saliency : float array, shape (z, y, x)
        In [0, 1]: what a simulated model of the mutation marks.
    marked : frozenset of str
        Parts of the tumour of which the map covers at least a quarter, and ``outside`` where it marks healthy brain.
    """

    sequences: Mapping[str, Image]
    masks: Mapping[str, Region]
    spacing_mm: tuple[float, float, float]
    side: str
    mutated: bool
    saliency: FloatArray
    marked: frozenset[str]

    @property
    def middle(self) -> int:
        """The slice with most of the tumour, from 0."""
        return int(np.argmax(self.masks["tumour"].sum(axis=(1, 2))))


def brain_phantom(
    rng: np.random.Generator,
    *,
    shape: tuple[int, int, int] = (24, 192, 160),
    spacing_mm: tuple[float, float, float] = (5.5, 1.15, 1.15),
) -> BrainPhantom:
    """Draw a head with a glioma.

    Parameters
    ----------
    rng : Generator
        Size, place and kind of the tumour, and everything else, are drawn from it.
    shape : tuple of three int
        Slices, rows, columns. The head fills 132 x 192 x 156 mm.
    spacing_mm : tuple of three float
        Between them.

    Raises
    ------
    ValueError
        If the field of view is too small for a tumour of the brain.

    Examples
    --------
    >>> import numpy as np
    >>> phantom = brain_phantom(np.random.default_rng(1), shape=(12, 96, 80), spacing_mm=(11.0, 2.3, 2.3))
    >>> sorted(phantom.sequences), phantom.side in ("left", "right")
    (['flair', 't1', 't1_contrast', 't2'], True)
    """
    if min(n * mm for n, mm in zip(shape, spacing_mm, strict=True)) < _HEAD_MM[2]:
        raise ValueError(f"A head needs more room than {shape} voxels of {spacing_mm} mm.")
    z, y, x = _places_mm(shape, spacing_mm)
    folds = _rough(rng, shape, spacing_mm, 13.0)
    size = rng.uniform(0.95, 1.03)
    depth = 1.0 - np.sqrt(
        (x / (_HEAD_MM[0] * size)) ** 2 + (y / (_HEAD_MM[1] * size)) ** 2 + (z / (_HEAD_MM[2] * size)) ** 2
    )
    mutated = bool(rng.random() < 0.5)
    side = "left" if rng.random() < 0.5 else "right"
    regions = _head(depth, folds, x, y, z)
    regions |= _glioma(rng, regions, x, y, z, shape, spacing_mm, side=side, mutated=mutated)
    tumour = regions["enhancing"] | regions["non_enhancing"] | regions["necrosis"]
    if not tumour.any():
        raise ValueError(f"The tumour has no voxel on a grid of {shape} voxels of {spacing_mm} mm.")
    masks = {"brain": regions["brain"], "tumour": tumour, **{part: regions[part] for part in TUMOUR_PARTS}}
    saliency = _saliency(rng, masks, shape, spacing_mm)
    return BrainPhantom(
        sequences=_sequences(rng, regions, shape, spacing_mm),
        masks=masks,
        spacing_mm=spacing_mm,
        side=side,
        mutated=mutated,
        saliency=saliency,
        marked=_marked(saliency, masks),
    )


def _places_mm(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each axis' places from the middle, shaped so that they broadcast to the volume."""
    z, y, x = (
        np.asarray((np.arange(n) - (n - 1) / 2.0) * mm, dtype=np.float64)
        for n, mm in zip(shape, spacing_mm, strict=True)
    )
    return z[:, None, None], y[None, :, None], x[None, None, :]


def _rough(
    rng: np.random.Generator, shape: tuple[int, ...], spacing_mm: tuple[float, ...], length_mm: float
) -> FloatArray:
    """Return a field of standard deviation 1 that varies over about the length given."""
    field = ndimage.gaussian_filter(rng.normal(size=shape), [length_mm / mm / 2.0 for mm in spacing_mm])
    return np.asarray(field / field.std())


def _head(
    depth: FloatArray, folds: FloatArray, x: FloatArray, y: FloatArray, z: FloatArray
) -> dict[str, Region]:
    """Return the healthy tissues, each within the one before; depth is 0 at the skin and 1 in the middle."""
    brain = depth > 0.135
    cleft = (np.abs(x) < 1.6) & (depth < 0.42) & (z > -10.0)
    # Where the field passes 0 there is a furrow with fluid in it, lined by cortex.
    furrow, lining = np.abs(folds) < 0.1, np.abs(folds) < 0.42
    cleft |= furrow & (depth < 0.27)
    ventricles = np.zeros_like(brain)
    for sign in (-1.0, 1.0):
        bend = sign * (9.0 + 0.0025 * (y - 2.0) ** 2)
        ventricles |= ((x - bend) / 5.5) ** 2 + ((y - 4.0) / 34.0) ** 2 + ((z - 6.0) / 11.0) ** 2 < 1.0
    inner = (depth > 0.2) & ~(lining & (depth < 0.32))
    deep = ((np.abs(x) - 24.0) / 9.0) ** 2 + ((y + 2.0) / 17.0) ** 2 + ((z - 0.0) / 13.0) ** 2 < 1.0
    return {
        "scalp": depth > 0.0,
        "skull": depth > 0.055,
        "fluid": depth > 0.105,
        "grey_matter": brain & ~cleft,
        "white_matter": inner & ~cleft & ~deep,
        "brain": brain & ~cleft & ~ventricles,
        "ventricles": ventricles,
    }


def _glioma(
    rng: np.random.Generator,
    regions: Mapping[str, Region],
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    shape: tuple[int, ...],
    spacing_mm: tuple[float, ...],
    *,
    side: str,
    mutated: bool,
) -> dict[str, Region]:
    """Return the tumour's parts, which do not overlap."""
    sign = 1.0 if side == "left" else -1.0
    centre = sign * rng.uniform(26.0, 40.0), rng.uniform(-40.0, 38.0), rng.uniform(-12.0, 22.0)
    radius = float(np.clip(np.exp(rng.normal(np.log(17.0), 0.3)), 10.0, 30.0))
    stretch = np.exp(rng.normal(0.0, 0.12, 3))
    away = np.sqrt(
        ((x - centre[0]) / stretch[0]) ** 2
        + ((y - centre[1]) / stretch[1]) ** 2
        + ((z - centre[2]) / stretch[2]) ** 2
    )
    distance = away + 0.09 * radius * _rough(rng, shape, spacing_mm, 12.0)
    brain = regions["brain"]
    body = brain & (distance < radius)
    spread = radius * rng.uniform(1.2, 1.45 if mutated else 1.75) + 2.5 * _rough(rng, shape, spacing_mm, 16.0)
    oedema = brain & regions["white_matter"] & (away < spread) & ~body
    if mutated:
        spot = body & (away < radius * rng.uniform(0.0, 0.4))
        return {
            "oedema": oedema,
            "non_enhancing": body & ~spot,
            "enhancing": spot,
            "necrosis": np.zeros_like(body),
        }
    core = body & (distance < radius * rng.uniform(0.45, 0.65))
    rim = body & ~core & (distance < radius * rng.uniform(0.86, 1.0))
    return {"oedema": oedema, "non_enhancing": body & ~core & ~rim, "enhancing": rim, "necrosis": core}


def _sequences(
    rng: np.random.Generator,
    regions: Mapping[str, Region],
    shape: tuple[int, ...],
    spacing_mm: tuple[float, ...],
) -> dict[str, Image]:
    coil = 1.0 + _COIL_DEPTH * np.tanh(_rough(rng, shape, spacing_mm, 90.0))
    order = [name for name in BRIGHTNESS if name in regions]
    images = {}
    for number, sequence in enumerate(SEQUENCES):
        clean = np.full(shape, BRIGHTNESS["air"][number])
        for name in order[: order.index("white_matter") + 1]:
            clean[regions[name]] = BRIGHTNESS[name][number]
        clean[regions["ventricles"]] = BRIGHTNESS["fluid"][number]
        for name in order[order.index("white_matter") + 1 :]:
            clean[regions[name]] = BRIGHTNESS[name][number]
        blurred = ndimage.gaussian_filter(clean, (0.0, _BLUR, _BLUR)) * coil
        real, imaginary = rng.normal(0.0, _NOISE, (2, *shape))
        images[sequence] = np.rint(np.hypot(blurred + real, imaginary)).astype(np.int16)
    return images


def _saliency(
    rng: np.random.Generator,
    masks: Mapping[str, Region],
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> FloatArray:
    """Return a map that follows one or two parts of the tumour and, one time in three, marks something outside."""
    present = [part for part in TUMOUR_PARTS if masks[part].any()]
    chosen = rng.choice(len(present), size=min(len(present), int(rng.integers(1, 3))), replace=False)
    drawn = np.zeros(shape)
    for index in chosen:
        drawn[masks[present[index]]] = rng.uniform(0.7, 1.0)
    if rng.random() < 1 / 3:
        outside = np.argwhere(masks["brain"] & ~masks["tumour"] & ~masks["oedema"])
        place = outside[rng.integers(len(outside))]
        z, y, x = _places_mm(shape, spacing_mm)
        at_z, at_y, at_x = z[place[0], 0, 0], y[0, place[1], 0], x[0, 0, place[2]]
        away = np.sqrt((z - at_z) ** 2 + (y - at_y) ** 2 + (x - at_x) ** 2)
        drawn[(away < _SPOT_MM) & masks["brain"]] = rng.uniform(0.7, 1.0)
    smooth = ndimage.gaussian_filter(drawn, [3.5 / mm for mm in spacing_mm])
    return np.asarray(smooth / smooth.max())


MARKED = 0.5
"""Where the map is at least half its maximum it marks a voxel."""
_QUARTER = 0.25
_OUTSIDE_SHARE = 0.002
"""Of the healthy brain, that the map must mark for ``outside``."""


def _marked(saliency: FloatArray, masks: Mapping[str, Region]) -> frozenset[str]:
    high = saliency >= MARKED
    found = {
        part for part in TUMOUR_PARTS if masks[part].any() and float(high[masks[part]].mean()) >= _QUARTER
    }
    healthy = masks["brain"] & ~masks["tumour"] & ~masks["oedema"]
    return frozenset(found | ({"outside"} if float(high[healthy].mean()) >= _OUTSIDE_SHARE else set()))
