"""The skeleton of the bone-scan phantom as a cloud of points with a mass of tracer each. Millimetres throughout.

Coordinates of the average patient: x to the patient's left, y to the back (0 in the middle of the trunk), z down from
the vertex to the toes, 1720 high. The figures are read off anatomy atlases and of whole-body scans; a phantom scales,
bends and varies them. Uptake is relative to that of a vertebral body.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Point = tuple[float, float, float]

STEP_MM = 2.5
"""Distance of the points along a bone."""

_GOLDEN = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points of one organ.

    Attributes
    ----------
    points_mm : ndarray, shape (n, 3)
    mass : ndarray, shape (n,)
        Uptake times volume, in ml.
    """

    name: str
    points_mm: FloatArray
    mass: FloatArray

    def scaled(self, factor: float) -> "PointCloud":
        """Return the cloud with another uptake."""
        return PointCloud(self.name, self.points_mm, self.mass * factor)


def ball(count: int) -> FloatArray:
    """Return points spread evenly through the unit ball, shape (count, 3)."""
    k = np.arange(count) + 0.5
    r = np.cbrt(k / count)
    # A second irrational number takes radius and direction apart.
    cos = 1 - 2 * np.mod(k * 0.7548776662466927, 1.0)
    sin, angle = np.sqrt(1 - cos * cos), _GOLDEN * k
    return np.stack([r * sin * np.cos(angle), r * sin * np.sin(angle), r * cos], axis=1)


def rod(
    name: str, points: Sequence[Point] | FloatArray, radius_mm: float | Sequence[float], uptake: float
) -> PointCloud:
    """Return a bone along a polyline; the radius may change from point to point."""
    line = np.asarray(points, float)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(round(at[-1] / STEP_MM), 2)
    middle = (np.arange(count) + 0.5) * at[-1] / count
    centre = np.stack([np.interp(middle, at, line[:, axis]) for axis in range(3)], axis=1)
    radii = np.interp(middle, at, np.broadcast_to(np.asarray(radius_mm, float), len(line)))
    offsets = ball(24)
    points_mm = (centre[:, None, :] + radii[:, None, None] * offsets).reshape(-1, 3)
    mass = uptake * np.pi * radii**2 * (at[-1] / count) * 1e-3
    return PointCloud(name, points_mm, np.repeat(mass / len(offsets), len(offsets)))


def ellipsoid(name: str, centre: Point, half_axes: Point, uptake: float) -> PointCloud:
    """Return a filled ellipsoid."""
    volume_ml = 4 / 3 * np.pi * float(np.prod(half_axes)) * 1e-3
    offsets = ball(int(np.clip(volume_ml * 40, 60, 3000)))
    mass = np.full(len(offsets), uptake * volume_ml / len(offsets))
    return PointCloud(name, np.asarray(centre) + offsets * np.asarray(half_axes), mass)


def shell(name: str, centre: Point, half_axes: Point, thickness_mm: float, uptake: float) -> PointCloud:
    """Return the surface of an ellipsoid with a thickness."""
    k = np.arange(5000) + 0.5
    cos = 1 - 2 * k / len(k)
    sin, angle = np.sqrt(1 - cos * cos), _GOLDEN * k
    direction = np.stack([sin * np.cos(angle), sin * np.sin(angle), cos], axis=1)
    axes = np.asarray(half_axes, float)
    # The area that a direction stands for, of the stretched sphere (up to the product of the axes).
    area = np.prod(axes) * np.linalg.norm(direction / axes, axis=1) * 4 * np.pi / len(k)
    return PointCloud(name, np.asarray(centre) + direction * axes, uptake * area * thickness_mm * 1e-3)


