"""How a large trial is locked, analysed and bundled: seconds, processor seconds and memory of each step.

    .venv/bin/python benchmarks/large_trial.py [--readers 50] [--cases 1000] [--folder DIR]

A site of its own (SQLite, production settings) with bone scans read in two conditions, each reading with its events and
its entry in the audit trail. The readings are simulated and written past the reader's door, which `reading.py`
measures; every measured step runs in a process of its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
SETTINGS = "equipoise.config.settings.production"
SLUG = "large"
SEED = 20260101
EVENTS = ("first_paint", "decision", "rating", "submit")
AIM_LOCK_S, AIM_ANALYSIS_AND_BUNDLE_S, AIM_MEMORY_MB = 30.0, 120.0, 2048.0
STEPS = ("lock", "enrol", "close", "mrmc", "bundle")
_MIB = 1024


def site_start(folder: str) -> None:
    """Start Django on the site of the folder."""
    os.environ |= {"EQUIPOISE_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": SETTINGS}
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()


def world_make(readers: int, cases: int) -> None:
    """Make a draft trial of so many cases, half of them diseased."""
    from tests.factories.bone_scans import bone_scan_world

    bone_scan_world(
        slug=SLUG,
        cases=cases,
        practice=0,
        shape=(2, 16, 8),
        **{
            "allocation.strata": [{"key": "all", "label": "All readers", "participants": readers}],
            "allocation.min_case_distance": 5,
        },
    )


def world_of():
    """Return the trial and its people."""
    from equipoise.common.permissions import Role
    from tests.factories.bone_scans import BoneScanWorld
    from trials.models import Membership, Trial

    trial = Trial.objects.get(slug=SLUG)
    people = {
        one.role: one.account for one in Membership.objects.filter(trial=trial).select_related("account")
    }
    return BoneScanWorld(
        trial=trial,
        administrator=people[Role.ADMINISTRATOR],
        statistician=people[Role.UNBLINDED_STATISTICIAN],
    )


def lock() -> None:
    """Take the trial through protocol lock: allocation, rows, balance."""
    from trials.domain.states import TrialAction

    world_of().act(TrialAction.LOCK)


def enrol() -> None:
    """Open the trial and let every reader take a slot."""
    from tests.factories.accounts import AccountFactory
    from trials.domain.states import TrialAction

    world = world_of()
    world.act(TrialAction.OPEN)
    AccountFactory.reset_sequence(1000)  # those before are from another process
    for _ in range(sum(stratum["participants"] for stratum in _strata(world.trial))):
        world.enrol()


def _strata(trial):
    from trials.selectors.protocol import protocol_locked

    return protocol_locked(trial).document["allocation"]["strata"]


def readings_fill() -> None:
    """Answer every reading as simulated readers would, past the reader's door."""
    import numpy as np
    from django.db import transaction
    from django.utils import timezone

    from equipoise.audit.guards import guards_lifted
    from equipoise.simulation import StudyReadings, simulated_scores
    from equipoise.simulation.roe_metz import RoeMetzModel
    from trials.models import Reading

    readings = list(
        Reading.objects.select_related("participant", "item__case").order_by("participant", "position")
    )
    readers = {code: n for n, code in enumerate(sorted({one.participant.code for one in readings}))}
    cases = {code: n for n, code in enumerate(sorted({one.item.case.code for one in readings}))}
    conditions = {"unaided": 0, "aided": 1}
    truth = np.array(
        [int(code[2:]) % 2 == 0 for code in cases], dtype=np.intp
    )  # every other case is diseased
    rng = np.random.default_rng(SEED)
    scores = simulated_scores(
        RoeMetzModel.with_aucs((0.80, 0.84)),
        StudyReadings(
            readers=np.array([readers[one.participant.code] for one in readings]),
            items=np.array([cases[one.item.case.code] for one in readings]),
            case_of_item=np.arange(len(cases)),
            conditions=np.array([conditions[one.condition] for one in readings]),
            b_left=np.zeros(len(readings), dtype=bool),
        ),
        truth,
        rng,
    )
    begun = timezone.now() - timedelta(days=60)
    with guards_lifted():
        for start in range(0, len(readings), 2000):
            with transaction.atomic():
                _answer(readings[start : start + 2000], scores[start : start + 2000], begun, rng)


