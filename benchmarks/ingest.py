"""Ingest of CT folders into a trial's archive, beside Orthanc's STOW-RS where Debian's packages are installed.

Run ``python benchmarks/ingest.py [--patient FOLDER] [--slices 3000]``. Both take the same files in the same run,
alternately. Orthanc stores the instances as they are, sent by four clients over loopback; here the folder is read,
checked, de-identified, hashed, packed frame by frame, and rows are made. Voxels are compared with those sent.
Printed are medians of all rounds: instances per second and milliseconds of CPU (of the server, without its clients; of
our whole process). ``--slices`` ingests one series of so many slices in a process of its own and tells its peak memory.
Without Orthanc the figures stand alone and say so.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

import numpy as np
from orthanc import Orthanc, orthanc_is_installed

SHAPE = (120, 512, 512)
"""A chest CT (z, y, x)."""

SPACING_MM = (3.0, 0.9, 0.9)
CLIENTS = 4
NAMESPACE = uuid.UUID("00000000-0000-4000-8000-0000000000be")


def write_patients(folder: Path, count: int) -> int:
    """Write DICOM series of a noisy body with lungs; return the number of instances."""
    from equipoise.imaging.dicom_write import write_ct_series
    from equipoise.imaging.geometry import Grid
    from equipoise.imaging.volume import ImageVolume

    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    body = ((y - 256) / 170) ** 2 + ((x - 256) / 220) ** 2 < 1
    lungs = ((y - 240) / 110) ** 2 + ((np.abs(x - 256) - 100) / 75) ** 2 + ((z - 60) / 58) ** 2 < 1
    still = np.where(lungs, -850, np.where(body, 30, -1000)).astype(np.float32)
    for number in range(count):
        rng = np.random.default_rng(number)
        noisy = still + rng.normal(0, 20, SHAPE).astype(np.float32)
        volume = ImageVolume(noisy.clip(-1024, 3071).astype(np.int16), Grid(SHAPE, SPACING_MM))
        write_ct_series(volume, folder / f"p{number}", patient_code=f"P{number}", namespace=NAMESPACE)
    return count * SHAPE[0]


def time_ingest(folder: Path) -> tuple[float, float, int]:
    """Return wall and CPU seconds and stored bytes of one run into a new trial."""
    from equipoise.archive.deidentification import DeidentificationPolicy
    from equipoise.archive.ingest import ingest_folder
    from equipoise.archive.models import StoredVolume
    from equipoise.archive.roi_rules import RoiRule
    from equipoise.archive.selectors import stored_volume_slice
    from equipoise.imaging.reading import read_folder
    from equipoise.imaging.series import load_series

    trial = uuid.uuid4()
    policy = DeidentificationPolicy(patient_secret=os.urandom(16))
    rule = RoiRule(source="expert", pattern="GTV-1", required=False)
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = ingest_folder(
        trial_id=trial, institute_id=uuid.uuid4(), folder=folder, policy=policy, roi_rules=(rule,)
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert outcome.problems == ()
    volumes = list(StoredVolume.objects.filter(trial_id=trial))
    written = {series.patient_id: series for series in read_folder(folder).series}
    for patient in (outcome.patients[0],):
        middle = patient.volume.frame_count // 2
        original = next(s for code, s in written.items() if policy.patient_key(code) == patient.patient_key)
        np.testing.assert_array_equal(
            stored_volume_slice(patient.volume, middle), load_series(original).volume.array[middle]
        )
    return wall, cpu, sum(volume.size_bytes for volume in volumes)


def largest_memory_mib(slices: int, folder: Path) -> tuple[int, int]:
    """Return the peak memory of a process before and after it ingests one series of so many slices of 512 x 512."""
    from equipoise.imaging.dicom_write import write_ct_series
    from equipoise.imaging.geometry import Grid
    from equipoise.imaging.volume import ImageVolume

    part = 100
    for first in range(0, slices, part):  # written in parts, so that writing needs no more than reading may
        rng = np.random.default_rng(first)
        shape = (min(part, slices - first), 512, 512)
        grid = Grid(shape, (1.0, 0.9, 0.9), (0.0, 0.0, float(first)))
        noisy = rng.normal(-500, 300, shape).clip(-1024, 3071).astype(np.int16)
        place = folder / f"part-{first}"
        write_ct_series(ImageVolume(noisy, grid), place, patient_code="P", namespace=NAMESPACE)
    one_series(folder)
    code = (
        "import os, sys, uuid; from pathlib import Path;"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'equipoise.config.settings.production';"
        "from equipoise.config.start import database_prepare, django_start; django_start(); database_prepare();"
        "from equipoise.archive.deidentification import DeidentificationPolicy;"
        "from equipoise.archive.ingest import ingest_folder;"
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024;"
        "before = peak();"
        "done = ingest_folder(trial_id=uuid.uuid4(), institute_id=uuid.uuid4(), folder=Path(sys.argv[1]),"
        " policy=DeidentificationPolicy(patient_secret=os.urandom(16)));"
        "assert done.patients[0].volume.frame_count == int(sys.argv[2]), done.problems;"
        "print(before, peak())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(slices)], check=True, capture_output=True, text=True
    )
    before, after = answer.stdout.split()
    return int(before), int(after)


def one_series(folder: Path) -> None:
    """Give all files below a folder the series, study and frame of reference of the first."""
    import pydicom

    files = sorted(folder.rglob("*.dcm"))
    first = pydicom.dcmread(files[0], stop_before_pixels=True)
    for number, file in enumerate(files, start=1):
        dataset = pydicom.dcmread(file)
        for keyword in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            setattr(dataset, keyword, first[keyword].value)
        dataset.InstanceNumber = number
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        dataset.save_as(file)


def main() -> None:
    """Print instances per second and CPU milliseconds per instance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2, help="Made ones, of 120 slices each.")
    parser.add_argument("--patient", type=Path, help="A real patient's folder, measured as well.")
    parser.add_argument("--slices", type=int, default=0, help="Measure the memory of one series of so many.")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="equipoise-bench-") as scratch:
        folder = Path(scratch)
        os.environ["EQUIPOISE_DATA_DIR"] = str(folder / "var")
        os.environ["EQUIPOISE_LOG_LEVEL"] = "WARNING"
        os.environ["DJANGO_SETTINGS_MODULE"] = "equipoise.config.settings.production"
        from equipoise.config.start import database_prepare, django_start

        django_start()
        database_prepare()
        if options.patients:
            write_patients(folder / "sent", options.patients)
            run("made", folder / "sent", folder / "orthanc-made", rounds=options.rounds)
        if options.patient:
            run("real patient", options.patient, folder / "orthanc-real", rounds=options.rounds)
        if options.slices:
            (folder / "long").mkdir()
            before, after = largest_memory_mib(options.slices, folder / "long")
            print(f"one series of {options.slices} slices: peak memory {after} MiB, {before} MiB before it")


