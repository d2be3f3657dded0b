"""Weights in and out: safetensors with a card, Keras HDF5, torchvision-style state dicts. Nothing is unpickled.

Imports torch; import it only where a network is built.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from equipoise.inference.cards import ModelCard, file_sha256, read_card, write_card
from equipoise.inference.errors import RuntimeMissingError, WeightsError
from equipoise.inference.unet import UNet, UNetShape
from equipoise.inference.vgg import VggClassifier, VggShape

Network = UNet | VggClassifier

_PICKLES = (".pt", ".pth", ".pkl", ".bin", ".ckpt")


def build_network(card: ModelCard) -> Network:
    """Build the network that a card describes, its weights not yet set.

    Raises
    ------
    WeightsError
        If the card's shape is none of the architecture.
    """
    try:
        if card.architecture == "unet":
            return UNet(UNetShape(**card.shape))
        return VggClassifier(VggShape(**card.shape))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"The card of {card.name} has a shape that is none: {error}") from error


def save_weights(network: Network, path: Path, card: ModelCard) -> ModelCard:
    """Write weights and card and return the card with the weights' hash."""
    state = {name: value.detach().float().contiguous().cpu() for name, value in network.state_dict().items()}
    save_file(
        state, path, metadata={"architecture": card.architecture, "shape": json.dumps(dict(card.shape))}
    )
    written = replace(card, shape=network.shape.as_json(), sha256=file_sha256(path))
    write_card(written, path)
    return written


def load_weights(path: Path) -> tuple[Network, ModelCard]:
    """Read a network and its card.

    Raises
    ------
    WeightsError
        If the file is not safetensors, not the card's, or not the architecture's.
    """
    card = read_card(path)
    network = build_network(card)
    _set_state(network, _read_safetensors(path), source=path.name)
    return network.eval(), card


def import_weights(path: Path, card: ModelCard, *, head_seed: int | None = None) -> Network:
    """Convert foreign weights to a network.

    Parameters
    ----------
    path : Path
        ``.h5``, ``.hdf5``, ``.keras.h5``: Keras HDF5 (weights, or a whole model in the classic format), matched by
        order and shape. ``.safetensors``: a state dict; of VGG16 with torchvision's names.
    head_seed : int, optional
        Draws a new head for a VGG16 that has its own ImageNet classifier instead of ours; else that is refused.

    Raises
    ------
    WeightsError
        If a layer is missing, left over or of another shape, or a value is no number.
    """
    if path.suffix.lower() in _PICKLES:
        raise WeightsError(
            f"{path.name} is a pickle, which can hold a program; save its tensors as safetensors and import those."
        )
    if not path.is_file():
        raise WeightsError(f"{path.name} does not exist.")
    network = build_network(card)
    if path.suffix.lower() in (".h5", ".hdf5"):
        state = _match_in_order(network, _keras_arrays(path), source=path.name)
    elif path.suffix.lower() == ".safetensors":
        state = _read_safetensors(path)
        if isinstance(network, VggClassifier):
            state = _with_our_head(network, state, head_seed=head_seed, source=path.name)
    else:
        raise WeightsError(f"{path.name} is neither Keras HDF5 (.h5) nor safetensors.")
    _set_state(network, state, source=path.name)
    return network.eval()


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is no safetensors file: {error}") from error


def _set_state(network: Network, state: dict[str, Tensor], *, source: str) -> None:
    wanted = network.state_dict()
    missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or extra:
        raise WeightsError(
            f"{source} is not of this network: it lacks {missing[:3] or 'nothing'} and has {extra[:3] or 'nothing'} "
            "besides."
        )
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            raise WeightsError(
                f"{source}: {name} has the shape {tuple(value.shape)}, the network {tuple(wanted[name].shape)}."
            )
        if not bool(torch.isfinite(value).all()):
            raise WeightsError(f"{source}: {name} holds values that are not numbers.")
    network.load_state_dict({name: value.float() for name, value in state.items()})


def _keras_arrays(path: Path) -> list[tuple[str, list[NDArray[Any]]]]:
    """Return the layers with weights, in the file's order: name, then kernel and bias."""
    try:
        import h5py
    except ImportError as error:
        raise RuntimeMissingError(
            "Reading Keras weights needs h5py: install equipoise[inference]."
        ) from error
    try:
        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            if "layer_names" not in group.attrs:
                raise WeightsError(
                    f"{path.name} does not list its layers; save the model in Keras's classic HDF5 format."
                )
            layers = []
            for name in _texts(group.attrs["layer_names"]):
                names = _texts(group[name].attrs.get("weight_names", []))
                if names:
                    layers.append((name, [np.asarray(group[name][weight]) for weight in names]))
            return layers
    except (OSError, KeyError, ValueError) as error:
        raise WeightsError(f"{path.name} is no Keras HDF5 file: {error}") from error


def _texts(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _match_in_order(
    network: Network, layers: list[tuple[str, list[NDArray[Any]]]], *, source: str
) -> dict[str, Tensor]:
    ours = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    if len(layers) != len(ours):
        raise WeightsError(f"{source} has {len(layers)} layers with weights, the network {len(ours)}.")
    state = {}
    for (theirs, arrays), (name, module) in zip(layers, ours, strict=True):
        if len(arrays) != 2:
            raise WeightsError(
                f"{source}: layer {theirs} has {len(arrays)} arrays instead of kernel and bias."
            )
        kernel, bias = arrays
        # Keras: rows, columns, in, out; torch: out, in, rows, columns. Dense: in, out against out, in.
        turned = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        if turned.shape != tuple(module.weight.shape) or bias.shape != (turned.shape[0],):
            raise WeightsError(
                f"{source}: layer {theirs} is {kernel.shape} and {bias.shape}; {name} would be "
                f"{tuple(module.weight.shape)} in torch's order (out, in, rows, columns)."
            )
        state[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(turned, np.float32))
        state[f"{name}.bias"] = torch.from_numpy(np.ascontiguousarray(bias, np.float32))
    return state


def _with_our_head(
    network: VggClassifier, state: dict[str, Tensor], *, head_seed: int | None, source: str
) -> dict[str, Tensor]:
    """Keep torchvision's features; take our head from the file, or draw one if that was asked for."""
    features = {name: value for name, value in state.items() if name.startswith("features.")}
    head = {name: value for name, value in state.items() if name.startswith(("hidden.", "classes."))}
    if head:
        return {**features, **head}
    if head_seed is None:
        raise WeightsError(
            f"{source} has no head of ours (hidden, classes); give a seed to draw one, then train it before use."
        )
    generator = torch.Generator().manual_seed(head_seed)
    for name, layer in (("hidden", network.hidden), ("classes", network.classes)):
        spread = (2.0 / layer.in_features) ** 0.5
        head[f"{name}.weight"] = torch.randn(layer.weight.shape, generator=generator) * spread
        head[f"{name}.bias"] = torch.zeros(layer.bias.shape)
    return {**features, **head}
