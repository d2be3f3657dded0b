"""Periodic work: one loop in every worker, of which one at a time holds the lease. No scheduler beside it."""

import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings
from django.db import connections
from django.db.models import Q
from django.utils import timezone

from equipoise.jobs import claims, services
from equipoise.jobs.models import JobItem, JobItemState, JobState, Lease

logger = logging.getLogger("equipoise.jobs.tick")

LEASE_NAME = "tick"


@dataclass(frozen=True)
class Periodic:
    """Something done every so often, by whichever worker holds the lease."""

    name: str
    every_s: float
    run: Callable[[], object]


_PERIODIC: dict[str, Periodic] = {}


def register_periodic(name: str, every_s: float, run: Callable[[], object]) -> None:
    """Have ``run`` called about every ``every_s`` seconds. It must be short and harmless to repeat."""
    _PERIODIC[name] = Periodic(name=name, every_s=every_s, run=run)


def lease_take(name: str, *, holder: str, seconds: float, now: datetime | None = None) -> bool:
    """Take or renew a named lease by one conditional UPDATE; False if somebody else holds it."""
    moment = now or timezone.now()
    Lease.objects.get_or_create(name=name)
    free = Q(until__isnull=True) | Q(until__lt=moment) | Q(holder=holder)
    return bool(
        Lease.objects.filter(free, name=name).update(holder=holder, until=moment + timedelta(seconds=seconds))
    )


def tick(holder: str) -> bool:
    """Do what is due, if this worker holds the lease; return whether it did."""
    if not lease_take(LEASE_NAME, holder=holder, seconds=2 * settings.JOB_TICK_S):
        return False
    _do("jobs.sweep", sweep)
    for periodic in list(_PERIODIC.values()):
        if _is_due(periodic):
            _do(periodic.name, periodic.run)
    return True


def sweep() -> None:
    """Ring for items without a live lease, and end items of cancelled jobs that do not listen."""
    now = timezone.now()
    for item in _deaf_items(now):
        if claims.item_end_deaf(item) and item.task_id:
            current_app.control.revoke(item.task_id, terminate=True, signal="SIGKILL")
    for job in services.jobs_needing_a_bell(now):
        services.ring(job)


def _deaf_items(now: datetime) -> list[JobItem]:
    asked_before = now - timedelta(seconds=settings.JOB_TERMINATE_AFTER_S)
    return list(
        JobItem.objects.filter(state=JobItemState.RUNNING, job__state=JobState.CANCELLING).filter(
            Q(lease_until__lt=now) | Q(job__cancel_requested_at__lt=asked_before)
        )
    )


def _is_due(periodic: Periodic) -> bool:
    """Take the period's own lease: it lasts as long as the period, so the work is due when it can be taken."""
    moment = timezone.now()
    return lease_take(
        f"periodic:{periodic.name}", holder=f"run-{moment.timestamp()}", seconds=periodic.every_s
    )


def _do(name: str, run: Callable[[], object]) -> None:
    try:
        run()
    except Exception:  # one kind of periodic work must not stop the others; it is tried again next time
        logger.exception("Periodic work failed.", extra={"periodic": name})


class TickLoop:
    """The loop as a thread of the worker's parent process.

    No database connection is open while the process forks a pool child (an SQLite connection must not cross a
    fork): every tick closes its own, and a fork waits for the tick.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._thread = threading.Thread(target=self._loop, name="tick", daemon=True)
        os.register_at_fork(
            before=self._busy.acquire, after_in_parent=self._busy.release, after_in_child=self._busy.release
        )

    def start(self) -> None:
        """Start ticking; the first tick is at once, since a restart is when items wait."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the tick under way."""
        self._stop.set()
        self._thread.join(timeout=settings.JOB_TICK_S)

    def _loop(self) -> None:
        while not self._stop.is_set():
            with self._busy:
                _do(LEASE_NAME, lambda: tick(self._holder))
                connections.close_all()
            self._stop.wait(settings.JOB_TICK_S)
