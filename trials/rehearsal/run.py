"""One rehearsal: simulated readers and algorithms do the whole allocation through the real submit path, in a copy.

Then the analysis plan runs on their readings, and a report sets its estimates beside what was set. The copy is thrown
away; what stays is the report.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from equipoise.accounts.services import account_create
from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.registry import ANALYSIS_NAMES
from equipoise.analysis.results import AnalysisResult
from equipoise.audit.kinds import Origin
from equipoise.common.errors import DomainError, StateConflictError
from equipoise.common.permissions import Role
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.rehearsal import Cells, Pace, RehearsalPlan, SetEstimate, minutes_words, run_problems
from trials.domain.states import (
    PRECONDITION_TEXT,
    Precondition,
    TrialAction,
    TrialState,
    transition_for,
)
from trials.models import Analysis, ExternalTable, Participant, Reading, Response, Trial
from trials.rehearsal.contours import contours_simulate
from trials.rehearsal.material import algorithms_simulate, phantoms_make, references_simulate
from trials.rehearsal.readers.crew import Crew, crew_of
from trials.rehearsal.sandbox import Sandbox, sandbox
from trials.rehearsal.set_values import set_estimates
from trials.rehearsal.simulated_reading import simulated_enrolment, simulated_readings
from trials.selectors.allocation import balance_sentences
from trials.selectors.reading import ANSWERED, PRACTICE
from trials.selectors.rehearsal import planned_names, protocol_to_rehearse
from trials.selectors.trial import unmet_preconditions
from trials.services.analysis import FrozenReadings, analysis_result
from trials.services.invitation import membership_create
from trials.services.items import items_draw
from trials.services.lock import lock_prepare, lock_store
from trials.services.trial import trial_transition

SEED_PURPOSE = "rehearsal"
_REASON = "Rehearsal"
_NEEDED = (
    Precondition.PROTOCOL_COMPLETE,
    Precondition.ITEMS_DRAWN,
    Precondition.ITEMS_HAVE_BOTH_CANDIDATES,
    Precondition.PRACTICE_ITEMS_PRESENT,
)
"""Without these nothing can be read. What else protocol lock asks for concerns patients, not the rehearsal."""

TOLD_EVERY_S = 0.5

Say = Callable[[str, int, int], None]
"""Step, how much of it is done, of how much. May raise to stop."""


class RehearsalImpossibleError(StateConflictError):
    """Something is missing without which nothing can be read."""

    def __init__(self, unmet: Sequence[Precondition]) -> None:
        super().__init__(
            "The protocol cannot be rehearsed yet. " + " ".join(PRECONDITION_TEXT[one] for one in unmet),
            data={
                "state": str(TrialState.DRAFT),
                "allowed": [],
                "unmet": [{"code": str(one), "message": PRECONDITION_TEXT[one]} for one in unmet],
            },
        )


@dataclass(frozen=True)
class RehearsalReport:
    """What one rehearsal found."""

    protocol_sha256: str
    seed: int
    plan: RehearsalPlan
    material: dict[str, Any]
    cells: Cells
    estimates: tuple[SetEstimate, ...]
    analyses: tuple[dict[str, Any], ...]
    pace: tuple[Pace, ...]
    balance: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float = field(compare=False, default=0.0)

    @property
    def passed(self) -> bool:
        """Whether everything was read and analysed."""
        return not self.problems

    def document(self) -> dict[str, Any]:
        """Return the report as it is stored."""
        return {
            "schema": "equipoise/rehearsal-report/1",
            "protocol_sha256": self.protocol_sha256,
            "seed": self.seed,
            "passed": self.passed,
            "problems": list(self.problems),
            "material": self.material,
            "cells": {**asdict(self.cells), "missing": list(self.cells.missing)},
            "estimates": [{**asdict(one), "covers": one.covers} for one in self.estimates],
            "analyses": list(self.analyses),
            "pace": [asdict(one) for one in self.pace],
            "pace_in_words": minutes_words([one.minutes for one in self.pace]),
            "balance": list(self.balance),
            "seconds": round(self.seconds, 1),
        }


def rehearse(trial: Trial, *, seed: int, plan: RehearsalPlan, say: Say) -> RehearsalReport:
    """Rehearse the newest version of a trial's protocol; nothing of it stays in the trial.

    Raises
    ------
    RehearsalImpossibleError
        If something is missing without which nothing can be read.
    """
    started = time.perf_counter()
    protocol, sha256 = protocol_to_rehearse(trial)
    with sandbox(trial) as box:
        found = _Run(box, protocol, sha256, seed=seed, plan=plan, say=_throttled(box, say)).report()
    return RehearsalReport(**found, seconds=time.perf_counter() - started)


def _throttled(box: Sandbox, say: Say) -> Say:
    """Return a progress that is told outside the copy, and not at every reading."""
    last_step, last_s = "", 0.0

    def told(step: str, done: int, total: int) -> None:
        nonlocal last_step, last_s
        now = time.monotonic()
        if step == last_step and done < total and now - last_s < TOLD_EVERY_S:
            return
        last_step, last_s = step, now
        with box.outside():
            say(step, done, total)

    return told


def rehearsal_allocation_seed(seed: int) -> int:
    """Return the 256 bits under which a rehearsal allocates: never a trial's, which nobody chooses."""
    return int.from_bytes(hashlib.sha256(f"{SEED_PURPOSE} {seed}".encode()).digest(), "big")


