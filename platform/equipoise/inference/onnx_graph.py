"""The networks as ONNX, written straight from their weights: what the CPU runtimes load. No torch.

The graph is made when a model is loaded and never stored beside the weights, so the two cannot differ.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, helper

from equipoise.inference.cards import ModelCard
from equipoise.inference.shapes import FEATURES, UNetShape, shape_of
from equipoise.inference.weight_files import State

OPSET = 17
IR_VERSION = 8
"""Read by every onnxruntime and OpenVINO of the last years."""

INPUT, OUTPUT = "plane", "result"


def onnx_model(state: State, card: ModelCard) -> ModelProto:
    """Return the network of a card with its weights.

    Its input ``plane`` is float32 of shape (1, channels, rows, columns), rows and columns free multiples of 16. Its
    output ``result`` is the logit of tumour of every pixel for a U-Net, and the maps of the last convolution after
    its activation for a VGG: the head is computed from them (:mod:`equipoise.inference.grad_cam`).

    Raises
    ------
    WeightsError
        If the card's shape is none of its architecture.
    """
    shape = shape_of(card)
    if isinstance(shape, UNetShape):
        channels_in, channels_out = 1, 1
    else:
        channels_in, channels_out = 3, 8 * shape.width
    # The model is made first and filled in place: each protobuf that is handed on is a copy of its weights.
    model = helper.make_model(
        helper.make_graph(
            [],
            card.name,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, channels_in, "rows", "columns"])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, channels_out, None, None])],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="equipoise",
    )
    graph = _Graph(model.graph, state)
    if isinstance(shape, UNetShape):
        _unet(graph, shape)
    else:
        _vgg_features(graph)
    return model


class _Graph:
    """Appends nodes in the order they run; each call returns the name of what comes out."""

    def __init__(self, graph: GraphProto, state: State) -> None:
        self.graph = graph
        self.state = state

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operator.lower()}_{len(self.graph.node)}"
        self.graph.node.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: NDArray[np.float32]) -> str:
        tensor = self.graph.initializer.add()
        tensor.name, tensor.data_type = name, TensorProto.FLOAT
        tensor.dims.extend(values.shape)
        tensor.raw_data = np.ascontiguousarray(values, "<f4").tobytes()
        return name

    def convolution(self, x: str, layer: str, *, output: str = "") -> str:
        kernel = self.state[f"{layer}.weight"]
        # Keras pads an even kernel at the bottom and the right.
        before, after = (kernel.shape[2] - 1) // 2, kernel.shape[2] // 2
        weight = self.constant(f"{layer}.weight", kernel)
        bias = self.constant(f"{layer}.bias", self.state[f"{layer}.bias"])
        return self.node("Conv", x, weight, bias, output=output, pads=[before, before, after, after])

    def pool(self, x: str) -> str:
        return self.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])


def _unet(graph: _Graph, shape: UNetShape) -> None:
    activation = {"relu": "Relu", "elu": "Elu"}[shape.activation]
    twice = graph.constant("twice", np.array([1, 1, 2, 2], np.float32))

    def convolved(x: str, *numbers: int) -> str:
        for number in numbers:
            x = graph.node(activation, graph.convolution(x, f"conv_{number:02d}"))
        return x

    x = INPUT
    if shape.scale != 1.0:
        x = graph.node("Mul", x, graph.constant("scale", np.array(shape.scale, np.float32)))
    skips = []
    for level in range(4):
        x = convolved(x, 2 * level, 2 * level + 1)
        skips.append(x)
        x = graph.pool(x)
    x = convolved(x, 8, 9)
    for step, skip in enumerate(reversed(skips)):
        first = 10 + 3 * step
        x = graph.node(
            "Resize", x, "", twice,
            mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        x = graph.node("Concat", skip, convolved(x, first), axis=1)
        x = convolved(x, first + 1, first + 2)
    graph.convolution(convolved(x, 22), "conv_23", output=OUTPUT)


def _vgg_features(graph: _Graph) -> None:
    x = INPUT
    place = 0
    layers = FEATURES[:-1]
    for number, entry in enumerate(layers):
        if entry == "pool":
            x = graph.pool(x)
            place += 1
            continue
        last = number == len(layers) - 1
        x = graph.node("Relu", graph.convolution(x, f"features.{place}"), output=OUTPUT if last else "")
        place += 2
