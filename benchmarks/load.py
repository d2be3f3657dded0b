"""Many readers at once: how long their calls take, what a site takes at most, and from when SQLite is too small.

    .venv/bin/python benchmarks/load.py [--readers 200] [--every 15] [--seconds 120] [--database postgresql://...]

A site of its own in a temporary folder: the web processes and the frame server that `equipoise serve` starts, on
loopback. Every reader opens a reading, fetches its frames, sends events and a draft while thinking, submits, and goes
on; each has a connection kept alive, as a browser has. Then the same readers submit without thinking (submits per
second). Without ``--database`` the site is on SQLite. Frames per second beside Orthanc's: `benchmarks/frames.py`.

Server, database and generator share the machine: printed are the generator's own share of it, what other processes took
of it, and what its host kept from it (steal), with the load before and during the run. The figures count only while the
generator's share is under 30 %; they say little of the software where others or the host took much.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
SHAPE = (12, 512, 512)
FRAMES = 3
"""Fetched per reading: the slice and its neighbours."""
CASES = 4
SATURATION_ITEMS = 20
"""Left to each reader for submits without thinking; who has read them all stops."""
AIM_P95_MS = 100.0
MAX_GENERATOR_SHARE = 0.3
START_S = 60
NO_CONTENT = 204


def quantile(values: list[float], share: float) -> float:
    """Return a quantile by the nearest rank."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


@dataclass
class Seen:
    """What the readers saw."""

    took_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    submitted: int = 0

    @property
    def calls_ms(self) -> list[float]:
        """Return the times of all API calls, without frames."""
        return [value for kind, values in self.took_ms.items() if kind != "frame" for value in values]


