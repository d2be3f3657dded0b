"""Many readers read while everything fails: run by the test in a process of its own, on a cluster of its own.

    python -m tests.faults.storm FOLDER READERS ITEMS STRIKES [SEED]

Two web servers, one of them on a machine whose clock is ninety minutes ahead (where faketime is installed), a worker,
PostgreSQL and Redis are started, and killed with SIGKILL in turn at random moments. The first reader's own clock is
three hours behind. Every fifth reading or so is opened on a second machine as well, and that machine and two tabs of
the first send their answers at once; of every tenth submit the connection is reset in the middle of the answer. Prints
what was found as JSON.
"""

import atexit
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import struct
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
JOB_ITEMS = 40
SECOND_MACHINE, CUT = 0.2, 0.1
AHEAD = "+90m"
BEHIND_MS = 3 * 3_600_000.0
PAUSES_S = (0.1, 2.0)
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
    """A reader with an outbox, two tabs and, now and then, a second machine."""

    def __init__(self, urls: Sequence[str], participant: Any, seed: int, *, behind_ms: float = 0.0) -> None:
        from tests.faults.test_server_killed import Browser

        self.moments, self.behind_ms = random.Random(seed), behind_ms
        self.first, self.second = (Browser(url, participant) for url in self.moments.sample(urls, len(urls)))
        self.acknowledged: dict[str, str] = {}
        self.late: dict[str, str] = {}
        self.refused: list[tuple[int, str]] = []
        self.at_once = self.cut = 0
        browsers: list[Any] = [self.first, self.second]
        for browser in browsers:
            browser.rest = self.rest
            browser.client.timeout = 60
            browser.client.event_hooks = {"response": [self.note]}

    def rest(self) -> None:
        """Wait before the next try, as long as a browser might."""
        time.sleep(self.moments.uniform(*PAUSES_S))

    def note(self, response: Any) -> None:
        """Keep what was refused, and in which words."""
        if response.status_code >= 400:
            response.read()
            self.refused.append((response.status_code, response.text))

    def read(self) -> None:
        """Read everything there is to read."""
        self.first.sign_in()
        while True:
            opened = self.first.call("POST", f"{self.first.path}/open", {"environment": {}})
            if opened.status_code != 200:
                return
            mine, sends = self.body(opened.json(), "left"), [self.first]
            bodies = [mine]
            if self.moments.random() < SECOND_MACHINE:
                if not self.second.csrf:
                    self.second.sign_in()
                again = self.second.call("POST", f"{self.second.path}/open", {"environment": {}})
                if again.status_code == 200 and again.json()["reading"] == mine["reading"]:
                    sends += [self.first, self.second]
                    bodies += [mine, self.body(again.json(), "right")]
                    self.at_once += 1
            elif self.moments.random() < CUT:
                self.cut += self.submit_and_cut(mine)
            submits = [
                threading.Thread(target=self.submit, args=pair) for pair in zip(sends, bodies, strict=True)
            ]
            for one in submits:
                one.start()
            for one in submits:
                one.join()

    def body(self, shown: Mapping[str, Any], choice: str) -> dict[str, Any]:
        """Return an answer under a key of its own, as the outbox keeps it."""
        from tests.factories import trials as factory

        events = [event.__dict__ for event in factory.events_of(seconds=2, choice=choice)]
        for event in events:
            event["wall_ms"] -= self.behind_ms
        return {
            "reading": shown["reading"],
            "lease": shown["lease"],
            "key": str(uuid.uuid4()),
            "answer": {"choice": choice, "reason_code": None, "comment": ""},
            "events": events,
        }

    def submit(self, browser: Any, body: Mapping[str, Any]) -> None:
        """Send one answer until it is acknowledged, under the same key."""
        answer = browser.call("POST", f"{browser.path}/submit", body)
        if answer.status_code != 200:
            self.unanswered = f"{answer.status_code} {answer.text}"
            return
        (self.late if answer.json()["late"] else self.acknowledged)[body["key"]] = body["reading"]

    unanswered = ""

    def submit_and_cut(self, body: Mapping[str, Any]) -> bool:
        """Send an answer, and reset the connection when the first bytes of the acknowledgement are there."""
        client, path = self.first.client, f"{self.first.path}/submit"
        request = client.build_request("POST", path, json=body, headers={"X-CSRFToken": self.first.csrf})
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        target = request.url.raw_path.decode()
        sent = f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + request.content
        with contextlib.suppress(OSError):
            address = (request.url.host, request.url.port)
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(sent)
                begun = connection.recv(12)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return begun == b"HTTP/1.1 200"
        return False


