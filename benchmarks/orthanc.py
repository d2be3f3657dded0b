"""Orthanc with its DICOMweb plugin (Debian: ``orthanc``, ``orthanc-dicomweb``), started and stopped by a benchmark."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START_S = 60.0
_BOUNDARY = "equipoise-benchmark"


def orthanc_is_installed() -> bool:
    """Say whether the server and its plugin are there."""
    return shutil.which("Orthanc") is not None and PLUGIN.exists()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def cpu_seconds(process_id: int) -> float:
    """Return the CPU seconds of a process, its threads and the children that it has waited for."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Orthanc:
    """One server with a folder of its own; a context manager."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        settings = {
            "HttpPort": self.port,
            "DicomServerEnabled": False,
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "index"),
            "AuthenticationEnabled": False,
            "RemoteAccessAllowed": False,
            "HttpThreadsCount": 100,  # by default 50, and a 51st connection that is kept open waits for ever
            "KeepAlive": True,
            "TcpNoDelay": True,
            "OverwriteInstances": True,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self._command = ["Orthanc", str(folder / "orthanc.json")]

    def __enter__(self) -> "Orthanc":
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.get("/system")
                return self
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    self.__exit__()
                    raise
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=START_S)

    @property
    def process_id(self) -> int:
        """The server's."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Return the server's CPU seconds so far."""
        return cpu_seconds(self.process_id)

    def get(self, path: str) -> object:
        """Return a JSON answer."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.load(answer)

    def stow(self, contents: Sequence[bytes], *, clients: int) -> tuple[float, float]:
        """Store instances by STOW-RS, one to a request; return wall and server CPU seconds.

        Every client keeps its connection and sends bodies that are ready, so that the sender costs little.
        """
        head = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
        bodies = [head + content + tail for content in contents]
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}',
            "Accept": "application/dicom+json",
        }

        def send(share: Sequence[bytes]) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            for body in share:
                connection.request("POST", "/dicom-web/studies", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.HTTPStatus.OK:
                    raise RuntimeError(f"Orthanc answered {answer.status}.")
            connection.close()

        cpu, wall = self.cpu_s(), time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(send, [bodies[n::clients] for n in range(clients)]))
        return time.perf_counter() - wall, self.cpu_s() - cpu

    def instance_count(self) -> int:
        """Return how many instances it has."""
        statistics = self.get("/statistics")
        assert isinstance(statistics, dict)
        return int(statistics["CountInstances"])
