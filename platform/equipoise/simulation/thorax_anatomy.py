"""Where the organs of the thorax phantom lie: outlines per level, tubes, heart, bones. Millimetres throughout.

Patient coordinates of a phantom: x to the patient's left (to the right of the image), y to the back (down in the
image), s to the head, 0 at the lowest level of the lungs and about 300 at their apex. The figures are those of an
average adult, read off anatomy atlases; a phantom scales and varies them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

APEX_MM = 305.0
"""Level of the lung apex."""
AIR_HU, LUNG_HU, FAT_HU, MUSCLE_HU, WATER_HU = -1000.0, -862.0, -102.0, 56.0, 8.0
CORTICAL_HU, TRABECULAR_HU, CARTILAGE_HU, DISC_HU, CORD_HU = 760.0, 150.0, 95.0, 85.0, 32.0


@dataclass(frozen=True)
class Tube:
    """A vessel, airway or gullet: a polyline of (x, y, s) with a radius at each point."""

    name: str
    points: tuple[tuple[float, float, float], ...]
    radii: tuple[float, ...]
    content: str
    """``blood``, ``venous``, ``air`` or ``soft``."""


TUBES: tuple[Tube, ...] = (
    Tube("ascending aorta", ((6, -8, 122), (-7, -18, 158), (-13, -17, 190)), (16, 16, 15), "blood"),
    Tube(
        "aortic arch",
        ((-13, -17, 190), (-5, -8, 208), (9, 13, 213), (19, 32, 206), (24, 44, 190)),
        (15, 14.5, 13.5, 13, 12.5),
        "blood",
    ),
    Tube(
        "descending aorta",
        ((24, 44, 190), (24, 47, 120), (17, 46, 40), (8, 44, -60)),
        (12.5, 12, 11, 10),
        "blood",
    ),
    Tube("brachiocephalic artery", ((-7, -4, 212), (-13, 0, 245), (-31, 3, 288)), (6.5, 6, 5), "blood"),
    Tube("right carotid artery", ((-15, 0, 250), (-20, 4, 345)), (3.8, 3.5), "blood"),
    Tube("left carotid artery", ((6, 5, 214), (11, 2, 250), (18, 4, 345)), (4.5, 4, 3.5), "blood"),
    Tube("left subclavian artery", ((16, 20, 210), (24, 17, 250), (52, 12, 290)), (5.5, 5, 4.5), "blood"),
    Tube("superior vena cava", ((-27, -13, 206), (-27, -8, 155), (-24, -4, 130)), (9, 10, 10), "venous"),
    Tube(
        "right brachiocephalic vein",
        ((-27, -13, 206), (-33, -13, 250), (-48, -10, 290)),
        (9, 7.5, 6.5),
        "venous",
    ),
    Tube(
        "left brachiocephalic vein",
        ((-27, -13, 206), (4, -27, 222), (34, -18, 252), (52, -11, 290)),
        (8, 7, 7, 6),
        "venous",
    ),
    Tube("inferior vena cava", ((-24, 6, 92), (-23, 14, 20), (-21, 18, -60)), (12, 12, 11), "venous"),
    Tube(
        "azygos vein",
        ((-8, 50, -20), (-9, 49, 188), (-19, 25, 197), (-26, -3, 190)),
        (3.5, 4, 4.5, 4.5),
        "venous",
    ),
    Tube("pulmonary trunk", ((20, -32, 128), (26, -16, 156), (23, 3, 169)), (14, 14, 12), "blood"),
    Tube(
        "right pulmonary artery",
        ((20, -1, 168), (-10, 8, 165), (-38, 16, 156), (-52, 26, 138)),
        (11.5, 10.5, 8.5, 6),
        "blood",
    ),
    Tube(
        "left pulmonary artery",
        ((23, 3, 169), (41, 22, 168), (49, 33, 150), (54, 40, 128)),
        (11.5, 10, 8, 5.5),
        "blood",
    ),
    Tube("right superior pulmonary vein", ((-18, 8, 142), (-46, -4, 158)), (6, 4.5), "blood"),
    Tube("left superior pulmonary vein", ((26, 6, 144), (54, -8, 158)), (6, 4.5), "blood"),
    Tube("right inferior pulmonary vein", ((-18, 20, 126), (-54, 32, 114)), (6.5, 4.5), "blood"),
    Tube("left inferior pulmonary vein", ((26, 24, 128), (58, 38, 114)), (6.5, 4.5), "blood"),
    Tube("left atrium", ((-16, 15, 133), (18, 17, 133)), (17, 17), "blood"),
    Tube(
        "oesophagus",
        ((5, 31, 345), (6, 38, 215), (9, 41, 150), (17, 38, 60), (22, 26, 10)),
        (7, 7.5, 7.5, 8, 8),
        "soft",
    ),
    Tube("trachea", ((0, 6, 345), (-1, 12, 260), (-2, 19, 215), (-2, 23, 181)), (9, 9, 9, 9), "air"),
    Tube("right main bronchus", ((-2, 23, 182), (-28, 25, 166), (-47, 27, 154)), (7.5, 6.5, 4.5), "air"),
    Tube("right upper bronchus", ((-28, 25, 166), (-50, 20, 176), (-62, 16, 190)), (4.5, 3.5, 2.4), "air"),
    Tube("bronchus intermedius", ((-30, 25, 165), (-40, 33, 138), (-50, 44, 112)), (5.5, 4.5, 2.8), "air"),
    Tube("middle lobe bronchus", ((-40, 33, 138), (-56, 10, 124)), (3, 2.2), "air"),
    Tube("left main bronchus", ((-2, 23, 182), (20, 27, 169), (44, 31, 156)), (7, 5.8, 4.8), "air"),
    Tube("left upper bronchus", ((40, 30, 158), (54, 14, 172), (60, 4, 188)), (4.2, 3.4, 2.4), "air"),
    Tube("left lower bronchus", ((42, 31, 157), (47, 42, 130), (54, 50, 108)), (4.4, 3.6, 2.4), "air"),
)
"""The large tubes of the mediastinum and the hila."""

RIGHT_HILUM = (-50.0, 24.0, 152.0)
LEFT_HILUM = (52.0, 30.0, 150.0)


@dataclass(frozen=True)
class Ellipsoid:
    """A rotated ellipsoid: ``long`` along the unit vector ``axis``, ``short`` across it."""

    centre: tuple[float, float, float]
    axis: tuple[float, float, float]
    long: float
    short: float


HEART = Ellipsoid((22.0, -26.0, 100.0), (0.74, -0.52, -0.42), 66.0, 46.0)
LEFT_VENTRICLE = Ellipsoid((42.0, -22.0, 94.0), (0.74, -0.52, -0.42), 36.0, 20.0)
RIGHT_VENTRICLE = Ellipsoid((12.0, -50.0, 102.0), (0.85, 0.1, -0.5), 36.0, 18.0)
RIGHT_ATRIUM = Ellipsoid((-24.0, -14.0, 112.0), (0.1, 0.1, 1.0), 33.0, 24.0)
"""The chambers; what of the heart lies outside them is muscle."""

_CAGE_LEVELS = (-60.0, 0.0, 60.0, 140.0, 200.0, 240.0, 270.0, 290.0, 305.0, 330.0)
_CAGE_HALF_WIDTH = (128.0, 132.0, 136.0, 132.0, 120.0, 104.0, 84.0, 64.0, 44.0, 40.0)
_CAGE_HALF_DEPTH = (86.0, 89.0, 92.0, 90.0, 82.0, 72.0, 60.0, 48.0, 34.0, 30.0)
_CAGE_CENTRE_Y = (0.0, 0.0, 0.0, 0.0, 4.0, 9.0, 15.0, 20.0, 24.0, 26.0)
_SHOULDER_LEVELS = (-60.0, 100.0, 180.0, 230.0, 270.0, 300.0, 340.0)
_SHOULDER_HALF_WIDTH = (0.0, 0.0, 152.0, 164.0, 166.0, 156.0, 110.0)
_SHOULDER_HALF_DEPTH = (0.0, 0.0, 104.0, 100.0, 94.0, 86.0, 76.0)
_SPINE_LEVELS = (-60.0, 40.0, 120.0, 190.0, 300.0, 345.0)
_SPINE_Y = (60.0, 64.0, 67.0, 66.0, 53.0, 46.0)
_SPINOUS_REACH_MM = 60.0


@dataclass(frozen=True)
class Level:
    """The outlines of one level before variation: half axes of the pleural cavity and of body without fat."""

    cage_a: float
    cage_b: float
    cage_y: float
    muscle_a: float
    muscle_b: float
    muscle_y: float
    spine_y: float
    """Centre of the vertebral body: the spine is bent to the back at mid-height."""


def level_at(s: float) -> Level:
    """Return the outlines at a level."""
    cage_a = float(np.interp(s, _CAGE_LEVELS, _CAGE_HALF_WIDTH))
    cage_b = float(np.interp(s, _CAGE_LEVELS, _CAGE_HALF_DEPTH))
    cage_y = float(np.interp(s, _CAGE_LEVELS, _CAGE_CENTRE_Y))
    shoulder_a = float(np.interp(s, _SHOULDER_LEVELS, _SHOULDER_HALF_WIDTH))
    shoulder_b = float(np.interp(s, _SHOULDER_LEVELS, _SHOULDER_HALF_DEPTH))
    muscle_b = max(cage_b + 23.0, shoulder_b)
    spine_y = float(np.interp(s, _SPINE_LEVELS, _SPINE_Y))
    return Level(
        cage_a=cage_a,
        cage_b=cage_b,
        cage_y=cage_y,
        muscle_a=max(cage_a + 21.0, shoulder_a),
        muscle_b=muscle_b,
        muscle_y=max(2.0, spine_y + _SPINOUS_REACH_MM + 1.0 - muscle_b),
        spine_y=spine_y,
    )


def diaphragm_level(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the height of the diaphragm under every point: two domes, the right one higher."""
    ripple = 3.0 * np.sin(x / 17.0 + y / 29.0) + 2.0 * np.sin(y / 13.0 - x / 31.0)
    right = 80.0 - np.abs(x + 66.0) ** 2.3 / 330.0 - np.abs(y + 10.0) ** 2.1 / 215.0
    left = 68.0 - np.abs(x - 72.0) ** 2.3 / 330.0 - np.abs(y + 8.0) ** 2.1 / 215.0
    return np.asarray(np.maximum(right, left) + ripple, np.float32)


