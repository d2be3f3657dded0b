"""Scores of a model on phantoms that nothing was chosen by, through the whole pipeline; written into its card."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.imaging import Grid, ImageVolume
from equipoise.imaging.volume import SeriesDescription
from equipoise.inference.bone_scan import VIEWS, on_plane, prepare_bone_scan, resized_linear
from equipoise.inference.explanation import compare_with_shuffled
from equipoise.inference.run import run_classification, run_segmentation
from equipoise.inference.runtime import Runtime
from equipoise.inference.training.phantom_cases import ThoraxCase, bone_scan_case, thorax_case
from equipoise.inference.training.sources import PHANTOM_VERSIONS
from equipoise.simulation import BoneScanPhantom, stream
from equipoise.stats import auc

HELD_OUT_SEED = 7001
"""Phantoms under it are for the final score alone: none is trained or validated on, and no choice is made by them."""

SIZE_EDGES_ML = (20.0, 150.0)
"""Edges of the groups by the reference volume."""

SHUFFLE_STREAM = 14
"""Key of the stream that shuffles heat maps."""

DIGITS = 4


def thorax_volume(case: ThoraxCase) -> ImageVolume:
    """Return a thorax phantom as an image."""
    z, y, x = case.hu.shape
    return ImageVolume(case.hu, Grid((z, y, x), case.spacing_mm))


def bone_scan_volume(phantom: BoneScanPhantom) -> ImageVolume:
    """Return a bone-scan phantom as an image."""
    counts = np.stack([phantom.anterior, phantom.posterior]).astype(np.int16)
    grid = Grid((2, *phantom.anterior.shape), (1.0, *phantom.spacing_mm))
    return ImageVolume(counts, grid, modality="NM", description=SeriesDescription(views=VIEWS))


def segmentation_row(runtime: Runtime, case: ThoraxCase) -> dict[str, Any]:
    """Segment one phantom and return what is scored: Dice of ``GTV-1``, volumes in ml, kind of tumour.

    Nothing found where there is a tumour is a Dice of 0; without a tumour there is none.
    """
    found = run_segmentation(thorax_volume(case), runtime).lesions.get("GTV-1")
    mask = found.array if found is not None else np.zeros(case.tumour.shape, np.bool_)
    voxel_ml = float(np.prod(case.spacing_mm)) * 1e-3
    reference, candidate = int(case.tumour.sum()), int(mask.sum())
    both = int(np.count_nonzero(mask & case.tumour))
    return {
        "dice": 2 * both / (reference + candidate) if reference else None,
        "reference_ml": reference * voxel_ml,
        "found_ml": candidate * voxel_ml,
        "density": case.spec.density if case.spec else None,
        "place": case.spec.place if case.spec else None,
    }


def score_segmentation(runtime: Runtime, numbers: Iterable[int], *, seed: int) -> dict[str, Any]:
    """Score a segmentation model on thorax phantoms, in plain values."""
    rows = [segmentation_row(runtime, thorax_case(seed, number)) for number in numbers]
    with_tumour = [row for row in rows if row["dice"] is not None]
    without = [row for row in rows if row["dice"] is None]
    low, high = SIZE_EDGES_ML
    groups = {
        f"under {low:g} ml": [r for r in with_tumour if r["reference_ml"] < low],
        f"{low:g} to {high:g} ml": [r for r in with_tumour if low <= r["reference_ml"] <= high],
        f"over {high:g} ml": [r for r in with_tumour if r["reference_ml"] > high],
        **{
            density.replace("_", " "): [r for r in with_tumour if r["density"] == density]
            for density in ("solid", "part_solid", "ground_glass")
        },
    }
    return {
        "phantoms": PHANTOM_VERSIONS["nsclc"],
        "seed": seed,
        "cases": len(rows),
        "dice": _median(with_tumour),
        "dice_by_group": {name: _median(group) for name, group in groups.items() if group},
        "found": sum(row["dice"] > 0 for row in with_tumour),
        "without_tumour": {
            "cases": len(without),
            "marked": sum(row["found_ml"] > 0 for row in without),
            "marked_ml": [round(row["found_ml"], 2) for row in without],
        },
        "runtime": runtime.name,
        "precision": runtime.precision,
    }


def _median(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    dices = [row["dice"] for row in rows]
    low, high = median_interval(dices)
    return {
        "n": len(dices),
        "median": round(float(np.median(dices)), DIGITS),
        "low": None if low is None else round(low, DIGITS),
        "high": None if high is None else round(high, DIGITS),
    }


def median_interval(
    values: Sequence[float], *, confidence_level: float = 0.95
) -> tuple[float | None, float | None]:
    """Return the distribution-free interval of a median by order statistics; None where there are too few values.

    References
    ----------
    Hahn and Meeker, Statistical Intervals (1991), section 5.2: the k-th smallest and the k-th largest value, with the
    largest k whose binomial probability still reaches the level.

    Examples
    --------
    >>> median_interval(list(range(1, 11)))
    (2, 9)
    >>> median_interval([1.0, 2.0])
    (None, None)
    """
    ordered = sorted(values)
    count = len(ordered)
    k = int(binom.ppf((1 - confidence_level) / 2, count, 0.5)) if count else 0
    while k > 0 and 2 * binom.cdf(k - 1, count, 0.5) > 1 - confidence_level:
        k -= 1
    return (ordered[k - 1], ordered[count - k]) if k > 0 else (None, None)


def score_classification(runtime: Runtime, numbers: Iterable[int], *, seed: int) -> dict[str, Any]:
    """Score a classification model, and how its heat maps point, on bone-scan phantoms, in plain values."""
    scores, truth, maps = [], [], []
    for number in numbers:
        phantom = bone_scan_case(seed, number)
        report = run_classification(bone_scan_volume(phantom), runtime).report
        scores.append(report["probabilities"]["metastases"])
        truth.append(phantom.positive)
        if phantom.positive:
            maps.append((number, heat_of(runtime, phantom), on_plane(phantom.masks["metastases"])))
    threshold = runtime.card.threshold
    above = np.array(scores) > threshold
    positive = np.array(truth)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DegenerateDataWarning
        )  # a perfect score has no width; its reason is kept
        result = auc(scores, truth)
    interval = result.confidence_interval
    return {
        "phantoms": PHANTOM_VERSIONS["bone-scan"],
        "seed": seed,
        "cases": len(scores),
        "positive": int(positive.sum()),
        "auc": {
            "estimate": round(result.estimate, DIGITS),
            "low": round(float(interval.low), DIGITS),
            "high": round(float(interval.high), DIGITS),
            "method": "DeLong",
        },
        "sensitivity": round(float(above[positive].mean()), DIGITS),
        "specificity": round(float(1 - above[~positive].mean()), DIGITS),
        "threshold": threshold,
        "heat_maps": _pointing(maps, seed=seed),
        "runtime": runtime.name,
        "precision": runtime.precision,
    }


def heat_of(runtime: Runtime, phantom: BoneScanPhantom) -> NDArray[np.float32]:
    """Return the map of the class with metastases on the network's plane."""
    plane = prepare_bone_scan(phantom.anterior, phantom.posterior)
    _, heat = runtime.classify(plane, target=1)
    return resized_linear(heat, (plane.shape[0], plane.shape[1]))


