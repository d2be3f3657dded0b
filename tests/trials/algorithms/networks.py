"""Small networks whose answer is known, as weights files with their cards. Importing this needs torch."""

from pathlib import Path

import torch

from equipoise.inference.cards import ModelCard
from equipoise.inference.unet import UNet, UNetShape
from equipoise.inference.vgg import VggClassifier, VggShape
from equipoise.inference.weights import save_weights

DENSE_BIN = 40
"""Bins from 0 HU up: soft tissue inside the lungs."""


def save_brightness_unet(path: Path, *, dense_bin: int = DENSE_BIN, steepness: float = 4.0) -> ModelCard:
    """Write a U-Net that marks every pixel above a bin: the outermost skip carries the bins through."""
    network = UNet(UNetShape(width=1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for number in (0, 1, 20, 21, 22):
            getattr(network, f"conv_{number:02d}").weight[0, 0, 1, 1] = 1.0
        last = dict(network.named_parameters())
        last["conv_23.weight"][0, 0] = steepness
        last["conv_23.bias"][0] = -steepness * (dense_bin + 0.5)
    return save_weights(network, path, _card("unet", "Marks dense tissue"))


def save_random_vgg(path: Path, *, seed: int = 1) -> ModelCard:
    """Write a narrow classifier with random weights."""
    torch.manual_seed(seed)
    network = VggClassifier(VggShape(width=2, units=4))
    return save_weights(network, path, _card("vgg", "Answers at random"))


def _card(architecture: str, purpose: str) -> ModelCard:
    return ModelCard(
        name=f"known-{architecture}",
        version="1",
        architecture=architecture,
        shape={},
        purpose=purpose,
        data="nothing",
        threshold=0.5,
    )
