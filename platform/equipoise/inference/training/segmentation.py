"""Training the U-Net: crops of slices, Dice and cross-entropy, scored by the Dice of the component that is reported.

Imports torch.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from torch import Tensor

from equipoise.inference.lesions import components_by_size
from equipoise.inference.shapes import UNetShape
from equipoise.inference.training import augment
from equipoise.inference.training.cases import SegmentationCase
from equipoise.inference.training.errors import TrainingDataError
from equipoise.inference.training.losses import DICE_LATER, dice_weight, segmentation_loss
from equipoise.inference.unet import UNet, initialise

CROPS = ((160, 160, 8), (224, 224, 4), (288, 352, 2))
"""Rows and columns of the crops, of 1 mm pixels, and how many make a batch: about as many pixels each. A network that
only ever saw an edge nearby takes the middle of a whole slice for something else."""

BATCH = 8
"""Slices that are validated together."""

TUMOUR_SHARE, DENSE_SHARE = 0.6, 0.25
"""Shares of the crops that are drawn around a tumour and around other dense tissue, such as the dome of the liver; the
others lie anywhere."""

DENSE_BIN, DEEP = 38, 21
"""Soft tissue; and the side of the square that must be of it around a pixel to be drawn there: liver, heart and great
vessels, not the chest wall."""

FIRST_GUESS = 0.01
"""Probability of tumour that an untrained network gives: about the share of such pixels."""

THRESHOLD = 0.5


class SegmentationTask:
    """Segment tumours on slices."""

    def __init__(
        self,
        shape: UNetShape,
        training: Sequence[SegmentationCase],
        validation: Sequence[SegmentationCase],
        *,
        seed: int,
        steps: int = 200,
        shares: tuple[float, float] = (TUMOUR_SHARE, DENSE_SHARE),
        start: Mapping[str, NDArray[np.float32]] | None = None,
        data: str = "",
    ) -> None:
        self.network = UNet(shape)
        initialise(self.network, seed=seed)
        with torch.no_grad():
            self.network.get_parameter("conv_23.bias").fill_(math.log(FIRST_GUESS / (1 - FIRST_GUESS)))
        if start is not None:
            self.network.load_state_dict({name: torch.from_numpy(value) for name, value in start.items()})
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(f"The shares of crops must not be negative, nor together above 1; got {shares}.")
        self._shares = shares
        self._starts_anew = start is None
        self._training, self._validation = training, validation
        self._with_tumour = [n for n, case in enumerate(training) if case.target.any()]
        if not self._with_tumour or not any(case.target.any() for case in validation):
            raise TrainingDataError(
                "Training and validation each need at least one case with a tumour inside the lungs; give more cases "
                "or another seed for the split."
            )
        self._deep = [np.flatnonzero(deep_tissue(case)) for case in training]
        self._slices = {n: np.flatnonzero(training[n].target.any(axis=(1, 2))) for n in self._with_tumour}
        self.steps = steps
        self._data = data

    def settings(self) -> dict[str, Any]:
        """Return what the run depends on."""
        return {
            "task": "nsclc",
            "shape": self.network.shape.as_json(),
            "steps": self.steps,
            "crops": CROPS,
            "shares": self._shares,
            "starts_anew": self._starts_anew,
            "augmentation": asdict(augment.CT),
            "training_cases": [case.name for case in self._training],
            "validation_cases": [case.name for case in self._validation],
            "data": self._data,
        }

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield crops of bins and of the tumour."""
        for _ in range(self.steps):
            rows, columns, count = CROPS[int(rng.integers(len(CROPS)))]
            # Room to turn and shrink.
            drawn = (int(1.12 * rows + 0.2 * columns), int(1.12 * columns + 0.2 * rows))
            pairs = np.stack([self._crop(rng, drawn) for _ in range(count)]).astype(np.float32)
            matrices = augment.transforms(rng, count, augment.CT)
            crops = augment.moved(torch.from_numpy(pairs), matrices, (rows, columns), mode="nearest")
            yield augment.changed_bins(crops[:, :1], rng), crops[:, 1:]

    def _crop(self, rng: np.random.Generator, drawn: tuple[int, int]) -> NDArray[np.uint8]:
        """Draw one crop, shape (2, rows, columns): bins and tumour, air beyond the case's edge."""
        kind = rng.random()
        if kind < self._shares[0]:
            number = self._with_tumour[int(rng.integers(len(self._with_tumour)))]
            case = self._training[number]
            z = int(rng.choice(self._slices[number]))
            places = case.target[z]
        else:
            number = int(rng.integers(len(self._training)))
            case = self._training[number]
            z = int(rng.integers(len(case.bins)))
            places = np.zeros(case.bins.shape[1:], np.bool_)
            if kind < sum(self._shares) and len(self._deep[number]):
                at = int(rng.choice(self._deep[number]))
                z, within = divmod(at, places.size)
                places.flat[within] = True
        if kind < sum(self._shares) and places.any():
            at = int(rng.choice(np.flatnonzero(places)))
            centre = [int(v + rng.integers(-50, 51)) for v in np.unravel_index(at, places.shape)]
        else:
            centre = [int(rng.integers(n)) for n in places.shape]
        crop = np.zeros((2, *drawn), np.uint8)
        (source_y, target_y), (source_x, target_x) = (
            _overlap(middle - size // 2, size, length)
            for middle, size, length in zip(centre, drawn, places.shape, strict=True)
        )
        crop[0, target_y, target_x] = case.bins[z, source_y, source_x]
        crop[1, target_y, target_x] = case.target[z, source_y, source_x]
        return crop

    def loss(self, inputs: Tensor, targets: Tensor, *, epoch: int, epochs: int) -> Tensor:
        """Return Dice and cross-entropy."""
        return segmentation_loss(
            self.network.logits(inputs).float(), targets, weight=dice_weight(epoch, epochs)
        )

    def model(self, best: dict[str, Tensor]) -> UNet:
        """Return the network with the best weights."""
        self.network.load_state_dict(best)
        return self.network

    def validate(self) -> dict[str, float]:
        """Score whole cases: mean Dice of the largest component over the cases with a tumour."""
        dices, false_ml, losses = [], [], []
        for case in self._validation:
            probability, loss = self._predicted(case)
            losses.append(loss)
            found = components_by_size(probability > THRESHOLD).labels == 1
            if case.target.any():
                both = np.count_nonzero(found & case.target)
                dices.append(2 * both / (np.count_nonzero(found) + np.count_nonzero(case.target)))
            else:
                false_ml.append(float(np.count_nonzero(found)))
        return {
            "score": float(np.mean(dices)),
            "validation_loss": float(np.mean(losses)),
            "false_pixels": float(np.mean(false_ml)) if false_ml else 0.0,
        }

    def _predicted(self, case: SegmentationCase) -> tuple[NDArray[np.float32], float]:
        probability = np.zeros(case.bins.shape, np.float32)
        losses = []
        for start in range(0, len(case.bins), BATCH):
            part = slice(start, start + BATCH)
            bins = torch.from_numpy(case.bins[part].astype(np.float32))[:, None]
            target = torch.from_numpy(case.target[part].astype(np.float32))[:, None]
            logits = self.network.logits(bins.contiguous(memory_format=torch.channels_last)).float()
            losses.append(float(segmentation_loss(logits, target, weight=DICE_LATER)))
            probability[part] = logits.sigmoid()[:, 0].numpy()
        return probability, float(np.mean(losses))


def deep_tissue(case: SegmentationCase) -> NDArray[np.bool_]:
    """Return the pixels, tumour aside, that have nothing but soft tissue around them on their slice."""
    dense = (case.bins >= DENSE_BIN).astype(np.uint8)
    deep = minimum_filter(dense, size=(1, DEEP, DEEP), mode="constant").astype(np.bool_)
    return np.asarray(deep & ~case.target)


def _overlap(first: int, size: int, length: int) -> tuple[slice, slice]:
    """Return which part of a line of the case a crop shows, and where in the crop it stands."""
    start, stop = max(first, 0), min(first + size, length)
    start = min(start, stop)
    return slice(start, stop), slice(start - first, stop - first)
