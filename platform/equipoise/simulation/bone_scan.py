"""A whole-body bone scan, made from a seed: anterior and posterior counts, with metastases or without.

The tracer's distribution is a cloud of points (`skeleton`), soft tissue and organs; each camera head sees it through
the tissue in front of it, blurred the more the further away it lies, and counts.

References
----------
Cherry, Sorenson and Phelps, Physics in Nuclear Medicine, 4th ed., chapters 13 and 14 (collimator resolution,
attenuation of 140 keV, scatter).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from equipoise.simulation.bone_uptake import (
    Uptake,
    degenerative_uptake,
    hot_spots,
    metastatic_uptake,
    organs,
    random_uptake,
)
from equipoise.simulation.skeleton import PointCloud, joined, skeleton

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]

VERSION = "bone-scan-phantom/1"
"""Of the generator: models name the one that they were trained on."""

FIELD_MM = (2314.0, 578.0)
"""Length and width of what the camera sees: 1024 x 256 pixels of 2.26 mm."""

ATTENUATION_PER_MM = 0.0115
"""Of 140 keV in tissue, effective: part of what is scattered is counted."""

CAMERA_GAP_MM = 60.0
"""From the collimator's face to the patient's skin."""

SCATTER_SHARE, SCATTER_MM = 0.28, 38.0
"""Counts beneath the photopeak that come from elsewhere, and how far they stray."""

DEPTHS = 5
"""Planes that the points are sorted into, each blurred by its distance from the camera."""

VISIBLE = 0.15
"""A metastasis is marked in a view where it adds at least this share to what lies there without it."""

MARKED = 0.4
"""A mark covers the pixels that hold at least this share of a metastasis's highest counts."""

_MIN_SHAPE = (128, 32)


@dataclass(frozen=True)
class BoneScanPhantom:
    """Two views with the places of metastases.

    Attributes
    ----------
    anterior, posterior : ndarray of uint16, shape (rows, columns)
        Counts, head up. As shown on screens: the patient's left is on the right of the anterior view and on the left
        of the posterior one.
    spacing_mm : tuple of float
        (y, x).
    masks : mapping of str to ndarray of bool, shape (2, rows, columns)
        ``metastases`` on both views, anterior first; ``confounders``: joints, injection site, contamination.
    metastases : int
        How many there are.
    """

    anterior: NDArray[np.uint16]
    posterior: NDArray[np.uint16]
    spacing_mm: tuple[float, float]
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    metastases: int = 0

    @property
    def positive(self) -> bool:
        """Whether there are metastases."""
        return self.metastases > 0


@dataclass(frozen=True)
class _Patient:
    """What varies between patients."""

    height: float
    width: float
    depth: float
    fat: float
    scoliosis_mm: tuple[float, float]
    turn_rad: float
    lean_rad: float
    arms_mm: tuple[float, float]
    legs_mm: tuple[float, float]
    foot_turn: tuple[float, float]
    top_mm: float
    shift_x_mm: float
    counts: float


def _patient(rng: np.random.Generator) -> _Patient:
    def pair(low: float, high: float) -> tuple[float, float]:
        a, b = rng.uniform(low, high, 2)
        return float(a), float(b)

    return _Patient(
        height=float(np.clip(rng.normal(0.985, 0.05), 0.86, 1.12)),
        width=float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12)),
        depth=float(np.clip(rng.normal(1.0, 0.1), 0.8, 1.3)),
        fat=float(np.clip(rng.gamma(5.0, 0.05), 0.05, 0.6)),
        scoliosis_mm=(float(rng.normal(0.0, 7.0)), float(rng.normal(0.0, 6.0))),
        turn_rad=float(rng.normal(0.0, 0.05)),
        lean_rad=float(rng.normal(0.0, 0.012)),
        arms_mm=pair(-22.0, 12.0),
        legs_mm=pair(-24.0, 26.0),
        foot_turn=pair(-0.3, 1.0),
        top_mm=float(rng.uniform(90.0, 240.0)),
        shift_x_mm=float(rng.normal(0.0, 9.0)),
        counts=float(np.exp(rng.normal(np.log(1.6e6), 0.3))),
    )


