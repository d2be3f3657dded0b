"""How much tracer goes where in the bone-scan phantom: normal bone, organs, worn joints, hot spots, metastases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.simulation.skeleton import (
    VERTEBRAE,
    Point,
    PointCloud,
    ellipsoid,
    joined,
    spine_y,
    vertebra_levels,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Uptake:
    """A patient's tracer, relative to a vertebral body.

    Attributes
    ----------
    soft_tissue : float
        Falls with good kidneys and late images.
    kidneys, bladder : float
    spread : float
        Standard deviation of the logarithm of single bones' uptake.
    skull, ribs, limbs : float
        Factors of these parts.
    """

    soft_tissue: float
    kidneys: tuple[float, float]
    bladder: float
    bladder_ml: float
    spread: float
    skull: float
    ribs: float
    limbs: float

    def of_bones(self, rng: np.random.Generator, bones: Sequence[PointCloud]) -> list[PointCloud]:
        """Return the bones with this patient's uptake; neighbours in the spine and the ribs vary little."""
        drift = _walk(rng, len(VERTEBRAE), 0.06)
        result = []
        for bone in bones:
            factor = np.exp(rng.normal(0.0, self.spread))
            if bone.name in VERTEBRAE:
                factor = np.exp(0.4 * rng.normal(0.0, self.spread) + drift[VERTEBRAE.index(bone.name)])
            elif bone.name.startswith("rib"):
                factor = self.ribs * np.exp(0.5 * rng.normal(0.0, self.spread))
            elif bone.name in ("skull", "skull base", "face", "jaw"):
                factor *= self.skull
            elif bone.name.split()[0] in ("humerus", "forearm", "wrist", "hand", "femur", "lower", "foot"):
                factor *= self.limbs
            result.append(bone.scaled(float(factor)))
        return result


def _walk(rng: np.random.Generator, count: int, step: float) -> FloatArray:
    steps = np.cumsum(rng.normal(0.0, step, count))
    return np.asarray(steps - steps.mean())


def random_uptake(rng: np.random.Generator) -> Uptake:
    """Draw a patient's normal uptake."""
    kidney = float(np.exp(rng.normal(np.log(0.55), 0.4)))
    return Uptake(
        soft_tissue=float(np.exp(rng.normal(np.log(0.066), 0.25))),
        kidneys=(kidney * float(np.exp(rng.normal(0, 0.12))), kidney * float(np.exp(rng.normal(0, 0.12)))),
        bladder=float(np.exp(rng.normal(np.log(2.2), 0.6))),
        bladder_ml=float(rng.uniform(30.0, 190.0)),
        spread=0.09,
        skull=float(np.exp(rng.normal(0.0, 0.22))),
        ribs=float(np.exp(rng.normal(0.0, 0.12))),
        limbs=float(np.exp(rng.normal(0.0, 0.14))),
    )


def organs(rng: np.random.Generator, uptake: Uptake) -> list[PointCloud]:
    """Return kidneys with their pelvis, and the bladder."""
    clouds = []
    for side, amount in ((-1, uptake.kidneys[0]), (1, uptake.kidneys[1])):
        x, z = side * float(rng.normal(62, 4)), float(rng.normal(566 if side > 0 else 578, 9))
        tilt = side * 8.0
        cortex = [
            ellipsoid("", (x + tilt * (k / 24), 66, z + k), (24.0, 19.0, 26.0), amount * 0.55)
            for k in (-24, 0, 24)
        ]
        if rng.random() < 0.3:  # urine still in the pelvis
            cortex.append(
                ellipsoid("", (x - side * 12, 60, z + 4), (8.0, 8.0, 11.0), amount * float(rng.uniform(1, 4)))
            )
        clouds.append(joined(f"kidney {'left' if side > 0 else 'right'}", cortex))
    radius = np.cbrt(uptake.bladder_ml * 1e3 / (4 / 3 * np.pi * 1.35 * 0.9 * 0.85))
    clouds.append(
        ellipsoid(
            "bladder",
            (float(rng.normal(0, 4)), -30.0, 800.0 - radius * 0.9),
            (1.35 * radius, 0.9 * radius, 0.85 * radius),
            uptake.bladder * (80.0 / uptake.bladder_ml) ** 0.5,
        )
    )
    return clouds


def hot_spots(rng: np.random.Generator) -> list[PointCloud]:
    """Return the injection site, if it shows, and urine on the skin, which happens."""
    spots = []
    if rng.random() < 0.55:
        side = 1 if rng.random() < 0.5 else -1
        at: Point = (side * 214.0, -28.0, 600.0) if rng.random() < 0.6 else (side * 234.0, -10.0, 905.0)
        size = float(rng.uniform(3.0, 9.0))
        where = (at[0] + float(rng.normal(0, 5)), at[1], at[2] + float(rng.normal(0, 14)))
        spots.append(
            ellipsoid(
                "injection site",
                where,
                (size, size, size * float(rng.uniform(1, 2.5))),
                float(rng.uniform(4, 14)),
            )
        )
    if rng.random() < 0.1:
        where = (float(rng.normal(0, 60)), -60.0, float(rng.uniform(850, 980)))
        spots.append(ellipsoid("contamination", where, (6.0, 3.0, 10.0), float(rng.uniform(3, 14))))
    return spots