def _pointing(
    maps: Sequence[tuple[int, NDArray[np.float32], NDArray[np.bool_]]], *, seed: int
) -> dict[str, Any]:
    """Compare maps with their shuffled copies and return means over the scans."""
    results = [
        compare_with_shuffled(heat, lesions, rng=stream(seed, SHUFFLE_STREAM, number))
        for number, heat, lesions in maps
    ]

    def mean(values: Iterable[float]) -> float:
        return round(float(np.mean(list(values))), DIGITS)

    return {
        "scans": len(results),
        "class": "metastases",
        "pointing_hit": mean(r.observed.pointing_hit for r in results),
        "pointing_hit_shuffled": mean(r.shuffled_hit_rate for r in results),
        "energy_inside": mean(r.observed.energy_inside for r in results),
        "energy_inside_shuffled": mean(r.shuffled_energy for r in results),
        "overlap": mean(r.observed.overlap for r in results),
        "overlap_shuffled": mean(r.shuffled_overlap for r in results),
        "better_than_shuffled": sum(r.p_value < 0.05 for r in results),
    }


def held_out_scores(evaluation: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of an evaluation that a card names first."""
    if "dice" in evaluation:
        return {"held_out_dice_median": evaluation["dice"]["median"]}
    return {
        "held_out_auc": evaluation["auc"]["estimate"],
        "held_out_energy_inside": evaluation["heat_maps"]["energy_inside"],
    }
