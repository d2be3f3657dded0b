"""A real Orthanc as tests start and stop it: Debian's packages, its own folder, ports and password."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.real_server import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "equipoise", "a password for tests"


class Orthanc:
    """One Orthanc with its DICOMweb plugin, on loopback."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("Orthanc")
        if program is None or not PLUGIN.exists():
            if os.environ.get("CI"):
                pytest.fail("CI is set, but orthanc and orthanc-dicomweb are not installed.")
            pytest.skip("Orthanc is not installed (Debian: orthanc, orthanc-dicomweb).")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.dicomweb_url = f"{self.url}/dicom-web"
        self.log = folder / "orthanc.log"
        configuration = folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration(folder)))
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [program, str(configuration)], stdout=stream, stderr=stream, cwd=folder
            )
        self.http = httpx.Client(base_url=self.url, auth=(USER, PASSWORD), timeout=120)

    def _configuration(self, folder: Path) -> dict[str, Any]:
        return {
            "Name": "Test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "index"),
            "HttpPort": self.port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "DicomServerEnabled": False,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
        }

    def wait(self, *, seconds: float = 60) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.http.get("/system").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def store(self, content: bytes) -> str:
        """Store one DICOM file and return the name that Orthanc gives it."""
        answer = self.http.post("/instances", content=content)
        answer.raise_for_status()
        return str(answer.json()["ID"])

    def empty(self) -> None:
        """Delete everything."""
        for study in self.http.get("/studies").json():
            self.http.delete(f"/studies/{study}").raise_for_status()

    def stop(self) -> None:
        """End the process."""
        self.http.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)