class Browser:
    """One reader's connections."""

    def __init__(self, web: int, frames: int, path: str, cookie: str, csrf: str, seen: Seen) -> None:
        self.web, self.frames, self.path, self.seen = web, frames, path, seen
        self.head = f"Cookie: {cookie}\r\nX-CSRFToken: {csrf}\r\n"
        self.open: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def call(self, kind: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Send one request on a kept connection, once more on a new one if the server had ended it, and time it."""
        port = self.frames if kind == "frame" else self.web
        payload = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{self.head}"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        started = time.perf_counter()
        try:
            answer = await self._send(port, head.encode() + payload)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.open.pop(port, None)
            answer = await self._send(port, head.encode() + payload)
        self.seen.took_ms[kind].append((time.perf_counter() - started) * 1000)
        if answer[0] not in (200, NO_CONTENT):
            self.seen.errors.append(f"{answer[0]} {method} {kind}: {answer[1][:200]!r}")
        return answer

    async def _send(self, port: int, request: bytes) -> tuple[int, bytes]:
        if port not in self.open:
            self.open[port] = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        reader, writer = self.open[port]
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if status == NO_CONTENT:
            return status, b""
        length = int(head.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0])
        return status, await reader.readexactly(length)

    async def reading(self, think_s: float) -> bool:
        """Read one case; False when there is none left, or a call failed."""
        from tests.factories import trials as factory

        status, content = await self.call(
            "open", "POST", f"{self.path}/open", {"environment": factory.ENVIRONMENT}
        )
        if status != 200:
            return False
        shown = json.loads(content)
        here = {"reading": shown["reading"], "lease": shown["lease"]}
        for image in shown["images"]:
            first = image["start_frame"]
            for number in range(max(0, first - 1), max(0, first - 1) + FRAMES):
                await self.call("frame", "GET", f"{image['frames']}{number}")
        events = [asdict(event) for event in factory.events_of(seconds=max(think_s, 1), choice="left")]
        if think_s:
            await asyncio.sleep(think_s / 2)
            await self.call("events", "POST", f"{self.path}/events", {**here, "events": events[:2]})
            await self.call("draft", "PUT", f"{self.path}/draft", {**here, "draft": {"choice": "left"}})
            await asyncio.sleep(think_s / 2)
            events = events[2:]
        answer = {"choice": "left", "reason_code": None, "comment": ""}
        status, content = await self.call(
            "submit",
            "POST",
            f"{self.path}/submit",
            {**here, "key": str(uuid.uuid4()), "answer": answer, "events": events},
        )
        if status != 200:
            return False
        self.seen.submitted += 1
        return bool(json.loads(content)["next"]["step"] == "reading")


async def run(browsers: list[Browser], *, every_s: float, seconds: float) -> float:
    """Let everybody read for so long; return the seconds it took. Readers begin spread over one interval."""
    end = time.perf_counter() + seconds
    moments = random.Random(20261128)

    async def read(browser: Browser) -> None:
        await asyncio.sleep(moments.uniform(0, every_s))
        while time.perf_counter() < end:
            began = time.perf_counter()
            if not await browser.reading(moments.uniform(0.6, 1.0) * every_s):
                return
            await asyncio.sleep(max(0.0, every_s - (time.perf_counter() - began)))

    started = time.perf_counter()
    await asyncio.gather(*(read(browser) for browser in browsers))
    return time.perf_counter() - started


def make_world(readers: int, items: int):
    """Build an open trial with so many readers; return it and their accounts."""
    from tests.factories import trials as factory

    factory.SHAPE = SHAPE
    per_case = -(-items // CASES)
    world = factory.open_world(
        cases=CASES,
        practice=0,
        **{
            "items.selection.count": items,
            "items.selection.max_per_case_and_expert": per_case,
            "items.selection.min_distance_mm": 3,
            "allocation.min_case_distance": 1,
            "allocation.strata": [{"key": "all", "label": "All", "participants": readers}],
            "allocation.reserve_percent": 0,
            "allocation.hidden_repeats": {"count": 0},
            "allocation.blinding_check.pairs": 0,
            "practice.count": 0,
            "sessions.break_after_readings": None,
            "tasks.0.display.scroll": {"mode": "range", "slices": 1},
        },
    )
    return world, [factory.account_of(world.enrol()) for _ in range(readers)]


def session_of(account) -> tuple[str, str]:
    """Begin a session as signing in does, without its password; return the cookies and the CSRF token."""
    from django.conf import settings
    from django.middleware.csrf import _get_new_csrf_string, _mask_cipher_secret
    from django.test import Client

    client = Client()
    client.force_login(account)
    secret = _get_new_csrf_string()
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={secret}"
    return cookie, _mask_cipher_secret(secret)


def processor_seconds(groups: list[int]) -> float:
    """Return the processor time of all processes of these sessions."""
    return sum(spent for _, session, spent in _processes() if session in groups)


@dataclass
class Machine:
    """Processor seconds of the whole machine since it was started, by its kernel."""

    busy_s: float
    steal_s: float
    """What this machine asked for and its host gave to others."""

    @classmethod
    def now(cls) -> "Machine":
        """Read the kernel's count over all cores."""
        ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, _idle, _waiting, interrupt, soft_interrupt, steal = ticks
        busy = user + nice + system + interrupt + soft_interrupt
        hertz = os.sysconf("SC_CLK_TCK")
        return cls(busy_s=busy / hertz, steal_s=steal / hertz)


@dataclass
class Spent:
    """Processor seconds so far of everybody who works on this machine."""

    own_s: float
    server_s: float
    database_s: float
    machine: Machine

    @classmethod
    def now(cls, servers: list[int]) -> "Spent":
        """Count; the servers are named by their sessions."""
        return cls(time.process_time(), processor_seconds(servers), database_seconds(), Machine.now())

    def since(self, before: "Spent") -> "Spent":
        """Return what was spent between two counts."""
        machine = Machine(
            self.machine.busy_s - before.machine.busy_s, self.machine.steal_s - before.machine.steal_s
        )
        return Spent(
            self.own_s - before.own_s,
            self.server_s - before.server_s,
            self.database_s - before.database_s,
            machine,
        )

    @property
    def others_s(self) -> float:
        """Return what processes took that have nothing to do with the measurement."""
        return max(0.0, self.machine.busy_s - self.own_s - self.server_s - self.database_s)


def database_seconds() -> float:
    """Return the processor time of PostgreSQL's processes that serve this site, if they are on this machine."""
    name = urlsplit(os.environ.get("EQUIPOISE_DATABASE_URL", "")).path[1:]
    return sum(spent for title, _, spent in _processes() if name and f" {name} " in title)


def _processes() -> Iterator[tuple[str, int, float]]:
    """Yield command line, session and processor seconds of every process."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            title = (process / "cmdline").read_bytes().decode(errors="replace")
            yield title, int(fields[3]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def servers(folder: Path, workers: int, threads: int, web: int, frames: int) -> Iterator[list[int]]:
    """Start web and frame server as the supervisor does, and wait for both."""
    import httpx

    from equipoise.config.supervisor import frames_child, web_child

    children = [
        web_child(host="127.0.0.1", port=web, threads=threads, workers=workers),
        frames_child(host="127.0.0.1", port=frames),
    ]
    with (folder / "servers.log").open("wb") as log:
        processes = [
            subprocess.Popen(child.command, stdout=log, stderr=log, start_new_session=True)
            for child in children
        ]
        try:
            deadline = time.monotonic() + START_S
            for port in (web, frames):
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        if httpx.get(f"http://localhost:{port}/readyz", timeout=5).status_code == 200:
                            break
                    if time.monotonic() > deadline:
                        raise RuntimeError((folder / "servers.log").read_text()[-3000:])
                    time.sleep(0.2)
            yield [process.pid for process in processes]
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=30)


def report(title: str, seen: Seen, wall_s: float, spent: Spent) -> bool:
    """Print what was seen; True if it counts."""
    cores = len(os.sched_getaffinity(0))
    share = spent.own_s / wall_s / cores
    calls = seen.calls_ms
    print(
        f"\n{title}: {wall_s:.0f} s, {seen.submitted} submits, {len(calls)} calls, {len(seen.errors)} errors"
    )
    for kind in ("open", "events", "draft", "submit", "frame"):
        if values := seen.took_ms.get(kind):
            print(
                f"  {kind:7} n {len(values):6}  median {quantile(values, 0.5):7.1f} ms  "
                f"p95 {quantile(values, 0.95):7.1f} ms  p99 {quantile(values, 0.99):7.1f} ms"
            )
    print(
        f"  API     n {len(calls):6}  median {quantile(calls, 0.5):7.1f} ms  p95 {quantile(calls, 0.95):7.1f} ms   "
        f"{seen.submitted / wall_s:.1f} submits/s, {len(seen.took_ms['frame']) / wall_s:.1f} frames/s"
    )
    print(
        f"  processor: servers {spent.server_s / wall_s:.2f} cores, "
        f"{1e3 * spent.server_s / max(seen.submitted, 1):.0f} ms each; "
        f"database {1e3 * spent.database_s / max(seen.submitted, 1):.0f} ms each"
    )
    print(
        f"  machine of {cores} cores: generator {share:.1%}, others {spent.others_s / wall_s / cores:.0%}, "
        f"steal {spent.machine.steal_s / wall_s / cores:.1%}; load {os.getloadavg()[0]:.1f}"
    )
    for error in seen.errors[:5]:
        print(f"  {error}")
    sys.stdout.flush()
    return share < MAX_GENERATOR_SHARE


def measure(folder: Path, options: argparse.Namespace) -> int:
    """Build the site, let people read, and print; 1 if an aim is missed, 2 if the figures do not count."""
    from tests.faults.real_server import free_port

    items = int(options.seconds / options.every) + SATURATION_ITEMS
    print(
        f"load before: {os.getloadavg()[0]:.1f}; {options.readers} readers, a case every {options.every:g} s"
    )
    world, accounts = make_world(options.readers, min(items, 40))
    sessions = [session_of(account) for account in accounts]
    path = f"/api/v1/reader/{world.trial.slug}/current"
    web, frames = free_port(), free_port()
    with servers(folder, options.workers, options.threads, web, frames) as pids:
        outcomes = []
        for title, every_s, seconds, count in (
            ("reading", options.every, options.seconds, options.readers),
            ("submits without thinking", 0.0, options.saturation, min(options.readers, 16)),
        ):
            seen = Seen()
            browsers = [Browser(web, frames, path, *session, seen) for session in sessions[:count]]
            before = Spent.now(pids)
            wall_s = asyncio.run(run(browsers, every_s=every_s, seconds=seconds))
            counts = report(title, seen, wall_s, Spent.now(pids).since(before))
            outcomes.append((seen, counts))
    from trials.models import Response

    acknowledged = sum(seen.submitted for seen, _ in outcomes)
    stored = Response.objects.count()
    print(f"\nacknowledged {acknowledged}, stored {stored}")
    seen, counts = outcomes[0]
    if not counts:
        return 2
    return int(bool(seen.errors) or quantile(seen.calls_ms, 0.95) >= AIM_P95_MS or stored != acknowledged)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--every", type=float, default=15.0, help="seconds from case to case")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--saturation", type=float, default=10.0, help="seconds of submits without thinking")
    parser.add_argument("--workers", type=int, default=2, help="web processes (1 on SQLite)")
    parser.add_argument("--threads", type=int, default=8, help="threads of each web process")
    parser.add_argument("--database", default="", help="postgresql://... of a role that may create databases")
    options = parser.parse_args()
    if not options.database:
        options.workers = 1
    with tempfile.TemporaryDirectory(prefix="equipoise-load-") as folder, contextlib.ExitStack() as stack:
        if options.database:
            from tests.databases import postgresql_database

            os.environ["EQUIPOISE_DATABASE_URL"] = stack.enter_context(
                postgresql_database(options.database, "load")
            )
        os.environ |= {
            "EQUIPOISE_DATA_DIR": folder,
            "EQUIPOISE_LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "equipoise.config.settings.production",
        }
        from equipoise.config.start import database_prepare, django_start

        django_start()
        database_prepare()
        from django.conf import settings
        from django.db import connection

        settings.PASSWORD_HASHERS = [
            "django.contrib.auth.hashers.MD5PasswordHasher"
        ]  # for the accounts made here
        try:
            return measure(Path(folder), options)
        finally:
            connection.close()


if __name__ == "__main__":
    sys.exit(main())
