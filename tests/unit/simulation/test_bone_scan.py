"""The bone-scan phantom: what it shows where, in which view, and that a seed makes it."""

import numpy as np
import pytest

from equipoise.simulation import BoneScanPhantom, bone_scan_phantom, random_metastases, stream
from equipoise.simulation.bone_scan import (
    ATTENUATION_PER_MM,
    VISIBLE,
    _Cameras,
    _marked,
    _patient,
    _resolution_mm,
    _visible,
)
from equipoise.simulation.bone_uptake import organs, random_uptake
from equipoise.simulation.skeleton import ball, ellipsoid, plate, rod, shell, skeleton

SMALL = (256, 64)


@pytest.fixture(scope="module")
def whole() -> BoneScanPhantom:
    return bone_scan_phantom(stream(3, 1), metastases=4)


def test_views_have_the_form_and_the_counts_of_a_gamma_camera(whole):
    assert whole.anterior.shape == whole.posterior.shape == (1024, 256)
    assert whole.anterior.dtype == whole.posterior.dtype == np.uint16
    assert whole.spacing_mm == pytest.approx((2.26, 2.26), abs=0.003)
    for view in (whole.anterior, whole.posterior):
        assert 4e5 < view.sum() < 6e6
        assert view[:60].sum() < 0.02 * view.sum()  # air above the head
    rows = np.flatnonzero(whole.anterior.sum(axis=1) > 300)
    assert 1450 < (rows[-1] - rows[0]) * 2.26 < 2000


def test_a_seed_makes_the_phantom():
    one, other, another = (bone_scan_phantom(stream(1, n), shape=SMALL, metastases=2) for n in (4, 4, 5))
    np.testing.assert_array_equal(one.anterior, other.anterior)
    np.testing.assert_array_equal(one.posterior, other.posterior)
    np.testing.assert_array_equal(one.masks["metastases"], other.masks["metastases"])
    assert (one.anterior != another.anterior).any()


def test_metastases_add_counts_where_they_are_marked_and_nowhere_else():
    without = bone_scan_phantom(stream(5, 2), shape=SMALL, metastases=0)
    with_them = bone_scan_phantom(stream(5, 2), shape=SMALL, metastases=6)
    assert (without.positive, with_them.positive) == (False, True)
    assert not without.masks["metastases"].any()
    marks = with_them.masks["metastases"]
    for view, (less, more) in enumerate(
        ((without.anterior, with_them.anterior), (without.posterior, with_them.posterior))
    ):
        if marks[view].any():
            # The counts of a whole scan are drawn from one sum, so the rest is a little dimmer.
            assert more[marks[view]].mean() > 1.2 * less[marks[view]].mean()
        rest = ~marks[view] & (less > 5)
        assert np.median(more[rest] / less[rest]) == pytest.approx(1.0, abs=0.12)


def test_a_metastasis_that_neither_view_would_show_is_raised():
    without = np.full((2, 4, 4), 10.0, np.float32)
    part = np.zeros((2, 4, 4), np.float32)
    part[0, 1, 1] = 0.5
    raised = _visible(part, without)
    assert raised[0, 1, 1] == pytest.approx(1.5 * VISIBLE * 10)
    assert np.argwhere(_marked(raised, without)).tolist() == [[0, 1, 1]]
    assert not _marked(part, without).any()
    part[0, 1, 1] = 30.0
    np.testing.assert_array_equal(_visible(part, without), part)


def test_most_patients_with_metastases_have_few():
    counts = [random_metastases(stream(2, n)) for n in range(400)]
    assert (min(counts), max(counts)) == (1, 40)
    assert 4 <= np.median(counts) <= 9


def test_the_front_is_brighter_from_the_front_and_the_back_from_behind():
    rng = np.random.default_rng(4)
    uptake = random_uptake(rng)
    cameras = _Cameras(_patient(rng), uptake, SMALL)
    parts = {cloud.name: cloud for cloud in [*skeleton(), *organs(rng, uptake)]}
    ratio = {name: np.divide(*cameras.seen([cloud]).sum(axis=(1, 2))) for name, cloud in parts.items()}
    for name in ("sternum", "bladder", "patella left", "patella right", "face"):
        assert ratio[name] > 1.5, name
    for name in ("T8", "sacrum", "scapula left", "scapula right", "kidney left", "kidney right"):
        assert ratio[name] < 0.6, name
    assert ratio["T8"] < ratio["L4"] < 1  # the loins are bent to the front


