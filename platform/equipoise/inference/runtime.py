"""Running a network, whichever library runs it: loaded once, then slice by slice.

Three libraries stand behind one interface (:class:`equipoise.inference.engine.Engine`): torch is the reference and
the one for GPUs, onnxruntime is always installed, OpenVINO is the fastest on CPUs and an extra. None is imported
before a model is loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from equipoise.inference.cards import ModelCard
from equipoise.inference.crop import MARGIN, network_boxes
from equipoise.inference.engine import PRECISIONS, Engine, FloatArray, has_native_bf16
from equipoise.inference.errors import RuntimeMissingError, WeightsError
from equipoise.inference.grad_cam import classify_maps
from equipoise.inference.prepared import PreparedScan
from equipoise.inference.weight_files import State, checked_state, read_state

RUNTIMES = ("openvino", "onnx", "torch")
"""Libraries by name, the one that a CPU prefers first."""

DEVICES = ("auto", "cpu", "cuda")

_PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime", "torch": "torch"}
_EXTRAS = {"openvino": "equipoise[openvino]", "onnx": "equipoise", "torch": "equipoise[inference]"}


@dataclass(frozen=True, eq=False)
class Runtime:
    """A model on its machine, ready to run.

    Attributes
    ----------
    card : ModelCard
    engine : Engine
    name : str
        One of :data:`RUNTIMES`.
    load_seconds : float
        Wall time from the file to the ready network.
    """

    card: ModelCard
    engine: Engine
    name: str
    load_seconds: float
    head: Mapping[str, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls,
        weights: Path,
        *,
        runtime: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
    ) -> "Runtime":
        """Read a model and make it ready.

        Parameters
        ----------
        runtime : str
            ``torch``, ``onnx``, ``openvino``, or ``auto``: torch where there is a GPU to use, else the first of
            :data:`RUNTIMES` that is installed and has the precision.
        device : str
            ``cpu``, ``cuda`` (torch only), or ``auto``: a GPU where torch finds one and the runtime is not named.
        precision : str
            ``fp32``, ``bf16`` (torch, OpenVINO), or ``auto``: bf16 on a CPU that multiplies it itself where the
            runtime can, else fp32.
        threads : int
            On the CPU; 0 for as many as cores are free.

        Raises
        ------
        WeightsError
            If the weights are not what their card says.
        RuntimeMissingError
            If nothing that is installed can run the model in the way that was asked for.
        ValueError
            If an argument is none of those above.
        """
        started = perf_counter()
        state, card = read_state(weights)
        return cls.of(
            state,
            card,
            runtime=runtime,
            device=device,
            precision=precision,
            threads=threads,
            started=started,
        )

    @classmethod
    def of(
        cls,
        state: State,
        card: ModelCard,
        *,
        runtime: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        started: float | None = None,
    ) -> "Runtime":
        """Make weights that are already read ready; arguments as :meth:`load`."""
        started = perf_counter() if started is None else started
        state = checked_state(state, card, source=card.name)
        name, device, precision = _chosen(runtime, device, precision)
        engine = _engine(name, state, card, device=device, precision=precision, threads=threads)
        head = {key: state[key] for key in state if key.startswith(("hidden.", "classes."))}
        return cls(card, engine, name, perf_counter() - started, head)

    @property
    def precision(self) -> str:
        """Number format of the convolutions."""
        return self.engine.precision

    def hardware(self) -> dict[str, Any]:
        """Say what the times were measured on."""
        return self.engine.hardware()

    def segment(
        self,
        scan: PreparedScan,
        *,
        margin: int | None = MARGIN,
        before_slice: Callable[[], None] | None = None,
    ) -> FloatArray:
        """Return the probability of tumour on the slices of a prepared scan, shape (slices, 512, 512).

        Parameters
        ----------
        before_slice : callable, optional
            Called before each slice; what it raises ends the work.
        margin : int or None
            Pixels around the lungs that the network sees; None for whole planes. Slices without lung are skipped.
        """
        if self.card.architecture != "unet":
            raise WeightsError(f"{self.card.name} is no segmentation model.")
        probability = np.zeros(scan.bins.shape, np.float32)
        for bins, box, out in zip(
            scan.bins, network_boxes(scan.lung_mask, margin=margin), probability, strict=True
        ):
            if before_slice is not None:
                before_slice()
            if box is not None:
                logits = self.engine.run(np.asarray(bins[box], np.float32)[None, None])
                expit(logits[0, 0], out=out[box])
        return probability

    def classify(self, plane: FloatArray, *, target: int | None = None) -> tuple[FloatArray, FloatArray]:
        """Return class probabilities and the Grad-CAM map, 0 to 1, of one side-by-side plane."""
        if self.card.architecture != "vgg":
            raise WeightsError(f"{self.card.name} is no classification model.")
        maps = self.engine.run(np.repeat(np.asarray(plane, np.float32)[None, None], 3, axis=1))
        return classify_maps(maps[0], self.head, target=target)


def installed_runtimes() -> tuple[str, ...]:
    """Return the runtimes whose library is installed, the preferred one first. Imports none of them."""
    return tuple(name for name in RUNTIMES if find_spec(_PACKAGES[name]) is not None)


def _chosen(runtime: str, device: str, precision: str) -> tuple[str, str, str]:
    """Settle what was left to choose."""
    for what, value, known in (
        ("runtime", runtime, ("auto", *RUNTIMES)),
        ("device", device, DEVICES),
        ("precision", precision, ("auto", *PRECISIONS)),
    ):
        if value not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}, got {value!r}.")
    if device == "auto":
        device = "cuda" if runtime in ("auto", "torch") and _has_gpu() else "cpu"
    if device == "cuda" and runtime not in ("auto", "torch"):
        raise RuntimeMissingError(f"The runtime {runtime} runs on the CPU here; on a GPU use torch.")
    if device == "cuda":
        return _installed("torch"), device, "fp32" if precision == "auto" else precision
    if runtime == "onnx" and precision == "bf16":
        raise RuntimeMissingError("onnxruntime has no bf16 on the CPU; use openvino or torch, or fp32.")
    native = has_native_bf16()
    if runtime == "openvino" and precision == "bf16" and not native:
        raise RuntimeMissingError(
            "This processor does not multiply bf16, and OpenVINO would take fp32 in its place; use torch, or fp32."
        )
    if runtime != "auto":
        name = _installed(runtime)
    else:
        unable = () if precision != "bf16" else ("onnx",) if native else ("onnx", "openvino")
        able = [name for name in installed_runtimes() if name not in unable]
        wanted = next(name for name in ("onnx", "openvino", "torch") if name not in unable)
        name = able[0] if able else _installed(wanted)
    if precision == "auto":
        precision = "bf16" if name != "onnx" and native else "fp32"
    return name, device, precision


def _installed(name: str) -> str:
    if find_spec(_PACKAGES[name]) is None:
        raise RuntimeMissingError(f"The runtime {name} is not installed: install {_EXTRAS[name]}.")
    return name


def _has_gpu() -> bool:
    """Say whether torch finds a GPU; torch is imported only where there is a driver at all."""
    drivers = ("/dev/nvidiactl", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")
    if find_spec("torch") is None or not any(Path(driver).exists() for driver in drivers):
        return False
    import torch

    return bool(torch.cuda.is_available())


def _engine(name: str, state: State, card: ModelCard, *, device: str, precision: str, threads: int) -> Engine:
    if name == "torch":
        from equipoise.inference.engine_torch import TorchEngine

        return TorchEngine(state, card, device=device, precision=precision, threads=threads)
    if name == "openvino":
        from equipoise.inference.engine_openvino import OpenVinoEngine

        return OpenVinoEngine(state, card, precision=precision, threads=threads)
    from equipoise.inference.engine_onnx import OnnxEngine

    return OnnxEngine(state, card, threads=threads)
