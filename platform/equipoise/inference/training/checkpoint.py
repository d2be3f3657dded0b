"""The state of a training run as files: tensors in safetensors, everything else as JSON. Nothing is pickled.

Imports torch. The JSON names the tensors' file by its hash and is renamed into place last, so that a run that was
killed while writing resumes from the state before.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from equipoise.inference.cards import file_sha256
from equipoise.inference.training.errors import CheckpointError

STATE_NAME = "checkpoint.json"
FORMAT = "equipoise/checkpoint/1"

_ADAM = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class Progress:
    """How far a run is.

    Attributes
    ----------
    epoch : int
        Epochs done.
    best_epoch : int
        The one with the best validation, -1 before any.
    curves : list of dict
        One row per epoch done.
    """

    epoch: int = 0
    best_epoch: int = -1
    best: tuple[float, float] = (float("-inf"), float("-inf"))
    curves: list[dict[str, float]] = field(default_factory=list)


def write_checkpoint(
    folder: Path,
    *,
    network: nn.Module,
    optimiser: torch.optim.Adam,
    best: dict[str, Tensor],
    progress: Progress,
    settings: dict[str, Any],
) -> None:
    """Write a run's state beside the one before, then put it in that one's place."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for name, parameter in network.named_parameters():
        state = optimiser.state[parameter]
        tensors |= {f"adam.{key}.{name}": state[key] for key in _ADAM}
    part = folder / "checkpoint.part"
    save_file({name: value.detach().contiguous() for name, value in tensors.items()}, part)
    digest = file_sha256(part)
    weights = folder / f"checkpoint-{progress.epoch:04d}.safetensors"
    part.replace(weights)
    document = {
        "format": FORMAT,
        "weights": weights.name,
        "sha256": digest,
        "epoch": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best": list(progress.best),
        "curves": progress.curves,
        "settings": settings,
    }
    _write_text(folder / STATE_NAME, json.dumps(document, indent=1) + "\n")
    for old in folder.glob("checkpoint-*.safetensors"):
        if old != weights:
            old.unlink()


def read_checkpoint(
    folder: Path, *, network: nn.Module, optimiser: torch.optim.Adam, settings: dict[str, Any]
) -> tuple[Progress, dict[str, Tensor]]:
    """Set network and optimiser as they were and return the progress and the best weights so far.

    Raises
    ------
    CheckpointError
        If there is none, it is damaged, or it is of a run with other settings.
    """
    path = folder / STATE_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has the format {document['format']!r}; this version reads {FORMAT}."
            )
        weights = folder / Path(document["weights"]).name
        progress = Progress(
            int(document["epoch"]),
            int(document["best_epoch"]),
            (float(document["best"][0]), float(document["best"][1])),
            [dict(row) for row in document["curves"]],
        )
        theirs = dict(document["settings"])
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} holds no {STATE_NAME}: there is nothing to resume.") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{path} is no checkpoint: {error!r}.") from error
    _check_settings(theirs, settings, path)
    if not weights.is_file() or file_sha256(weights) != document["sha256"]:
        raise CheckpointError(f"{weights} is absent or not the file that {STATE_NAME} describes.")
    try:
        tensors = load_file(weights)
        network.load_state_dict(_part(tensors, "network."))
        for name, parameter in network.named_parameters():
            # Copied into tensors laid out like the parameter: sums then run in the same order as without a break.
            optimiser.state[parameter] = {
                "step": tensors[f"adam.step.{name}"].clone(),
                "exp_avg": torch.empty_like(parameter).copy_(tensors[f"adam.exp_avg.{name}"]).detach(),
                "exp_avg_sq": torch.empty_like(parameter).copy_(tensors[f"adam.exp_avg_sq.{name}"]).detach(),
            }
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{weights} does not hold this network's state: {error}") from error
    return progress, _part(tensors, "best.")


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _check_settings(theirs: dict[str, Any], ours: dict[str, Any], path: Path) -> None:
    ours = json.loads(json.dumps(ours))
    different = [key for key in sorted(theirs.keys() | ours.keys()) if theirs.get(key) != ours.get(key)]
    if different:
        said = "; ".join(f"{key} {theirs.get(key)!r} there, {ours.get(key)!r} now" for key in different)
        raise CheckpointError(f"{path} is of a run with other settings ({said}). Resume with the same ones.")


def _write_text(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as sink:
        sink.write(text)
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(path)
