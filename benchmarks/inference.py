"""Inference stage by stage, beside the machine's own ceilings and a plain rendering of the published steps.

Run ``python benchmarks/inference.py`` (``--quick`` for narrow networks and few slices). Figures are CPU seconds, user
and system, medians of interleaved rounds; equal results are asserted beside the ratios. Weights are random: time does
not depend on them.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.nn import functional

from equipoise.inference import PreparedScan, prepare_nsclc, prepare_nsclc_published
from equipoise.inference.cards import ModelCard
from equipoise.inference.runtime import Runtime
from equipoise.inference.unet import UNet, UNetShape, initialise
from equipoise.inference.vgg import VggClassifier, VggShape
from equipoise.simulation import thorax_phantom

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.unit.inference import slow_published

SHAPE, SPACING_MM = (60, 512, 512), (6.0, 0.8, 0.8)
"""A chest CT (z, y, x)."""

ROUNDS = 3


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the CPU seconds, all threads, of one call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def interleaved(calls: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Run the calls in turn, once to warm up, and return each one's median."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(cpu_seconds(call))
    return {name: median(values) for name, values in times.items()}


def ceilings() -> dict[str, float]:
    """Return the convolution speed of this machine in GF/s per CPU second."""
    speeds = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        x = torch.rand(1, 256, 128, 128).to(dtype).contiguous(memory_format=torch.channels_last)
        w = torch.rand(256, 256, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            functional.conv2d(x, w, padding=1)
            took = median(cpu_seconds(lambda x=x, w=w: functional.conv2d(x, w, padding=1)) for _ in range(5))
        speeds[name] = 2 * 256 * 256 * 9 * 128 * 128 / took / 1e9
    return speeds


def preprocessing(hu: np.ndarray, *, with_twin: bool) -> PreparedScan:
    """Print the preparation's times; with the plain steps beside it, bit for bit the same."""
    calls: dict[str, Callable[[], object]] = {
        "nsclc-published": lambda: prepare_nsclc_published(hu, SPACING_MM),
        "nsclc": lambda: prepare_nsclc(hu, SPACING_MM),
    }
    times = interleaved(calls)
    for name, seconds in times.items():
        print(f"  prepare {name:18} {seconds:8.2f} s")
    scan = prepare_nsclc_published(hu, SPACING_MM)
    if with_twin:
        bins, first, _ = slow_published.prepared(hu, SPACING_MM)
        assert first == scan.first_slice
        np.testing.assert_array_equal(bins, scan.bins)
        plain = cpu_seconds(lambda: slow_published.prepared(hu, SPACING_MM))
        print(
            f"  plain steps (scipy, skimage) {plain:6.2f} s, same bits: {plain / times['nsclc-published']:.1f} x"
        )
    return prepare_nsclc(hu, SPACING_MM)


def segmentation(scan: PreparedScan, width: int, n_slices: int) -> None:
    """Print the network's time per slice: precision by what part of the plane it sees."""
    middle = len(scan.bins) // 2
    part = slice(middle, middle + n_slices)
    few = PreparedScan(
        bins=scan.bins[part],
        lung_mask=scan.lung_mask[part],
        first_slice=0,
        slices=n_slices,
        plane=scan.plane,
        image_shape_yx=scan.image_shape_yx,
        midline_x=scan.midline_x[part],
    )
    runtimes = {}
    for precision in ("fp32", "bf16"):
        network = UNet(UNetShape(width=width, scale=1 / 45))
        initialise(network, seed=1)
        card = ModelCard("random", "0", "unet", network.shape.as_json(), purpose="timing", data="none")
        runtimes[precision] = Runtime.of(network, card, device="cpu", precision=precision)
    calls: dict[str, Callable[[], object]] = {}
    for precision, runtime in runtimes.items():
        calls[f"{precision}, lungs + 48 px"] = lambda r=runtime: r.segment(few)
        calls[f"{precision}, whole planes"] = lambda r=runtime: r.segment(few, margin=None)
    boxed, whole = (runtimes["fp32"].segment(few, margin=m) for m in (48, None))
    print(f"  largest change by cropping, inside the lungs: {np.abs(boxed - whole)[few.lung_mask].max():.2e}")
    for name, seconds in interleaved(calls).items():
        print(f"  U-Net {name:22} {seconds / n_slices:8.3f} s a slice")


def classification(width: int) -> None:
    """Print the time of a scan with its heat map, by the closed form and by autograd."""
    torch.manual_seed(1)
    network = VggClassifier(VggShape(width=width)).eval()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    card = ModelCard("random", "0", "vgg", network.shape.as_json(), purpose="timing", data="none")
    plane = np.random.default_rng(1).random((512, 512), dtype=np.float32)
    image = torch.from_numpy(plane)[None, None].repeat(1, 3, 1, 1)
    image = image.contiguous(memory_format=torch.channels_last)

    def by_autograd() -> torch.Tensor:
        maps = network.last_convolution(image)
        maps.retain_grad()
        network.head(maps).max().backward()
        assert maps.grad is not None
        heat = functional.relu((maps.grad.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1))[0].detach()
        network.zero_grad()
        return heat / heat.max().clamp_min(1e-30)

    runtime = Runtime.of(network, card, device="cpu")  # first: it sets how both lay out their channels
    expected = by_autograd().numpy()
    np.testing.assert_allclose(runtime.classify(plane)[1], expected, atol=1e-5)
    fp32 = {"closed form": lambda: runtime.classify(plane), "autograd": by_autograd}
    for name, seconds in interleaved(fp32).items():
        print(f"  VGG16 and map, fp32, {name:12} {seconds:8.3f} s")
    bf16 = Runtime.of(network, card, device="cpu", precision="bf16")
    bf16.classify(plane)
    print(f"  VGG16 and map, bf16, closed form  {interleaved({'': lambda: bf16.classify(plane)})['']:8.3f} s")


def main() -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="narrow networks, two slices, no plain twin")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread(s)")
    for name, speed in ceilings().items():
        print(f"  3x3 convolution, {name}: {speed:.0f} GF per CPU second")
    hu = thorax_phantom(np.random.default_rng(1), shape=SHAPE, spacing_mm=SPACING_MM).image
    scan = preprocessing(hu, with_twin=not options.quick)
    width = 8 if options.quick else 64
    segmentation(scan, width, n_slices=2 if options.quick else 4)
    classification(width)
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
