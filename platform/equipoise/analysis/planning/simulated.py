"""Power as the share of simulated trials in which the planned analysis rejects its null hypothesis."""

import math
import multiprocessing
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.simulation.streams import stream

Progress = Callable[[int, int], None]
"""Is told how many replicates are done, of how many."""

CHUNK = 4
"""Replicates that a worker process takes at a time: small, so that stopping is quick."""


class Study(Protocol):
    """One simulated trial with its planned analysis; must be picklable where several processes run it."""

    def __call__(self, rng: np.random.Generator) -> bool | None:
        """Draw a trial, analyse it, and say whether the test rejects; ``None`` where there is no test."""
        ...


@dataclass(frozen=True)
class SimulatedPower:
    """A simulated power.

    Attributes
    ----------
    power : float
        Share of replicates whose test rejects; one without a test counts as not rejecting.
    monte_carlo_error : float
        Standard error of the share.
    n_replicates, n_undefined : int
        All replicates, and those without a test.
    seed : int
    """

    power: float
    monte_carlo_error: float
    n_replicates: int
    n_undefined: int
    seed: int


def simulate_power(
    study: Study,
    *,
    n_replicates: int,
    seed: int,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> SimulatedPower:
    """Simulate a planned trial many times.

    Parameters
    ----------
    study : Study
    n_replicates : int
        At least 2.
    seed : int
        Not negative. Replicate i is drawn from the stream (seed, i), so the result does not depend on
        ``n_workers``.
    n_workers : int, default 1
        Processes; 1 stays in this one.
    progress : function of (done, of how many), optional

    Returns
    -------
    SimulatedPower

    Raises
    ------
    ValueError
        If a number is too small.

    Notes
    -----
    The Monte-Carlo error is sqrt(p (1 - p) / n), with p at least one replicate away from 0 and 1, so that a
    share of 0 or 1 is not printed as certain.

    Examples
    --------
    >>> found = simulate_power(lambda rng: bool(rng.random() < 0.8), n_replicates=400, seed=1)
    >>> round(found.power, 3), round(found.monte_carlo_error, 3)
    (0.8, 0.02)
    """
    for name, value, least in (
        ("n_replicates", n_replicates, 2),
        ("seed", seed, 0),
        ("n_workers", n_workers, 1),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}.")
    starts = range(0, n_replicates, CHUNK)
    chunks = [(study, seed, start, min(start + CHUNK, n_replicates)) for start in starts]
    done = rejected = undefined = 0
    for n, n_rejected, n_undefined in _run(chunks, n_workers):
        done, rejected, undefined = done + n, rejected + n_rejected, undefined + n_undefined
        if progress is not None:
            progress(done, n_replicates)
    share = rejected / n_replicates
    kept_away = min(max(share, 1.0 / n_replicates), 1.0 - 1.0 / n_replicates)
    error = math.sqrt(kept_away * (1.0 - kept_away) / n_replicates)
    return SimulatedPower(share, error, n_replicates, undefined, seed)


Chunk = tuple[Study, int, int, int]
Counts = tuple[int, int, int]


def _run(chunks: list[Chunk], n_workers: int) -> Iterator[Counts]:
    if n_workers == 1:
        yield from map(_count, chunks)
        return
    # spawn: a forked copy of a process with threads (BLAS, a test runner) may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_workers, mp_context=context, initializer=_leave_interrupts_to_parent)
    try:
        with _interrupts_held_back():
            waiting = [pool.submit(_count, chunk) for chunk in chunks]
        for finished in as_completed(waiting):
            yield finished.result()
    finally:
        # Not `with pool`: leaving that would wait for every chunk that is still queued.
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let processes that start meanwhile inherit that Ctrl-C is not theirs: a terminal sends it to all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _count(chunk: Chunk) -> Counts:
    study, seed, start, stop = chunk
    rejected = undefined = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # counted as undefined
        for replicate in range(start, stop):
            verdict = study(stream(seed, replicate))
            rejected += verdict is True
            undefined += verdict is None
    return stop - start, rejected, undefined
