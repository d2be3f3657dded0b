"""Vessel trees: they reach every target and thin out from the root."""

import numpy as np
from scipy.spatial import cKDTree

from equipoise.simulation.vessel_tree import grow_vessel_tree


def test_every_target_is_reached_and_the_root_is_thickest():
    rng = np.random.default_rng(1)
    targets = rng.uniform(-50, 50, (60, 3)) + np.array([80.0, 0.0, 0.0])
    tree = grow_vessel_tree(rng, root_mm=(0.0, 0.0, 0.0), targets_mm=targets)
    distances, _ = cKDTree(tree.points_mm).query(targets)
    assert distances.max() < 0.8
    from_root = np.linalg.norm(tree.points_mm, axis=1)
    assert tree.radii_mm[from_root < 5].min() > 2 * np.median(tree.radii_mm)
    assert tree.radii_mm.min() == 0.55


def test_points_along_a_vessel_are_closer_than_the_sampling():
    tree = grow_vessel_tree(np.random.default_rng(1), root_mm=(0, 0, 0), targets_mm=np.array([[40.0, 0, 0]]))
    steps = np.linalg.norm(np.diff(tree.points_mm, axis=0), axis=1)
    assert steps.max() < 1.0
