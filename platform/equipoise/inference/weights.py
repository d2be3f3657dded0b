"""From weights in files to networks and back. Imports torch; import it only where a network is built."""

from dataclasses import replace
from pathlib import Path

import torch

from equipoise.inference.cards import ModelCard
from equipoise.inference.shapes import UNetShape, shape_of
from equipoise.inference.unet import UNet
from equipoise.inference.vgg import VggClassifier
from equipoise.inference.weight_files import State, read_state, write_state

Network = UNet | VggClassifier


def build_network(card: ModelCard) -> Network:
    """Build the network that a card describes, its weights not yet set.

    Raises
    ------
    WeightsError
        If the card's shape is none of the architecture.
    """
    shape = shape_of(card)
    return UNet(shape) if isinstance(shape, UNetShape) else VggClassifier(shape)


def network_of(state: State, card: ModelCard) -> Network:
    """Build a network with its weights, ready to run."""
    network = build_network(card)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return network.eval()


def state_of(network: Network) -> State:
    """Return a network's weights as arrays."""
    return {
        name: value.detach().float().contiguous().cpu().numpy()
        for name, value in network.state_dict().items()
    }


def load_weights(path: Path) -> tuple[Network, ModelCard]:
    """Read a network and its card.

    Raises
    ------
    WeightsError
        If the file is not safetensors, not the card's, or not the architecture's.
    """
    state, card = read_state(path)
    return network_of(state, card), card


def save_weights(network: Network, path: Path, card: ModelCard) -> ModelCard:
    """Write weights and card and return the card with the weights' hash."""
    return write_state(state_of(network), path, replace(card, shape=network.shape.as_json()))