def smooth_minimum(a: FloatArray, b: FloatArray, width_mm: float) -> FloatArray:
    """Return the smaller value, the corner between the two rounded over a width."""
    share = np.clip(0.5 + 0.5 * (b - a) / width_mm, 0.0, 1.0)
    return np.asarray(b + share * (a - b) - width_mm * share * (1.0 - share), np.float32)


def smooth_maximum(a: FloatArray, b: FloatArray, width_mm: float) -> FloatArray:
    """Return the larger value, the corner between the two rounded over a width."""
    return -smooth_minimum(-a, -b, width_mm)


def tube_distance(
    tube_points: Sequence[tuple[float, float, float]],
    radii: Sequence[float],
    x: FloatArray,
    y: FloatArray,
    s: float,
    *,
    reach: float,
) -> FloatArray | None:
    """Return the distance of every point of a level to the tube's wall, negative inside; None if far from all."""
    nearest: FloatArray | None = None
    for (a, b), (ra, rb) in zip(pairwise(tube_points), pairwise(radii), strict=True):
        low, high = min(a[2], b[2]), max(a[2], b[2])
        if s < low - max(ra, rb) - reach or s > high + max(ra, rb) + reach:
            continue
        ax, ay, az = a
        dx, dy, dz = b[0] - ax, b[1] - ay, b[2] - az
        t = ((x - ax) * dx + (y - ay) * dy + (s - az) * dz) / (dx * dx + dy * dy + dz * dz)
        np.clip(t, 0.0, 1.0, out=t)
        distance = np.sqrt((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2 + (s - az - t * dz) ** 2)
        distance -= ra + t * (rb - ra)
        nearest = distance if nearest is None else np.minimum(nearest, distance)
    return nearest


def ellipsoid_distance(ellipsoid: Ellipsoid, x: FloatArray, y: FloatArray, s: float) -> FloatArray:
    """Return an approximate distance to the ellipsoid's surface, negative inside."""
    cx, cy, cz = ellipsoid.centre
    ux, uy, uz = np.asarray(ellipsoid.axis) / np.linalg.norm(ellipsoid.axis)
    px, py, pz = x - cx, y - cy, s - cz
    along = px * ux + py * uy + pz * uz
    square = px * px + py * py + pz * pz
    across = np.maximum(square - along * along, 0.0)
    e = np.sqrt(along**2 / ellipsoid.long**2 + across / ellipsoid.short**2)
    return np.asarray((e - 1.0) * ellipsoid.short, np.float32)
