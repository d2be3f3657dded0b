"""A thorax in computed tomography, made from a seed: what a trial is tried out on before a patient's image is used."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from equipoise.simulation import thorax_anatomy as anatomy
from equipoise.simulation.thorax_anatomy import FloatArray, Level
from equipoise.simulation.tumour import TumourShape, TumourSpec, tumour_shape
from equipoise.simulation.vessel_tree import VesselTree, grow_vessel_tree

Mask = NDArray[np.bool_]

VERSION = "thorax-phantom/2"
"""Of the generator: models name the one that they were trained on."""

_RIB_SPACING_MM = 25.0
_RIB_DROP_MM = 72.0
_VERTEBRA_MM = 24.0
_PARENCHYMA_PER_VESSEL_ML = 1.7
_MIN_SHAPE = 8
_GROUND_GLASS_HU = -560.0


@dataclass(frozen=True)
class ThoraxPhantom:
    """An image with its masks.

    Attributes
    ----------
    image : ndarray of int16, shape (z, y, x)
        Hounsfield units. z to the head, y to the back, x to the patient's left.
    spacing_mm : tuple of float
        (z, y, x).
    masks : mapping of str to ndarray of bool, shape (z, y, x)
        ``body``, ``lung_left``, ``lung_right``, ``couch``, and ``tumour`` (empty without one). The tumour is not part
        of a lung's mask.
    """

    image: NDArray[np.int16]
    spacing_mm: tuple[float, float, float]
    masks: Mapping[str, Mask] = field(default_factory=dict)


@dataclass(frozen=True)
class _Patient:
    """What varies between patients."""

    scale_x: float
    scale_y: float
    fat_mm: float
    contrast_hu: float
    shift_x_mm: float
    shift_y_mm: float
    bone: float
    emphysema_hu: float
    outline_phases: NDArray[np.float64]
    heart: float
    rib_phase_mm: float
    breast_mm: float


def _patient(rng: np.random.Generator) -> _Patient:
    return _Patient(
        scale_x=float(rng.normal(1.0, 0.035)),
        scale_y=float(rng.normal(1.0, 0.045)),
        fat_mm=float(np.clip(rng.gamma(4.0, 3.6), 4.0, 32.0)),
        contrast_hu=float(rng.uniform(90.0, 170.0)) if rng.random() < 0.7 else 4.0,
        shift_x_mm=float(rng.normal(0.0, 4.0)),
        shift_y_mm=float(rng.normal(-12.0, 4.0)),
        bone=float(rng.normal(1.0, 0.12)),
        emphysema_hu=float(rng.uniform(-45.0, 25.0)),
        outline_phases=rng.uniform(0, 2 * np.pi, 8),
        heart=float(rng.normal(1.0, 0.05)),
        rib_phase_mm=float(rng.uniform(0, _RIB_SPACING_MM)),
        breast_mm=float(rng.uniform(10.0, 30.0)) if rng.random() < 0.4 else 0.0,
    )


def _validate(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> None:
    if min(shape) < _MIN_SHAPE:
        raise ValueError(f"shape must be (z, y, x), each at least {_MIN_SHAPE}, got {shape}.")
    if min(spacing_mm) <= 0:
        raise ValueError(f"spacing_mm must be (z, y, x), each positive, got {spacing_mm}.")


def thorax_phantom(
    rng: np.random.Generator,
    *,
    shape: tuple[int, int, int] = (60, 256, 256),
    spacing_mm: tuple[float, float, float] = (5.0, 1.6, 1.6),
    tumour: TumourSpec | None = TumourSpec(),
    noise_hu: float = 14.0,
) -> ThoraxPhantom:
    """Make a thorax CT with a tumour.

    Parameters
    ----------
    rng : numpy.random.Generator
        The phantom is a function of its state; streams for patient, texture, vessels, tumour and noise are spawned.
    shape, spacing_mm : tuple
        Voxels and their size in mm, (z, y, x). The lungs are about 300 mm high and the body 350 to 400 mm wide; a
        volume that is lower than the lungs is centred on the tumour.
    tumour : TumourSpec or None
        What tumour, if any.
    noise_hu : float
        Standard deviation of the noise at 5 mm slices in the body's centre; thinner slices are noisier.

    Returns
    -------
    ThoraxPhantom
        Image in Hounsfield units with masks.

    Raises
    ------
    ValueError
        If the volume is too small for the tumour's place or a size is out of range.

    Notes
    -----
    Organs are painted by signed distances with soft edges (partial volume), then blurred by a Gaussian point spread
    of 0.65 voxel and given correlated noise. It looks like a thorax; it is not a model of disease.

    Examples
    --------
    >>> phantom = thorax_phantom(np.random.default_rng(1), shape=(12, 64, 64), spacing_mm=(20.0, 6.0, 6.0))
    >>> phantom.image.shape, phantom.image.dtype
    ((12, 64, 64), dtype('int16'))
    >>> sorted(phantom.masks)
    ['body', 'couch', 'lung_left', 'lung_right', 'tumour']
    """
    _validate(shape, spacing_mm)
    patient_rng, texture_rng, vessel_rng, tumour_rng, noise_rng = rng.spawn(5)
    painter = _Painter(_patient(patient_rng), texture_rng, shape=shape, spacing_mm=spacing_mm, tumour=tumour)
    painter.paint_levels()
    painter.paint_vessels(vessel_rng)
    if tumour is not None:
        painter.paint_tumour(tumour_rng, tumour)
    return painter.finished(noise_rng, noise_hu)


def _alpha(distance: FloatArray, edge_mm: float) -> FloatArray:
    """Return how much of a voxel lies inside: 1 well within, 0 well outside."""
    return np.asarray(np.clip(0.5 - distance / edge_mm, 0.0, 1.0), np.float32)


def _blend(plane: FloatArray, inside: FloatArray, hu: FloatArray | float) -> None:
    plane += inside * (hu - plane)


class _Painter:
    """Paints one phantom level by level."""

    def __init__(
        self,
        patient: _Patient,
        rng: np.random.Generator,
        *,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        tumour: TumourSpec | None,
    ) -> None:
        self._patient = patient
        self._rng = rng
        self._shape = shape
        self._spacing = spacing_mm
        self._edge = float(np.hypot(spacing_mm[1], spacing_mm[2]) / np.sqrt(2))
        nz, ny, nx = shape
        x = (np.arange(nx, dtype=np.float32) - (nx - 1) / 2) * spacing_mm[2] - patient.shift_x_mm
        y = (np.arange(ny, dtype=np.float32) - (ny - 1) / 2) * spacing_mm[1] - patient.shift_y_mm
        self._x_mm, self._y_mm = x, y
        # Anatomy is painted in the average patient's coordinates.
        self._x, self._y = (
            np.ascontiguousarray(part)
            for part in np.broadcast_arrays(
                (x / patient.scale_x)[None, :].astype(np.float32),
                (y / patient.scale_y)[:, None].astype(np.float32),
            )
        )
        centre = 150.0 if tumour is None or nz * spacing_mm[0] > 280.0 else 165.0
        self._s = centre + (np.arange(nz) - (nz - 1) / 2) * spacing_mm[0]
        self._theta = np.arctan2(self._x, -self._y).astype(np.float32)  # 0 at the front, +-pi at the back
        self._r = np.hypot(self._x, self._y).astype(np.float32)
        self._image = np.full(shape, anatomy.AIR_HU, np.float32)
        self._lung = np.full(shape, 1e3, np.float32)
        self._cage = np.full(shape, 1e3, np.float32)
        self._body = np.zeros(shape, bool)
        self._couch = np.zeros(shape, bool)
        self._tumour = np.zeros(shape, bool)
        self._wall_texture = self._smooth_noise((nz, ny, nx), (30.0, 7.0, 7.0))
        self._lung_texture = self._smooth_noise((nz, ny, nx), (14.0, 10.0, 10.0))
        phases = patient.outline_phases
        self._outline = sum(
            (0.012 / order) * np.cos(order * self._theta + phases[order]) for order in (2, 3, 4, 5)
        ).astype(np.float32)
        self._outline -= 0.035 * np.exp(-((np.abs(self._theta) - np.pi) ** 2) / 0.012)  # furrow of the spine
        self._blood = 42.0 + patient.contrast_hu
        self._couch_y = self._couch_level()
        self._couch_layers = self._couch_planes()

    def _smooth_noise(self, shape: tuple[int, int, int], grain_mm: tuple[float, float, float]) -> FloatArray:
        """Return noise of unit variance whose grains have about the given size."""
        coarse = tuple(
            max(3, int(np.ceil(n * step / grain)) + 2)
            for n, step, grain in zip(shape, self._spacing, grain_mm, strict=True)
        )
        noise = self._rng.standard_normal(coarse, dtype=np.float32)
        for axis, (n, step, grain) in enumerate(zip(shape, self._spacing, grain_mm, strict=True)):
            at = np.minimum(np.arange(n) * step / grain, noise.shape[axis] - 2 + 0.999)
            low = at.astype(int)
            part = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
            noise = (
                noise.take(low, axis) * (1 - part)
                + noise.take(np.minimum(low + 1, noise.shape[axis] - 1), axis) * part
            )
        return np.asarray(noise / max(float(noise.std()), 1e-6), np.float32)

    def _radial(
        self, a: float, b: float, power: float, *, centre_y: float = 0.0, outline: float = 1.0
    ) -> FloatArray:
        """Return the distance along the ray to a superellipse, negative inside."""
        y = self._y - centre_y
        e = (np.abs(self._x / a) ** power + np.abs(y / b) ** power) ** (1 / power)
        e = np.maximum(e / (1.0 + outline * self._outline), 1e-4)
        r = np.hypot(self._x, y)
        return np.asarray(r - r / e, np.float32)

    def _couch_level(self) -> float:
        widest = max((anatomy.level_at(float(s)) for s in self._s), key=lambda level: level.muscle_b)
        return widest.muscle_b + widest.muscle_y + 1.4 * self._patient.fat_mm + 3.0

    def paint_levels(self) -> None:
        """Paint everything that is drawn level by level."""
        for k, s in enumerate(self._s):
            level = anatomy.level_at(float(s))
            plane = self._image[k]
            self._paint_couch(k, plane)
            cage = self._paint_wall(k, plane, level, float(s))
            mediastinum, tubes, heart = self._mediastinum(level, float(s))
            self._paint_cavity(k, plane, cage, float(s), mediastinum)
            self._paint_heart(plane, heart, float(s))
            self._paint_tubes(plane, tubes)
            self._paint_spine(k, plane, level, float(s))

    def _couch_planes(self) -> tuple[tuple[tuple[FloatArray, float], ...], Mask]:
        """Return what the couch adds to every level, layer by layer, and its mask."""
        top = self._y - (self._couch_y + np.sqrt(np.maximum(1.0, 640.0**2 - self._x**2)) - 640.0)
        bottom = self._y - (self._couch_y + 34.0 - (self._x / 150.0) ** 4 * 12.0)
        foam = np.asarray(np.maximum(np.maximum(-top, bottom), np.abs(self._x) - 198.0), np.float32)
        rod = np.hypot(np.abs(self._x) - 60.0, self._y - self._couch_y - 18.0) - 2.0
        layers = (
            (_alpha(foam, self._edge), -940.0),
            (_alpha(np.asarray(np.abs(foam) - 1.5, np.float32), self._edge), -180.0),
            (0.4 * _alpha(np.asarray(rod, np.float32), self._edge), -180.0),
        )
        return layers, foam < 1.5

    def _paint_couch(self, k: int, plane: FloatArray) -> None:
        layers, mask = self._couch_layers
        for inside, hu in layers:
            _blend(plane, inside, hu)
        self._couch[k] = mask

    def _paint_wall(self, k: int, plane: FloatArray, level: Level, s: float) -> FloatArray:
        """Paint skin, fat, muscle, ribs, sternum and shoulder girdle; return the distance to the pleura."""
        patient = self._patient
        muscle = self._radial(level.muscle_a, level.muscle_b, 2.35, centre_y=level.muscle_y)
        front = np.cos(self._theta)
        fat = patient.fat_mm * (0.95 - 0.25 * front + 0.18 * np.cos(2 * self._theta))
        if patient.breast_mm and s < 215.0:
            lift = patient.breast_mm * np.exp(-(((s - 130.0) / 55.0) ** 2))
            fat = fat + lift * np.exp(-((np.abs(self._theta) - 0.62) ** 2) / 0.09)
        body = muscle - fat
        self._body[k] = body < 0
        self._couch[k] &= ~self._body[k]
        texture = self._wall_texture[k]
        _blend(plane, _alpha(body, self._edge), anatomy.FAT_HU + 7.0 * texture)
        skin = np.abs(body + 1.1) - 1.1
        _blend(plane, _alpha(skin, self._edge), 20.0)
        _blend(plane, _alpha(muscle, self._edge), anatomy.MUSCLE_HU + 6.0 * texture)
        cage = self._radial(level.cage_a, level.cage_b, 2.25, centre_y=level.cage_y, outline=0.6)
        self._paint_planes(plane, cage, muscle, s)
        self._paint_girdle(plane, cage, s)
        self._paint_ribs(plane, cage, s)
        self._paint_sternum(plane, level, s)
        return cage

    def _paint_planes(self, plane: FloatArray, cage: FloatArray, muscle: FloatArray, s: float) -> None:
        """Fat between the muscles of the wall, more of it in the axilla."""
        thick = cage - muscle
        depth = np.where(thick > 1.0, cage / np.maximum(thick, 1.0), 0.0)
        wave = 0.52 + 0.10 * np.sin(3.0 * self._theta + s / 35.0)
        seam = (np.abs(depth - wave) - np.where(thick > 34.0, 0.12, 0.045)) * thick
        inner = np.abs(cage - 11.5) - 1.4
        _blend(plane, 0.85 * _alpha(np.maximum(seam, 12.0 - cage), 2.5), anatomy.FAT_HU)
        _blend(plane, 0.6 * _alpha(np.asarray(inner, np.float32), 2.5), anatomy.FAT_HU)
        if s > 150.0:  # axillary fat
            for side in (-1.0, 1.0):
                hollow = np.hypot((self._x - side * 128.0) / 1.0, (self._y + 2.0) / 1.7) - 17.0 * min(
                    1.0, (s - 150.0) / 50.0
                )
                _blend(plane, 0.9 * _alpha(np.maximum(hollow, 12.0 - cage), 5.0), anatomy.FAT_HU)

    def _paint_girdle(self, plane: FloatArray, cage: FloatArray, s: float) -> None:
        """Scapulae behind, clavicles in front of the apex."""
        for side in (-1.0, 1.0):
            if 120.0 < s < 290.0:
                reach = np.interp(s, (120.0, 180.0, 250.0, 290.0), (0.0, 30.0, 46.0, 40.0))
                ax, ay = side * (128.0 - 0.15 * (s - 150.0)), 46.0 - 0.12 * (s - 150.0)
                bx, by = ax - side * 0.86 * reach, ay + 0.62 * reach
                self._paint_bone_bar(plane, (ax, ay, bx, by), 2.2 + 0.8 * (s > 240.0), keep_out=cage)
                if s > 210.0:
                    self._paint_bone_bar(plane, (ax, ay, ax + side * 12.0, ay + 12.0), 3.4, keep_out=cage)
            if 258.0 < s < 300.0:
                x0 = side * np.interp(s, (258.0, 300.0), (22.0, 78.0))
                self._paint_bone_bar(
                    plane, (float(x0), -48.0, float(x0) + side * 34.0, -44.0), 5.2, keep_out=cage
                )

    def _paint_bone_bar(
        self,
        plane: FloatArray,
        ends: tuple[float, float, float, float],
        radius: float,
        *,
        keep_out: FloatArray,
    ) -> None:
        ax, ay, bx, by = ends
        dx, dy = bx - ax, by - ay
        t = np.clip(((self._x - ax) * dx + (self._y - ay) * dy) / max(dx * dx + dy * dy, 1e-6), 0.0, 1.0)
        distance = np.hypot(self._x - ax - t * dx, self._y - ay - t * dy) - radius
        self._paint_bone(plane, np.maximum(distance, 3.0 - keep_out), cortex_mm=1.5)

    def _paint_bone(self, plane: FloatArray, distance: FloatArray, *, cortex_mm: float) -> None:
        bone = self._patient.bone
        _blend(plane, _alpha(distance, self._edge), anatomy.CORTICAL_HU * bone)
        _blend(plane, _alpha(distance + cortex_mm, self._edge), anatomy.TRABECULAR_HU * bone)

    def _paint_ribs(self, plane: FloatArray, cage: FloatArray, s: float) -> None:
        """All ribs at once: they run round the cage, falling to the front, one every 25 mm."""
        near = (cage > -1.0) & (cage < 14.0)
        if s > 315.0 or not near.any():
            return
        back = np.pi - np.abs(self._theta[near])  # 0 at the spine, pi at the sternum
        drop = _RIB_DROP_MM * (1.0 - np.cos(np.minimum(back, 2.7))) / 2.0
        height = s + drop + self._patient.rib_phase_mm
        from_rib = np.mod(height, _RIB_SPACING_MM) - _RIB_SPACING_MM / 2
        radial = (cage[near] - 6.0) / 3.6
        q = np.sqrt(radial**2 + (from_rib / 6.4) ** 2)
        distance = (q - 1.0) * 3.6
        distance[back < 0.24] = 9.0
        bone = self._patient.bone
        cartilage = back > 2.35
        patch = plane[near]
        inside = _alpha(distance, self._edge)
        cortical = np.where(cartilage, anatomy.CARTILAGE_HU, anatomy.CORTICAL_HU * bone)
        patch += inside * (cortical - patch)
        marrow = _alpha(distance + 1.5, self._edge) * ~cartilage
        patch += marrow * (anatomy.TRABECULAR_HU * bone - patch)
        plane[near] = patch

    def _paint_sternum(self, plane: FloatArray, level: Level, s: float) -> None:
        if not 70.0 < s < 255.0:
            return
        half = np.interp(s, (70.0, 90.0, 190.0, 205.0, 245.0, 255.0), (8.0, 15.0, 17.0, 26.0, 30.0, 24.0))
        y0 = -(level.cage_b + 8.0) + level.cage_y
        px = np.maximum(np.abs(self._x) - (half - 5.5), 0.0)
        py = np.maximum(np.abs(self._y - y0) - 1.0, 0.0)
        self._paint_bone(plane, np.hypot(px, py) - 5.5, cortex_mm=1.6)

    def _mediastinum(
        self, level: Level, s: float
    ) -> tuple[FloatArray, list[tuple[str, str, FloatArray]], FloatArray]:
        """Return the distance to the mediastinum's surface, its tubes at this level, and the heart's distance."""
        width = np.interp(
            self._y, (-95.0, -60.0, -20.0, 30.0, 60.0, 100.0), (9.0, 2.5, 9.0, 13.0, 17.0, 23.0)
        )
        width = width + np.interp(
            s, (40.0, 70.0, 200.0, 245.0, 290.0), (12.0, 3.0, 0.0, 8.0, 24.0)
        ) * np.clip((14.0 - self._y) / 25.0, 0.0, 1.0)
        bend = 3.0 + 4.0 * np.sin(self._y / 23.0 + s / 31.0) + 2.0 * np.sin(self._y / 11.0 - s / 17.0)
        surface = np.asarray(
            np.abs(self._x - bend) - width - 1.5 * np.sin(self._y / 9.0 + s / 13.0), np.float32
        )
        spine = np.asarray(np.hypot(self._x, self._y - level.spine_y) - 22.0, np.float32)
        surface = anatomy.smooth_minimum(surface, spine, 14.0)
        tubes = []
        for tube in anatomy.TUBES:
            distance = anatomy.tube_distance(tube.points, tube.radii, self._x, self._y, s, reach=8.0)
            if distance is None:
                continue
            tubes.append((tube.name, tube.content, distance))
            margin = 1.2 if "bronchus" in tube.name or "pulmonary" in tube.name else 3.5
            surface = anatomy.smooth_minimum(surface, distance - margin, 7.0)
        heart = anatomy.ellipsoid_distance(anatomy.HEART, self._x, self._y, s) / self._patient.heart
        heart = np.minimum(heart, anatomy.ellipsoid_distance(anatomy.RIGHT_ATRIUM, self._x, self._y, s) - 3.0)
        surface = anatomy.smooth_minimum(surface, heart - 4.0, 16.0)
        return np.asarray(surface, np.float32), tubes, np.asarray(heart, np.float32)

    def _paint_cavity(
        self, k: int, plane: FloatArray, cage: FloatArray, s: float, mediastinum: FloatArray
    ) -> None:
        texture = self._wall_texture[k]
        _blend(plane, _alpha(cage, self._edge), anatomy.FAT_HU + 8.0 + 8.0 * texture)
        floor = anatomy.diaphragm_level(self._x, self._y)
        below = np.maximum(cage + 1.0, (s - floor) * 0.75)
        if float(below.min()) < 0:
            self._paint_abdomen(plane, below, s, texture)
        lung = anatomy.smooth_maximum(np.maximum(cage, (floor - s) * 0.75), -mediastinum, 9.0)
        gravity = np.clip(self._y / 90.0, -1.0, 1.0)
        hu = (
            anatomy.LUNG_HU
            + self._patient.emphysema_hu
            + 38.0 * gravity
            + 16.0 * self._lung_texture[k]
            + 9.0 * texture
        )
        _blend(plane, _alpha(lung, self._edge), hu.astype(np.float32))
        fissure = np.abs(s - 150.0 + 1.15 * self._y + 0.10 * np.abs(self._x) - 10.0 * np.sin(self._x / 40.0))
        line = np.maximum(fissure * 0.65 - 0.5, lung + 1.0)
        _blend(plane, 0.16 * _alpha(line, 1.6 * self._edge), -350.0)
        self._lung[k] = lung
        self._cage[k] = cage

    def _paint_abdomen(self, plane: FloatArray, below: FloatArray, s: float, texture: FloatArray) -> None:
        """Liver, stomach with its gas, spleen."""
        blood = self._patient.contrast_hu
        edge = self._x - 22.0 + 0.008 * np.abs(self._y + 48.0) ** 2 + 7.0 * np.sin(self._y / 19.0)
        liver = anatomy.smooth_maximum(below, np.asarray(0.8 * edge, np.float32), 12.0)
        _blend(plane, _alpha(liver, self._edge), 58.0 + 0.35 * blood + 4.0 * texture)
        spleen = np.maximum(below + 2.0, np.hypot((self._x - 92.0) / 0.8, self._y - 38.0) - 42.0)
        _blend(plane, _alpha(spleen, self._edge), 52.0 + 0.5 * blood + 4.0 * texture)
        radius = 40.0 * np.sqrt(max(0.05, 1.0 - ((s - 20.0) / 52.0) ** 2))
        stomach = np.maximum(below + 3.0, np.hypot((self._x - 52.0) / 1.1, (self._y + 22.0) / 0.9) - radius)
        _blend(plane, _alpha(stomach, self._edge), 45.0)
        inner = stomach + 4.0
        _blend(plane, _alpha(inner, self._edge), 18.0 + 10.0 * texture)
        gas = np.maximum(inner, self._y + 26.0)
        _blend(plane, _alpha(gas, self._edge), -960.0)

    def _paint_heart(self, plane: FloatArray, heart: FloatArray, s: float) -> None:
        if float(heart.min()) > 0:
            return
        texture = 60.0 + 0.45 * self._patient.contrast_hu
        _blend(plane, _alpha(heart, self._edge), texture)
        for chamber, share in (
            (anatomy.LEFT_VENTRICLE, 1.0),
            (anatomy.RIGHT_VENTRICLE, 1.08),
            (anatomy.RIGHT_ATRIUM, 1.12),
        ):
            distance = anatomy.ellipsoid_distance(chamber, self._x, self._y, s)
            _blend(plane, _alpha(distance, 2.5 * self._edge), 42.0 + share * self._patient.contrast_hu)
        groove = np.abs(anatomy.ellipsoid_distance(anatomy.LEFT_VENTRICLE, self._x, self._y, s) - 13.0) - 1.2
        _blend(plane, 0.5 * _alpha(np.maximum(groove, heart + 2.0), 2.0 * self._edge), anatomy.FAT_HU)

    def _paint_tubes(self, plane: FloatArray, tubes: list[tuple[str, str, FloatArray]]) -> None:
        content = {
            "blood": self._blood,
            "venous": 42.0 + 1.25 * self._patient.contrast_hu,
            "soft": 46.0,
        }
        for _, kind, distance in tubes:
            if kind != "air":
                _blend(plane, _alpha(distance, self._edge), content[kind])
        for name, kind, distance in tubes:
            if kind == "air":
                _blend(plane, _alpha(distance - 1.4, self._edge), 30.0)
            if name == "oesophagus":
                _blend(plane, 0.6 * _alpha(distance + 5.6, self._edge), -600.0)
        for _, kind, distance in tubes:
            if kind == "air":
                _blend(plane, _alpha(distance, self._edge), -990.0)

    def _paint_spine(self, k: int, plane: FloatArray, level: Level, s: float) -> None:
        x, y = self._x, self._y - level.spine_y
        muscles = np.hypot((np.abs(x) - 27.0) / 1.35, (y - 37.0) / 0.8) - 14.0
        _blend(plane, _alpha(muscles, 2.0 * self._edge), anatomy.MUSCLE_HU)
        phase = np.mod(s, _VERTEBRA_MM)
        waist = 1.0 - 0.09 * np.sin(np.pi * np.clip((phase - 4.0) / (_VERTEBRA_MM - 4.0), 0.0, 1.0))
        body = np.hypot(x / 1.12, np.where(y > 0, y * 1.15, y)) - 16.5 * waist
        if phase < 4.0:
            _blend(plane, _alpha(body, self._edge), anatomy.DISC_HU)
        else:
            self._paint_bone(plane, body, cortex_mm=1.5 if 6.0 < phase < 22.0 else 7.0)
        arch = np.abs(np.hypot(x, (y - 25.0) * 1.05) - 11.5) - 2.8
        arch = np.where(y > 14.0, arch, 9.0)
        if phase > 8.0:
            self._paint_bone(plane, np.asarray(arch, np.float32), cortex_mm=1.5)
            across = (
                np.hypot(np.maximum(np.abs(np.abs(x) - 22.0) - 12.0, 0.0), y - 25.0 + 0.10 * np.abs(x)) - 4.2
            )
            self._paint_bone(plane, np.asarray(across, np.float32), cortex_mm=1.5)
        spinous = np.hypot(x, np.maximum(np.abs(y - 45.0) - 11.0, 0.0)) - 3.2
        self._paint_bone(plane, np.asarray(spinous, np.float32), cortex_mm=1.5)
        canal = np.hypot(x, (y - 25.0) * 1.05) - 8.7
        _blend(plane, _alpha(canal, self._edge), 5.0)
        _blend(plane, _alpha(canal + 3.6, self._edge), anatomy.CORD_HU)
        trabecular = _alpha(body + 2.0, self._edge) * (phase > 6.0)
        plane += trabecular * 28.0 * self._wall_texture[k]

    def _index_of(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return fractional (z, y, x) indices of anatomical (x, y, s)."""
        _, ny, nx = self._shape
        z = (points_mm[:, 2] - self._s[0]) / self._spacing[0]
        y = (points_mm[:, 1] * self._patient.scale_y + self._patient.shift_y_mm) / self._spacing[1] + (
            ny - 1
        ) / 2
        x = (points_mm[:, 0] * self._patient.scale_x + self._patient.shift_x_mm) / self._spacing[2] + (
            nx - 1
        ) / 2
        return np.stack([z, y, x], axis=1)

    def _points_of(self, index: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return anatomical (x, y, s) of (z, y, x) indices."""
        return np.stack(
            [
                self._x_mm[index[:, 2]] / self._patient.scale_x,
                self._y_mm[index[:, 1]] / self._patient.scale_y,
                self._s[index[:, 0]],
            ],
            axis=1,
        )

    def paint_vessels(self, rng: np.random.Generator) -> None:
        """Grow arteries and veins through both lungs."""
        deep = self._lung < -3.5
        voxel_ml = float(np.prod(self._spacing)) / 1e3
        coverage = np.zeros(self._shape, np.float32)
        for side, root in ((-1.0, anatomy.RIGHT_HILUM), (1.0, anatomy.LEFT_HILUM)):
            inside = np.flatnonzero(deep & ((self._x * side > 0)[None]))
            count = min(len(inside), int(len(inside) * voxel_ml / _PARENCHYMA_PER_VESSEL_ML))
            if count < 2:
                continue
            chosen = rng.choice(inside, size=count, replace=False)
            index = np.stack(np.unravel_index(chosen, self._shape), axis=1)
            targets = self._points_of(index) + rng.uniform(-0.5, 0.5, (count, 3)) * self._spacing[2]
            targets[:, 2] += rng.uniform(-0.5, 0.5, count) * self._spacing[0]
            for half in (targets[: count // 2], targets[count // 2 :]):
                start = tuple(np.asarray(root) + rng.normal(0.0, 5.0, 3))
                tree = grow_vessel_tree(
                    rng, root_mm=(start[0], start[1], start[2]), targets_mm=half, leaf_radius_mm=0.62
                )
                self._stamp(coverage, tree)
        inside_lung = _alpha(self._lung + 0.5, self._edge)
        blood = 40.0 + 0.8 * self._patient.contrast_hu
        self._image += np.minimum(coverage, 1.0) * inside_lung * (blood - self._image)

    def _stamp(self, coverage: FloatArray, tree: VesselTree) -> None:
        """Set how much of each voxel the tree's vessels fill."""
        at = self._index_of(tree.points_mm)
        sz, sy, sx = self._spacing
        for low, high in ((0.0, 0.9), (0.9, 1.6), (1.6, 3.0), (3.0, 5.0), (5.0, 12.0)):
            part = (tree.radii_mm >= low) & (tree.radii_mm < high)
            if not part.any():
                continue
            points, radii = at[part], tree.radii_mm[part, None]
            base = np.rint(points).astype(int)
            reach = [int(np.ceil((high + 0.5 * step) / step)) for step in (sy, sx)]
            reach_z = int(np.ceil(high / sz))
            offsets = np.stack(
                np.meshgrid(
                    np.arange(-reach_z, reach_z + 1),
                    np.arange(-reach[0], reach[0] + 1),
                    np.arange(-reach[1], reach[1] + 1),
                    indexing="ij",
                ),
                axis=-1,
            ).reshape(-1, 3)
            voxel = base[:, None, :] + offsets[None]
            gap = voxel - points[:, None, :]
            slab = np.maximum(np.abs(gap[..., 0]) * sz - sz / 2, 0.0)
            distance = np.sqrt(slab**2 + (gap[..., 1] * sy) ** 2 + (gap[..., 2] * sx) ** 2)
            fill = np.clip(0.5 + (radii - distance) / self._edge, 0.0, 1.0)
            fill *= np.clip(3.2 * radii / sz, 0.0, 1.0) * np.clip(3.0 * radii / self._edge, 0.0, 1.0)
            inside = np.all((voxel >= 0) & (voxel < np.asarray(self._shape)), axis=-1) & (fill > 0.02)
            z, y, x = (voxel[..., axis][inside] for axis in range(3))
            np.maximum.at(coverage, (z, y, x), fill[inside].astype(np.float32))

    def paint_tumour(self, rng: np.random.Generator, spec: TumourSpec) -> None:
        """Put the tumour where its place is and paint it over what was there."""
        shape = tumour_shape(rng, spec)
        centre = self._tumour_centre(rng, spec)
        box, grids = self._box(centre, 1.45 * shape.radius_mm + 18.0)
        x, y, s = (grid - middle for grid, middle in zip(grids, centre, strict=True))
        distance = shape.distance(x, y, s)
        lung = self._lung[box]
        allowed = 5.0 if spec.place == "chest_wall" else 8.0 if spec.place == "mediastinum" else 0.5
        distance = np.maximum(distance, lung - allowed)
        if spec.density == "solid":
            self._paint_solid(box, distance, shape)
        else:
            self._paint_ground_glass(box, distance)
        if spec.density == "part_solid":
            self._paint_solid(box, distance + 0.5 * shape.radius_mm, shape)
        self._tumour[box] = distance < 0
        self._keep_largest(box)
        if len(shape.spicule_lengths_mm) and spec.density == "solid":
            self._paint_spicules(
                shape, centre, outside=_alpha(-distance.astype(np.float32), self._edge), box=box
            )

    def _paint_solid(
        self, box: tuple[slice, slice, slice], distance: NDArray[np.float64], shape: TumourShape
    ) -> None:
        """Paint soft tissue with a soft rim; large tumours are necrotic in their middle."""
        image = self._image[box]
        hu = 34.0 + 0.28 * self._patient.contrast_hu + 6.0 * self._lung_texture[box]
        if shape.radius_mm > 20.0:
            core = np.clip((-distance - 0.32 * shape.radius_mm) / 6.0, 0.0, 1.0)
            hu = hu - core * (16.0 + 0.22 * self._patient.contrast_hu)
        _blend(image, 0.55 * _alpha(np.asarray(distance - 1.2, np.float32), 5.0), -450.0)
        _blend(image, _alpha(np.asarray(distance, np.float32), 1.4 * self._edge), hu.astype(np.float32))

    def _paint_ground_glass(self, box: tuple[slice, slice, slice], distance: NDArray[np.float64]) -> None:
        """Paint hazy lung: what is denser, vessels and walls, shows through."""
        image = self._image[box]
        haze = np.maximum(image, (_GROUND_GLASS_HU + 60.0 * self._lung_texture[box]).astype(np.float32))
        _blend(image, _alpha(np.asarray(distance, np.float32), 2.0 * self._edge), haze)

    def _keep_largest(self, box: tuple[slice, slice, slice]) -> None:
        labels, count = ndimage.label(self._tumour[box])
        if count > 1:
            sizes = np.bincount(labels.ravel())
            sizes[0] = 0
            self._tumour[box] = labels == int(sizes.argmax())

    def _paint_spicules(
        self,
        shape: TumourShape,
        centre: tuple[float, float, float],
        *,
        outside: FloatArray,
        box: tuple[slice, slice, slice],
    ) -> None:
        """Paint tapering strands from the tumour into the lung; they are no part of its mask."""
        t = np.linspace(0.0, 1.0, 40)
        lengths = shape.radius_mm * 0.35 + shape.spicule_lengths_mm
        along = 0.65 * shape.radius_mm + t[None, :] * lengths[:, None]
        points = np.asarray(centre) + along[..., None] * shape.spicule_directions[:, None, :] * shape.axes
        radii = np.broadcast_to(1.5 - 1.1 * t, along.shape)
        coverage = np.zeros(self._shape, np.float32)
        self._stamp(coverage, VesselTree(points_mm=points.reshape(-1, 3), radii_mm=radii.reshape(-1)))
        image = self._image[box]
        inside_lung = _alpha(self._lung[box] + 0.5, self._edge)
        image += 0.8 * np.minimum(coverage[box], 1.0) * outside * inside_lung * (-60.0 - image)

    def _box(
        self, centre: tuple[float, float, float], reach_mm: float
    ) -> tuple[tuple[slice, slice, slice], tuple[NDArray[np.float64], ...]]:
        """Return the part of the volume around a point and its coordinates (x, y, s)."""
        x, y = self._x_mm / self._patient.scale_x, self._y_mm / self._patient.scale_y
        parts = []
        for axis, middle in ((self._s, centre[2]), (y, centre[1]), (x, centre[0])):
            inside = np.flatnonzero(np.abs(axis - middle) <= reach_mm)
            parts.append(slice(int(inside[0]), int(inside[-1]) + 1))
        s3, y3, x3 = np.meshgrid(
            self._s[parts[0]], y[parts[1]].astype(float), x[parts[2]].astype(float), indexing="ij"
        )
        return (parts[0], parts[1], parts[2]), (x3, y3, s3)

    def _tumour_centre(self, rng: np.random.Generator, spec: TumourSpec) -> tuple[float, float, float]:
        """Return a point of the lung whose distances to wall and mediastinum suit the place."""
        radius = spec.diameter_mm / 2
        nz = self._shape[0]
        margin = min(int(np.ceil(0.8 * radius / self._spacing[0])), (nz - 1) // 2)
        levels = np.zeros(nz, bool)
        levels[margin : nz - margin] = True
        levels &= (self._s > 55.0) & (self._s < 255.0)
        side = self._x * (1.0 if spec.side == "left" else -1.0) > 0
        lung = self._lung
        candidates = levels[:, None, None] & side[None] & (lung < 0)
        near = (lung > -0.6 * radius) & (lung < -0.15 * radius)
        floor = (anatomy.diaphragm_level(self._x, self._y)[None] - self._s[:, None, None]) * 0.75
        above = floor < -0.8 * radius
        at_wall = (self._cage > lung - 1.5) & (np.abs(self._x) > 50.0)[None]
        depth = {
            "parenchyma": lung < -min(0.8 * radius, 24.0),
            "mediastinum": near & above & (self._cage < lung - 4.0),
            "chest_wall": near & above & at_wall,
        }[spec.place]
        chosen = np.flatnonzero(candidates & depth)
        if len(chosen) == 0:
            chosen = np.flatnonzero(candidates)
        if len(chosen) == 0:
            raise ValueError(
                "The volume shows no lung in which the tumour could lie; make it higher or wider."
            )
        index = np.stack(np.unravel_index(int(rng.choice(chosen)), self._shape))[None]
        x, y, s = self._points_of(index)[0]
        return float(x), float(y), float(s)

    def finished(self, rng: np.random.Generator, noise_hu: float) -> ThoraxPhantom:
        """Blur, add noise, round, and hand out."""
        image = ndimage.gaussian_filter(self._image, (0.0, 0.65, 0.65))
        noise = rng.standard_normal(self._shape, dtype=np.float32)
        noise = ndimage.gaussian_filter(noise, (0.0, 0.75, 0.75)) - 0.5 * ndimage.gaussian_filter(
            noise, (0.0, 2.0, 2.0)
        )
        noise /= float(noise.std())
        level = noise_hu * np.sqrt(5.0 / max(self._spacing[0], 1.0))
        inside = 1.0 - 0.5 * np.clip(self._r / 190.0, 0.0, 1.0) ** 2
        image += noise * (level * inside)[None]
        lung = (self._lung < 0) & ~self._tumour & self._body
        left = (self._x > 0)[None]
        return ThoraxPhantom(
            image=np.clip(np.rint(image), -1024, 3071).astype(np.int16),
            spacing_mm=self._spacing,
            masks={
                "body": self._body,
                "lung_left": lung & left,
                "lung_right": lung & ~left,
                "tumour": self._tumour,
                "couch": self._couch,
            },
        )
