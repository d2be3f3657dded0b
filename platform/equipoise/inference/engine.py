"""What a runtime library must do for us: one network, compiled for one machine, planes in, arrays out."""

import os
import platform
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

PRECISIONS = ("fp32", "bf16")
"""Number formats of the convolutions; bf16 changes probabilities by about 0.001 and takes a fraction of the time."""


class Engine(Protocol):
    """A network ready to run.

    Attributes
    ----------
    precision : str
        One of :data:`PRECISIONS`.
    """

    precision: str

    def run(self, plane: FloatArray) -> FloatArray:
        """Return what :func:`equipoise.inference.onnx_graph.onnx_model` calls ``result``.

        Parameters
        ----------
        plane : array, shape (1, channels, rows, columns)
            Rows and columns are multiples of 16. The same plane gives the same bits each time.
        """

    def hardware(self) -> dict[str, Any]:
        """Say what the times were measured on: ``device, kind, threads, precision, runtime``."""


def available_threads() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """Return the processor's name as the system has it."""
    for line in _cpu_info():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def has_native_bf16() -> bool:
    """Say whether the processor multiplies bf16 itself; without that bf16 is no faster than fp32."""
    flags = next((line for line in _cpu_info() if line.startswith(("flags", "Features"))), "")
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags.split()))


def _cpu_info() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
