"""The bone-scan network: VGG16's features, the mean of each map, 512 units, two classes; and its Grad-CAM.

Imports torch; import it only where a network is built.

For this head Grad-CAM has a closed form: the gradient of a class probability at the last convolution is one number
per channel, so the map costs a weighted sum and needs no gradient machinery.

References
----------
Simonyan and Zisserman, ICLR 2015 (VGG16). Selvaraju et al., ICCV 2017 (Grad-CAM).
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES = (1, 1, "pool", 2, 2, "pool", 4, 4, 4, "pool", 8, 8, 8, "pool", 8, 8, 8, "pool")
"""VGG16: channels in multiples of the width, and poolings."""

PUBLISHED_PARAMETERS = 14_978_370
"""Parameters at full width: 14,714,688 of the features, 262,656 and 1,026 of the head."""


@dataclass(frozen=True, slots=True)
class VggShape:
    """What is free about the network: channels of the first block (64 as published) and units of the head."""

    width: int = 64
    units: int = 512
    classes: int = 2

    def __post_init__(self) -> None:
        if min(self.width, self.units, self.classes) < 1:
            raise ValueError(f"width, units and classes must be at least 1, got {self.as_json()}.")

    def as_json(self) -> dict[str, Any]:
        """Return the shape as plain values."""
        return asdict(self)


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
        return torch.softmax(self._class_scores(self._pooled(maps))[0], dim=1)

    def _pooled(self, maps: Tensor) -> Tensor:
        pooled: Tensor = self.features[-1](maps)
        return pooled.mean(dim=(2, 3))

    def _class_scores(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        before = self.hidden(pooled)
        return self.classes(functional.relu(before)), before

    @torch.no_grad()
    def grad_cam(self, image: Tensor, *, target: int | None = None) -> tuple[Tensor, Tensor]:
        """Return probabilities and, for the predicted or the named class, the map at the last convolution.

        Returns
        -------
        probabilities : Tensor, shape (n, classes)
        maps : Tensor, shape (n, rows / 16, columns / 16)
            From 0 to 1; all 0 where nothing speaks for the class.

        Notes
        -----
        With p = softmax(W2 relu(u) + b2), u = W1 m + b1 and m the mean of the pooled maps, the gradient of p_c
        with respect to m is p_c ((e_c - p) W2 * [u > 0]) W1. Max-pooling hands it to one pixel of four, the mean
        shares it equally: the average gradient of a channel is that number over the pixels, and scaling each map
        to a maximum of 1 takes the common factor away. p_c > 0 goes with it.
        """
        maps = self.last_convolution(image)
        scores, before = self._class_scores(self._pooled(maps))
        probabilities = torch.softmax(scores, dim=1)
        chosen = probabilities.argmax(dim=1) if target is None else torch.full((len(image),), target)
        one_hot = functional.one_hot(chosen.to(probabilities.device), self.shape.classes)
        through_classes = (one_hot - probabilities) @ self.classes.weight * (before > 0)
        weights = through_classes @ self.hidden.weight
        heat = functional.relu(torch.einsum("nchw,nc->nhw", maps, weights))
        highest = heat.amax(dim=(1, 2), keepdim=True)
        return probabilities, torch.where(highest > 0, heat / highest.clamp_min(1e-30), heat)
