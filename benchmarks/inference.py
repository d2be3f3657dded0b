"""Inference stage by stage, beside the machine's own ceilings and beside the published recipe in Keras.

Run ``python benchmarks/inference.py`` (``--quick`` for narrow networks and few slices; ``--scan FOLDER`` for a CT of
your own instead of a phantom). The Keras recipe needs the extra ``conversion``; without it the ratios to it are left
out. Figures are CPU seconds, user and system, all threads, medians of interleaved rounds; ratios are medians of the
rounds' ratios. Equal results are asserted beside each. Weights are random: time does not depend on them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from equipoise.imaging import Grid, ImageVolume
from equipoise.inference import PreparedScan, Runtime, prepare_nsclc, prepare_nsclc_published
from equipoise.inference.engine import available_threads, has_native_bf16, processor_name
from equipoise.inference.files import load_as_stored
from equipoise.inference.run import run_segmentation
from equipoise.inference.runtime import installed_runtimes
from equipoise.inference.shapes import UNetShape, VggShape
from equipoise.inference.weight_files import write_state
from equipoise.simulation import thorax_phantom

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.unit.inference import slow_published
from tests.unit.inference.keras_networks import keras_unet, keras_vgg
from tests.unit.inference.random_networks import card_of, random_state, spread_out

SHAPE, SPACING_MM = (60, 512, 512), (6.0, 0.8, 0.8)
"""The phantom's chest CT (z, y, x)."""

Calls = dict[str, Callable[[], object]]


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the CPU seconds, all threads, of one call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def interleaved(calls: Calls, rounds: int) -> dict[str, list[float]]:
    """Run the calls in turn, once to warm up, and return each one's times."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(cpu_seconds(call))
    return times


def print_times(times: dict[str, list[float]], *, per: int, unit: str, peer: str | None) -> None:
    """Print medians and, where the peer was run, the median of the rounds' ratios to it."""
    for name, values in times.items():
        ratio = ""
        if peer in times and name != peer:
            ratios = [theirs / ours for theirs, ours in zip(times[peer], values, strict=True)]
            ratio = f"  {median(ratios):6.2f} x of {peer}"
        print(f"  {name:34} {median(values) / per:9.3f} s {unit}{ratio}", flush=True)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Return the overlap of two masks."""
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def ceilings() -> None:
    """Print the speed of a 3x3 convolution of 256 channels on this machine, per CPU second."""
    if find_spec("torch") is None:
        return
    import torch
    from torch.nn import functional

    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        x = torch.rand(1, 256, 128, 128).to(dtype).contiguous(memory_format=torch.channels_last)
        w = torch.rand(256, 256, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)

        def convolve(x: torch.Tensor = x, w: torch.Tensor = w) -> torch.Tensor:
            return functional.conv2d(x, w, padding=1)

        with torch.inference_mode():
            convolve()
            took = median(cpu_seconds(convolve) for _ in range(7))
        print(
            f"  3x3 convolution, {name}: {2 * 256 * 256 * 9 * 128 * 128 / took / 1e9:.0f} GF per CPU second"
        )


def runtimes_here(only: list[str] | None = None) -> list[tuple[str, str]]:
    """Return what can be run, or what of it was asked for: runtime and precision."""
    precisions = ("fp32", "bf16") if has_native_bf16() else ("fp32",)
    found = [(name, p) for name in installed_runtimes() for p in precisions if (name, p) != ("onnx", "bf16")]
    return [(name, p) for name, p in found if only is None or f"{name}-{p}" in only]


def preprocessing(volume: ImageVolume, *, rounds: int, with_twin: bool) -> None:
    """Print the preparation's times; with the plain steps beside it, bit for bit the same."""
    hu, spacing = volume.array, volume.grid.spacing_mm_zyx
    calls: Calls = {
        "nsclc": lambda: prepare_nsclc(hu, spacing),
        "nsclc-published": lambda: prepare_nsclc_published(hu, spacing),
    }
    print_times(interleaved(calls, rounds), per=1, unit="a scan", peer=None)
    if with_twin:
        scan = prepare_nsclc_published(hu, spacing)
        started = time.process_time()
        bins, first, _ = slow_published.prepared(hu, spacing)
        plain = time.process_time() - started
        assert first == scan.first_slice
        np.testing.assert_array_equal(bins, scan.bins)
        ours = median(interleaved({"": calls["nsclc-published"]}, rounds)[""])
        print(
            f"  the published steps written plainly (scipy, scikit-image) {plain:.2f} s, the same bits: ",
            end="",
        )
        print(f"{plain / ours:.1f} x (a stand-in: the published code itself is in no registry)")


