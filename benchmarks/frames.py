"""Frames to the browser, with authorisation, beside Orthanc's WADO-RS frames, where Debian's packages are installed.

Run ``python benchmarks/frames.py [--requests 1500] [--rounds 3]``. The frame server runs alone under uvicorn, as
``EQUIPOISE_ROLE=frames`` starts it, and looks up session, token and window; Orthanc answers
``/dicom-web/.../frames/1`` and checks nobody. Both have the same 120 CT slices of 512 x 512 x 16 bit on loopback,
asked for in turn by 16 and 64 clients with connections of their own; requests are counted, not timed out. Pixels are
compared before. Printed are medians of the rounds: frames per second, the 95th percentile of the answer time, CPU of
the server per frame, and the load generator's own share of the machine, which bounds what can be seen.
"""

import argparse
import asyncio
import gzip
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

import numpy as np
from ingest import SHAPE, write_patients
from orthanc import Orthanc, cpu_seconds, free_port, orthanc_is_installed

SESSION = "a-session-of-the-benchmark"
CLIENTS = (16, 64)
START_S = 60.0


@dataclass(frozen=True)
class Load:
    """What one round showed."""

    per_second: float
    p95_ms: float
    server_cpu_ms: float
    generator_share: float


@dataclass(frozen=True)
class Target:
    """A server, how its frames are asked for, and how its CPU seconds are read."""

    name: str
    port: int
    requests: Sequence[bytes]
    process_id: int


async def fetch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """Send one request on an open connection and return the body."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(head.decode("latin-1"))
    if b"\r\ntransfer-encoding: chunked" in head:
        parts = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readline()
        return b"".join(parts)
    length = int(head.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0])
    return await reader.readexactly(length)


async def load(target: Target, *, clients: int, count: int) -> Load:
    """Ask for ``count`` frames with so many clients and measure."""
    took: list[float] = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
        for turn in range(count // clients):
            request = target.requests[(number * 7 + turn) % len(target.requests)]
            start = time.perf_counter()
            try:
                await fetch(reader, writer, request)
            except (asyncio.IncompleteReadError, ConnectionError):  # Orthanc ends connections that were idle
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
                await fetch(reader, writer, request)
            took.append(time.perf_counter() - start)
        writer.close()

    server, own, wall = cpu_seconds(target.process_id), time.process_time(), time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    wall, own = time.perf_counter() - wall, time.process_time() - own
    server = cpu_seconds(target.process_id) - server
    cores = len(os.sched_getaffinity(0))
    return Load(
        len(took) / wall, float(np.percentile(took, 95)) * 1e3, server / len(took) * 1e3, own / wall / cores
    )


def start_frame_server(port: int) -> subprocess.Popen[bytes]:
    """Start the frame server as the supervisor does and wait until it answers."""
    from equipoise.config.supervisor import frames_child

    process = subprocess.Popen(frames_child(host="127.0.0.1", port=port).command)
    deadline = time.monotonic() + START_S
    while True:
        try:
            asyncio.run(_ask_for_nothing(port))
            return process
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                process.terminate()
                raise
            time.sleep(0.1)


async def _ask_for_nothing(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


def our_requests(folder: Path) -> tuple[list[bytes], np.ndarray]:
    """Ingest the patient, open a reading's frames, and return a request for each and the voxels."""
    from django.utils import timezone

    from equipoise.archive.deidentification import DeidentificationPolicy
    from equipoise.archive.ingest import ingest_folder
    from equipoise.archive.selectors import stored_volume_array
    from equipoise.archive.services import asset_token_issue

    policy = DeidentificationPolicy(patient_secret=os.urandom(16))
    outcome = ingest_folder(trial_id=uuid.uuid4(), institute_id=uuid.uuid4(), folder=folder, policy=policy)
    volume = outcome.patients[0].volume
    token = asset_token_issue(
        volume,
        first_frame=0,
        last_frame=volume.frame_count - 1,
        session_key=SESSION,
        expires_at=timezone.now() + timedelta(hours=1),
    ).token
    requests = [
        f"GET /frames/{token}/{n} HTTP/1.1\r\nHost: localhost\r\nCookie: equipoise_session={SESSION}\r\n"
        "Accept-Encoding: gzip\r\n\r\n".encode()
        for n in range(volume.frame_count)
    ]
    return requests, stored_volume_array(volume)


