"""The loop both networks are trained by: Adam, cosine annealing, the best epoch by validation, resumable.

Imports torch. A run is a function of its settings and cases: every epoch draws from its own stream, so that one which
was stopped after any epoch goes on bit for bit (on the same machine, with as many threads).

References
----------
Kingma and Ba, ICLR 2015 (Adam). Loshchilov and Hutter, ICLR 2017 (cosine annealing).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.inference.training.checkpoint import Progress, read_checkpoint, write_checkpoint
from equipoise.inference.training.curves import write_curves
from equipoise.inference.training.errors import CheckpointError
from equipoise.inference.unet import UNet
from equipoise.inference.vgg import VggClassifier
from equipoise.simulation import stream

EPOCH_STREAM, DROPOUT_STREAM = 11, 12
"""Keys of the streams that an epoch draws its batches and its dropout from."""

LAST_RATE = 0.01
"""What cosine annealing ends at, as a share of the first learning rate."""

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast.

    Attributes
    ----------
    warm_up : float
        Share of the run over which the learning rate rises from 0: without normalisation, full steps on first
        weights can switch a narrow network off for good.
    longest_gradient : float or None
        Gradients longer than this are shortened to it, for the same reason.
    """

    epochs: int
    learning_rate: float
    seed: int
    precision: str = "fp32"
    warm_up: float = 0.0
    longest_gradient: float | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}.")
        if not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate must lie between 0 and 1, got {self.learning_rate}.")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}.")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}.")
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"warm_up must be at least 0 and below 1, got {self.warm_up}.")


class Task(Protocol):
    """What a network is trained to do."""

    @property
    def network(self) -> nn.Module:
        """The network, its weights drawn from the seed."""

    @property
    def steps(self) -> int:
        """Batches per epoch."""

    def settings(self) -> dict[str, Any]:
        """Return what the run depends on, as plain values: another value is another run."""

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, Any]]:
        """Yield the batches of one epoch."""

    def loss(self, inputs: Tensor, targets: Any, *, epoch: int, epochs: int) -> Tensor:
        """Return what is minimised."""

    def model(self, best: dict[str, Tensor]) -> UNet | VggClassifier:
        """Return the network with the best weights, as it is kept."""

    def validate(self) -> dict[str, float]:
        """Score the network: ``score`` (higher is better), then ``validation_loss`` where scores are equal."""


Report = Callable[[str], None]


def _silent(line: str) -> None:
    pass


def train(
    task: Task, recipe: Recipe, folder: Path, *, resume: bool = False, report: Report = _silent
) -> tuple[dict[str, Tensor], Progress]:
    """Train and return the best epoch's weights and the curves.

    Parameters
    ----------
    folder : Path
        Gets checkpoint and curves after every epoch.
    resume : bool
        Go on from the folder's checkpoint.
    report : callable
        Is told one line per batch and one, ended by a newline, per epoch.

    Raises
    ------
    CheckpointError
        If there is nothing to resume, or a run that would be overwritten.
    """
    network = task.network
    _channels_last(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    settings = {**asdict(recipe), **task.settings()}
    progress = Progress()
    best: dict[str, Tensor] = {}
    if resume:
        progress, best = read_checkpoint(folder, network=network, optimiser=optimiser, settings=settings)
    elif (folder / "checkpoint.json").exists():
        raise CheckpointError(f"{folder} holds a run already; resume it, or choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with _repeatable():
        while progress.epoch < recipe.epochs:
            row = _epoch(task, recipe, optimiser, progress.epoch, report=report)
            place = (row["score"], -row["validation_loss"])
            if place > progress.best:
                progress.best, progress.best_epoch = place, progress.epoch
                best = {name: value.detach().clone() for name, value in network.state_dict().items()}
            progress.epoch += 1
            progress.curves.append(row)
            write_checkpoint(
                folder,
                network=network,
                optimiser=optimiser,
                best=best,
                progress=progress,
                settings=settings,
            )
            write_curves(progress.curves, folder)
            report(
                f"epoch {progress.epoch} of {recipe.epochs}: loss {row['loss']:.4f}, validation "
                f"{row['score']:.4f}{' (best)' if progress.best_epoch == progress.epoch - 1 else ''}\n"
            )
    return best, progress


def _channels_last(network: nn.Module) -> None:
    """Lay convolutions out as the processor runs them fastest."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _epoch(
    task: Task, recipe: Recipe, optimiser: torch.optim.Adam, epoch: int, *, report: Report
) -> dict[str, float]:
    started = perf_counter()
    torch.manual_seed(int(stream(recipe.seed, DROPOUT_STREAM, epoch).integers(2**63)))
    task.network.train()
    losses = []
    for step, (inputs, targets) in enumerate(task.batches(stream(recipe.seed, EPOCH_STREAM, epoch))):
        done = (epoch + step / task.steps) / recipe.epochs
        for group in optimiser.param_groups:
            group["lr"] = annealed(recipe.learning_rate, done, warm_up=recipe.warm_up)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.precision == "bf16"):
            loss = task.loss(
                inputs.contiguous(memory_format=torch.channels_last),
                targets,
                epoch=epoch,
                epochs=recipe.epochs,
            )
        loss.backward()  # type: ignore[no-untyped-call] # torch's own
        if recipe.longest_gradient is not None:
            nn.utils.clip_grad_norm_(task.network.parameters(), recipe.longest_gradient)
        optimiser.step()
        losses.append(float(loss.detach()))
        report(
            f"epoch {epoch + 1} of {recipe.epochs}: batch {step + 1} of {task.steps}, loss {losses[-1]:.4f}"
        )
    task.network.eval()
    with (
        torch.no_grad(),
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.precision == "bf16"),
    ):
        scores = task.validate()
    return {
        "epoch": epoch + 1,
        "learning_rate": annealed(recipe.learning_rate, (epoch + 1) / recipe.epochs, warm_up=recipe.warm_up),
        "loss": float(np.mean(losses)),
        **scores,
        "seconds": perf_counter() - started,
    }


def annealed(rate: float, done: float, *, warm_up: float = 0.0) -> float:
    """Return the learning rate when a share of the run is done: a rise, then half a cosine down to the last.

    Examples
    --------
    >>> annealed(1.0, 0.0), round(annealed(1.0, 0.5), 3), round(annealed(1.0, 1.0), 3)
    (1.0, 0.505, 0.01)
    >>> annealed(1.0, 0.0, warm_up=0.1), annealed(1.0, 0.05, warm_up=0.1), annealed(1.0, 0.1, warm_up=0.1)
    (0.0, 0.5, 1.0)
    """
    if done < warm_up:
        return rate * done / warm_up
    part = (done - warm_up) / (1 - warm_up)
    return rate * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * part)))


@contextmanager
def _repeatable() -> Iterator[None]:
    """Draw and add in one order; leave the caller's random numbers alone."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.use_deterministic_algorithms(before)