def test_what_lies_deeper_is_dimmer_and_less_sharp():
    rng = np.random.default_rng(4)
    uptake = random_uptake(rng)
    cameras = _Cameras(_patient(rng), uptake, (1024, 256))
    anterior, posterior = cameras.seen([ellipsoid("", (0.0, -90.0, 560.0), (2.0, 2.0, 2.0), 1.0)])
    assert anterior.sum() > 4 * posterior.sum()
    width = [np.count_nonzero(view > view.max() / 2) for view in (anterior, posterior)]
    assert width[1] > 2 * width[0]


def test_the_posterior_view_is_the_mirrored_one():
    rng = np.random.default_rng(6)
    cameras = _Cameras(_patient(rng), random_uptake(rng), SMALL)
    seen = cameras.seen([ellipsoid("", (230.0, 0.0, 700.0), (9.0, 9.0, 9.0), 1e4)])  # on the patient's left
    anterior, posterior = cameras.counted(seen, rng)
    assert np.unravel_index(anterior.argmax(), SMALL)[1] > 44
    assert np.unravel_index(posterior.argmax(), SMALL)[1] < 20


def test_counts_are_poisson():
    phantom = bone_scan_phantom(stream(5, 3), degeneration=0.0)
    view = phantom.anterior.astype(float)
    # Differences of neighbours in smooth soft tissue: variance twice the mean.
    thigh = view[:, 1:] - view[:, :-1]
    flat = (view[:, 1:] > 2) & (view[:, 1:] < 12)
    assert np.var(thigh[flat]) / (2 * view[:, 1:][flat].mean()) == pytest.approx(1.0, abs=0.25)


def test_physics_of_the_camera():
    assert _resolution_mm(100.0) == pytest.approx(7.4, abs=0.5)  # low energy, high resolution
    assert 0.1 <= np.log(2) / ATTENUATION_PER_MM / 600 <= 0.11  # half of it is lost every 6 cm


def test_bones_have_the_volume_of_their_shape():
    assert ellipsoid("", (0, 0, 0), (10, 20, 30), 2.0).mass.sum() == pytest.approx(2 * 4 / 3 * np.pi * 6)
    assert rod("", [(0, 0, 0), (0, 0, 100)], 5.0, 1.0).mass.sum() == pytest.approx(np.pi * 2.5)
    assert plate("", [(0, 0, 0), (10, 0, 0), (10, 20, 0), (0, 20, 0)], 3.0, 1.0).mass.sum() == pytest.approx(
        0.6
    )
    assert shell("", (0, 0, 0), (50, 50, 50), 4.0, 1.0).mass.sum() == pytest.approx(4 * np.pi * 10, rel=1e-3)
    points = ball(500)
    assert np.linalg.norm(points, axis=1).max() <= 1
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.03)


def test_the_skeleton_has_every_bone_twice_or_in_the_middle():
    names = [bone.name for bone in skeleton()]
    assert len(names) == len(set(names))
    assert sum(name.startswith("rib") for name in names) == 24
    assert sum(name[0] in "CTL" and name[1:].isdigit() for name in names) == 24
    for name in names:
        if name.endswith(" left"):
            assert name.replace(" left", " right") in names
    heights = np.concatenate([bone.points_mm[:, 2] for bone in skeleton()])
    assert 0 <= heights.min() < 15
    assert 1680 < heights.max() < 1740


@pytest.mark.parametrize(
    "options, message",
    [
        ({"shape": (64, 16)}, r"shape must be \(rows, columns\)"),
        ({"metastases": -1}, r"metastases must be in \[0, 200\]"),
        ({"contrast": (0.5, 2.0)}, "contrast must be"),
        ({"degeneration": -1.0}, "degeneration must not be negative"),
    ],
)
def test_sizes_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bone_scan_phantom(stream(1), **options)
