"""The lung-tumour network: a U-Net on one slice, layer for layer the published one, and its narrow variants.

Imports torch; import it only where a network is built.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.inference.shapes import UNetShape, convolution_table

__all__ = ["UNet", "UNetShape", "initialise"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU}


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
        self.activation = _ACTIVATIONS[self.shape.activation]()
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


def initialise(network: UNet, *, seed: int) -> None:
    """Draw He-normal weights and set biases to 0, as the published graph says; the last layer's weights are positive.

    Two features enter the last layer, each bounded below by its activation (0, or -1 with ELU). Were both drawn with
    negative weights, as one network in four would be, no pixel could ever be surer than the bias and their sum allow.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        network.get_parameter("conv_23.weight").abs_()
