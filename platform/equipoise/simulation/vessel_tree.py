"""Branching vessels that fill a lung: a tree grown from the hilum to points in the parenchyma."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MURRAY_EXPONENT = 2.75
"""Radius of a vessel to this power is the sum over its branches; Murray's law has 3, chosen a little lower here."""


@dataclass(frozen=True)
class VesselTree:
    """Points along all vessels, in mm (x, y, s), with the radius at each."""

    points_mm: FloatArray
    radii_mm: FloatArray


def grow_vessel_tree(
    rng: np.random.Generator,
    *,
    root_mm: tuple[float, float, float],
    targets_mm: FloatArray,
    step_mm: float = 6.0,
    leaf_radius_mm: float = 0.55,
    sample_mm: float = 0.8,
) -> VesselTree:
    """Grow a tree that reaches every target.

    Targets are taken from near to far; each is joined to the nearest point of the tree so far by a slightly bent
    path. Radii follow from the number of ends beyond a point.

    Parameters
    ----------
    rng : numpy.random.Generator
        Bends of the paths.
    root_mm : tuple of float
        Where the tree starts.
    targets_mm : ndarray of float, shape (n, 3)
        What it must reach.
    step_mm, leaf_radius_mm, sample_mm : float
        Distance of branching points, radius of the finest vessel, distance of the returned points.

    Returns
    -------
    VesselTree
        Points closer than ``sample_mm`` to each other along every vessel.

    References
    ----------
    Murray CD. The physiological principle of minimum work. Proc Natl Acad Sci 1926;12:207-214.
    """
    root = np.asarray(root_mm, float)
    order = np.argsort(np.linalg.norm(targets_mm - root, axis=1))
    capacity = 1 + sum(2 + int(np.linalg.norm(targets_mm[index] - root) / step_mm) for index in order)
    nodes = np.empty((capacity, 3))
    parents = np.full(capacity, -1, int)
    ends = np.zeros(capacity)
    nodes[0] = root
    used = 1
    for target in targets_mm[order]:
        gap = nodes[:used] - target
        cost = np.einsum("ij,ij->i", gap, gap)
        nearest = int(np.argmin(cost))
        length = float(np.sqrt(cost[nearest]))
        steps = max(1, round(length / step_mm))
        fractions = np.arange(1, steps + 1)[:, None] / steps
        path = nodes[nearest] + fractions * (target - nodes[nearest])
        path += np.sin(np.pi * fractions) * rng.normal(0.0, 0.05 * length, 3)
        path = path[: capacity - used]
        nodes[used : used + len(path)] = path
        parents[used : used + len(path)] = [nearest, *range(used, used + len(path) - 1)]
        ends[used + len(path) - 1] = 1
        used += len(path)
    for node in range(used - 1, 0, -1):  # children come after their parents
        ends[parents[node]] += ends[node]
    return _sampled(
        nodes[:used], parents[:used], leaf_radius_mm * ends[:used] ** (1 / MURRAY_EXPONENT), sample_mm
    )


def _sampled(nodes: FloatArray, parents: NDArray[np.int_], radii: FloatArray, sample_mm: float) -> VesselTree:
    start, end = nodes[parents[1:]], nodes[1:]
    lengths = np.linalg.norm(end - start, axis=1)
    counts = np.maximum(1, np.ceil(lengths / sample_mm).astype(int))
    segment = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    t = ((offset + 0.5) / counts[segment])[:, None]
    points = start[segment] * (1 - t) + end[segment] * t
    first = np.minimum(radii[parents[1:]], 1.6 * radii[1:])[segment]
    along = first * (1 - t[:, 0]) + radii[1:][segment] * t[:, 0]
    return VesselTree(points_mm=points, radii_mm=along)
