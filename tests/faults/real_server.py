"""A real web server as tests start and kill it: own process group, the test's database, one fixed port."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.jobs.real_worker import REPOSITORY, database_url


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RealServer:
    """One gunicorn over the whole site."""

    def __init__(
        self,
        *,
        log: Path,
        port: int | None = None,
        settings: str = "equipoise.config.settings.test",
        environment: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        application: str = "equipoise.config.wsgi:application",
    ) -> None:
        self.port = port or free_port()
        self.host = host
        self.log = log
        self.application = application
        self.settings = settings
        self.environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it; it listens soon."""
        environment = {
            **os.environ,
            "EQUIPOISE_DATABASE_URL": database_url(),
            "EQUIPOISE_PUBLIC_URL": self.url,
            "DJANGO_SETTINGS_MODULE": self.settings,
            **self.environment,
        }
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", self.application),
                    *("--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread"),
                    *("--threads", "4", "--workers", "1", "--no-control-socket"),
                ],
                cwd=REPOSITORY,
                env=environment,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def wait(self, *, seconds: float = 30) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill the whole process group, as a power cut would."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)
