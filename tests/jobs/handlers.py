"""Handlers of the test suite's jobs; also imported by the real workers that tests start."""

import os
import time
from pathlib import Path

from django.db import OperationalError

from equipoise.common.errors import ErrorCode, ValidationFailedError
from equipoise.jobs.models import Lease
from equipoise.jobs.registry import Outcome, RetryLaterError, job_handler


def take_effect(name: str) -> None:
    """Write a row that can be written once: a second effect breaks on the primary key."""
    Lease.objects.create(name=name)


@job_handler("tests.effect", max_attempts=20)
def effect(payload, context):
    """Sleep, then take effect once; each start leaves a line in the payload's log, if it names one."""
    if "log" in payload:
        with Path(payload["log"]).open("a") as log:
            log.write(f"{context.item_key} {os.getpid()}\n")
    deadline = time.monotonic() + payload.get("sleep_s", 0)
    while time.monotonic() < deadline:
        time.sleep(0.02)
        context.check_cancelled()
    name = f"{context.job_id}:{context.item_key}"
    return Outcome(result={"key": context.item_key}, effect=lambda: take_effect(name))


@job_handler("tests.refused")
def refused(payload, context):
    """Refuse odd numbers."""
    if payload["number"] % 2:
        raise ValidationFailedError(f"{payload['number']} is odd.", data={"number": payload["number"]})
    return {"half": payload["number"] // 2}


@job_handler("tests.broken")
def broken(payload, context):
    """Fail in a way nobody foresaw."""
    return {"never": 1 / 0}


@job_handler("tests.broken_effect")
def broken_effect(payload, context):
    """Compute well, then fail while writing."""

    def write() -> None:
        take_effect(f"{context.job_id}:half-written")
        raise ValidationFailedError("The case was removed meanwhile.")

    return Outcome(result={"x": 1}, effect=write)


def noted(payload, detail):
    """Leave a row for an item that never ended."""
    take_effect(f"exhausted:{payload['name']}")


@job_handler("tests.noted_failure", exhausted=noted)
def noted_failure(payload, context):
    """Fail for a reason that is worth a row of its own, which itself may be refused."""

    def write() -> None:
        take_effect(f"{context.job_id}:failure")
        if payload.get("refused"):
            raise ValidationFailedError("The trial was closed meanwhile.")

    return Outcome(
        effect=write,
        refusal=ValidationFailedError("No lungs were found.", data={"failure": "input"}),
        discard=lambda: take_effect(f"{context.job_id}:discarded"),
    )


@job_handler("tests.flaky", max_attempts=3)
def flaky(payload, context):
    """Fail for a passing reason until the attempt that the payload names."""
    if context.attempt < payload["good_attempt"]:
        raise RetryLaterError("The disk is full for a moment.")
    return {"attempt": context.attempt}


@job_handler("tests.away", max_attempts=3)
def away(payload, context):
    """Lose the database, in the work or in its effect, until the second attempt; note what was discarded."""

    def lose(where):
        if payload["where"] == where and context.attempt < 2:
            raise OperationalError("the connection is lost")

    def write():
        take_effect(f"{context.job_id}:effect")
        lose("effect")

    lose("work")
    return Outcome(effect=write, discard=lambda: take_effect(f"{context.job_id}:discarded"))


@job_handler("tests.progress")
def progress(payload, context):
    """Say how far it is."""
    for done in range(payload["steps"]):
        context.check_cancelled()
        context.progress(done + 1, payload["steps"], "tests.stepping")
    return {}


@job_handler("tests.deaf")
def deaf(payload, context):
    """Sleep for an hour and never look."""
    time.sleep(3600)
    return {}


@job_handler("tests.queue", queue="inference")
def on_inference(payload, context):
    """Belong to another queue."""
    return {"code": ErrorCode.JOB_FAILED.value}