def storm(folder: Path, readers: int, items: int, strikes: int, seed: int) -> dict[str, Any]:
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
        return _storm(folder, running, webs, readers, items, strikes, moments, own)
    finally:
        for process in reversed(running.values()):
            process.kill()


def _storm(
    folder: Path,
    running: dict[str, Process],
    ports: Sequence[int],
    readers: int,
    items: int,
    strikes: int,
    moments: random.Random,
    own: dict[str, str],
) -> dict[str, Any]:
    from equipoise.jobs.services import job_create
    from tests.factories import trials as factory
    from tests.jobs import handlers  # noqa: F401 - importing registers them
    from tests.jobs.real_worker import _START

    more = int(items > 1)
    practice = 1
    world = factory.open_world(
        cases=items,
        **{
            "items.selection.count": items,
            "allocation.strata": [{"key": "all", "label": "All", "participants": readers}],
            "allocation.reserve_percent": 0,
            "allocation.hidden_repeats": {"count": more, "min_distance": 1},
            "allocation.blinding_check.pairs": more,
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
        Reader(
            [f"http://127.0.0.1:{port}" for port in ports],
            participant,
            moments.getrandbits(32),
            behind_ms=0.0 if number else BEHIND_MS,
        )
        for number, participant in enumerate(participants)
    ]
    faults: list[str] = []

    def run(person: Reader) -> None:
        try:
            person.read()
        except BaseException as error:
            faults.append(repr(error))
        if person.unanswered:
            faults.append(person.unanswered)

    started = time.monotonic()
    threads = [threading.Thread(target=run, args=(person,), daemon=True) for person in people]
    for thread in threads:
        thread.start()
    struck = _strike(running, threads, strikes, moments)
    took = {"read_s": round(time.monotonic() - started), "skewed_clock": bool(skewed)}
    hung = any(thread.is_alive() for thread in threads)
    return took | _found(world, people, job, faults, struck, hung, readers * (practice + items + 2 * more))


def _strike(
    running: dict[str, Process], threads: Sequence[threading.Thread], strikes: int, moments: random.Random
) -> dict[str, int]:
    """Kill them in turn while people read, and start again whatever does not run, as a supervisor would.

    Every strike is struck, also where the machine is so fast that all has been read before the last.
    """
    struck: dict[str, int] = {}
    turn: list[str] = []
    deadline, next_at = time.monotonic() + LASTS_AT_MOST_S, 0.0
    while time.monotonic() < deadline:
        if sum(struck.values()) >= strikes and not any(thread.is_alive() for thread in threads):
            break
        if sum(struck.values()) < strikes and time.monotonic() >= next_at:
            turn = turn or moments.sample(sorted(running), len(running))
            name = turn.pop()
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
    hung: bool,
    expected: int,
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
    refused = [one for person in people for one in person.refused]
    return {
        "faults": faults[:5],
        "hung": hung,
        "struck": struck,
        "acknowledged": len(acknowledged),
        "expected": expected,
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
        "submitted_at_once": sum(person.at_once for person in people),
        "cut_in_the_answer": sum(person.cut for person in people),
        "refused": {status: sum(1 for one, _ in refused if one == status) for status, _ in refused},
        "speechless": [text for _, text in refused if not _has_sentence(text)][:5],
        "retries": sum(person.first.retries + person.second.retries for person in people),
    }


def _has_sentence(text: str) -> bool:
    """Whether a refusal says in words why."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        detail = json.loads(text)["detail"]
        return " " in detail and detail[-1] in ".?!"
    return False


if __name__ == "__main__":
    where, *numbers = sys.argv[1:]
    readers, items, strikes, *seed = map(int, numbers)
    print(json.dumps(storm(Path(where), readers, items, strikes, *(seed or [20261128]))))  # noqa: T201
