"""What an ingest needs does not grow with the image: slices go from their files into the pack one by one."""

import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pydicom
import pytest

from equipoise.imaging.dicom_write import write_ct_series
from equipoise.imaging.geometry import Grid
from equipoise.imaging.volume import ImageVolume

NAMESPACE = uuid.UUID("00000000-0000-4000-8000-000000000004")
MIB = 1 << 20

CODE = """
import os, sys, uuid
from pathlib import Path
os.environ["EQUIPOISE_DATA_DIR"] = sys.argv[1]
os.environ["EQUIPOISE_LOG_LEVEL"] = "ERROR"
os.environ["DJANGO_SETTINGS_MODULE"] = "equipoise.config.settings.production"
from equipoise.config.start import database_prepare, django_start
django_start()
database_prepare()
from equipoise.archive.deidentification import DeidentificationPolicy
from equipoise.archive.ingest import ingest_folder

def peak():  # not getrusage, which knows the peak of whoever started this
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

def ingest(folder):
    policy = DeidentificationPolicy(patient_secret=os.urandom(16))
    done = ingest_folder(
        trial_id=uuid.uuid4(), institute_id=uuid.uuid4(), folder=Path(folder), policy=policy
    )
    return done.patients[0].volume.frame_count

assert ingest(sys.argv[2]) == 4
before = peak()
assert ingest(sys.argv[3]) == int(sys.argv[4])
print(peak() - before, peak())
"""


def write_series(folder: Path, count: int) -> None:
    """Write a series of noisy slices of 512 x 512, a slice at a time."""
    noise = np.random.default_rng(1).normal(-500, 300, (1, 512, 512)).clip(-1024, 3071).astype(np.int16)
    write_ct_series(
        ImageVolume(noise, Grid((1, 512, 512), (1.0, 0.8, 0.8))),
        folder,
        patient_code="P",
        namespace=NAMESPACE,
    )
    (first,) = folder.iterdir()
    dataset = pydicom.dcmread(first)
    first.unlink()
    pixels = np.frombuffer(dataset.PixelData, "<u2")
    for number in range(count):
        dataset.ImagePositionPatient = [0, 0, number]
        dataset.InstanceNumber = number + 1
        uid = pydicom.uid.UID(f"{dataset.SeriesInstanceUID[:50]}.{number + 1}")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.PixelData = np.roll(pixels, number * 7).tobytes()
        dataset.save_as(folder / f"{number:04d}.dcm")


@pytest.mark.parametrize(
    "count, most_mib",
    [(150, 30), pytest.param(3000, 250, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_a_long_series_needs_little_more_memory_than_a_short_one(tmp_path: Path, count: int, most_mib: int):
    """The volumes are of 75 and 1500 MiB."""
    write_series(tmp_path / "short", 4)
    write_series(tmp_path / "long", count)
    folders = [str(tmp_path / name) for name in ("var", "short", "long")]
    answer = subprocess.run(
        [sys.executable, "-c", CODE, *folders, str(count)], check=True, capture_output=True, text=True
    )
    grown, peak = map(int, answer.stdout.split())
    print(f"{count} slices: {grown / MIB:.0f} MiB more, {peak / MIB:.0f} MiB in all")  # noqa: T201 - quoted in reports
    assert grown < most_mib * MIB
    assert peak < 1024 * MIB
