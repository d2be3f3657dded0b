"""The bone-scan network: VGG16's features, the mean of each map, 512 units, two classes.

Imports torch; import it only where a network is built.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.inference.shapes import FEATURES, VggShape

__all__ = ["VggClassifier", "VggShape"]


class VggClassifier(nn.Module):
    """Images ``(n, 3, rows, columns)`` in, class probabilities ``(n, classes)`` out.

    Names of the features are torchvision's (``features.0`` ...), so its state dicts load as they are.
    """

    def __init__(self, shape: VggShape | None = None) -> None:
        super().__init__()
        self.shape = shape or VggShape()
        layers: list[nn.Module] = []
        channels = 3
        for entry in FEATURES:
            if entry == "pool":
                layers.append(nn.MaxPool2d(2))
                continue
            out = int(entry) * self.shape.width
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
            channels = out
        self.features: nn.Sequential = nn.Sequential(*layers)
        self.hidden = nn.Linear(channels, self.shape.units)
        self.classes = nn.Linear(self.shape.units, self.shape.classes)

    def forward(self, image: Tensor) -> Tensor:
        """Return class probabilities."""
        return self.head(self.last_convolution(image))

    def last_convolution(self, image: Tensor) -> Tensor:
        """Return the maps of the last convolution, after its ReLU and before the last pooling."""
        for layer in list(self.features.children())[:-1]:
            image = layer(image)
        return image

    def head(self, maps: Tensor) -> Tensor:
        """Return class probabilities of the last convolution's maps."""
        return torch.softmax(self.class_scores(maps), dim=1)

    def scores(self, image: Tensor) -> Tensor:
        """Return the values before the softmax."""
        return self.class_scores(self.last_convolution(image))

    def class_scores(self, maps: Tensor) -> Tensor:
        """Return the values before the softmax of the last convolution's maps."""
        pooled = self.features[-1](maps).mean(dim=(2, 3))
        scores: Tensor = self.classes(functional.relu(self.hidden(pooled)))
        return scores


BRIGHTNESS = 5.0
"""Factor on the first layer's weights when they are drawn: bone is some tenths of a plane's brightest pixel, often
bladder or injection site, and without it the network begins in the dark."""


def initialise(network: VggClassifier, *, seed: int) -> None:
    """Draw He-normal weights and set biases to 0."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        next(network.parameters()).mul_(BRIGHTNESS)
