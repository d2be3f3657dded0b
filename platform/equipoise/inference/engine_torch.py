"""The reference: torch, on the CPU or on a GPU. Imports torch."""

from typing import Any

import numpy as np
import torch

from equipoise.inference.cards import ModelCard
from equipoise.inference.engine import FloatArray, processor_name
from equipoise.inference.errors import RuntimeMissingError
from equipoise.inference.unet import UNet
from equipoise.inference.weight_files import State
from equipoise.inference.weights import network_of

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TorchEngine:
    """A network of ours in torch."""

    def __init__(self, state: State, card: ModelCard, *, device: str, precision: str, threads: int) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeMissingError("No CUDA device was found; use the device cpu or auto.")
        if threads:
            torch.set_num_threads(threads)
        self.precision = precision
        self.device = torch.device(device)
        self.network = network_of(state, card).to(device=self.device, dtype=_TYPES[precision])
        for parameter in self.network.parameters():
            if parameter.dim() == 4:  # convolutions run twice as fast with their channels last
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def run(self, plane: FloatArray) -> FloatArray:
        """Return logits or the last convolution's maps."""
        x = torch.from_numpy(np.ascontiguousarray(plane)).to(self.device, _TYPES[self.precision])
        x = x.contiguous(memory_format=torch.channels_last)
        network = self.network
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            result = network.logits(x) if isinstance(network, UNet) else network.last_convolution(x)
            found: FloatArray = result.float().contiguous().cpu().numpy()
        return found

    def hardware(self) -> dict[str, Any]:
        """Say what the times were measured on."""
        on_gpu = self.device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self.device) if on_gpu else processor_name(),
            "kind": self.device.type,
            "threads": torch.get_num_threads(),
            "precision": self.precision,
            "runtime": f"torch {torch.__version__}",
        }
