"""Segmentation metrics against google-deepmind/surface-distance (and MONAI, where it is installed).

Run ``python benchmarks/metrics.py``. Equal values are asserted beside every ratio; variants run interleaved, and the
figure printed is the median of the per-round ratios of CPU time.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.metrics import SegmentationMetrics, pairwise_segmentation_metrics, segmentation_metrics

SHAPE = (120, 512, 512)
"""A chest CT (z, y, x)."""

SPACING_MM = (3.0, 0.9, 0.9)
TOLERANCE_MM = 2.0
N_READERS = 8
AGREEMENT = 1e-9
"""Largest difference accepted between two libraries' values."""

Mask = npt.NDArray[np.bool_]


def tumour(rng: np.random.Generator, *, centre_zyx_mm: npt.NDArray[np.float64], radius_mm: float) -> Mask:
    """Return one reader's contour of a lobulated tumour: a ball whose radius waves with direction."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    reach = [int(1.6 * radius_mm / step) + 2 for step in SPACING_MM]
    middle = [round(centre_zyx_mm[axis] / SPACING_MM[axis]) for axis in range(3)]
    window = tuple(slice(m - r, m + r + 1) for m, r in zip(middle, reach, strict=True))
    z, y, x = (
        np.arange(part.start, part.stop).reshape([-1 if axis == other else 1 for other in range(3)])
        * SPACING_MM[axis]
        - centre_zyx_mm[axis]
        for axis, part in enumerate(window)
    )
    distance = np.sqrt(z**2 + y**2 + x**2) + 1e-9
    waves = 1 + 0.12 * np.sin(3 * np.arctan2(y, x) + rng.uniform(0, 0.6)) * np.sqrt(y**2 + x**2) / distance
    waves = waves + 0.06 * np.cos(4 * np.arccos(z / distance) + rng.uniform(0, 0.6))
    mask[window] = distance < radius_mm * waves
    return mask


def readers(rng: np.random.Generator, n_readers: int) -> dict[str, Mask]:
    """Return several readers' contours of one tumour of about 44 ml."""
    centre = np.array([180.0, 230.0, 230.0]) + rng.uniform(-20, 20, 3)
    return {
        f"reader {number}": tumour(
            rng, centre_zyx_mm=centre + rng.normal(0, 0.9, 3), radius_mm=21.5 * (1 + rng.normal(0, 0.025))
        )
        for number in range(n_readers)
    }


def surface_distance_library() -> Any:
    """Return the peer; it still calls names that NumPy 2 and SciPy 1.15 have dropped, so these are put back."""
    from scipy import ndimage

    for name in ("filters", "morphology"):
        if not hasattr(ndimage, name):
            setattr(ndimage, name, ndimage)
    for name, value in (("Inf", np.inf), ("NaN", np.nan)):
        if not hasattr(np, name):
            setattr(np, name, value)
    return import_module("surface_distance")


def peer_values(peer: Any, reference: Mask, candidate: Mask) -> tuple[float, ...]:
    """Return Dice, Jaccard, HD95 and surface Dice by the peer."""
    dice = float(peer.compute_dice_coefficient(reference, candidate))
    distances = peer.compute_surface_distances(reference, candidate, SPACING_MM)
    return (
        dice,
        dice / (2 - dice),
        float(peer.compute_robust_hausdorff(distances, 95)),
        float(peer.compute_surface_dice_at_tolerance(distances, TOLERANCE_MM)),
    )


def our_values(metrics: SegmentationMetrics) -> tuple[float, ...]:
    """Return the same four values by this package."""
    return metrics.dice, metrics.jaccard, metrics.hausdorff_95_mm, metrics.surface_dice[TOLERANCE_MM]


def monai_values(reference: Mask, candidate: Mask) -> tuple[float, ...]:
    """Return HD95 and surface Dice by MONAI, whose definitions differ: they are timed, not compared."""
    torch, monai = import_module("torch"), import_module("monai.metrics")
    first, second = (torch.from_numpy(mask[None, None]) for mask in (reference, candidate))
    hausdorff = monai.compute_hausdorff_distance(second, first, percentile=95, spacing=SPACING_MM)
    surface = monai.compute_surface_dice(second, first, [TOLERANCE_MM], spacing=SPACING_MM)
    return float(hausdorff), float(surface)


def cpu_seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU time of one call of this process, and its answer."""
    start = time.process_time()
    answer = action()
    return time.process_time() - start, answer


def one_pair(peer: Any, *, n_rounds: int) -> None:
    """Compare one pair, starting from full volumes."""
    first, second = readers(np.random.default_rng(1), 2).values()
    variants: dict[str, Callable[[], tuple[float, ...]]] = {
        "surface-distance": lambda: peer_values(peer, first, second),
        "equipoise": lambda: our_values(segmentation_metrics(first, second, SPACING_MM, (TOLERANCE_MM,))),
    }
    if importlib.util.find_spec("monai") is not None:
        variants["MONAI"] = lambda: monai_values(first, second)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(n_rounds + 1):
        answers = {}
        for name, action in variants.items():
            spent, answers[name] = cpu_seconds(action)
            if number:  # the first round warms caches up
                seconds[name].append(spent)
        assert_equal(answers["surface-distance"], answers["equipoise"])
    report("one pair", seconds)


def all_pairs(peer: Any, *, n_cases: int, n_rounds: int) -> None:
    """Compare all pairs of eight readers over several cases."""
    seconds: dict[str, list[float]] = {"surface-distance": [], "equipoise": []}
    cases = [readers(np.random.default_rng(100 + number), N_READERS) for number in range(n_cases)]
    for _ in range(n_rounds):
        for masks in cases:
            spent, expected = cpu_seconds(partial(_peer_pairs, peer, masks))
            seconds["surface-distance"].append(spent)
            spent, pairs = cpu_seconds(
                partial(pairwise_segmentation_metrics, masks, SPACING_MM, (TOLERANCE_MM,))
            )
            seconds["equipoise"].append(spent)
            for first, second, metrics in pairs:
                assert_equal(expected[first, second], our_values(metrics))
    report(f"all pairs of {N_READERS} readers, per case", seconds)


def _peer_pairs(peer: Any, masks: Mapping[str, Mask]) -> dict[tuple[str, str], tuple[float, ...]]:
    return {(a, b): peer_values(peer, masks[a], masks[b]) for a, b in combinations(masks, 2)}


def assert_equal(expected: tuple[float, ...], got: tuple[float, ...]) -> None:
    """Stop the benchmark if two libraries' values differ."""
    difference = max(abs(a - b) for a, b in zip(expected, got, strict=True))
    assert difference <= AGREEMENT, f"values differ by {difference}: {expected} and {got}"


def report(title: str, seconds: Mapping[str, list[float]]) -> None:
    """Print median CPU times, and each peer's ratio to this package."""
    print(title)
    ours = seconds["equipoise"]
    for name, values in seconds.items():
        ratio = median(theirs / own for theirs, own in zip(values, ours, strict=True))
        print(f"  {name:18} {1000 * median(values):9.2f} ms CPU   {ratio:6.1f}x")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the single pair")
    parser.add_argument(
        "--cases", type=int, default=3, help="cases of the all-pairs comparison (published: 25)"
    )
    parser.add_argument("--case-rounds", type=int, default=1, help="rounds of the all-pairs comparison")
    options = parser.parse_args()
    peer = surface_distance_library()
    one_pair(peer, n_rounds=options.rounds)
    all_pairs(peer, n_cases=options.cases, n_rounds=options.case_rounds)


if __name__ == "__main__":
    main()
