"""The two architectures as tables: what is free about them, their layers, and the shape of every weight. No torch.

References
----------
Primakov et al. Nat Commun 13, 3423 (2022), whose Keras graph the U-Net is: 31,031,685 parameters at full width.
Simonyan and Zisserman, ICLR 2015 (VGG16).
"""

from dataclasses import asdict, dataclass
from typing import Any

from equipoise.inference.cards import ModelCard
from equipoise.inference.errors import WeightsError

UNET_PARAMETERS = 31_031_685
"""Parameters of the U-Net at full width."""

VGG_PARAMETERS = 14_978_370
"""Parameters at full width: 14,714,688 of the features, 262,656 and 1,026 of the head."""

ACTIVATIONS = ("relu", "elu")
"""``relu`` as the published file has it, ``elu`` as the paper does."""

FEATURES = (1, 1, "pool", 2, 2, "pool", 4, 4, 4, "pool", 8, 8, 8, "pool", 8, 8, 8, "pool")
"""VGG16: channels in multiples of the width, and poolings."""


@dataclass(frozen=True, slots=True)
class UNetShape:
    """What is free about the lung-tumour network.

    Attributes
    ----------
    width : int
        Channels of the first block; 64 as published, each deeper block has twice as many.
    activation : str
        One of :data:`ACTIVATIONS`.
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


@dataclass(frozen=True, slots=True)
class VggShape:
    """What is free about the bone-scan network: channels of the first block (64 as published), units of the head."""

    width: int = 64
    units: int = 512
    classes: int = 2

    def __post_init__(self) -> None:
        if min(self.width, self.units, self.classes) < 1:
            raise ValueError(f"width, units and classes must be at least 1, got {self.as_json()}.")

    def as_json(self) -> dict[str, Any]:
        """Return the shape as plain values."""
        return asdict(self)


def shape_of(card: ModelCard) -> UNetShape | VggShape:
    """Return the shape that a card describes.

    Raises
    ------
    WeightsError
        If the card's shape is none of its architecture.
    """
    try:
        return UNetShape(**card.shape) if card.architecture == "unet" else VggShape(**card.shape)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"The card of {card.name} has a shape that is none: {error}") from error


def convolution_table(width: int = 64) -> list[tuple[int, int, int]]:
    """Return (channels out, channels in, kernel size) of every convolution of the U-Net, in the published order."""
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


def weight_shapes(shape: UNetShape | VggShape) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight by name, in the order of the published layers (torch's axes: out, in, ...).

    Each layer has ``<layer>.weight`` and ``<layer>.bias``. The U-Net's layers are ``conv_00`` to ``conv_23``; the
    VGG's are torchvision's ``features.0`` to ``features.28``, then our head ``hidden`` and ``classes``.
    """
    layers: dict[str, tuple[int, ...]] = {}
    if isinstance(shape, UNetShape):
        for number, (out, channels, kernel) in enumerate(convolution_table(shape.width)):
            layers[f"conv_{number:02d}"] = (out, channels, kernel, kernel)
    else:
        place, channels = 0, 3
        for entry in FEATURES:
            if entry == "pool":
                place += 1
                continue
            out = int(entry) * shape.width
            layers[f"features.{place}"] = (out, channels, 3, 3)
            place, channels = place + 2, out  # an activation follows each convolution
        layers["hidden"] = (shape.units, channels)
        layers["classes"] = (shape.classes, shape.units)
    named: dict[str, tuple[int, ...]] = {}
    for name, kernel_shape in layers.items():
        named[f"{name}.weight"], named[f"{name}.bias"] = kernel_shape, kernel_shape[:1]
    return named
