"""Writing in the pixels is found where it names people, and organs, noise and side markers are no writing."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pydicom
import pydicom.data
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from equipoise.imaging.burned_in import writing_in
from equipoise.imaging.dicom_header import quiet_pydicom

ROOT = Path(pydicom.data.__file__).parent / "test_files"
FACE = Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
BODY = (512, 256)


def scan(seed: int = 1) -> NDArray[np.int16]:
    """Return counts like a bone scan's: a blurred body, hot spots, Poisson noise."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(BODY)
    body = 40.0 * (np.abs(x - 128) < 30 + 25 * np.sin(np.pi * y / BODY[0])) * (y > 20) * (y < 490)
    for row, column in rng.integers((60, 90), (450, 166), (12, 2)):
        body += 80 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 30)
    counts: NDArray[np.int16] = rng.poisson(ndimage.gaussian_filter(body, 3)).astype(np.int16)
    return counts


def written_on(
    image: NDArray[np.int16],
    text: str,
    *,
    size: int = 16,
    level: float = 1.0,
    at_xy: tuple[int, int] = (8, 8),
) -> NDArray[np.int16]:
    canvas = Image.new("L", image.shape[::-1], 0)
    ImageDraw.Draw(canvas).text(at_xy, text, fill=255, font=ImageFont.truetype(str(FACE), size))
    share = np.asarray(canvas) / 255.0
    drawn: NDArray[np.int16] = np.rint(image * (1 - share) + level * image.max() * share).astype(np.int16)
    return drawn


@pytest.mark.parametrize("size", [12, 16, 24])
@pytest.mark.parametrize("text", ["DOE JANE", "Doe, Jane 1957"])
def test_a_name_is_found_with_its_place(text: str, size: int):
    (first, *_) = writing_in(written_on(scan(), text, size=size)[np.newaxis])
    assert first.view == 0
    assert first.letters >= 4
    top, left, rows, columns = first.box_yx
    assert 8 <= top <= 8 + size
    assert left >= 6
    assert rows <= 1.5 * size
    assert columns >= size


def test_it_tells_which_view():
    found = writing_in(np.stack([scan(1), written_on(scan(2), "DOE JANE")]))
    assert {row.view for row in found} == {1}


@pytest.mark.parametrize("seed", range(6))
def test_a_scan_without_writing_has_none(seed: int):
    assert writing_in(scan(seed)[np.newaxis]) == []


@pytest.mark.parametrize("marker", ["L", "R", "RT", "AP"])
def test_side_markers_are_no_words(marker: str):
    assert writing_in(written_on(scan(), marker, size=24)[np.newaxis]) == []


def test_nothing_is_found_in_a_constant_image():
    assert writing_in(np.zeros((1, 64, 64), dtype=np.int16)) == []


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG2000.dcm"])
def test_real_bone_scans_have_no_writing(name: str):
    with quiet_pydicom():
        pixels = pydicom.dcmread(ROOT / name).pixel_array
    assert writing_in(pixels[np.newaxis]) == []


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "examples_ybr_color.dcm", "examples_palette.dcm"])
def test_real_ultrasound_has_writing(name: str):
    with quiet_pydicom():
        pixels = pydicom.dcmread(ROOT / name).pixel_array
    frame = pixels[0] if pixels.ndim == 4 else pixels
    grey = frame.mean(axis=-1) if frame.ndim == 3 else frame
    assert writing_in(grey.astype(np.int16)[np.newaxis]) != []
