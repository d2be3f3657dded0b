"""What a worker process does beside Celery's own: run the tick loop, take no personal data into its logs."""

from typing import Any

from celery.signals import setup_logging, worker_ready, worker_shutting_down

from equipoise.jobs.tick import TickLoop

_loops: list[TickLoop] = []


def start_ticking(**_: Any) -> None:
    """Start the loop once the worker listens."""
    loop = TickLoop()
    _loops.append(loop)
    loop.start()


def stop_ticking(**_: Any) -> None:
    """End the loop with the worker."""
    while _loops:
        _loops.pop().stop()


def keep_logging(**_: Any) -> None:
    """Leave logging as Django's settings have set it."""


worker_ready.connect(start_ticking, weak=False, dispatch_uid="equipoise.jobs.tick_start")
worker_shutting_down.connect(stop_ticking, weak=False, dispatch_uid="equipoise.jobs.tick_stop")
setup_logging.connect(keep_logging, weak=False, dispatch_uid="equipoise.jobs.logging")
