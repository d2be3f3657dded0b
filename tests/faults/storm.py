"""Many readers read while everything fails: run by the test in a process of its own, on a cluster of its own.

    python -m tests.faults.storm FOLDER READERS STRIKES [SEED]

Two web servers, one of them on a machine whose clock is ninety minutes ahead (where faketime is installed), a worker,
PostgreSQL and Redis are started, and killed with SIGKILL one after the other at random moments. Every fifth reading or
so is opened on a second machine as well, and both send their answer. Prints what was found as JSON.
"""

import atexit
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
ITEMS = 4
READINGS = 1 + ITEMS + 1 + 1
"""Of one reader: practice, items, a hidden repeat, a pair of the blinding check."""
JOB_ITEMS = 40
SECOND_MACHINE = 0.2
AHEAD = "+90m"
LASTS_AT_MOST_S = 3000


class Process:
    """Something that is started, killed and started again."""

    def __init__(
        self, name: str, command: Sequence[str | Path], folder: Path, *, user: str | None = None, **own: str
    ) -> None:
        self.name, self.command, self.user = name, [str(word) for word in command], user
        self.log, self.environment = folder / f"{name}.log", {**os.environ, **own}
        self.start()

    def start(self) -> None:
        """Start it in a session of its own."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                self.command,
                cwd="/" if self.user else REPOSITORY,
                env=self.environment,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                user=self.user,
                group=self.user,
            )

    def kill(self) -> None:
        """Kill it with all it has started, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)


def postgresql(folder: Path, port: int) -> Process:
    """Make a cluster and start it; PostgreSQL refuses to run as root, and gets a user of its own there."""
    programs = Path(
        subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True).stdout.strip()
    )
    user = "postgres" if os.geteuid() == 0 else None
    data = Path(tempfile.mkdtemp(prefix="equipoise-storm-"))  # a test's own folder is closed to that user
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    if user:
        shutil.chown(data, user, user)
    made = [programs / "initdb", "-D", data, "--auth=trust", "--username=storm", "--no-sync"]
    subprocess.run(list(map(str, made)), check=True, capture_output=True, user=user, group=user, cwd="/")
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}"]
    started = Process("postgresql", [programs / "postgres", "-D", data, *options], folder, user=user)
    wait(lambda: answers(port), "the cluster")
    return started


def answers(port: int) -> bool:
    """Whether something listens there."""
    import socket

    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def wait(condition: Any, what: str, seconds: float = 120) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not happen within {seconds} s.")
        time.sleep(0.1)


class Reader:
    """A reader with an outbox and, now and then, a second machine."""

    def __init__(self, urls: Sequence[str], participant: Any, seed: int) -> None:
        from tests.faults.test_server_killed import Browser

        self.moments = random.Random(seed)
        self.first, self.second = (Browser(url, participant) for url in self.moments.sample(urls, len(urls)))
        self.acknowledged: dict[str, str] = {}
        self.late: dict[str, str] = {}

    def read(self) -> None:
        """Read everything there is to read."""
        for browser in (self.first, self.second):
            browser.sign_in()
        while True:
            opened = self.first.call("POST", f"{self.first.path}/open", {"environment": {}})
            if opened.status_code != 200:
                return
            shown = opened.json()
            if self.moments.random() < SECOND_MACHINE:
                again = self.second.call("POST", f"{self.second.path}/open", {"environment": {}})
                if again.status_code == 200 and again.json()["reading"] == shown["reading"]:
                    self.submit(self.second, again.json(), "right")
            self.submit(self.first, shown, "left")

    def submit(self, browser: Any, shown: Mapping[str, Any], choice: str) -> None:
        """Send one answer until it is acknowledged, under the same key."""
        from tests.factories import trials as factory

        key = str(uuid.uuid4())
        body = {
            "reading": shown["reading"],
            "lease": shown["lease"],
            "key": key,
            "answer": {"choice": choice, "reason_code": None, "comment": ""},
            "events": [event.__dict__ for event in factory.events_of(seconds=2, choice=choice)],
        }
        answer = browser.call("POST", f"{browser.path}/submit", body)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code} {answer.text}")
        (self.late if answer.json()["late"] else self.acknowledged)[key] = shown["reading"]


def storm(folder: Path, readers: int, strikes: int, seed: int) -> dict[str, Any]:
    """Start everything, let it fail, and return what was found."""
    from tests.faults.real_server import free_port

    database, redis, *webs = (free_port() for _ in range(4))
    moments = random.Random(seed)
    own = {
        "DJANGO_SETTINGS_MODULE": "equipoise.config.settings.test",
        "EQUIPOISE_DATA_DIR": str(folder / "data"),
        "EQUIPOISE_DATABASE_URL": f"postgresql://storm@127.0.0.1:{database}/postgres",
        "EQUIPOISE_BROKER_URL": f"redis://127.0.0.1:{redis}/0",
        "EQUIPOISE_LOG_LEVEL": "WARNING",
        "PYTEST_XDIST_WORKER": "",
    }
    os.environ.update(own)
    running = {"database": postgresql(folder, database)}
    try:
        running["broker"] = Process(
            "redis",
            ["redis-server", "--port", str(redis), "--save", "", "--appendonly", "no", "--dir", folder],
            folder,
        )
        from equipoise.config.start import database_prepare, django_start

        django_start()
        database_prepare()
        return _storm(folder, running, webs, readers, strikes, moments, own)
    finally:
        for process in reversed(running.values()):
            process.kill()


