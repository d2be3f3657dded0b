"""Starting and watching the site's processes: what `equipoise serve` does once the database is ready.

Children are restarted when they die, with a growing pause if they die young. Each is the leader of its own process
group, and the whole group is ended before a restart and at the end, so that no orphan keeps a port or a claim. On
Linux the kernel ends the children as well if the supervisor itself is killed.
"""

import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger("equipoise.supervisor")

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.2
_STOP_S = 20.0
"""A child that has not ended so long after SIGTERM is killed; its claims come back by their leases."""
_YOUNG_S = 10.0
_MAX_PAUSE_S = 30.0


@dataclass
class Child:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    early_deaths: int = 0
    start_at: float = 0.0

    def start(self) -> None:
        """Start the process in a group of its own."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            list(self.command),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        logger.info("started", extra={"child": self.name, "pid": self.process.pid})

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and whatever it has started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Supervisor:
    """Keeps children alive until it is told to stop."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = list(children)
        self._stopping = False

    def stop(self, *_: object) -> None:
        """Ask for the end (a signal handler)."""
        self._stopping = True

    def run(self) -> None:
        """Start everything, watch, restart, and end everything on SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        try:
            for child in self._children:
                child.start()
            while not self._stopping:
                for child in self._children:
                    self._watch(child)
                time.sleep(_POLL_S)
        finally:
            self._end_all()

    def _watch(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                child.start()
            return
        code = child.process.poll()
        if code is None:
            return
        child.signal_group(signal.SIGKILL)
        child.process = None
        child.early_deaths = child.early_deaths + 1 if now - child.started < _YOUNG_S else 0
        pause = min(_MAX_PAUSE_S, 0.5 * 2**child.early_deaths) if child.early_deaths else 0.0
        child.start_at = now + pause
        logger.error("died; it is started again", extra={"child": child.name, "code": code, "pause_s": pause})

    def _end_all(self) -> None:
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        limit = time.monotonic() + _STOP_S
        for child in self._children:
            if child.process is None:
                continue
            try:
                child.process.wait(timeout=max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("did not end in time and is killed", extra={"child": child.name})
            child.signal_group(signal.SIGKILL)
            child.process.wait()


def web_child(
    *, host: str, port: int, threads: int, workers: int = 1, metrics_folder: Path | None = None
) -> Child:
    """Return pages, API, static files and (embedded) frames under gunicorn's threads.

    Several processes add up what they count in a folder, which is emptied here.
    """
    environment = {}
    if metrics_folder is not None and workers > 1:
        shutil.rmtree(metrics_folder, ignore_errors=True)
        metrics_folder.mkdir(parents=True)
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_folder)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "equipoise.config.wsgi:application",
        "--worker-class",
        "gthread",
    ]
    command += ["--workers", str(workers), "--threads", str(threads), "--bind", f"{host}:{port}"]
    command += [
        "--graceful-timeout",
        "15",
        "--timeout",
        "120",
        "--keep-alive",
        "30",
        "--log-level",
        "warning",
    ]
    return Child(name="web", command=command, environment=environment)


def frames_child(*, host: str, port: int) -> Child:
    """Return the frame server under uvicorn."""
    command = [sys.executable, "-m", "uvicorn", "equipoise.config.asgi:application", "--host", host]
    command += ["--port", str(port), "--log-level", "warning", "--no-access-log", "--lifespan", "on"]
    return Child(name="frames", command=command)


def worker_child() -> Child:
    """Return the worker."""
    return Child(name="worker", command=[sys.executable, "-m", "equipoise.cli.main", "worker"])
