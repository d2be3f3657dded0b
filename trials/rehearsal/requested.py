"""A rehearsal that was asked for is done, single or repeated; the same for a worker and for the command line."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import datetime

from django.utils import timezone

from equipoise.common.errors import StateConflictError
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.rehearsal_gate import RunOutcome, gate_report
from trials.models import Rehearsal
from trials.rehearsal.gate import alpha_of, gate_expected, gate_runs
from trials.rehearsal.gate_inputs import gate_inputs
from trials.rehearsal.gates.study import GateInputs
from trials.rehearsal.run import Say, rehearse, report_lines
from trials.services.acts import Actor
from trials.services.rehearsal import (
    RehearsalFound,
    rehearsal_runs_keep,
    rehearsal_store,
    seed_chunks,
)


def rehearsal_found(rehearsal: Rehearsal, *, say: Say) -> RehearsalFound:
    """Do a single rehearsal and return what it found; nothing is written."""
    report = rehearse(rehearsal.trial, seed=rehearsal.seed, plan=_plan(rehearsal), say=say)
    return RehearsalFound(
        protocol_sha256=report.protocol_sha256,
        passed=report.passed,
        problems=report.problems,
        report=report.document(),
        lines=tuple(report_lines(report)),
    )


def gate_found(rehearsal: Rehearsal, *, processes: int, say: Say) -> RehearsalFound:
    """Do a repeated rehearsal in so many processes and return what it found; nothing is written."""
    inputs = _inputs(rehearsal)
    chunks = seed_chunks(rehearsal.seed, rehearsal.repeats)
    outcomes: list[RunOutcome] = []
    if processes == 1:
        for number, seeds in enumerate(chunks, start=1):
            outcomes += gate_runs(inputs, seeds)
            say("simulated trials", min(number * len(chunks[0]), rehearsal.repeats), rehearsal.repeats)
    else:
        # A new process knows nothing of this one's database connections.
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            waiting = [pool.submit(gate_runs, inputs, seeds) for seeds in chunks]
            try:
                for number, done in enumerate(as_completed(waiting), start=1):
                    outcomes += done.result()
                    say(
                        "simulated trials", min(number * len(chunks[0]), rehearsal.repeats), rehearsal.repeats
                    )
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return _found(rehearsal, inputs, outcomes, since=rehearsal.created_at)


def gate_part(rehearsal: Rehearsal, seeds: Sequence[int], *, check: Callable[[], None]) -> list[RunOutcome]:
    """Do some runs of a repeated rehearsal."""
    inputs, outcomes = _inputs(rehearsal), []
    for seed in seeds:
        check()
        outcomes += gate_runs(inputs, [seed])
    return outcomes


def gate_part_keep(rehearsal: Rehearsal, outcomes: Sequence[RunOutcome], *, actor: Actor) -> None:
    """Keep some runs; with the last of them, hold the analysis against all. Call it in a transaction."""
    inputs = _inputs(rehearsal)
    sets = 1 if alpha_of(inputs.protocol) is None else 2
    runs = rehearsal_runs_keep(rehearsal.id, [one.row() for one in outcomes], wanted=sets * rehearsal.repeats)
    if runs is not None:
        found = _found(
            rehearsal, inputs, [RunOutcome.of_row(row) for row in runs], since=rehearsal.created_at
        )
        rehearsal_store(rehearsal, found, actor=actor)


def _plan(rehearsal: Rehearsal) -> RehearsalPlan:
    return RehearsalPlan.model_validate(rehearsal.plan)


def _inputs(rehearsal: Rehearsal) -> GateInputs:
    inputs, sha256 = gate_inputs(rehearsal.trial, _plan(rehearsal))
    if sha256 != rehearsal.protocol_sha256:
        raise StateConflictError(
            "The protocol was changed while it was rehearsed. Rehearse the new version.",
            data={"state": rehearsal.trial.state, "allowed": []},
        )
    return inputs


def _found(
    rehearsal: Rehearsal, inputs: GateInputs, outcomes: Sequence[RunOutcome], *, since: datetime
) -> RehearsalFound:
    report = gate_report(
        outcomes,
        gate_expected(inputs),
        protocol_sha256=rehearsal.protocol_sha256,
        repeats=rehearsal.repeats,
        first_seed=rehearsal.seed,
        seconds=(timezone.now() - since).total_seconds(),
    )
    return RehearsalFound(
        protocol_sha256=rehearsal.protocol_sha256,
        passed=report.passed,
        problems=report.problems,
        report=report.document(),
        lines=report.lines,
    )
