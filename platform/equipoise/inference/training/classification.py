"""Training the bone-scan network: whole planes, as many negatives as positives in every epoch, views flipped.

Where it is known where the metastases lie, a second head, of one number per cell of the last convolution, learns it
beside the class: the features then find lesions after hundreds of scans instead of thousands. It is not part of the
model. Imports torch.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.inference.bone_scan import VIEW_COLUMNS
from equipoise.inference.shapes import VggShape
from equipoise.inference.training import augment
from equipoise.inference.training.cases import ClassificationCase
from equipoise.inference.training.errors import TrainingDataError
from equipoise.inference.vgg import VggClassifier, initialise
from equipoise.stats import auc

BATCH = 8


CELL = 16
"""Pixels of the plane to a cell of the last convolution."""


class _WithLesionHead(nn.Module):
    """The network and the head that is left behind."""

    def __init__(self, classifier: VggClassifier) -> None:
        super().__init__()
        self.classifier = classifier
        channels = classifier.hidden.in_features
        self.lesions = nn.Conv2d(channels, 1, 1)
        nn.init.zeros_(self.lesions.weight)
        assert self.lesions.bias is not None  # convolutions have one unless told otherwise
        nn.init.zeros_(self.lesions.bias)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class scores and, per cell, the score of a metastasis, shape (n, 1, rows / 16, columns / 16)."""
        maps = self.classifier.last_convolution(image)
        return self.classifier.class_scores(maps), self.lesions(maps)


def cell_loss(scores: Tensor, lesions: Tensor) -> Tensor:
    """Return the cross-entropy of cells with metastases and of those without, half each; 0 where nothing is known.

    Parameters
    ----------
    scores : Tensor, shape (n, 1, rows / 16, columns / 16)
    lesions : Tensor, shape (n, 1, rows, columns)
        1 on metastases, 0 elsewhere, -1 throughout an image of which it is not known.
    """
    cells = functional.max_pool2d(lesions, CELL)
    entropy = functional.binary_cross_entropy_with_logits(scores, cells.clamp_min(0.0), reduction="none")
    parts = [
        (entropy * chosen).sum() / chosen.sum().clamp_min(1.0)
        for chosen in ((cells == 1).float(), (cells == 0).float())
    ]
    return 0.5 * (parts[0] + parts[1])


class ClassificationTask:
    """Tell scans with metastases from scans without."""

    def __init__(
        self,
        shape: VggShape,
        training: Sequence[ClassificationCase],
        validation: Sequence[ClassificationCase],
        *,
        seed: int,
        data: str = "",
    ) -> None:
        self._classifier = VggClassifier(shape)
        initialise(self._classifier, seed=seed)
        self.network = _WithLesionHead(self._classifier)
        self._training, self._validation = training, validation
        self._positive = [n for n, case in enumerate(training) if case.positive]
        self._negative = [n for n, case in enumerate(training) if not case.positive]
        if not self._positive or not self._negative or len({case.positive for case in validation}) < 2:
            raise TrainingDataError(
                "Training and validation each need scans with and without metastases; give more scans or another "
                "seed for the split."
            )
        self.steps = -(-2 * len(self._positive) // BATCH)
        self._data = data

    def settings(self) -> dict[str, Any]:
        """Return what the run depends on."""
        return {
            "task": "bone-scan",
            "shape": self._classifier.shape.as_json(),
            "lesion_head": any(case.lesions is not None for case in self._training),
            "batch": BATCH,
            "augmentation": asdict(augment.BONE_SCAN),
            "training_cases": [case.name for case in self._training],
            "validation_cases": [case.name for case in self._validation],
            "data": self._data,
        }

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
        """Yield every positive once and as many negatives, drawn anew, in one random order."""
        count = len(self._positive)
        negatives = rng.choice(self._negative, size=count, replace=count > len(self._negative))
        order = rng.permutation(np.concatenate([self._positive, negatives]))
        for start in range(0, len(order), BATCH):
            cases = [self._training[int(n)] for n in order[start : start + BATCH]]
            planes = torch.from_numpy(np.stack([case.plane for case in cases]).astype(np.float32))
            lesions = torch.from_numpy(np.stack([_lesions(case) for case in cases]))
            matrices = augment.transforms(rng, len(cases), augment.BONE_SCAN)
            planes = augment.changed_counts(_moved_views(planes, matrices, mode="bilinear"), rng)
            known = torch.tensor([case.lesions is not None for case in cases]).reshape(-1, 1, 1, 1)
            lesions = torch.where(known, _moved_views(lesions, matrices, mode="nearest"), -1.0)
            truth = torch.tensor([int(case.positive) for case in cases])
            yield planes.repeat(1, 3, 1, 1), (truth, lesions)

    def loss(
        self,
        inputs: Tensor,
        targets: tuple[Tensor, Tensor],
        *,
        epoch: int,  # noqa: ARG002 - one loss throughout
        epochs: int,  # noqa: ARG002
    ) -> Tensor:
        """Return the cross-entropy of the class, and of the cells."""
        scores, cells = self.network(inputs)
        truth, lesions = targets
        return functional.cross_entropy(scores.float(), truth) + cell_loss(cells.float(), lesions)

    def model(self, best: dict[str, Tensor]) -> VggClassifier:
        """Return the network with the best weights, without the head that only training needs."""
        self.network.load_state_dict(best)
        return self._classifier

    def validate(self) -> dict[str, float]:
        """Return the area under the ROC curve and the cross-entropy."""
        scores, losses = [], []
        for start in range(0, len(self._validation), BATCH):
            cases = self._validation[start : start + BATCH]
            planes = torch.from_numpy(np.stack([case.plane for case in cases]).astype(np.float32))[:, None]
            targets = torch.tensor([int(case.positive) for case in cases])
            logits = self._classifier.scores(
                planes.repeat(1, 3, 1, 1).contiguous(memory_format=torch.channels_last)
            ).float()
            losses += functional.cross_entropy(logits, targets, reduction="none").tolist()
            scores += logits.softmax(dim=1)[:, 1].tolist()
        truth = [case.positive for case in self._validation]
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DegenerateDataWarning
            )  # a perfect score has no interval; none is shown
            area = float(auc(scores, truth).estimate)
        return {"score": area, "validation_loss": float(np.mean(losses))}


def _lesions(case: ClassificationCase) -> NDArray[np.float32]:
    shape = case.plane.shape
    return np.zeros(shape, np.float32) if case.lesions is None else case.lesions.astype(np.float32)


def _moved_views(planes: Tensor, matrices: Tensor, *, mode: str) -> Tensor:
    """Move both views of each plane alike, each on its own half: they show the same body."""
    views = torch.stack([planes[:, :, :VIEW_COLUMNS], planes[:, :, VIEW_COLUMNS:]], dim=1)
    moved = augment.moved(views, matrices, (planes.shape[1], VIEW_COLUMNS), mode=mode)
    return torch.cat([moved[:, :1], moved[:, 1:]], dim=3)