def unet_calls(
    width: int, scan: PreparedScan, options: argparse.Namespace
) -> tuple[Calls, dict[str, Any], Any]:
    """Return what is timed on a few slices, the runtimes, and Keras's model where it is installed."""
    shape = UNetShape(width=width)
    state = spread_out(random_state(shape), shape, scan)
    models = {
        f"{name} {precision}": Runtime.of(
            state, card_of(shape), runtime=name, device="cpu", precision=precision, threads=options.threads
        )
        for name, precision in runtimes_here(options.only)
    }
    calls: Calls = {}
    keras_model = None
    if find_spec("tf_keras") is not None:
        import tf_keras

        keras_model = keras_unet(tf_keras, width=width, size=512)
        set_keras_weights(keras_model, state)
        planes = scan.bins[:, None, :, :, None].astype(np.float32)
        calls["Keras predict"] = lambda: [keras_model.predict(plane, verbose=0) for plane in planes]
    for name, model in models.items():
        calls[f"{name}, whole planes"] = lambda m=model: m.segment(scan, margin=None)  # type: ignore[misc]
        calls[f"{name}, lungs + 48 px"] = lambda m=model: m.segment(scan)  # type: ignore[misc]
    return calls, models, keras_model


def set_keras_weights(model: Any, state: dict[str, np.ndarray]) -> None:
    """Give a Keras model the weights of ours, layer by layer."""
    arrays = [values.transpose(2, 3, 1, 0) if values.ndim == 4 else values.T for values in state.values()]
    model.set_weights(arrays)


def segmentation(scan: PreparedScan, width: int, options: argparse.Namespace) -> float | None:
    """Print the network's time per slice and return Keras's, if it was run."""
    calls, models, keras_model = unet_calls(width, scan, options)
    inside = scan.lung_mask
    whole = {name: model.segment(scan, margin=None) for name, model in models.items()}
    reference = next((found for name, found in whole.items() if name.endswith("fp32")), None)
    if keras_model is not None:
        planes = scan.bins[:, None, :, :, None].astype(np.float32)
        keras = np.stack([keras_model.predict(plane, verbose=0)[0, :, :, 0] for plane in planes])
        seen = np.any(inside, axis=(1, 2))
        for name in (name for name in models if name.endswith("fp32")):
            apart = float(np.abs(keras - whole[name])[seen].max())
            print(f"  {name}: probabilities are Keras's to {apart:.1e}")
            assert apart < 1e-4, apart
        reference = keras
    for name, model in models.items():
        if reference is None:  # bf16 alone was asked for, and there is no Keras
            break
        boxed = model.segment(scan)
        overlap = dice((boxed > 0.5) & inside, (reference > 0.5) & inside)
        print(f"  {name}, lungs + 48 px: Dice to the fp32 mask of whole planes {overlap:.4f}")
        assert width < 64 or overlap >= 0.99, (name, overlap)
    times = interleaved(calls, options.rounds)
    print_times(times, per=len(scan.bins), unit="a slice", peer="Keras predict")
    return median(times["Keras predict"]) / len(scan.bins) if keras_model is not None else None


def classification(width: int, options: argparse.Namespace) -> None:
    """Print the time of a bone scan with its heat map; Keras's recipe is `predict`, then a gradient tape."""
    shape = VggShape(width=width)
    state = random_state(shape, seed=2)
    plane = np.random.default_rng(1).random((512, 512), dtype=np.float32)
    calls: Calls = {}
    expected = None
    if find_spec("tf_keras") is not None:
        recipe = keras_recipe(shape, state)
        image = np.repeat(plane[None, :, :, None], 3, axis=3)
        calls["Keras recipe"] = lambda: recipe(image)
        expected = recipe(image)
    for name, precision in runtimes_here(options.only):
        model = Runtime.of(
            state, card_of(shape), runtime=name, device="cpu", precision=precision, threads=options.threads
        )
        calls[f"{name} {precision}"] = lambda m=model: m.classify(plane)  # type: ignore[misc]
        if expected is not None:
            probabilities, heat = model.classify(plane, target=int(np.argmax(expected[0])))
            apart = float(np.abs(heat - expected[1]).max())
            print(f"  {name} {precision}: heat map is Keras's to {apart:.1e}")
            assert precision != "fp32" or apart < 1e-5, apart
            assert np.abs(probabilities - expected[0]).max() < (1e-4 if precision == "fp32" else 0.05)
    print_times(interleaved(calls, options.rounds), per=1, unit="a scan", peer="Keras recipe")