def bone_scan_phantom(
    rng: np.random.Generator,
    *,
    shape: tuple[int, int] = (1024, 256),
    metastases: int = 0,
    contrast: tuple[float, float] = (2.0, 7.0),
    degeneration: float = 1.0,
) -> BoneScanPhantom:
    """Make a planar whole-body bone scan.

    Parameters
    ----------
    rng : numpy.random.Generator
        The phantom is a function of its state; streams for patient, uptake, joints, metastases and counts are
        spawned.
    shape : tuple of int
        Rows and columns that the camera's field of 2314 x 578 mm is sorted into.
    metastases : int
        How many; 0 for a scan without.
    contrast : tuple of float
        Lowest and highest uptake of a metastasis, as a multiple of the bone's around it.
    degeneration : float
        Scales how many joints are worn, 0 for none.

    Returns
    -------
    BoneScanPhantom

    Raises
    ------
    ValueError
        If a size or number is out of range.

    Notes
    -----
    Both views are of one tracer distribution: what lies in front is brighter in the anterior view and sharper. It
    looks like a bone scan; it is not a model of disease.

    Examples
    --------
    >>> phantom = bone_scan_phantom(np.random.default_rng(1), shape=(256, 64), metastases=3)
    >>> phantom.anterior.shape, phantom.anterior.dtype, phantom.positive
    ((256, 64), dtype('uint16'), True)
    """
    _validate(shape, metastases, contrast, degeneration)
    patient_rng, uptake_rng, joint_rng, lesion_rng, count_rng = rng.spawn(5)
    patient = _patient(patient_rng)
    uptake = random_uptake(uptake_rng)
    bones = uptake.of_bones(uptake_rng, skeleton())
    worn = degenerative_uptake(joint_rng, bones, amount=degeneration)
    lesions = metastatic_uptake(lesion_rng, bones, count=metastases, contrast=contrast)
    extra = [*worn, *hot_spots(joint_rng)]
    inner = [*bones, *organs(uptake_rng, uptake)]
    cameras = _Cameras(patient, uptake, shape)
    normal = cameras.seen(inner)
    with_confounders = normal + cameras.seen(extra) if extra else normal
    whole, marks = with_confounders.copy(), np.zeros((2, *shape), np.bool_)
    for lesion in lesions:
        part = _visible(cameras.seen([lesion]), with_confounders)
        marks |= _marked(part, with_confounders)
        whole += part
    confounders = np.zeros((2, *shape), np.bool_)
    for spot in extra:
        confounders |= _marked(cameras.seen([spot]), normal)
    views = cameras.counted(whole, count_rng)
    return BoneScanPhantom(
        anterior=views[0],
        posterior=views[1],
        spacing_mm=cameras.spacing_mm,
        masks={"metastases": _as_shown(marks), "confounders": _as_shown(confounders)},
        metastases=metastases,
    )


def random_metastases(rng: np.random.Generator) -> int:
    """Return how many metastases a patient who has some shows: one to forty, mostly few."""
    return int(np.clip(np.floor(np.exp(rng.uniform(0.0, np.log(41.0)))), 1, 40))


def _validate(
    shape: tuple[int, int], metastases: int, contrast: tuple[float, float], degeneration: float
) -> None:
    if shape[0] < _MIN_SHAPE[0] or shape[1] < _MIN_SHAPE[1]:
        raise ValueError(f"shape must be (rows, columns), at least {_MIN_SHAPE}, got {shape}.")
    if not 0 <= metastases <= 200:
        raise ValueError(f"metastases must be in [0, 200], got {metastases}.")
    if not 1.0 < contrast[0] <= contrast[1]:
        raise ValueError(f"contrast must be (lowest, highest), each above 1, got {contrast}.")
    if degeneration < 0:
        raise ValueError(f"degeneration must not be negative, got {degeneration}.")