def plate(name: str, corners: Sequence[Point], thickness_mm: float, uptake: float) -> PointCloud:
    """Return a flat bone: a fan of triangles from the first corner."""
    clouds = []
    first = np.asarray(corners[0], float)
    for b, c in pairwise(corners[1:]):
        u, v = np.asarray(b, float) - first, np.asarray(c, float) - first
        area = float(np.linalg.norm(np.cross(u, v))) / 2
        n = max(round(np.sqrt(2 * area) / STEP_MM), 3)
        i, j = (grid.ravel() + 1 / 3 for grid in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
        inside = i + j < n
        points = first + (i[inside, None] * u + j[inside, None] * v) / n
        clouds.append((points, np.full(len(points), uptake * area * thickness_mm * 1e-3 / len(points))))
    return PointCloud(name, np.concatenate([p for p, _ in clouds]), np.concatenate([m for _, m in clouds]))


def joined(name: str, clouds: Sequence[PointCloud]) -> PointCloud:
    """Return several clouds as one."""
    return PointCloud(
        name, np.concatenate([c.points_mm for c in clouds]), np.concatenate([c.mass for c in clouds])
    )


VERTEBRAE = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
)
"""From the head down."""

_VERTEBRA_HEIGHT_MM = (*[14.5] * 7, *np.linspace(17.5, 25.5, 12), *[29.0, 30.0, 30.5, 31.0, 31.0])
_VERTEBRA_HALF_WIDTH_MM = (*[10.0] * 7, *np.linspace(12.5, 18.0, 12), *[20.0, 21.0, 22.0, 23.0, 24.0])
_SPINE_TOP_MM = 172.0
_SPINE_Z = (172.0, 270.0, 400.0, 520.0, 620.0, 690.0)
_SPINE_Y = (12.0, 36.0, 64.0, 52.0, 22.0, 34.0)


def spine_y(z: float) -> float:
    """Return how far back the vertebral bodies lie at a height: kyphosis of the chest, lordosis of the loins."""
    return float(np.interp(z, _SPINE_Z, _SPINE_Y))


def vertebra_levels() -> FloatArray:
    """Return the height of the middle of every vertebra, shape (24,)."""
    edges = _SPINE_TOP_MM + np.concatenate([[0.0], np.cumsum(_VERTEBRA_HEIGHT_MM)])
    return np.asarray((edges[:-1] + edges[1:]) / 2)


def spine() -> list[PointCloud]:
    """Return the vertebrae: a body, its arch with two facet joints, transverse and spinous processes."""
    clouds = []
    for name, z, height, width in zip(
        VERTEBRAE, vertebra_levels(), _VERTEBRA_HEIGHT_MM, _VERTEBRA_HALF_WIDTH_MM, strict=True
    ):
        y, half = spine_y(z), 0.36 * height
        uptake = 0.75 if name[0] == "C" else 1.0
        body = [
            rod(
                name,
                [(-0.62 * width, y, z + dz), (0.62 * width, y, z + dz)],
                0.55 * half + 4.0,
                0.85 * uptake,
            )
            for dz in (-0.5 * half, 0.5 * half)
        ]
        facets = [
            ellipsoid(name, (side * 0.85 * width, y + 24.0, z + 0.3 * height), (5.0, 5.0, 7.0), 1.0 * uptake)
            for side in (-1, 1)
        ]
        reach = width + (9.0 if name[0] == "C" else 17.0)
        across = rod(name, [(-reach, y + 26.0, z), (reach, y + 26.0, z)], 3.2, 0.75 * uptake)
        tip = rod(name, [(0, y + 28.0, z), (0, y + 48.0, z + 0.35 * height)], 4.0, 0.9 * uptake)
        clouds.append(joined(name, [*body, *facets, across, tip]))
    return clouds


