"""Augmentation as published: flips, rotation, scale, shift, noise and intensity, all drawn by the caller's rng.

References
----------
Primakov et al. Nat Commun 13, 3423 (2022), Methods (CT). For bone scans the views are flipped left to right.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

HIGHEST_BIN = 45.0
"""The lung window's upper end."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far images are changed.

    Attributes
    ----------
    rotation_deg : float
        Uniform, to either side.
    scale : float
        Uniform between ``1 - scale`` and ``1 + scale``.
    shift : float
        Uniform, as a share of the image to either side.
    noise : float
        Highest standard deviation, in units of the image.
    offset, gain : float
        Intensities become ``gain * value + offset``; largest change of each.
    """

    rotation_deg: float
    scale: float
    shift: float
    noise: float
    offset: float
    gain: float


CT = Augmentation(rotation_deg=10.0, scale=0.1, shift=0.0, noise=1.5, offset=1.0, gain=0.05)
"""In bins of 25 HU; crops are drawn anywhere, so they need no shift of their own."""

BONE_SCAN = Augmentation(rotation_deg=3.0, scale=0.06, shift=0.03, noise=0.01, offset=0.0, gain=0.15)
"""On planes from 0 to 1; per view."""


def transforms(rng: np.random.Generator, count: int, how: Augmentation) -> Tensor:
    """Draw affine maps for :func:`moved`, shape (count, 2, 3), half of them mirrored left to right."""
    angle = np.deg2rad(rng.uniform(-how.rotation_deg, how.rotation_deg, count))
    scale = rng.uniform(1 - how.scale, 1 + how.scale, count)
    mirrored = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    # A shift of the whole image is 2 in the units of torch's grids, which run from -1 to 1.
    shift = 2 * rng.uniform(-how.shift, how.shift, (count, 2))
    matrix = np.empty((count, 2, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = np.cos(angle) * mirrored, -np.sin(angle)
    matrix[:, 1, 0], matrix[:, 1, 1] = np.sin(angle) * mirrored, np.cos(angle)
    matrix[:, :, :2] *= scale[:, None, None]
    matrix[:, :, 2] = shift
    return torch.from_numpy(matrix.astype(np.float32))


def moved(images: Tensor, matrices: Tensor, size: tuple[int, int], *, mode: str) -> Tensor:
    """Return the middle of each image, shape (n, c, rows, columns), turned, scaled, shifted and mirrored."""
    rows, columns = images.shape[2:]
    # Angles are angles only on square pixels: go from the output's pixels to the input's, then to torch's units.
    y = (torch.arange(size[0], dtype=torch.float32) + 0.5) - size[0] / 2
    x = (torch.arange(size[1], dtype=torch.float32) + 0.5) - size[1] / 2
    points = torch.stack([x.expand(size), y[:, None].expand(size)], dim=-1)
    turned = torch.einsum("nij,yxj->nyxi", matrices[:, :, :2], points)
    half = torch.tensor([columns / 2, rows / 2])
    grid = turned / half + matrices[:, None, None, :, 2]
    return functional.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


def changed_bins(bins: Tensor, rng: np.random.Generator, how: Augmentation = CT) -> Tensor:
    """Change intensities inside the lungs, and add noise; the outside stays 0."""
    count = len(bins)
    sigma, offset, gain = _draw(rng, count, how)
    noise = torch.from_numpy(rng.standard_normal(bins.shape, dtype=np.float32))
    changed = (bins * gain + offset + noise * sigma).round().clamp(0.0, HIGHEST_BIN)
    return torch.where(bins > 0, changed, bins)


def changed_counts(planes: Tensor, rng: np.random.Generator, how: Augmentation = BONE_SCAN) -> Tensor:
    """Change intensities of a plane from 0 to 1 by a power near 1, and add noise that grows with the counts."""
    count = len(planes)
    sigma, _, gain = _draw(rng, count, how)
    noise = torch.from_numpy(rng.standard_normal(planes.shape, dtype=np.float32))
    return (planes.clamp_min(0.0).pow(gain) + noise * sigma * planes.clamp_min(0.0).sqrt()).clamp(0.0, 1.0)


def _draw(rng: np.random.Generator, count: int, how: Augmentation) -> tuple[Tensor, Tensor, Tensor]:
    def column(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).reshape(-1, 1, 1, 1)

    return (
        column(rng.uniform(0.0, how.noise, count)),
        column(rng.uniform(-how.offset, how.offset, count)),
        column(rng.uniform(1 - how.gain, 1 + how.gain, count)),
    )