def _as_shown(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mirror the posterior view: the camera stands behind the patient."""
    return np.stack([masks[0], masks[1][:, ::-1]])


def _visible(part: Image, without: Image) -> Image:
    """Raise what neither view would show, so that a scan with metastases shows each of them."""
    share = max(
        float(view.max()) / max(float(there.flat[int(view.argmax())]), 1e-9)
        for view, there in zip(part, without, strict=True)
    )
    return (
        part if share >= 1.5 * VISIBLE else np.asarray(part * (1.5 * VISIBLE / max(share, 1e-9)), np.float32)
    )


def _marked(part: Image, without: Image) -> NDArray[np.bool_]:
    marks = np.zeros(part.shape, np.bool_)
    for view in range(2):
        at = np.unravel_index(int(part[view].argmax()), part[view].shape)
        if part[view][at] > VISIBLE * without[view][at]:
            marks[view] = part[view] >= MARKED * part[view][at]
    return marks


class _Cameras:
    """Two heads, one above and one below the patient."""

    def __init__(self, patient: _Patient, uptake: Uptake, shape: tuple[int, int]) -> None:
        self._patient = patient
        self._shape = shape
        self.spacing_mm = (FIELD_MM[0] / shape[0], FIELD_MM[1] / shape[1])
        self._half_mm = self._half_thickness()
        self._soft = uptake.soft_tissue

    def _placed(self, points: FloatArray) -> FloatArray:
        """Return points of the average patient where this one's lie, in mm from the field's upper left corner."""
        p = self._patient
        x, y, z = points.T
        side = (x > 0).astype(int)
        trunk = np.interp(z, (180.0, 260.0, 780.0, 900.0), (0.3, 1.0, 1.0, 0.4))
        part = np.clip((z - 172.0) / (700.0 - 172.0), 0.0, 1.0)
        bend = p.scoliosis_mm[0] * np.sin(np.pi * part) + p.scoliosis_mm[1] * np.sin(2 * np.pi * part)
        limb = np.abs(x) / 240.0
        arms = np.where((np.abs(x) > 150) & (z < 1080), np.take(p.arms_mm, side) * (z - 280) / 600, 0.0)
        legs = np.where(z > 800, np.take(p.legs_mm, side) * (z - 800) / 800, 0.0)
        feet = np.where(z > 1630, np.take(p.foot_turn, side) * (z - 1630) * 0.45, 0.0)
        outward = np.where(x > 0, 1.0, -1.0) * (arms + legs + feet)
        turn = p.turn_rad * np.where(z < 900, 1.0, 0.5)
        x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn) * (limb < 1)
        x = (x + bend * trunk) * p.width + outward + p.lean_rad * (z - 700.0)
        return np.stack([x + FIELD_MM[1] / 2 + p.shift_x_mm, y * p.depth, z * p.height + p.top_mm], axis=1)

    def _half_thickness(self) -> FloatArray:
        """Return half of the tissue that each pixel's line of sight crosses, in mm."""
        half = np.zeros(self._shape)
        rows = (np.arange(self._shape[0]) + 0.5) * self.spacing_mm[0]
        columns = (np.arange(self._shape[1]) + 0.5) * self.spacing_mm[1]
        y, x = np.meshgrid(rows, columns, indexing="ij")
        fat = 1.0 + 0.45 * (self._patient.fat - 0.25)
        for part in _BODY:
            line = np.array([[px, 0.0, pz] for px, pz, _, _ in part], float)
            placed = self._placed(line)
            width = np.array([w for *_, w, _ in part]) * self._patient.width * fat
            depth = np.array([d for *_, d in part]) * self._patient.depth * fat
            for n in range(len(part) - 1):
                (ax, _, ay), (bx, _, by) = placed[n], placed[n + 1]
                reach = max(width[n], width[n + 1])
                box = self._box((ay, by), (ax, bx), reach)
                dx, dy = bx - ax, by - ay
                t = np.clip(((x[box] - ax) * dx + (y[box] - ay) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
                away = np.hypot(x[box] - ax - t * dx, y[box] - ay - t * dy) / (
                    width[n] + t * (width[n + 1] - width[n])
                )
                inside = (depth[n] + t * (depth[n + 1] - depth[n])) * np.maximum(1 - away**2.6, 0.0) ** (
                    1 / 2.2
                )
                np.maximum(half[box], inside, out=half[box])
        return half

    def _box(self, y_mm: tuple[float, float], x_mm: tuple[float, float], reach: float) -> tuple[slice, slice]:
        parts = []
        for values, step, length in zip((y_mm, x_mm), self.spacing_mm, self._shape, strict=True):
            low, high = int((min(values) - reach) / step) - 1, int((max(values) + reach) / step) + 2
            parts.append(slice(max(low, 0), max(min(high, length), 0)))
        return parts[0], parts[1]

    def seen(self, clouds: list[PointCloud]) -> Image:
        """Return what both heads see of some organs, without noise: (2, rows, columns), the anterior view first."""
        cloud = joined("", clouds)
        x, depth, z = self._placed(cloud.points_mm).T
        row, column = z / self.spacing_mm[0] - 0.5, x / self.spacing_mm[1] - 0.5
        half = self._half_mm[
            np.clip(np.rint(row).astype(int), 0, self._shape[0] - 1),
            np.clip(np.rint(column).astype(int), 0, self._shape[1] - 1),
        ]
        return np.stack(
            [
                self._projected(cloud.mass, row, column, below_skin=np.maximum(half + depth * sign, 4.0))
                for sign in (1.0, -1.0)
            ]
        )

    def _projected(
        self, mass: FloatArray, row: FloatArray, column: FloatArray, *, below_skin: FloatArray
    ) -> Image:
        arriving = mass * np.exp(-ATTENUATION_PER_MM * below_skin)
        planes = np.linspace(0.0, 260.0, DEPTHS)
        view = np.zeros(self._shape, np.float32)
        at = np.clip(below_skin / planes[1], 0.0, DEPTHS - 1.001)
        lower = at.astype(int)
        for plane in range(DEPTHS):
            share = np.where(lower == plane, 1 - (at - lower), np.where(lower + 1 == plane, at - lower, 0.0))
            seen = share > 0
            if not seen.any():
                continue
            sigma_mm = _resolution_mm(planes[plane] + CAMERA_GAP_MM) / 2.355
            sigma = [sigma_mm / step for step in self.spacing_mm]
            box = tuple(
                _reach(places[seen], 3.0 * width + 2.0, length)
                for places, width, length in zip((row, column), sigma, self._shape, strict=True)
            )
            part = (box[0].stop - box[0].start, box[1].stop - box[1].start)
            if min(part) < 1:
                continue
            sharp = _splatted(
                row[seen] - box[0].start, column[seen] - box[1].start, (arriving * share)[seen], part
            )
            view[box] += ndimage.gaussian_filter(sharp, sigma, mode="constant", truncate=3.0)
        return view

    def counted(self, views: Image, rng: np.random.Generator) -> list[NDArray[np.uint16]]:
        """Add soft tissue and scatter, scale to the patient's counts and draw them; mirror the posterior view."""
        pixel_ml = self.spacing_mm[0] * self.spacing_mm[1] * 1e-3
        thickness = (1 - np.exp(-2 * ATTENUATION_PER_MM * self._half_mm)) / ATTENUATION_PER_MM
        blur = [_resolution_mm(100.0 + CAMERA_GAP_MM) / 2.355 / step for step in self.spacing_mm]
        soft = ndimage.gaussian_filter(
            (self._soft * pixel_ml * thickness).astype(np.float32), blur, mode="constant"
        )
        whole = [view + soft for view in views]
        wide = [SCATTER_MM / step for step in self.spacing_mm]
        whole = [
            (1 - SCATTER_SHARE) * view
            + SCATTER_SHARE * ndimage.gaussian_filter(view, wide, mode="constant", truncate=2.5)
            for view in whole
        ]
        scale = 2 * self._patient.counts / float(sum(view.sum() for view in whole))
        anterior, posterior = (
            np.minimum(rng.poisson(scale * view + 0.02 * scale * soft.mean()), 65535).astype(np.uint16)
            for view in whole
        )
        return [anterior, np.ascontiguousarray(posterior[:, ::-1])]


def _resolution_mm(distance_mm: float) -> float:
    """Return the full width at half maximum of a low-energy high-resolution collimator with its camera."""
    return float(np.hypot(3.8, 1.6 + 0.048 * distance_mm))


def _reach(places: FloatArray, margin: float, length: int) -> slice:
    """Return the pixels of a line that points with a blur can touch."""
    start = min(max(int(places.min() - margin), 0), length)
    return slice(start, max(min(int(places.max() + margin) + 2, length), start))


def _splatted(row: FloatArray, column: FloatArray, mass: FloatArray, shape: tuple[int, int]) -> Image:
    """Sort points into pixels, each shared by the four around it; what lies beyond the field is lost."""
    r0, c0 = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    fr, fc = row - r0, column - c0
    image = np.zeros((shape[0] + 2) * (shape[1] + 2))
    inside = (r0 >= -1) & (r0 < shape[0]) & (c0 >= -1) & (c0 < shape[1])
    index = (r0 + 1) * (shape[1] + 2) + c0 + 1
    for dr in (0, 1):
        for dc in (0, 1):
            weight = mass * (fr if dr else 1 - fr) * (fc if dc else 1 - fc)
            at = index[inside] + dr * (shape[1] + 2) + dc
            image += np.bincount(at, weights=weight[inside], minlength=len(image))
    return np.asarray(image.reshape(shape[0] + 2, shape[1] + 2)[1:-1, 1:-1], np.float32)


_BODY = (
    ((0, 88, 74, 96), (0, 120, 70, 92), (0, 180, 56, 78)),
    ((0, 170, 58, 62), (0, 235, 60, 62), (0, 268, 80, 70)),
    (
        (0, 275, 120, 84),
        (0, 330, 158, 106),
        (0, 430, 150, 118),
        (0, 560, 142, 116),
        (0, 640, 146, 110),
        (0, 740, 168, 112),
        (0, 810, 172, 108),
    ),
    *(
        (
            (s * 128, 285, 46, 62),
            (s * 178, 315, 52, 58),
            (s * 198, 450, 46, 48),
            (s * 216, 590, 40, 42),
            (s * 228, 700, 38, 38),
            (s * 236, 860, 27, 27),
            (s * 240, 960, 40, 16),
            (s * 240, 1035, 30, 12),
        )
        for s in (-1, 1)
    ),
    *(
        (
            (s * 94, 780, 92, 104),
            (s * 100, 900, 82, 90),
            (s * 98, 1080, 64, 70),
            (s * 97, 1180, 58, 62),
            (s * 100, 1300, 58, 60),
            (s * 101, 1480, 42, 44),
            (s * 102, 1620, 34, 40),
            (s * 108, 1715, 44, 30),
        )
        for s in (-1, 1)
    ),
)
"""Soft tissue: parts as lines of (x, z, half width, half depth) of the average patient."""