def ribs() -> list[PointCloud]:
    """Return twelve pairs: from the spine backwards around the side to the front, ever lower."""
    levels = dict(zip(VERTEBRAE, vertebra_levels(), strict=True))
    half_width = (62.0, 88.0, 106.0, 118.0, 126.0, 131.0, 134.0, 136.0, 136.0, 132.0, 126.0, 112.0)
    half_depth = (48.0, 62.0, 72.0, 80.0, 86.0, 90.0, 92.0, 92.0, 90.0, 86.0, 82.0, 76.0)
    drop = (28.0, 52.0, 72.0, 88.0, 98.0, 106.0, 112.0, 112.0, 104.0, 92.0, 62.0, 36.0)
    reach = (0.86, 0.84, 0.82, 0.80, 0.78, 0.77, 0.76, 0.73, 0.69, 0.63, 0.47, 0.36)
    clouds = []
    for number in range(12):
        z = levels[f"T{number + 1}"] - 4.0
        y0 = spine_y(z)
        # The angle runs from the back (0) around the side (pi / 2) to the front (pi).
        phi = np.linspace(0.10 * np.pi, reach[number] * np.pi, 40)
        a, b = half_width[number], half_depth[number]
        middle_y = y0 + 12.0 - b
        x = 14.0 + (a - 14.0) * np.sin(phi) ** 0.9
        y = middle_y + b * np.cos(phi)
        part = (phi - phi[0]) / np.pi
        height = z + drop[number] * np.clip(part / 0.62, 0.0, 1.35) ** 1.15
        for side, tag in ((-1, "right"), (1, "left")):
            line = np.stack([side * x, y, height], axis=1)
            head = ellipsoid("", (side * 26.0, y0 + 16.0, z), (5.0, 5.0, 5.0), 0.9)
            clouds.append(
                joined(f"rib {number + 1} {tag}", [rod("", line, [4.6] * 30 + [4.0] * 10, 1.5), head])
            )
    return clouds


def skull() -> list[PointCloud]:
    """Return vault, base, face and jaw."""
    return [
        shell("skull", (0, 5, 84), (72.0, 92.0, 82.0), 6.0, 0.42),
        joined(
            "skull base",
            [
                ellipsoid("", (0, 30, 150), (46.0, 34.0, 12.0), 0.45),
                ellipsoid("", (0, 78, 128), (30.0, 9.0, 20.0), 0.5),
                *(ellipsoid("", (side * 56, 22, 142), (11.0, 18.0, 15.0), 0.6) for side in (-1, 1)),
            ],
        ),
        joined(
            "face",
            [
                ellipsoid("", (0, -66, 135), (13.0, 18.0, 23.0), 1.25),
                *(ellipsoid("", (side * 28, -60, 142), (14.0, 16.0, 15.0), 0.8) for side in (-1, 1)),
                *(
                    rod(
                        "",
                        [
                            (side * (31 + 21 * np.cos(a)), -64, 118 + 17 * np.sin(a))
                            for a in np.linspace(0, 2 * np.pi, 13)
                        ],
                        3.2,
                        0.8,
                    )
                    for side in (-1, 1)
                ),
                rod("", [(-26, -66, 164), (0, -78, 168), (26, -66, 164)], 7.0, 1.3),
            ],
        ),
        rod(
            "jaw",
            [
                (-52, 0, 148),
                (-49, -18, 182),
                (-26, -58, 200),
                (0, -70, 204),
                (26, -58, 200),
                (49, -18, 182),
                (52, 0, 148),
            ],
            6.0,
            1.0,
        ),
    ]


def shoulder_girdle() -> list[PointCloud]:
    """Return sternum, collar bones and shoulder blades."""
    clouds = [
        joined(
            "sternum",
            [
                plate("", [(-27, -62, 308), (27, -62, 308), (17, -78, 352), (-17, -78, 352)], 14.0, 1.5),
                plate("", [(-14, -78, 358), (14, -78, 358), (19, -94, 452), (-19, -94, 452)], 12.0, 1.35),
                rod("", [(0, -94, 455), (0, -92, 478)], 5.0, 0.5),
            ],
        )
    ]
    for side, tag in ((-1, "right"), (1, "left")):
        s = float(side)
        clouds += [
            joined(
                f"clavicle {tag}",
                [
                    rod(
                        "",
                        [(s * 24, -58, 308), (s * 70, -56, 290), (s * 112, -26, 276), (s * 146, -6, 268)],
                        6.0,
                        1.0,
                    ),
                    ellipsoid("", (s * 24, -58, 308), (9.0, 8.0, 9.0), 1.1),
                    ellipsoid("", (s * 148, -4, 268), (9.0, 9.0, 8.0), 1.1),
                ],
            ),
            joined(
                f"scapula {tag}",
                [
                    plate("", [(s * 72, 88, 306), (s * 142, 52, 300), (s * 92, 92, 428)], 4.0, 0.8),
                    rod("", [(s * 72, 90, 300), (s * 70, 92, 340), (s * 90, 94, 430)], 6.0, 0.6),
                    rod("", [(s * 90, 94, 430), (s * 120, 78, 362), (s * 142, 48, 312)], 7.0, 0.7),
                    rod("", [(s * 74, 92, 314), (s * 120, 82, 288), (s * 152, 36, 266)], 6.5, 0.8),
                    ellipsoid("", (s * 144, 34, 300), (10.0, 16.0, 19.0), 1.2),
                    rod("", [(s * 136, 20, 292), (s * 132, -18, 288)], 6.0, 0.9),
                ],
            ),
        ]
    return clouds


