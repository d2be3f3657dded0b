"""Weights in files: safetensors with a card, Keras HDF5, torchvision-style state dicts. Nothing is unpickled.

Arrays in, arrays out: neither reading nor converting needs torch.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from equipoise.inference.cards import ModelCard, file_sha256, read_card, write_card
from equipoise.inference.errors import RuntimeMissingError, WeightsError
from equipoise.inference.shapes import VggShape, shape_of, weight_shapes

State = dict[str, NDArray[np.float32]]
"""Weights by name, as :func:`equipoise.inference.shapes.weight_shapes` lists them."""

_PICKLES = (".pt", ".pth", ".pkl", ".bin", ".ckpt")


def read_state(path: Path) -> tuple[State, ModelCard]:
    """Read the weights of a model and its card.

    Raises
    ------
    WeightsError
        If the file is not safetensors, not the card's, or not the architecture's.
    """
    card = read_card(path)
    return checked_state(_read_safetensors(path), card, source=path.name), card


def write_state(state: Mapping[str, NDArray[Any]], path: Path, card: ModelCard) -> ModelCard:
    """Write weights and card and return the card with the weights' hash and its shape in full.

    Raises
    ------
    WeightsError
        If the weights are not those of the card's architecture.
    """
    checked = checked_state(state, card, source=card.name)
    shape = shape_of(card).as_json()
    save_file(checked, path, metadata={"architecture": card.architecture, "shape": json.dumps(shape)})
    written = replace(card, shape=shape, sha256=file_sha256(path))
    write_card(written, path)
    return written


def convert_weights(path: Path, card: ModelCard, *, head_seed: int | None = None) -> State:
    """Convert foreign weights to ours.

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
    shape = shape_of(card)
    state: Mapping[str, NDArray[Any]]
    if path.suffix.lower() in (".h5", ".hdf5"):
        state = _match_in_order(weight_shapes(shape), _keras_arrays(path), source=path.name)
    elif path.suffix.lower() == ".safetensors":
        state = _read_safetensors(path)
        if isinstance(shape, VggShape):
            state = _with_our_head(state, shape, head_seed=head_seed, source=path.name)
    else:
        raise WeightsError(f"{path.name} is neither Keras HDF5 (.h5) nor safetensors.")
    return checked_state(state, card, source=path.name)


def checked_state(state: Mapping[str, NDArray[Any]], card: ModelCard, *, source: str) -> State:
    """Return the weights in the order of the layers, each in single precision, or say what does not fit."""
    wanted = weight_shapes(shape_of(card))
    missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or extra:
        raise WeightsError(
            f"{source} is not of this network: it lacks {missing[:3] or 'nothing'} and has {extra[:3] or 'nothing'} "
            "besides."
        )
    for name, shape in wanted.items():
        if state[name].shape != shape:
            raise WeightsError(f"{source}: {name} has the shape {state[name].shape}, the network {shape}.")
        if not np.isfinite(state[name]).all():
            raise WeightsError(f"{source}: {name} holds values that are not numbers.")
    return {name: np.ascontiguousarray(state[name], np.float32) for name in wanted}


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        found: dict[str, NDArray[Any]] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is no safetensors file: {error}") from error
    except (KeyError, TypeError) as error:  # a number format that numpy does not have
        raise WeightsError(f"{path.name} is not stored in single precision: {error}") from error
    return found


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
    wanted: Mapping[str, tuple[int, ...]], layers: list[tuple[str, list[NDArray[Any]]]], *, source: str
) -> dict[str, NDArray[Any]]:
    ours = [name.removesuffix(".weight") for name in wanted if name.endswith(".weight")]
    if len(layers) != len(ours):
        raise WeightsError(f"{source} has {len(layers)} layers with weights, the network {len(ours)}.")
    _check_order([theirs for theirs, _ in layers], source=source)
    state = {}
    for (theirs, arrays), name in zip(layers, ours, strict=True):
        if len(arrays) != 2:
            raise WeightsError(
                f"{source}: layer {theirs} has {len(arrays)} arrays instead of kernel and bias."
            )
        kernel, bias = arrays
        # Keras: rows, columns, in, out; ours: out, in, rows, columns. Dense: in, out against out, in.
        turned = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        if turned.shape != wanted[f"{name}.weight"] or bias.shape != wanted[f"{name}.bias"]:
            raise WeightsError(
                f"{source}: layer {theirs} is {kernel.shape} and {bias.shape}; {name} would be "
                f"{wanted[f'{name}.weight']} in our order (out, in, rows, columns)."
            )
        state[f"{name}.weight"], state[f"{name}.bias"] = turned, bias
    return state


def _check_order(names: list[str], *, source: str) -> None:
    """Refuse layers whose automatic names (conv2d, conv2d_1 ...) do not ascend: several layers have one shape."""
    last: dict[str, tuple[int, str]] = {}
    for name in names:
        kind, _, number = name.partition("_")
        if kind not in ("conv2d", "dense") or not (number.isdecimal() or name == kind):
            continue
        place = int(number or 0)
        if kind in last and place <= last[kind][0]:
            raise WeightsError(
                f"{source} lists {name} after {last[kind][1]}; layers must stand in the order of the network."
            )
        last[kind] = place, name


def _with_our_head(
    state: Mapping[str, NDArray[Any]], shape: VggShape, *, head_seed: int | None, source: str
) -> dict[str, NDArray[Any]]:
    """Keep torchvision's features; take our head from the file, or draw one if that was asked for."""
    features = {name: value for name, value in state.items() if name.startswith("features.")}
    head = {name: value for name, value in state.items() if name.startswith(("hidden.", "classes."))}
    if head:
        return {**features, **head}
    if head_seed is None:
        raise WeightsError(
            f"{source} has no head of ours (hidden, classes); give a seed to draw one, then train it before use."
        )
    rng = np.random.default_rng(head_seed)
    for name, wanted in weight_shapes(shape).items():
        if name.startswith(("hidden.", "classes.")):
            spread = (2.0 / wanted[-1]) ** 0.5
            head[name] = rng.normal(0, spread, wanted) if name.endswith(".weight") else np.zeros(wanted)
    return {**features, **head}