def run(name: str, sent: Path, scratch: Path, *, rounds: int) -> None:
    """Time both in turn and print the medians."""
    contents = [file.read_bytes() for file in sorted(sent.rglob("*.dcm"))]
    count, size = len(contents), sum(map(len, contents))
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    stored = 0
    for number in range(rounds):
        wall, cpu, stored = time_ingest(sent)
        ours.append((wall, cpu))
        if orthanc_is_installed():
            with Orthanc(scratch / str(number)) as server:
                theirs.append(server.stow(contents, clients=CLIENTS))
                assert server.instance_count() == count
    print(f"{name}: {count} instances of {size / count / 1024:.0f} KiB, {rounds} rounds, medians")
    _print_line("  equipoise", ours, count)
    print(f"    stored {stored / count / 1024:.0f} KiB an instance")
    if not theirs:
        print("  Orthanc is not installed: the figures stand alone.")
        return
    _print_line(f"  Orthanc STOW-RS, {CLIENTS} clients", theirs, count)
    pairs = list(zip(ours, theirs, strict=True))
    print(
        f"  instances per second, ratio to Orthanc: {median(other[0] / own[0] for own, other in pairs):.2f}"
    )
    print(
        f"  CPU of Orthanc's an instance, ratio to ours: {median(other[1] / own[1] for own, other in pairs):.2f}"
    )


def _print_line(name: str, rounds: list[tuple[float, float]], count: int) -> None:
    wall, cpu = median(r[0] for r in rounds), median(r[1] for r in rounds)
    print(f"{name}: {count / wall:.0f} instances/s, {cpu / count * 1e3:.2f} ms CPU an instance")


if __name__ == "__main__":
    main()