def _answer(readings, scores, begun, rng) -> None:
    from equipoise.audit.kinds import AuditKind
    from tests.factories.bone_scans import rated
    from trials.models import Reading, ReadingEvent, Response
    from trials.services.acts import Actor, record

    responses, events = [], []
    for reading, score in zip(readings, scores.tolist(), strict=True):
        seconds = float(rng.lognormal(2.5, 0.4))
        at = begun + timedelta(seconds=30 * reading.position, days=30 * (reading.period - 1))
        reading.state, reading.first_opened_at, reading.submitted_at, reading.lease = "submitted", at, at, 1
        timing = dict.fromkeys(
            ("decision_s", "wall_s", "visible_s", "active_s", "active_30_s", "active_120_s", "comment_s"),
            seconds,
        )
        responses.append(
            Response(
                reading=reading,
                answer=rated(int(score >= 0.5), round(100 * score)),
                timing=timing,
                events_sha256="0" * 64,
                idempotency_key=uuid.uuid4(),
                body_sha256="0" * 64,
                lease=1,
                submitted_at=at,
            )
        )
        events += [
            ReadingEvent(
                reading=reading,
                lease=1,
                sequence=n,
                kind=kind,
                clock_id="c",
                t_ms=1000.0 * n,
                wall_ms=at.timestamp() * 1000 + n,
                received_at=at,
            )
            for n, kind in enumerate(EVENTS)
        ]
    Reading.objects.bulk_update(
        readings, ["state", "first_opened_at", "submitted_at", "lease"], batch_size=200
    )
    Response.objects.bulk_create(responses, batch_size=500)
    ReadingEvent.objects.bulk_create(events, batch_size=500)
    trial = readings[0].participant.trial
    for reading in readings:
        record(
            trial, AuditKind.READING_SUBMITTED, actor=Actor(account_id=None), subject=f"reading:{reading.id}"
        )


def close() -> None:
    """Close, lock the data (the hash of every row) and unblind."""
    from trials.domain.states import TrialAction

    world = world_of()
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)


def mrmc() -> None:
    """Run the planned multi-reader analysis with its figures."""
    from django.utils import timezone

    from trials.models import Analysis
    from trials.services.analysis import analysis_compute, analysis_store

    analysis = Analysis.objects.create(
        trial=world_of().trial, name="mrmc", exploratory=False, created_at=timezone.now()
    )
    analysis_store(analysis.id, analysis_compute(analysis))


def bundle() -> None:
    """Make the bundle: tables, events, audit trail, every planned analysis, report."""
    from trials.reports.bundle import bundle_make

    bundle_make(world_of().trial).keep()


def step_run(folder: str, step: str) -> None:
    """Run one step on the site and print what it took."""
    site_start(folder)
    before_s, started_s = _processor_s(), time.perf_counter()
    {"lock": lock, "enrol": enrol, "close": close, "mrmc": mrmc, "bundle": bundle}[step]()
    print(
        json.dumps(
            {
                "wall_s": time.perf_counter() - started_s,
                "processor_s": _processor_s() - before_s,
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB,
            }
        )
    )


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Measure and print; 1 if an aim is missed."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--readers", type=int, default=50)
    arguments.add_argument("--cases", type=int, default=1000)
    arguments.add_argument("--folder", help="keep the site here, and go on with one that is there")
    arguments.add_argument("--step", choices=(*STEPS, "make", "fill"), help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.step in STEPS:
        step_run(options.folder, options.step)
        return 0
    if options.step == "make":
        site_start(options.folder)
        world_make(options.readers, options.cases)
        return 0
    if options.step == "fill":
        site_start(options.folder)
        readings_fill()
        return 0
    with tempfile.TemporaryDirectory(prefix="equipoise-benchmark-") as folder:
        return measure(options.folder or folder, options.readers, options.cases)


def measure(folder: str, readers: int, cases: int) -> int:
    """Go through the trial's life; print each step and whether the aims are kept."""

    def run(step: str) -> str:
        command = [sys.executable, __file__, "--folder", folder, "--step", step]
        command += ["--readers", str(readers), "--cases", str(cases)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout

    found = {}
    for step in ("make", "lock", "enrol", "fill", "close", "mrmc", "bundle"):
        out = run(step)
        if step in STEPS:
            found[step] = json.loads(out.splitlines()[-1])
            one = found[step]
            print(
                f"{step:8}{one['wall_s']:8.1f} s {one['processor_s']:8.1f} s of processor "
                f"{one['memory_mb']:8.0f} MiB",
                flush=True,
            )
    print(f"{readers} readers x {cases} cases x 2 conditions; load of the machine {os.getloadavg()[0]:.1f}")
    kept = (
        found["lock"]["wall_s"] < AIM_LOCK_S,
        found["mrmc"]["wall_s"] + found["bundle"]["wall_s"] < AIM_ANALYSIS_AND_BUNDLE_S,
        max(one["memory_mb"] for one in found.values()) < AIM_MEMORY_MB,
    )
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