def _storm(
    folder: Path,
    running: dict[str, Process],
    ports: Sequence[int],
    readers: int,
    strikes: int,
    moments: random.Random,
    own: dict[str, str],
) -> dict[str, Any]:
    from equipoise.jobs.services import job_create
    from tests.factories import trials as factory
    from tests.jobs import handlers  # noqa: F401 - importing registers them
    from tests.jobs.real_worker import _START

    world = factory.open_world(
        cases=ITEMS,
        **{
            "items.selection.count": ITEMS,
            "allocation.strata": [{"key": "all", "label": "All", "participants": readers}],
            "allocation.reserve_percent": 0,
            "allocation.hidden_repeats": {"count": 1, "min_distance": 1},
            "allocation.blinding_check.pairs": 1,
            "sessions.break_after_readings": None,
        },
    )
    participants = [world.enrol() for _ in range(readers)]
    skewed = ["faketime", "-f", AHEAD] if shutil.which("faketime") else []
    gunicorn = ["-m", "gunicorn", "equipoise.config.wsgi:application", "--worker-class", "gthread"]
    gunicorn += ["--threads", "8", "--workers", "1", "--no-control-socket"]
    for number, port in enumerate(ports):
        own["EQUIPOISE_PUBLIC_URL"] = f"http://localhost:{port}"
        running[f"web{number}"] = Process(
            f"web{number}",
            [*(skewed if number else []), sys.executable, *gunicorn, "--bind", f"127.0.0.1:{port}"],
            folder,
            **own,
        )
    running["worker"] = Process("worker", [sys.executable, "-c", _START, "worker"], folder, **own)
    for port in ports:
        wait(lambda port=port: answers(port), "the start of a web server")
    job = job_create(
        kind="tests.effect",
        trial_id=None,
        created_by_id=None,
        items=[(str(number), {"sleep_s": 0.3}) for number in range(JOB_ITEMS)],
    )
    people = [
        Reader([f"http://127.0.0.1:{port}" for port in ports], participant, moments.getrandbits(32))
        for participant in participants
    ]
    faults: list[str] = []

    def run(person: Reader) -> None:
        try:
            person.read()
        except BaseException as error:
            faults.append(repr(error))

    threads = [threading.Thread(target=run, args=(person,), daemon=True) for person in people]
    for thread in threads:
        thread.start()
    struck = _strike(running, threads, strikes, moments)
    return _found(
        world, people, job, faults, struck, bool(skewed), any(thread.is_alive() for thread in threads)
    )


def _strike(
    running: dict[str, Process], threads: Sequence[threading.Thread], strikes: int, moments: random.Random
) -> dict[str, int]:
    """Kill one after the other while people read, and start again whatever does not run, as a supervisor would."""
    struck: dict[str, int] = {}
    deadline, next_at = time.monotonic() + LASTS_AT_MOST_S, 0.0
    while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
        if sum(struck.values()) < strikes and time.monotonic() >= next_at:
            name = moments.choice(sorted(running))
            running[name].kill()
            struck[name] = struck.get(name, 0) + 1
            time.sleep(moments.uniform(0.0, 1.0))
            next_at = time.monotonic() + moments.uniform(1.0, 3.0)
        for process in running.values():
            if process.process.poll() is not None:
                process.start()
        time.sleep(0.3)
    return struck


def _found(
    world: Any,
    people: Sequence[Reader],
    job: Any,
    faults: list[str],
    struck: dict[str, int],
    skewed: bool,
    hung: bool,
) -> dict[str, Any]:
    from django.db import connections

    from equipoise.archive.verify import verify
    from equipoise.audit.guards import guards_differences
    from equipoise.audit.selectors import chain_names, chain_verify
    from equipoise.jobs.models import Job, JobItem
    from trials.models import LateSubmission, Reading, ReadingEvent, Response
    from trials.selectors.files import trial_file_digests

    connections.close_all()

    def is_done() -> bool:
        with contextlib.suppress(Exception):
            return Job.objects.get(pk=job.pk).state == "succeeded"
        connections.close_all()
        return False

    wait(is_done, "the end of the job", 300)
    acknowledged = {key: reading for person in people for key, reading in person.acknowledged.items()}
    late = {key: reading for person in people for key, reading in person.late.items()}
    stored = {str(key) for key in Response.objects.values_list("idempotency_key", flat=True)}
    kept_late = {str(key) for key in LateSubmission.objects.values_list("idempotency_key", flat=True)}
    chains = [chain_verify(name) for name in chain_names()]
    return {
        "faults": faults[:5],
        "hung": hung,
        "struck": struck,
        "skewed_clock": skewed,
        "acknowledged": len(acknowledged),
        "expected": len(people) * READINGS,
        "lost": len(set(acknowledged) - stored),
        "unknown": len(stored - set(acknowledged)),
        "doubled": Response.objects.count() - Response.objects.values("reading").distinct().count(),
        "late": len(late),
        "late_lost": len(set(late) - kept_late),
        "submitted": Reading.objects.filter(state="submitted").count(),
        "without_events": Reading.objects.filter(state="submitted").count()
        - ReadingEvent.objects.filter(kind="submit").values("reading").distinct().count(),
        "job_items": JobItem.objects.filter(job=job, state="succeeded").count(),
        "chain_rows": sum(chain.entries for chain in chains),
        "chain_problems": [problem for chain in chains for problem in chain.problems],
        "guards": guards_differences(),
        "archive_sound": verify(others=trial_file_digests()).sound,
        "retries": sum(person.first.retries + person.second.retries for person in people),
    }


if __name__ == "__main__":
    where, count, blows, *rest = sys.argv[1:]
    print(json.dumps(storm(Path(where), int(count), int(blows), int(rest[0]) if rest else 20261128)))  # noqa: T201
