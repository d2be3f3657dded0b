"""Files changed at random: an image or an :class:`IngestError` comes out, never anything else, and nothing hangs."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from equipoise.imaging.errors import IngestError
from equipoise.imaging.export import write_image_nrrd
from equipoise.imaging.reading import read_image, read_mask
from equipoise.imaging.volume import ImageVolume

SUFFIXES = ("nrrd", "nii", "nii.gz", "mha")
DICOM_HEADER_BYTES = 1400
VOLUME_HEADER_BYTES = 400


def damaged(content: bytes, rng: np.random.Generator, *, header_bytes: int, cut: bool) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.integers(1, 14)):
        changed[rng.integers(0, min(header_bytes, len(changed)))] = rng.integers(0, 256)
    return bytes(changed[: rng.integers(1, len(changed))] if cut else changed)


def run(scan: Path, volume: ImageVolume, seeds: range) -> Counter[str]:
    """Damage one file per seed, read, put it back; return what came out."""
    files = [scan / "rs.dcm", scan / "ct-0002.dcm"]
    for suffix in SUFFIXES:
        files.append(scan.parent / f"image.{suffix}")
        write_image_nrrd(volume, files[-1])
    originals = [path.read_bytes() for path in files]
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        kind = seed % len(files)
        path, original = files[kind], originals[kind]
        header_bytes = (len(original), DICOM_HEADER_BYTES)[kind] if kind < 2 else VOLUME_HEADER_BYTES
        path.write_bytes(damaged(original, rng, header_bytes=header_bytes, cut=seed % 5 == 0))
        try:
            if kind == 0:
                read_mask(scan, roi="GTV-1")
            else:
                read_image(scan if kind == 1 else path)
            outcomes["read"] += 1
        except IngestError as error:
            outcomes[type(error).__name__] += 1
        path.write_bytes(original)
    return outcomes


def test_damaged_files_give_an_image_or_an_ingest_error(scan: Path, volume: ImageVolume):
    outcomes = run(scan, volume, range(300))
    assert outcomes.total() == 300
    assert outcomes["TruncatedFileError"] >= 10
    assert outcomes["NotAnImageError"] >= 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_thousand_damaged_files(scan: Path, volume: ImageVolume):
    assert run(scan, volume, range(300, 20_300)).total() == 20_000