class _Run:
    def __init__(
        self, box: Sandbox, protocol: ProtocolV1, sha256: str, *, seed: int, plan: RehearsalPlan, say: Say
    ) -> None:
        self._box, self._protocol, self._sha256 = box, protocol, sha256
        self._seed, self._plan, self._say = seed, plan, say
        self._stopped: list[str] = []

    def report(self) -> dict[str, Any]:
        material = self._material()
        self._lock_and_open()
        crew = crew_of(self._box.trial, seed=self._seed, plan=self._plan)
        self._read(crew)
        balance = tuple(balance_sentences(self._box.trial))
        self._close()
        cells = self._cells()
        results, failed = self._analyse()
        primary = self._protocol.analysis_plan.primary
        return {
            "protocol_sha256": self._sha256,
            "seed": self._seed,
            "plan": self._plan,
            "material": material,
            "cells": cells,
            "estimates": tuple(set_estimates(crew, results)),
            "analyses": tuple(self._analyses(results, failed)),
            "pace": tuple(self._pace()),
            "balance": balance,
            "problems": run_problems(
                cells,
                stopped=self._stopped,
                analyses_failed=failed,
                primary=None if primary is None or primary.data is not None else primary.analysis,
            ),
        }

    # --- before the first reading -------------------------------------------------------------------------------

    def _material(self) -> dict[str, Any]:
        box, protocol = self._box, self._protocol
        self._say("material", 0, 1)
        phantoms = 0
        if not box.trial.cases.exists():
            phantoms = phantoms_make(box, protocol, self._plan, seed=self._seed)
        references = references_simulate(box, protocol, self._plan)
        if not box.trial.items.exists():
            items_draw(box.trial, actor=box.actor)
        if not phantoms:
            contours_simulate(box, protocol, seed=self._seed)
        algorithms = algorithms_simulate(box, protocol, self._plan, seed=self._seed)
        return {
            "cases": box.trial.cases.filter(purpose="trial").count(),
            "items": box.trial.items.filter(practice=False).count(),
            "phantoms": phantoms,
            "references_simulated": references,
            "algorithms_simulated": algorithms,
        }

    def _lock_and_open(self) -> None:
        box = self._box
        lock = transition_for(TrialState.DRAFT, TrialAction.LOCK)
        unmet = [one for one in unmet_preconditions(box.trial, lock) if one in _NEEDED]
        if unmet:
            raise RehearsalImpossibleError(unmet)
        self._say("allocation", 0, 1)
        prepared = lock_prepare(box.trial, rehearsal_seed=rehearsal_allocation_seed(self._seed))
        with transaction.atomic():
            lock_store(box.trial, prepared)
            Trial.objects.filter(id=box.trial.id).update(state=TrialState.LOCKED)
        box.trial.refresh_from_db()
        self._step(TrialAction.OPEN)

    def _step(self, action: TrialAction) -> None:
        self._box.trial = trial_transition(
            self._box.trial, action, reason=_REASON, waiver="", actor=self._box.actor
        )

    # --- reading ------------------------------------------------------------------------------------------------

    def _read(self, crew: Crew) -> None:
        places = list(self._places())
        per_reader = max((slot.rows.count() for slot in self._box.trial.slots.all()), default=0)
        total, done = len(places) * per_reader, 0

        def read_one() -> None:
            nonlocal done
            done += 1
            self._say("reading", min(done, total), total)

        for number, answers in enumerate(places, start=1):
            participant = self._enrolled(number)
            given = crew.questionnaire(number) | answers
            try:
                simulated_enrolment(participant, answers=given)
                simulated_readings(participant, crew.reader(number), between=read_one)
            except DomainError as error:
                self._stopped.append(f"Reader {participant.code} could not go on: {error.message}")

    def _places(self) -> Iterator[dict[str, Any]]:
        """Yield, for every planned reader, the answer that leads into their stratum."""
        plan = self._protocol.allocation
        for stratum in plan.strata:
            for number in range(stratum.participants):
                if plan.stratum_question is None or not stratum.answers:
                    yield {}
                else:
                    yield {plan.stratum_question: stratum.answers[number % len(stratum.answers)]}

    def _enrolled(self, number: int) -> Participant:
        account = account_create(
            email=f"reader-{number:04d}@invalid.example",
            institute=self._box.administrator.institute,
            origin=Origin.WORKER,
        )
        membership = membership_create(self._box.trial, account, Role.READER, actor=self._box.actor)
        participant: Participant = membership.participant
        return participant

    def _close(self) -> None:
        self._stand_in()
        for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
            self._step(action)

    def _stand_in(self) -> None:
        """Put an empty table for each of the external data: they come from elsewhere and are not rehearsed."""
        for one in self._protocol.external_data:
            ExternalTable.objects.create(
                trial=self._box.trial,
                key=one.key,
                kind=one.table,
                patients=one.patients,
                rows={"columns": [], "rows": []},
                row_count=0,
                sha256="",
                imported_at=timezone.now(),
            )

    # --- what came of it ----------------------------------------------------------------------------------------

    def _cells(self) -> Cells:
        trial = self._box.trial
        readers = sum(stratum.participants for stratum in self._protocol.allocation.strata)
        bound = trial.slots.filter(participant__isnull=False)
        readings = Reading.objects.filter(trial=trial).exclude(phase=PRACTICE)
        lacking = readings.exclude(state__in=ANSWERED).select_related("participant", "item")
        missing = [
            " ".join(
                part
                for part in (
                    one.participant.code,
                    one.item.code,
                    one.condition,
                    f"repeat {one.repeat}" if one.repeat > 1 else "",
                )
                if part
            )
            for one in lacking.order_by("participant__code", "position")
        ]
        without_slot = readers - bound.count()
        missing += [
            f"a reader without a slot ({number + 1} of {without_slot})" for number in range(without_slot)
        ]
        read = readings.filter(state__in=ANSWERED)
        return Cells(
            planned=readings.count() + max(0, without_slot),
            read=read.count(),
            not_assessable=read.filter(state="not-assessable").count(),
            missing=tuple(missing),
        )

    def _pace(self) -> Iterator[Pace]:
        for participant in self._box.trial.participants.filter(kind="reader").order_by("code"):
            timings = Response.objects.filter(reading__participant=participant, number=1)
            seconds = [timing.get("wall_s") or 0.0 for timing in timings.values_list("timing", flat=True)]
            yield Pace(participant.code, len(seconds), round(sum(seconds) / 60, 2))

    def _analyse(self) -> tuple[dict[str, AnalysisResult], dict[str, str]]:
        results: dict[str, AnalysisResult] = {}
        failed: dict[str, str] = {}
        names = [name for name in planned_names(self._protocol) if name in ANALYSIS_NAMES]
        frozen = FrozenReadings(self._box.trial)
        for number, name in enumerate(names):
            self._say("analysis", number, len(names))
            try:
                analysis = Analysis(trial=self._box.trial, name=name, exploratory=False)
                results[name] = analysis_result(analysis, frozen)
            except (AnalysisInputError, DomainError, ValueError) as error:
                failed[name] = str(error)
        self._say("analysis", len(names), len(names))
        return results, failed

    def _analyses(
        self, results: dict[str, AnalysisResult], failed: dict[str, str]
    ) -> Iterator[dict[str, Any]]:
        for name, result in results.items():
            yield {
                "name": name,
                "title": result.title,
                "role": result.role,
                "findings": list(result.findings),
                "problem": None,
            }
        for name, why in failed.items():
            yield {"name": name, "title": name, "role": "", "findings": [], "problem": why}
        plan = self._protocol.analysis_plan
        for endpoint in filter(None, (plan.primary, *plan.secondary)):
            if endpoint.data is not None:
                yield {
                    "name": endpoint.analysis,
                    "title": endpoint.name,
                    "role": "primary" if endpoint is plan.primary else "secondary",
                    "findings": [f"Not rehearsed: no simulation gives the external data '{endpoint.data}'."],
                    "problem": None,
                }


def report_lines(report: RehearsalReport) -> Sequence[str]:
    """Return the report in lines for a terminal."""
    cells, material = report.cells, report.material
    lines = [
        (
            f"Protocol {report.protocol_sha256[:12]}, seed {report.seed}: {material['cases']} "
            f"{'phantom ' if material['phantoms'] else ''}cases, {material['items']} items, {len(report.pace)} "
            f"simulated readers, {cells.read} of {cells.planned} readings done, {cells.not_assessable} not assessable."
        ),
        minutes_words([one.minutes for one in report.pace]),
        *report.balance,
    ]
    if report.estimates:
        lines.append("Estimates beside what was set (one run proves nothing by them):")
    for one in report.estimates:
        value = "not available" if one.value is None else f"{one.value:.3g}{one.unit}"
        interval = "" if one.low is None or one.high is None else f" ({one.low:.3g} to {one.high:.3g})"
        lines.append(f"  {one.label}: {value}{interval}, set {one.set_to:.3g}{one.unit}")
    lines += [
        f"  {analysis['title']}: {sentence}"
        for analysis in report.analyses
        for sentence in analysis["findings"]
    ]
    lines += report.problems
    return lines
