"""The whole pipeline on the real patients: turned any way, in every runtime, within its memory, precise enough."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from equipoise.imaging import Grid, ImageVolume
from equipoise.imaging.volume import turn_for_display
from equipoise.inference import Runtime, prepare_nsclc
from equipoise.inference.engine import has_native_bf16
from equipoise.inference.runtime import installed_runtimes
from equipoise.inference.shapes import UNetShape
from equipoise.inference.weight_files import write_state
from tests.unit.inference.random_networks import card_of, random_state, spread_out

pytestmark = pytest.mark.shared

LARGEST_RSS_GB = 1.5

# The process's own peak: getrusage would count what the tests held when they started it.
MEASURED = """
import sys
from pathlib import Path
from equipoise.cli.main import main
try:
    main(sys.argv[1:])
finally:
    status = Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""

WAYS = {
    "feet first": (np.s_[::-1], (1, 1, -1)),
    "on the back to front": (np.s_[:, ::-1, ::-1], (-1, -1, 1)),
    "sides exchanged": (np.s_[:, :, ::-1], (-1, 1, 1)),
}


@pytest.mark.parametrize("way", WAYS)
def test_lungs_of_a_real_scan_are_the_same_whichever_way_it_is_stored(way, real_scans):
    scan = real_scans[1]
    part = slice(20, 60)
    hu = np.ascontiguousarray(scan.hu[part])
    expected = prepare_nsclc(hu, scan.spacing_mm)
    turn, signs = WAYS[way]
    grid = Grid(hu.shape, scan.spacing_mm)
    corner = [n - 1 if sign < 0 else 0 for n, sign in zip(hu.shape[::-1], signs, strict=True)]
    turned_grid = Grid(
        hu.shape,
        scan.spacing_mm,
        tuple(grid.index_to_patient(np.array(corner))),
        tuple(
            tuple(float(sign) if row == column else 0.0 for column in range(3))
            for row, sign in enumerate(signs)
        ),
    )
    stored = ImageVolume(np.ascontiguousarray(hu[turn]), turned_grid)
    shown, transform = turn_for_display(stored)
    found = prepare_nsclc(shown.array, shown.grid.spacing_mm_zyx)
    mask = transform.undo(found.to_image(found.lung_mask))
    np.testing.assert_array_equal(mask[turn], expected.to_image(expected.lung_mask))
    np.testing.assert_array_equal(found.bins, expected.bins)


@pytest.fixture(scope="module")
def full_width(real_scans, tmp_path_factory) -> Path:
    """Return the published network with random weights, whose answers are spread out on a real scan."""
    scan = prepare_nsclc(real_scans[1].hu, real_scans[1].spacing_mm)
    few = replace(scan, bins=scan.bins[[40]], lung_mask=scan.lung_mask[[40]], midline_x=scan.midline_x[[40]])
    shape = UNetShape(scale=1 / 45)
    state = spread_out(random_state(shape), shape, few)
    path = Path(tmp_path_factory.mktemp("weights"), "random.safetensors")
    write_state(state, path, replace(card_of(shape), threshold=0.99))  # few pixels: as if it were a tumour
    return path


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["onnx", "openvino", "torch"])
def test_a_real_patient_fits_in_memory_in_every_runtime(
    name, precision, full_width, patients_folder, tmp_path
):
    if name not in installed_runtimes() or (
        precision == "bf16" and (name == "onnx" or not has_native_bf16())
    ):
        pytest.skip(f"no {name} in {precision} here")
    folder = max(path for path in patients_folder.iterdir() if path.is_dir())
    arguments = ["infer", "nsclc", str(folder), "--output", str(tmp_path), "--weights", str(full_width)]
    arguments += ["--runtime", name, "--precision", precision, "--device", "cpu"]
    done = subprocess.run([sys.executable, "-c", MEASURED, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) * 1024 / 1e9 <= LARGEST_RSS_GB
    report = json.loads((tmp_path / folder.name / "result.json").read_text())
    assert report["hardware"]["precision"] == precision
    assert {"read", "resample", "lungs", "bin", "network", "lesions", "write"} <= report["seconds"].keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_bf16_on_boxes_marks_what_fp32_on_whole_planes_marks_on_a_real_scan(name, full_width, real_scans):
    if name not in installed_runtimes() or not has_native_bf16():
        pytest.skip(f"no {name} in bf16 here")
    scan = prepare_nsclc(real_scans[1].hu, real_scans[1].spacing_mm)
    at = np.linspace(8, len(scan.bins) - 8, 4).astype(int)
    few = replace(scan, bins=scan.bins[at], lung_mask=scan.lung_mask[at], midline_x=scan.midline_x[at])
    fast = Runtime.load(full_width, runtime=name, device="cpu", precision="bf16").segment(few)
    exact = Runtime.load(full_width, runtime="onnx").segment(few, margin=None)
    inside = few.lung_mask
    threshold = np.median(exact[inside])  # of random weights: half of what was looked at
    one, other = (exact > threshold) & inside, (fast > threshold) & inside
    assert 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)) >= 0.99
