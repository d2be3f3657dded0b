"""Ingest of a CT folder into a trial's archive, beside Orthanc where Debian's package is installed.

Run ``python benchmarks/ingest.py``. Both take the same files in the same run, alternately: Orthanc stores the instances
as they are, by its REST interface with four clients; here the folder is read, checked, de-identified, packed frame by
frame and hashed. Voxels are compared with what was written, and the medians of all rounds are printed. Without Orthanc
the figures stand alone and say so.
"""

import argparse
import json
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np

SHAPE = (120, 512, 512)
"""A chest CT (z, y, x)."""

SPACING_MM = (3.0, 0.9, 0.9)
CLIENTS = 4
START_S = 20.0
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
        middle = SHAPE[0] // 2
        original = next(s for code, s in written.items() if policy.patient_key(code) == patient.patient_key)
        np.testing.assert_array_equal(
            stored_volume_slice(patient.volume, middle), load_series(original).volume.array[middle]
        )
    return wall, cpu, sum(volume.size_bytes for volume in volumes)


class Orthanc:
    """A server of Debian's package on a free port, with a folder of its own; a context manager."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        settings = {
            "HttpPort": self.port,
            "DicomServerEnabled": False,
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "index"),
            "AuthenticationEnabled": False,
            "KeepAlive": True,
            "TcpNoDelay": True,
            "OverwriteInstances": True,
        }
        folder.mkdir(parents=True)
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self._command = ["Orthanc", str(folder / "orthanc.json")]

    def __enter__(self) -> "Orthanc":
        import httpx

        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/system").raise_for_status()
                return self
            except httpx.HTTPError:
                if time.monotonic() > deadline:
                    self.__exit__()
                    raise
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=START_S)

    def cpu_s(self) -> float:
        """Return the server's CPU seconds so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def time_upload(self, files: list[Path]) -> tuple[float, float]:
        """Return wall and server CPU seconds of sending all files by four clients, then delete them again."""
        import httpx

        url, contents = f"http://127.0.0.1:{self.port}", [file.read_bytes() for file in files]
        with httpx.Client(timeout=60) as client:

            def send(content: bytes) -> None:
                client.post(f"{url}/instances", content=content).raise_for_status()

            cpu, wall = self.cpu_s(), time.perf_counter()
            with ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(send, contents))
            wall, cpu = time.perf_counter() - wall, self.cpu_s() - cpu
            assert client.get(f"{url}/statistics").json()["CountInstances"] == len(files)
            for patient in client.get(f"{url}/patients").json():
                client.delete(f"{url}/patients/{patient}").raise_for_status()
        return wall, cpu


def main() -> None:
    """Print instances per second and CPU milliseconds per instance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2)
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
        count = write_patients(folder / "sent", options.patients)
        run(folder, count, rounds=options.rounds)


def run(folder: Path, count: int, *, rounds: int) -> None:
    """Time both in turn and print the medians."""
    files = sorted((folder / "sent").rglob("*.dcm"))
    size = sum(file.stat().st_size for file in files)
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    stored = 0
    for number in range(rounds):
        wall, cpu, stored = time_ingest(folder / "sent")
        ours.append((wall, cpu))
        if shutil.which("Orthanc") is not None:
            with Orthanc(folder / f"orthanc-{number}") as server:
                theirs.append(server.time_upload(files))
    print(f"{count} CT instances of {size / count / 1024:.0f} KiB, {rounds} rounds, medians")
    _print_line("equipoise", ours, count)
    print(f"  stored {stored / count / 1024:.0f} KiB an instance")
    print(f"  largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    if not theirs:
        print("Orthanc is not installed: the figures stand alone.")
        return
    _print_line(f"Orthanc, {CLIENTS} clients", theirs, count)
    ratios = [other[0] / own[0] for own, other in zip(ours, theirs, strict=True)]
    print(f"instances per second, ratio to Orthanc: {median(ratios):.2f}")


def _print_line(name: str, rounds: list[tuple[float, float]], count: int) -> None:
    wall, cpu = median(r[0] for r in rounds), median(r[1] for r in rounds)
    print(f"{name}: {count / wall:.0f} instances/s, {cpu / count * 1e3:.2f} ms CPU an instance")


if __name__ == "__main__":
    main()
