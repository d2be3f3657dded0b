"""Random weights whose answers are not all alike, for what holds of any weights."""

import numpy as np

from equipoise.inference.cards import ModelCard
from equipoise.inference.prepared import PreparedScan
from equipoise.inference.runtime import Runtime
from equipoise.inference.shapes import UNetShape, VggShape, weight_shapes
from equipoise.inference.weight_files import State


def random_state(shape: UNetShape | VggShape, *, seed: int = 1) -> State:
    """Draw He-normal kernels and small biases."""
    rng = np.random.default_rng(seed)
    state = {}
    for name, size in weight_shapes(shape).items():
        spread = np.float32((2 / np.prod(size[1:])) ** 0.5 if len(size) > 1 else 0.1)
        state[name] = rng.standard_normal(size, np.float32) * spread
    return state


def card_of(shape: UNetShape | VggShape) -> ModelCard:
    architecture = "unet" if isinstance(shape, UNetShape) else "vgg"
    return ModelCard("random", "1", architecture, shape.as_json(), purpose="tests", data="noise")


def spread_out(state: State, shape: UNetShape, scan: PreparedScan) -> State:
    """Scale the last layer so that logits inside the lungs have the median 0 and the standard deviation 1.5."""
    model = Runtime.of(state, card_of(shape), runtime="onnx")
    planes = np.asarray(scan.bins, np.float32)[:, None, None]
    logits = np.stack([model.engine.run(plane)[0, 0] for plane in planes])[scan.lung_mask]
    factor = np.float32(1.5 / logits.std())
    weight, bias = state["conv_23.weight"] * factor, (state["conv_23.bias"] - np.median(logits)) * factor
    return state | {"conv_23.weight": weight, "conv_23.bias": bias.astype(np.float32)}
