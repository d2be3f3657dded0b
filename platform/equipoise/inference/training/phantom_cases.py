"""Phantom cases by number: the same number under the same seed is the same case everywhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.simulation import (
    BoneScanPhantom,
    TumourSpec,
    bone_scan_phantom,
    random_metastases,
    random_tumour,
    stream,
    thorax_phantom,
)

NSCLC_STREAM, BONE_SCAN_STREAM = 1, 2
"""Keys of the two kinds of phantoms."""

WITHOUT_TUMOUR = 0.15
"""Share of the thorax phantoms without a tumour."""

GROUND_GLASS = 0.15
"""Share of the tumours that are of ground glass, half of them with a solid core."""

HEIGHT_MM, WIDTH_MM = 312.0, 424.0
"""What a thorax phantom covers."""


@dataclass(frozen=True, eq=False)
class ThoraxCase:
    """A thorax phantom as it is trained on or scored."""

    hu: NDArray[np.int16]
    spacing_mm: tuple[float, float, float]
    tumour: NDArray[np.bool_]
    spec: TumourSpec | None


def thorax_case(seed: int, number: int) -> ThoraxCase:
    """Make one thorax phantom: voxels, noise and tumour vary; some have none."""
    rng = stream(seed, NSCLC_STREAM, number)
    slice_mm, pixel_mm = float(rng.uniform(4.0, 6.0)), float(rng.uniform(1.4, 1.7))
    spec = None if rng.random() < WITHOUT_TUMOUR else random_tumour(rng, ground_glass=GROUND_GLASS)
    noise_hu = float(rng.uniform(8.0, 25.0))
    pixels = round(WIDTH_MM / pixel_mm)
    phantom = thorax_phantom(
        rng,
        shape=(round(HEIGHT_MM / slice_mm), pixels, pixels),
        spacing_mm=(slice_mm, pixel_mm, pixel_mm),
        tumour=spec,
        noise_hu=noise_hu,
    )
    return ThoraxCase(phantom.image, phantom.spacing_mm, phantom.masks["tumour"], spec)


POSITIVE_SHARE = 0.4
"""Share of the bone-scan phantoms with metastases: fewer than half, as in practice."""


def bone_scan_case(seed: int, number: int) -> BoneScanPhantom:
    """Make one bone-scan phantom; metastases, joints and counts vary."""
    rng = stream(seed, BONE_SCAN_STREAM, number)
    count = random_metastases(rng) if rng.random() < POSITIVE_SHARE else 0
    return bone_scan_phantom(rng, metastases=count, degeneration=float(rng.uniform(0.3, 1.6)))
