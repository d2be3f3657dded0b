"""How often the search for writing in the pixels errs: words drawn on images, and images without any.

    python benchmarks/burned_in.py [FOLDER OF CT PATIENTS] [--draws 160] [--seed 5]

Prints the share of drawn words that are found, by size and brightness, and the images without writing that are flagged.
Without a folder the images are pydicom's own bone scans and simulated ones; with one, slices and projections join them.
"""

import argparse
import time
import warnings
from collections import Counter
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pydicom
import pydicom.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from equipoise.imaging.burned_in import writing_in
from equipoise.imaging.reading import read_folder
from equipoise.imaging.series import load_series

TEXTS = ("DOE^JANE", "Doe, Jane 03.12.1957", "1957-12-03", "MRN 4711-0815", "Smith", "F 57Y 12/03/1957")
MARKERS = ("L", "R", "RT", "AP", "PA")
FACES = ("DejaVuSans", "DejaVuSansMono", "DejaVuSerif-Bold")
SIZES_PX = (9, 11, 14, 18, 24, 32)
LEVELS = (1.0, 0.8, 0.6, 0.0)
"""Of the image's range: white, two greys, black."""

LEAST_CONTRAST = 0.25
"""Words that differ less from what is behind them are not counted: nobody reads them either."""

Picture = NDArray[np.floating]


def without_writing(patients: Path | None, rng: np.random.Generator) -> dict[str, Picture]:
    """Return images that have no writing."""
    root = Path(pydicom.data.__file__).parent / "test_files"
    names = ("JPEG2000.dcm", "JPGExtended.dcm", "image_dfl.dcm", "examples_overlay.dcm", "MR_small.dcm")
    images = {name: pydicom.dcmread(root / name).pixel_array.astype(float) for name in names}
    counts = ndimage.gaussian_filter(images["JPGExtended.dcm"], 1.5)
    for number in range(24):
        images[f"bone scan {number}"] = rng.poisson(counts * rng.uniform(0.02, 1.0)).astype(float)
    for folder in sorted(p for p in patients.iterdir() if p.is_dir()) if patients else ():
        for series in read_folder(folder).series:
            voxels = load_series(series).volume.array.astype(float)
            stretch = max(1, round(series.grid.spacing_mm_zyx[0] / series.grid.spacing_mm_zyx[2]))
            for axis in (1, 2):
                images[f"{folder.name} projection {axis}"] = np.repeat(
                    voxels.mean(axis=axis), stretch, axis=0
                )
            for z in range(0, voxels.shape[0], 12):
                images[f"{folder.name} slice {z}"] = voxels[z]
    return images


def drawn_on(
    image: Picture, text: str, *, face: str, size: int, level: float, rng: np.random.Generator
) -> Picture | None:
    """Return the image with the text somewhere on it, None if it does not fit or can hardly be seen."""
    low, high = np.percentile(image, (0.1, 99.9))
    canvas = Image.new("L", image.shape[::-1], 0)
    brush = ImageDraw.Draw(canvas)
    font = ImageFont.truetype(str(Path(mpl.get_data_path()) / f"fonts/ttf/{face}.ttf"), size)
    _, _, right, bottom = brush.textbbox((0, 0), text, font=font)
    if right >= image.shape[1] - 4 or bottom >= image.shape[0] - 4:
        return None
    place = (rng.integers(2, image.shape[1] - right - 1), rng.integers(2, image.shape[0] - bottom - 1))
    brush.text((int(place[0]), int(place[1])), text, fill=255, font=font)
    share = np.asarray(canvas) / 255.0
    drawn: Picture = image * (1 - share) + (low + (high - low) * level) * share
    change = np.abs(drawn - image)[share > 0.5]
    return drawn if change.size and np.median(change) >= LEAST_CONTRAST * max(high - low, 1) else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("patients", type=Path, nargs="?")
    parser.add_argument("--draws", type=int, default=160)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(options.seed)
    images = without_writing(options.patients, rng)
    began = time.perf_counter()
    flagged = [name for name, image in images.items() if writing_in(image[np.newaxis])]
    seconds = (time.perf_counter() - began) / len(images)
    print(f"without writing: {len(flagged)} of {len(images)} flagged {flagged}; {seconds:.2f} s an image")
    large = [name for name, image in images.items() if min(image.shape) >= 200 and name not in flagged]
    found, drawn = Counter[str](), Counter[str]()
    markers = 0
    for number in range(options.draws):
        image = images[large[rng.integers(len(large))]]
        size, level = int(rng.choice(SIZES_PX)), float(rng.choice(LEVELS))
        face = FACES[rng.integers(len(FACES))]
        written = drawn_on(image, TEXTS[number % len(TEXTS)], face=face, size=size, level=level, rng=rng)
        if written is not None:
            hit = bool(writing_in(written[np.newaxis]))
            for key in ("all", f"{size} px", f"level {level:g}", face):
                drawn[key] += 1
                found[key] += hit
        if number % 4 == 0:
            marked = drawn_on(
                image, MARKERS[number % len(MARKERS)], face=FACES[0], size=24, level=1.0, rng=rng
            )
            markers += marked is not None and bool(writing_in(marked[np.newaxis]))
    for key in drawn:
        print(f"{key}: {found[key]} of {drawn[key]} found")
    print(f"side markers: {markers} flagged of {len(range(0, options.draws, 4))} drawn")


if __name__ == "__main__":
    main()
