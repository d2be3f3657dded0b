"""Running a network: device, precision, threads; loaded once, then slice by slice.

Imports torch; import it only where a network is run.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equipoise.inference.cards import ModelCard
from equipoise.inference.crop import MARGIN, network_box
from equipoise.inference.errors import RuntimeMissingError, WeightsError
from equipoise.inference.prepared import PreparedScan
from equipoise.inference.unet import UNet
from equipoise.inference.vgg import VggClassifier
from equipoise.inference.weights import Network, load_weights

FloatArray = NDArray[np.float32]

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""Number formats by name; bf16 needs about half the time of fp32 and changes probabilities by 0.001 on average."""


@dataclass(frozen=True, eq=False)
class Runtime:
    """A network on its device, ready to run."""

    network: Network
    card: ModelCard
    device: torch.device
    precision: str
    load_seconds: float

    @classmethod
    def load(cls, weights: Path, *, device: str = "auto", precision: str = "fp32") -> "Runtime":
        """Read a model and put it on its device.

        Parameters
        ----------
        device : str
            ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

        Raises
        ------
        WeightsError, RuntimeMissingError
        """
        started = perf_counter()
        network, card = load_weights(weights)
        return cls.of(network, card, device=device, precision=precision, started=started)

    @classmethod
    def of(
        cls,
        network: Network,
        card: ModelCard,
        *,
        device: str = "auto",
        precision: str = "fp32",
        started: float | None = None,
    ) -> "Runtime":
        """Put a network that is already built on its device."""
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
        started = perf_counter() if started is None else started
        target = _device(device)
        network = network.to(device=target, dtype=PRECISIONS[precision])
        for parameter in network.parameters():
            if parameter.dim() == 4:  # convolutions run twice as fast with their channels last
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return cls(network.eval(), card, target, precision, perf_counter() - started)

    def hardware(self) -> dict[str, Any]:
        """Say what the times were measured on."""
        on_gpu = self.device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self.device) if on_gpu else platform.machine(),
            "kind": self.device.type,
            "threads": torch.get_num_threads(),
            "precision": self.precision,
            "runtime": f"torch {torch.__version__}",
        }

    def segment(self, scan: PreparedScan, *, margin: int | None = MARGIN) -> FloatArray:
        """Return the probability of tumour on the slices of a prepared scan.

        Parameters
        ----------
        margin : int or None
            Pixels around the lungs that the network sees; None for whole planes. Slices without lung are skipped.
        """
        if not isinstance(self.network, UNet):
            raise WeightsError(f"{self.card.name} is no segmentation model.")
        probability = np.zeros(scan.bins.shape, np.float32)
        with _repeatable():
            for bins, mask, out in zip(scan.bins, scan.lung_mask, probability, strict=True):
                box = network_box(mask, margin=margin if margin is not None else max(mask.shape))
                if box is not None:
                    out[box] = self.network(self._input(bins[box][None, None]))[0, 0].float().cpu().numpy()
        return probability

    def classify(self, plane: FloatArray, *, target: int | None = None) -> tuple[FloatArray, FloatArray]:
        """Return class probabilities and the Grad-CAM map, 0 to 1, of one side-by-side plane."""
        if not isinstance(self.network, VggClassifier):
            raise WeightsError(f"{self.card.name} is no classification model.")
        image = np.repeat(plane[None, None], 3, axis=1)
        with _repeatable():
            probabilities, heat = self.network.grad_cam(self._input(image), target=target)
        return probabilities[0].float().cpu().numpy(), heat[0].float().cpu().numpy()

    def _input(self, array: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device, PRECISIONS[self.precision])
        return tensor.contiguous(memory_format=torch.channels_last)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {name!r}.")
    if name == "cuda" and not torch.cuda.is_available():
        raise RuntimeMissingError("No CUDA device was found; use the device cpu or auto.")
    return torch.device(name)


@contextmanager
def _repeatable() -> Iterator[None]:
    """Run without gradients and so that the same input gives the same bits on the same device."""
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        yield