def pelvis() -> list[PointCloud]:
    """Return sacrum and hip bones."""
    clouds = [
        joined(
            "sacrum",
            [
                plate(
                    "",
                    [(-44, 52, 690), (44, 52, 690), (30, 84, 742), (0, 86, 790), (-30, 84, 742)],
                    20.0,
                    0.72,
                ),
                rod("", [(0, 86, 786), (0, 72, 815)], 6.0, 0.6),
                *(
                    rod("", [(s * 46, 66, 692), (s * 42, 80, 722), (s * 38, 80, 752)], 7.0, 1.35)
                    for s in (-1, 1)
                ),
            ],
        )
    ]
    for side, tag in ((-1, "right"), (1, "left")):
        s = float(side)
        clouds += [
            joined(
                f"ilium {tag}",
                [
                    plate(
                        "",
                        [
                            (s * 84, 20, 742),
                            (s * 50, 70, 680),
                            (s * 78, 46, 652),
                            (s * 112, 6, 654),
                            (s * 134, -40, 692),
                            (s * 122, -40, 735),
                        ],
                        9.0,
                        0.62,
                    ),
                    rod(
                        "",
                        [
                            (s * 50, 76, 690),
                            (s * 62, 66, 664),
                            (s * 88, 38, 646),
                            (s * 114, 4, 650),
                            (s * 134, -38, 684),
                            (s * 132, -48, 702),
                        ],
                        7.0,
                        0.95,
                    ),
                    rod("", [(s * 132, -48, 702), (s * 122, -42, 735), (s * 108, -20, 762)], 7.0, 0.8),
                    rod("", [(s * 54, 70, 720), (s * 72, 46, 748), (s * 86, 20, 770)], 9.0, 0.9),
                    rod(
                        "",
                        [
                            (s * (92 + 27 * np.cos(a)), 8, 790 + 27 * np.sin(a))
                            for a in np.linspace(-0.9 * np.pi, 0.35 * np.pi, 14)
                        ],
                        6.5,
                        0.9,
                    ),
                ],
            ),
            joined(
                f"pubis and ischium {tag}",
                [
                    rod(
                        "",
                        [(s * 68, -12, 790), (s * 40, -44, 794), (s * 8, -56, 806), (s * 7, -54, 830)],
                        6.5,
                        0.85,
                    ),
                    rod("", [(s * 8, -52, 832), (s * 32, -16, 856), (s * 54, 20, 868)], 5.5, 0.8),
                    rod("", [(s * 74, 22, 808), (s * 64, 38, 846), (s * 56, 32, 870)], 9.5, 0.95),
                ],
            ),
        ]
    return clouds