def keras_recipe(shape: VggShape, state: dict[str, np.ndarray]) -> Callable[[np.ndarray], Any]:
    """Return the usual recipe for Grad-CAM in Keras; it gives the probabilities and the map from 0 to 1."""
    import tensorflow as tf
    import tf_keras

    model = keras_vgg(tf_keras, width=shape.width, units=shape.units, size=512)
    set_keras_weights(model, state)
    both = tf_keras.Model(model.inputs, [model.get_layer("block5_conv3").output, model.output])

    def recipe(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities = model.predict(image, verbose=0)[0]
        with tf.GradientTape() as tape:
            maps, out = both(image)
            score = out[:, int(probabilities.argmax())]
        weights = tf.reduce_mean(tape.gradient(score, maps), axis=(0, 1, 2))
        heat = tf.maximum(tf.reduce_sum(maps[0] * weights, axis=-1), 0)
        return probabilities, (heat / tf.reduce_max(heat)).numpy()

    return recipe


def pipeline(options: argparse.Namespace, width: int, scan: PreparedScan, keras_slice: float | None) -> None:
    """Print a whole patient in a process of its own: CPU time, memory, and the ratio that Keras's slices give."""
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.safetensors"
        shape = UNetShape(width=width)
        # The threshold leaves few pixels, as a trained network does; noise all over would be another task.
        card = replace(card_of(shape), threshold=0.99)
        write_state(spread_out(random_state(shape), shape, scan), weights, card)
        for name, precision in runtimes_here(options.only):
            command = [sys.executable, __file__, "--one-patient", str(weights), name, precision]
            command += ["--threads", str(options.threads)]
            command += ["--scan", str(options.scan)] if options.scan else []
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            line = f"  {name} {precision}: {found['cpu']:.1f} CPU s a patient of {found['slices']} slices with lung, "
            line += f"peak memory {found['rss_gb']:.2f} GB"
            if keras_slice is not None:
                estimate = found["published_slices"] * keras_slice
                line += f"; Keras's slices alone {estimate:.0f} s (estimate): {estimate / found['cpu']:.1f} x"
            print(line)
            print(
                "    "
                + ", ".join(f"{step} {took:.2f}" for step, took in found["seconds"].items())
                + " (wall s)"
            )


def one_patient(options: argparse.Namespace) -> None:
    """Run one patient and print what it took, model loading apart."""
    weights, name, precision = options.one_patient
    model = Runtime.load(
        Path(weights), runtime=name, device="cpu", precision=precision, threads=options.threads
    )
    volume = None if options.scan else scan_of(options)  # a phantom is not read but made
    started = time.process_time()
    volume = volume or scan_of(options)
    result = run_segmentation(volume, model)
    cpu = time.process_time() - started
    peak = peak_memory_gb()
    first, last = result.report["slices_looked_at"]
    published = prepare_nsclc_published(volume.array, volume.grid.spacing_mm_zyx)
    found = {"cpu": cpu, "rss_gb": peak, "slices": last - first, "published_slices": len(published.bins)}
    print(json.dumps(found | {"seconds": result.report["seconds"]}))


def peak_memory_gb() -> float:
    """Return this process's own peak; ``getrusage`` would count what the parent held when it started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024 / 1e9


def scan_of(options: argparse.Namespace) -> ImageVolume:
    """Return the CT that was named, or a phantom's."""
    if options.scan:
        return load_as_stored(options.scan)
    hu = thorax_phantom(np.random.default_rng(1), shape=SHAPE, spacing_mm=SPACING_MM).image
    return ImageVolume(hu, Grid(hu.shape, SPACING_MM))


def few_slices(scan: PreparedScan, count: int) -> PreparedScan:
    """Return some slices, evenly spaced over the lungs."""
    at = np.linspace(len(scan.bins) * 0.2, len(scan.bins) * 0.8, count).astype(int)
    return replace(scan, bins=scan.bins[at], lung_mask=scan.lung_mask[at], midline_x=scan.midline_x[at])


def main() -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="narrow networks, two slices, no plain twin")
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="these runtimes, as in openvino-bf16 onnx-fp32")
    parser.add_argument("--no-twin", action="store_true", help="leave out the plain twin of the preparation")
    parser.add_argument("--scan", type=Path, help="a CT: DICOM folder or volume file")
    parser.add_argument("--one-patient", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_patient:
        one_patient(options)
        return
    if find_spec("tf_keras") is not None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    print(f"{processor_name()}, {options.threads} thread(s), runtimes {', '.join(installed_runtimes())}")
    ceilings()
    width = 8 if options.quick else 64
    volume = scan_of(options)
    print("Preparation")
    preprocessing(volume, rounds=options.rounds, with_twin=not (options.quick or options.no_twin))
    print(f"U-Net of width {width}")
    scan = few_slices(prepare_nsclc(volume.array, volume.grid.spacing_mm_zyx), options.slices)
    keras_slice = segmentation(scan, width, options)
    print(f"VGG16 of width {width} with its heat map")
    classification(width, options)
    print("One patient, model loaded before")
    pipeline(options, width, scan, keras_slice)


if __name__ == "__main__":
    main()
