"""onnxruntime on the CPU, single precision: what every installation has. Imports onnxruntime."""

from typing import Any

import onnxruntime

from equipoise.inference.cards import ModelCard
from equipoise.inference.engine import FloatArray, available_threads, processor_name
from equipoise.inference.onnx_graph import INPUT, OUTPUT, onnx_model
from equipoise.inference.weight_files import State


class OnnxEngine:
    """A network of ours in onnxruntime."""

    precision = "fp32"

    def __init__(self, state: State, card: ModelCard, *, threads: int) -> None:
        self.threads = threads or available_threads()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Planes come in several sizes: an arena would keep the memory of each.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            onnx_model(state, card).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, plane: FloatArray) -> FloatArray:
        """Return logits or the last convolution's maps."""
        found: FloatArray = self.session.run([OUTPUT], {INPUT: plane})[0]
        return found

    def hardware(self) -> dict[str, Any]:
        """Say what the times were measured on."""
        return {
            "device": processor_name(),
            "kind": "cpu",
            "threads": self.threads,
            "precision": self.precision,
            "runtime": f"onnxruntime {onnxruntime.__version__}",
        }