_JOINTS: tuple[tuple[str, Point, float, float], ...] = (
    ("acromioclavicular joint", (148, -4, 268), 10.0, 0.22),
    ("shoulder", (152, 24, 298), 15.0, 0.22),
    ("sternoclavicular joint", (25, -58, 308), 10.0, 0.25),
    ("elbow", (206, 8, 600), 13.0, 0.08),
    ("wrist", (238, -6, 876), 14.0, 0.18),
    ("thumb", (220, -12, 896), 8.0, 0.22),
    ("hip", (92, 6, 768), 15.0, 0.14),
    ("knee, inner", (74, 4, 1196), 14.0, 0.3),
    ("knee, outer", (122, 4, 1196), 14.0, 0.14),
    ("kneecap", (96, -52, 1160), 16.0, 0.28),
    ("ankle", (100, 4, 1616), 15.0, 0.15),
    ("midfoot", (104, -20, 1652), 12.0, 0.18),
    ("great toe", (86, -62, 1688), 8.0, 0.22),
)
"""Joints that wear: place on the left, size in mm, how often either side shows it."""


def degenerative_uptake(
    rng: np.random.Generator, bones: Sequence[PointCloud], *, amount: float
) -> list[PointCloud]:
    """Return what worn joints take up besides: limbs, facet joints and vertebral edges, and old rib fractures."""
    whole = joined("", bones)
    wear = amount * float(rng.gamma(2.0, 0.5))
    result = []
    for name, (x, y, z), size, share in _JOINTS:
        both = rng.random() < 0.55
        for side in (-1, 1):
            if rng.random() < min(share * wear * (1.3 if both else 0.7), 0.9):
                gain = float(rng.uniform(0.5, 2.4))
                result.append(_raised(name, whole, (side * x, y, z), size, gain))
    levels = vertebra_levels()
    for _ in range(int(rng.poisson(1.1 * wear))):
        number = int(rng.choice([4, 5, 6, 17, 18, 20, 21, 22, 23, 23]))
        side = 1 if rng.random() < 0.5 else -1
        half = 9.0 if number < 7 else 20.0
        z = float(levels[number]) + 13.0
        place = (side * half, spine_y(z) + (22.0 if rng.random() < 0.6 else -4.0), z)
        result.append(_raised(f"facet {VERTEBRAE[number]}", whole, place, 7.0, float(rng.uniform(0.6, 2.0))))
    if amount > 0 and rng.random() < 0.08:
        result += _fractured_ribs(rng, bones)
    return result


def _fractured_ribs(rng: np.random.Generator, bones: Sequence[PointCloud]) -> list[PointCloud]:
    """Return two to four neighbouring ribs broken along one line, as a fall leaves them."""
    tag = "left" if rng.random() < 0.5 else "right"
    first, count = int(rng.integers(4, 8)), int(rng.integers(2, 5))
    place = float(rng.uniform(0.35, 0.75))
    result = []
    for number in range(first, first + count):
        rib = next(bone for bone in bones if bone.name == f"rib {number} {tag}")
        middle = rib.points_mm[int(place * (len(rib.points_mm) - 60))]
        result.append(_raised("old fracture", rib, tuple(middle), 6.0, float(rng.uniform(1.5, 3.5))))
    return result


def _raised(name: str, bone: PointCloud, centre: Sequence[float], size_mm: float, gain: float) -> PointCloud:
    """Return the uptake that comes on top of a bone's around a place."""
    away = np.linalg.norm(bone.points_mm - np.asarray(centre), axis=1)
    near = away < 2.5 * size_mm
    if not near.any():
        near = away <= away.min()
    falloff = np.exp(-0.5 * (away[near] / size_mm) ** 4)
    return PointCloud(name, bone.points_mm[near], bone.mass[near] * gain * np.maximum(falloff, 1e-6))


_PLACES: tuple[tuple[tuple[str, ...], float], ...] = (
    (VERTEBRAE[:7], 0.03),
    (VERTEBRAE[7:19], 0.19),
    (VERTEBRAE[19:], 0.16),
    (("rib",), 0.24),
    (("sacrum", "ilium", "pubis"), 0.20),
    (("sternum",), 0.04),
    (("scapula", "clavicle"), 0.05),
    (("femur",), 0.05),
    (("humerus",), 0.02),
    (("skull",), 0.02),
)
"""Where metastases lie: bones by the start of their names, and shares (they follow the red marrow)."""


def metastatic_uptake(
    rng: np.random.Generator,
    bones: Sequence[PointCloud],
    *,
    count: int,
    contrast: tuple[float, float],
) -> list[PointCloud]:
    """Return what metastases take up besides the bone that they lie in."""
    shares = np.array([share for _, share in _PLACES])
    result = []
    for _ in range(count):
        starts, _share = _PLACES[int(rng.choice(len(_PLACES), p=shares / shares.sum()))]
        choices = [b for b in bones if b.name in starts or b.name.split()[0] in starts]
        bone = choices[int(rng.integers(len(choices)))]
        centre = bone.points_mm[int(rng.choice(len(bone.mass), p=bone.mass / bone.mass.sum()))]
        if bone.name.startswith(("femur", "humerus")):
            centre = _towards_the_trunk(rng, bone)
        size = float(np.clip(np.exp(rng.normal(np.log(10.0), 0.4)), 5.0, 26.0))
        gain = float(np.exp(rng.uniform(*np.log(contrast)))) - 1
        core = ellipsoid("", tuple(centre), (0.55 * size,) * 3, 0.35 * gain)
        result.append(joined("metastasis", [_raised("", bone, centre, size, gain), core]))
    return result


def _towards_the_trunk(rng: np.random.Generator, bone: PointCloud) -> FloatArray:
    """Return a point of the upper third of a long bone: further out there is little red marrow."""
    z = bone.points_mm[:, 2]
    upper = np.flatnonzero(z < z.min() + 0.35 * (z.max() - z.min()))
    return np.asarray(bone.points_mm[int(rng.choice(upper))])
