"""The end of a training run: the best epoch's weights with their card.

Imports torch.
"""

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.inference.cards import PIPELINES, ModelCard
from equipoise.inference.training.checkpoint import Progress
from equipoise.inference.training.loop import Recipe, Task
from equipoise.inference.training.sources import PHANTOM_VERSIONS, Source
from equipoise.inference.weights import save_weights

WEIGHTS_NAME = "model.safetensors"

_PURPOSES = {
    "nsclc": "Segments lung tumours on chest CT.",
    "bone-scan": "Tells planar bone scans with metastases from those without.",
}


def write_model(
    task: Task,
    best: dict[str, Tensor],
    progress: Progress,
    recipe: Recipe,
    folder: Path,
    *,
    pipeline: str,
    source: Source,
    name: str,
    version: str,
) -> ModelCard:
    """Write ``model.safetensors`` and its card and return the card."""
    network = task.model(best)
    on_phantoms = source.folder is None
    settings: dict[str, Any] = task.settings()
    card = ModelCard(
        name=name,
        version=version,
        architecture=PIPELINES[pipeline],
        shape=network.shape.as_json(),
        purpose=_PURPOSES[pipeline] + (" For trying things out alone." if on_phantoms else ""),
        data=source.in_words(pipeline),
        demonstration=on_phantoms,
        licence="Apache-2.0" if on_phantoms else "",
        scores={"validation": progress.best[0]},
        training={
            **asdict(recipe),
            "best_epoch": progress.best_epoch + 1,
            "phantoms": PHANTOM_VERSIONS[pipeline] if on_phantoms else None,
            "cases": len(settings["training_cases"]),
            "validation_cases": len(settings["validation_cases"]),
            "augmentation": settings["augmentation"],
            "software": {
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        },
    )
    return save_weights(network, folder / WEIGHTS_NAME, card)
