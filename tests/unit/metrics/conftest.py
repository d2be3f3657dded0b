"""Masks that several tests use."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

Blobs = Callable[..., np.ndarray]


@pytest.fixture
def blobs() -> Blobs:
    """Return a maker of seeded, irregular masks that may touch the image's border and have holes."""

    def make(seed, *, shape=(7, 9, 8), smoothing=1.2, share=0.35):
        noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), smoothing)
        return noise > np.quantile(noise, 1 - share)

    return make


@pytest.fixture
def voxels() -> Callable[..., np.ndarray]:
    """Return a maker of masks from a shape and the foreground's indices."""

    def make(shape, *indices):
        mask = np.zeros(shape, dtype=bool)
        for index in indices:
            mask[index] = True
        return mask

    return make