def arm(side: int) -> list[PointCloud]:
    """Return the bones of one arm, hanging at the side."""
    s, tag = float(side), "left" if side > 0 else "right"
    fingers = [
        rod(
            "",
            [
                (s * (238 + 6.5 * k), -8, 892 + 4 * abs(k)),
                (s * (242 + 10.5 * k), -12, 958 + 3 * abs(k)),
                (s * (243 + 11.5 * k), -14, 1028 - 11 * abs(k - 0.5)),
            ],
            (4.2, 3.6, 2.6),
            1.1,
        )
        for k in (-1.5, -0.5, 0.5, 1.5)
    ]
    return [
        joined(
            f"humerus {tag}",
            [
                ellipsoid("", (s * 170, 14, 296), (23.0, 23.0, 24.0), 1.0),
                rod(
                    "", [(s * 176, 14, 310), (s * 190, 12, 420), (s * 204, 10, 575)], (15.0, 10.0, 10.5), 0.6
                ),
                rod("", [(s * 184, 10, 596), (s * 228, 10, 596)], 10.0, 0.95),
            ],
        ),
        joined(
            f"forearm {tag}",
            [
                rod("", [(s * 196, 18, 606), (s * 216, 8, 730), (s * 226, 0, 858)], (10.0, 6.0, 6.0), 0.62),
                rod("", [(s * 216, 2, 612), (s * 234, -4, 730), (s * 246, -6, 858)], (8.0, 6.5, 10.0), 0.65),
            ],
        ),
        joined(f"wrist {tag}", [ellipsoid("", (s * 238, -6, 876), (22.0, 12.0, 14.0), 0.9)]),
        joined(
            f"hand {tag}",
            [
                *fingers,
                rod(
                    "", [(s * 222, -12, 890), (s * 206, -24, 930), (s * 200, -28, 966)], (5.0, 4.2, 3.2), 1.15
                ),
            ],
        ),
    ]


def leg(side: int) -> list[PointCloud]:
    """Return the bones of one leg."""
    s, tag = float(side), "left" if side > 0 else "right"
    rays = [
        rod(
            "",
            [
                (s * (100 + 7 * k), -34, 1652),
                (s * (110 + 12 * k), -66, 1690),
                (s * (115 + 14 * k), -78, 1722 - 5 * abs(k + 1)),
            ],
            (5.0, 4.5, 3.0),
            1.0,
        )
        for k in (-2, -1, 0, 1, 2)
    ]
    return [
        joined(
            f"femur {tag}",
            [
                ellipsoid("", (s * 90, 10, 790), (23.0, 23.0, 23.0), 0.85),
                rod("", [(s * 98, 10, 796), (s * 128, 16, 826)], 15.0, 0.8),
                ellipsoid("", (s * 138, 22, 816), (15.0, 16.0, 22.0), 1.0),
                rod("", [(s * 132, 14, 830), (s * 118, 4, 1000), (s * 98, 8, 1150)], (17.0, 14.0, 16.0), 0.5),
                rod("", [(s * 74, 8, 1180), (s * 120, 8, 1180)], 22.0, 0.72),
            ],
        ),
        ellipsoid(f"patella {tag}", (s * 96, -52, 1160), (19.0, 9.0, 20.0), 1.2),
        joined(
            f"lower leg {tag}",
            [
                rod("", [(s * 76, 8, 1212), (s * 120, 8, 1212)], 16.0, 0.85),
                rod(
                    "", [(s * 96, -6, 1222), (s * 96, -10, 1400), (s * 96, 4, 1598)], (17.0, 11.0, 12.0), 0.52
                ),
                rod(
                    "", [(s * 126, 18, 1230), (s * 122, 18, 1420), (s * 116, 14, 1612)], (7.0, 5.0, 7.0), 0.55
                ),
            ],
        ),
        joined(
            f"foot {tag}",
            [
                ellipsoid("", (s * 102, 4, 1622), (26.0, 20.0, 16.0), 0.5),
                ellipsoid("", (s * 106, 30, 1640), (17.0, 26.0, 16.0), 0.5),
                ellipsoid("", (s * 104, -20, 1650), (26.0, 16.0, 16.0), 0.55),
                *rays,
            ],
        ),
    ]


def skeleton() -> list[PointCloud]:
    """Return every bone of the average patient."""
    return [*skull(), *spine(), *ribs(), *shoulder_girdle(), *pelvis(), *arm(-1), *arm(1), *leg(-1), *leg(1)]
