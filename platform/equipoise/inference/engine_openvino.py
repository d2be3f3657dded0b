"""OpenVINO on the CPU: the fastest where it is installed, above all in bf16. Imports openvino."""

from collections import OrderedDict
from typing import Any

import numpy as np
import openvino

from equipoise.inference.cards import ModelCard
from equipoise.inference.engine import FloatArray, available_threads, processor_name
from equipoise.inference.onnx_graph import onnx_model
from equipoise.inference.weight_files import State

COMPILED_BYTES = 400_000_000
MOST_COMPILED = 6
"""Each plane size is compiled once, in a tenth of a second or so, and then holds a copy of the weights: as many are
kept as these bytes hold, two at least and six at most; the one unused longest goes."""


class OpenVinoEngine:
    """A network of ours in OpenVINO, compiled for each size of plane."""

    def __init__(self, state: State, card: ModelCard, *, precision: str, threads: int) -> None:
        self.precision = precision
        self.threads = threads or available_threads()
        self._core = openvino.Core()
        self._model = self._core.read_model(onnx_model(state, card).SerializeToString(), b"")
        size = sum(value.nbytes for value in state.values()) // (2 if precision == "bf16" else 1)
        self._most = max(2, min(MOST_COMPILED, COMPILED_BYTES // max(size, 1)))
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def run(self, plane: FloatArray) -> FloatArray:
        """Return logits or the last convolution's maps."""
        request = self._request(plane.shape)
        found: FloatArray = np.array(request.infer({0: np.ascontiguousarray(plane)})[0], np.float32)
        return found

    def _request(self, shape: tuple[int, ...]) -> Any:
        if shape in self._compiled:
            self._compiled.move_to_end(shape)
            return self._compiled[shape]
        while len(self._compiled) >= self._most:
            self._compiled.popitem(last=False)
        model = self._model.clone()
        model.reshape(list(shape))
        compiled = self._core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[self.precision],
                "INFERENCE_NUM_THREADS": self.threads,
                "NUM_STREAMS": 1,
            },
        )
        self._compiled[shape] = compiled.create_infer_request()
        return self._compiled[shape]

    def hardware(self) -> dict[str, Any]:
        """Say what the times were measured on."""
        return {
            "device": processor_name(),
            "kind": "cpu",
            "threads": self.threads,
            "precision": self.precision,
            "runtime": f"openvino {openvino.__version__.split('-')[0]}",
        }
