"""A real worker as tests start it: own process group, the test's database, the broker that the test names."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from celery import Celery
from django.conf import settings
from django.db import connection

from equipoise.jobs.broker import broker_options

REPOSITORY = Path(__file__).resolve().parents[2]
_START = (
    "import sys; from equipoise.config.start import django_start; django_start(); "
    "import tests.jobs.handlers; from equipoise.cli.main import main; main(sys.argv[1:])"
)


def database_url() -> str:
    """Return the address of the database that the test itself uses."""
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{facts['NAME']}"
    password = f":{quote(facts['PASSWORD'])}" if facts["PASSWORD"] else ""
    host = f"{facts['HOST'] or 'localhost'}:{facts['PORT'] or 5432}"
    return f"postgresql://{quote(facts['USER'])}{password}@{host}/{facts['NAME']}"


def broker_app(url: str) -> Celery:
    """Return a Celery application that rings on a broker, as the web process does."""
    app = Celery("ringing", set_as_current=False)
    app.conf.update(
        **broker_options(url, settings.BROKER_DIR),
        task_create_missing_queues=True,
        task_ignore_result=True,
        broker_connection_timeout=5,
    )
    return app


class RealWorker:
    """One `equipoise worker`, and everything it forks."""

    def __init__(self, *, broker_url: str, queue: str, log: Path) -> None:
        environment = {
            **os.environ,
            "EQUIPOISE_DATABASE_URL": database_url(),
            "EQUIPOISE_BROKER_URL": broker_url,
            "DJANGO_SETTINGS_MODULE": os.environ.get(
                "DJANGO_SETTINGS_MODULE", "equipoise.config.settings.test"
            ),
        }
        self.log = log
        self._stream = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", _START, "worker", "--queues", queue],
            cwd=REPOSITORY,
            env=environment,
            stdout=self._stream,
            stderr=self._stream,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Kill the whole process group, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)
        self._stream.close()

    def terminate(self) -> int:
        """Ask the worker to end, and return its exit code; one that does not end says where it hangs.

        A process of the pool that just took up a bell as the worker was asked to end waits half a minute for the
        parent to read its result (billiard's GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT).
        """
        self.process.terminate()
        try:
            return self.process.wait(timeout=70)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # faulthandler writes every thread's stack
            self.process.wait(timeout=10)
            raise AssertionError(f"The worker did not end.\n{self.log.read_text()[-6000:]}") from None


def wait_for(
    condition: Callable[[], bool], *, seconds: float, what: str, worker: RealWorker | None = None
) -> None:
    """Wait until a condition holds, or fail with the worker's last words."""
    deadline = time.monotonic() + seconds
    while not condition():
        words = worker.log.read_text()[-3000:] if worker else ""
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s.\n{words}"
        assert worker is None or worker.process.poll() is None, f"The worker ended.\n{words}"
        time.sleep(0.05)
