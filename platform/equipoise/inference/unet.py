"""The lung-tumour network: a U-Net on one slice, layer for layer the published one, and its narrow variants.

Imports torch; import it only where a network is built.

References
----------
Primakov et al. Nat Commun 13, 3423 (2022), whose Keras graph this is: 31,031,685 parameters at full width.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PUBLISHED_PARAMETERS = 31_031_685
"""Parameters at full width."""

PLANE_MULTIPLE = 16
"""Rows and columns must be multiples of it: four poolings by two."""


@dataclass(frozen=True, slots=True)
class UNetShape:
    """What is free about the network.

    Attributes
    ----------
    width : int
        Channels of the first block; 64 as published, each deeper block has twice as many.
    activation : str
        ``relu`` as the published file has it, ``elu`` as the paper does.
    scale : float
        Factor on the bins before the first layer; the published network takes them as they are.
    """

    width: int = 64
    activation: str = "relu"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}.")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}.")

    def as_json(self) -> dict[str, Any]:
        """Return the shape as plain values."""
        return asdict(self)


ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU}
"""Activation by name."""


class UNet(nn.Module):
    """Bins of one slice in, the probability of tumour of every pixel out.

    Convolutions are named in the order of the published graph (``conv_00`` to ``conv_23``), so that converted
    weights are matched by order and shape. Input ``(n, 1, rows, columns)``, output the same shape.
    """

    def __init__(self, shape: UNetShape | None = None) -> None:
        super().__init__()
        self.shape = shape or UNetShape()
        for number, (out_channels, in_channels, kernel) in enumerate(convolution_table(self.shape.width)):
            padding = 1 if kernel == 3 else 0
            self.add_module(
                f"conv_{number:02d}", nn.Conv2d(in_channels, out_channels, kernel, padding=padding)
            )
        self.activation = ACTIVATIONS[self.shape.activation]()
        self.dropout = nn.Dropout(0.5)
        self.pool = nn.MaxPool2d(2)

    def forward(self, bins: Tensor) -> Tensor:
        """Return probabilities."""
        return torch.sigmoid(self.logits(bins))

    def logits(self, bins: Tensor) -> Tensor:
        """Return the values before the sigmoid."""
        x = bins * self.shape.scale if self.shape.scale != 1.0 else bins
        skips = []
        for level in range(4):
            x = self._pair(x, 2 * level)
            if level == 3:
                x = self.dropout(x)
            skips.append(x)
            x = self.pool(x)
        x = self.dropout(self._pair(x, 8))
        for step, skip in enumerate(reversed(skips)):
            first = 10 + 3 * step
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            # Keras pads an even kernel at the bottom and the right.
            x = self._convolved(functional.pad(x, (0, 1, 0, 1)), first)
            x = self._pair(torch.cat([skip, x], dim=1), first + 1)
        logits: Tensor = self._layer(23)(self._convolved(x, 22))
        return logits

    def _pair(self, x: Tensor, first: int) -> Tensor:
        return self._convolved(self._convolved(x, first), first + 1)

    def _convolved(self, x: Tensor, number: int) -> Tensor:
        result: Tensor = self.activation(self._layer(number)(x))
        return result

    def _layer(self, number: int) -> nn.Conv2d:
        layer = getattr(self, f"conv_{number:02d}")
        if not isinstance(layer, nn.Conv2d):
            raise TypeError(f"conv_{number:02d} is no convolution.")
        return layer


def convolution_table(width: int = 64) -> list[tuple[int, int, int]]:
    """Return (channels out, channels in, kernel size) of every convolution, in the published order."""
    table = []
    channels = 1
    for level in range(5):
        out = width << level
        table += [(out, channels, 3), (out, out, 3)]
        channels = out
    for level in reversed(range(4)):
        out = width << level
        table += [(out, channels, 2), (out, 2 * out, 3), (out, out, 3)]
        channels = out
    return [*table, (2, width, 3), (1, 2, 1)]


def initialise(network: UNet, *, seed: int) -> None:
    """Draw He-normal weights and set biases to 0, as the published graph says."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(module.bias)