def orthanc_requests(server: Orthanc, folder: Path) -> tuple[list[bytes], list[np.ndarray]]:
    """Store the patient and return a request for each slice, in the order of their places, and the pixels."""
    import pydicom

    files = sorted(folder.rglob("*.dcm"))
    server.stow([file.read_bytes() for file in files], clients=1)
    slices = sorted((pydicom.dcmread(file) for file in files), key=lambda d: d.ImagePositionPatient[2])
    requests = [
        (
            f"GET /dicom-web/studies/{d.StudyInstanceUID}/series/{d.SeriesInstanceUID}/instances/{d.SOPInstanceUID}"
            "/frames/1 HTTP/1.1\r\nHost: localhost\r\n"
            'Accept: multipart/related; type="application/octet-stream"\r\n\r\n'
        ).encode()
        for d in slices
    ]
    return requests, [d.pixel_array for d in slices]


async def first_body(port: int, request: bytes) -> bytes:
    """Return one answer's body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    body = await fetch(reader, writer, request)
    writer.close()
    return body


def check_ours(target: Target, voxels: np.ndarray) -> None:
    """Assert that the frames are the voxels, to the bit."""
    for number in (0, len(voxels) // 2, len(voxels) - 1):
        body = asyncio.run(first_body(target.port, target.requests[number]))
        np.testing.assert_array_equal(
            np.frombuffer(gzip.decompress(body), "<i2").reshape(voxels[number].shape), voxels[number]
        )


def check_theirs(target: Target, pixels: Sequence[np.ndarray]) -> None:
    """Assert that the frames hold the stored pixels, to the bit."""
    for number in (0, len(pixels) - 1):
        body = asyncio.run(first_body(target.port, target.requests[number]))
        assert pixels[number].astype("<u2").tobytes() in body


def main() -> None:
    """Print frames per second and answer times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="equipoise-bench-") as scratch:
        folder = Path(scratch)
        os.environ["EQUIPOISE_DATA_DIR"] = str(folder / "var")
        os.environ["EQUIPOISE_LOG_LEVEL"] = "WARNING"
        os.environ["DJANGO_SETTINGS_MODULE"] = "equipoise.config.settings.production"
        from equipoise.config.start import database_prepare, django_start

        django_start()
        database_prepare()
        write_patients(folder / "sent", 1)
        requests, voxels = our_requests(folder / "sent")
        port = free_port()
        process = start_frame_server(port)
        try:
            ours = Target("equipoise", port, requests, process.pid)
            check_ours(ours, voxels)
            run(ours, folder, options.requests, options.rounds)
        finally:
            process.terminate()
            process.wait(timeout=START_S)


def run(ours: Target, folder: Path, count: int, rounds: int) -> None:
    """Measure both servers in turn and print the medians."""
    print(f"{count} requests a round, {rounds} rounds, medians; frames of {SHAPE[1]} x {SHAPE[2]} x 16 bits")
    if not orthanc_is_installed():
        print("Orthanc is not installed: the figures stand alone.")
        for clients in CLIENTS:
            _print(
                ours.name,
                clients,
                [asyncio.run(load(ours, clients=clients, count=count)) for _ in range(rounds)],
            )
        return
    with Orthanc(folder / "orthanc") as server:
        wanted, pixels = orthanc_requests(server, folder / "sent")
        theirs = Target("Orthanc WADO-RS", server.port, wanted, server.process_id)
        check_theirs(theirs, pixels)
        for clients in CLIENTS:
            own, other = [], []
            for _ in range(rounds):
                own.append(asyncio.run(load(ours, clients=clients, count=count)))
                other.append(asyncio.run(load(theirs, clients=clients, count=count)))
            _print(ours.name, clients, own)
            _print(theirs.name, clients, other)
            pairs = list(zip(own, other, strict=True))
            print(
                f"  ratios: frames/s {median(o.per_second / t.per_second for o, t in pairs):.1f}, "
                f"p95 {median(t.p95_ms / o.p95_ms for o, t in pairs):.1f}, "
                f"CPU a frame {median(t.server_cpu_ms / o.server_cpu_ms for o, t in pairs):.1f}"
            )


def _print(name: str, clients: int, loads: Sequence[Load]) -> None:
    print(
        f"  {clients} clients, {name}: {median(x.per_second for x in loads):.0f} frames/s, "
        f"p95 {median(x.p95_ms for x in loads):.1f} ms, {median(x.server_cpu_ms for x in loads):.2f} ms CPU a frame "
        f"(generator {median(x.generator_share for x in loads):.0%} of the machine)"
    )


if __name__ == "__main__":
    main()
