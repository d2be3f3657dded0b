"""Cases fetched from an archive that the site names: a list of studies in, an ingest and a report for each.

The identifiers on the list stand in no row and no log. Each waits in a file of its own, readable by the site alone,
among the other things on their way in, and is deleted as soon as its study was fetched or refused.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from equipoise.archive.dicomweb.pacs import (
    PacsConnection,
    PacsUnreachableError,
    PullBy,
    pacs_named,
)
from equipoise.archive.dicomweb.spool import MAX_INSTANCES, is_uid
from equipoise.archive.roi_rules import RoiRule
from equipoise.archive.storage import incoming_folder
from equipoise.audit.kinds import Origin
from equipoise.common.errors import (
    DomainError,
    ErrorCode,
    NotFoundError,
    TooLargeError,
    ValidationFailedError,
)
from equipoise.common.ids import new_id
from equipoise.jobs.models import ACTIVE_STATES, Job, JobItem
from equipoise.jobs.registry import JobCancelledError, JobContext, RetryLaterError
from equipoise.jobs.services import job_create
from trials.models import CasePurpose, Trial
from trials.services.acts import Actor
from trials.services.ingest import (
    MAX_UPLOAD_BYTES,
    IngestReport,
    report_document,
    require_draft,
    require_taken,
    rule_of,
    trial_ingest_folder,
)

JOB_KIND = "trials.pull"
ATTEMPTS = 5
"""At an archive that does not answer, with growing pauses."""
MAX_STUDIES = 1000
MAX_IDENTIFIER_CHARACTERS = 64
_ORPHAN_AFTER = timedelta(minutes=10)
_WILD = frozenset("*?\\")
_FOLDER_PREFIX = "pull-"

Steps = Callable[[int, int], None]
"""Called with (instances fetched, instances expected); raises to stop."""


class PullGoneError(DomainError):
    """An identifier that is no longer there."""

    code = ErrorCode.NOT_FOUND


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What to fetch from where, and what it becomes."""

    pacs: str
    by: PullBy
    modalities: frozenset[str]
    rules: Sequence[RoiRule]
    purpose: CasePurpose


def identifier_problems(by: PullBy, values: Sequence[str]) -> dict[int, str]:
    """Say what is wrong with which identifier of a list (from 0); the words do not repeat it."""
    problems: dict[int, str] = {}
    seen: set[str] = set()
    for number, value in enumerate(values):
        if not value or len(value) > MAX_IDENTIFIER_CHARACTERS or not value.isprintable():
            problems[number] = f"is not a {by.value} of 1 to {MAX_IDENTIFIER_CHARACTERS} characters"
        elif _WILD & set(value):
            problems[number] = "holds *, ? or \\, which search for anything; name each study exactly"
        elif by is PullBy.STUDY and not is_uid(value):
            problems[number] = "is not a UID: digits and dots"
        elif value in seen:
            problems[number] = "stands on the list twice"
        seen.add(value)
    return problems


def pull_request(trial: Trial, plan: PullPlan, values: Sequence[str], *, actor: Actor) -> Job:
    """Queue the fetching of a list of studies, one item each.

    Raises
    ------
    ValidationFailedError
        If an identifier is none; nothing is fetched then.
    NotFoundError
        If the site names no such archive.
    """
    require_draft(trial)
    pacs_named(plan.pacs)
    values = [value.strip() for value in values]
    if not 1 <= len(values) <= MAX_STUDIES:
        raise ValidationFailedError.of_fields({"/values": f"Name 1 to {MAX_STUDIES} studies."})
    if problems := identifier_problems(plan.by, values):
        raise ValidationFailedError.of_fields(
            {f"/values/{number}": f"Number {number + 1} {words}." for number, words in problems.items()}
        )
    pull_id = new_id()
    folder = _pull_folder(pull_id)
    try:
        folder.mkdir(mode=0o700)
        for number, value in enumerate(values):
            _write_private(folder / str(number), value)
        with transaction.atomic():
            return job_create(
                kind=JOB_KIND,
                trial_id=trial.id,
                created_by_id=actor.account_id,
                items=[
                    (str(number + 1), _payload(pull_id, number, plan, actor)) for number in range(len(values))
                ],
                unit="studies",
            )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _payload(pull_id: uuid.UUID, number: int, plan: PullPlan, actor: Actor) -> dict[str, Any]:
    return {
        "pull_id": str(pull_id),
        "number": number,
        "pacs": plan.pacs,
        "by": plan.by.value,
        "modalities": sorted(plan.modalities),
        "rules": [asdict(rule) for rule in plan.rules],
        "purpose": str(plan.purpose),
        "account_id": str(actor.account_id),
    }


def pull_item(payload: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
    """Fetch and ingest one study of a list."""
    path = _pull_folder(uuid.UUID(payload["pull_id"])) / str(int(payload["number"]))
    try:
        value = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PullGoneError(
            "This study's identifier was deleted when it was done with; send the list again."
        ) from None
    if context.trial_id is None:
        raise NotFoundError("The job belongs to no trial.")
    trial = Trial.objects.get(id=context.trial_id)
    plan = PullPlan(
        pacs=payload["pacs"],
        by=PullBy(payload["by"]),
        modalities=frozenset(payload["modalities"]),
        rules=[rule_of(rule) for rule in payload["rules"]],
        purpose=CasePurpose(payload["purpose"]),
    )

    def steps(done: int, total: int) -> None:
        context.progress(done, total)
        context.check_cancelled()

    try:
        actor = Actor(account_id=uuid.UUID(payload["account_id"]), origin=Origin.WORKER)
        with PacsConnection(pacs_named(plan.pacs)) as connection:
            report = study_pull(trial, plan, value, connection=connection, actor=actor, steps=steps)
        require_taken(report)
    except PacsUnreachableError as error:
        if context.attempt < ATTEMPTS:
            raise RetryLaterError(error.message) from None
        path.unlink(missing_ok=True)
        raise
    except (DomainError, JobCancelledError):
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)
    return report_document(report)


def study_pull(
    trial: Trial,
    plan: PullPlan,
    value: str,
    *,
    connection: PacsConnection,
    actor: Actor,
    steps: Steps = lambda _done, _total: None,
) -> IngestReport:
    """Fetch the studies that one identifier names and take them into the trial's cases, like a folder.

    Raises
    ------
    NotFoundError
        If the archive has none.
    PacsUnreachableError, PacsRefusedError
        If it does not give them.
    TooLargeError
        If they are too much for one patient.
    """
    require_draft(trial)
    studies = connection.studies(plan.by, value)
    wanted = [series for study in studies for series in connection.series(study, plan.modalities)]
    if not wanted:
        raise NotFoundError("The archive has no study of this identifier with series that are asked for.")
    folder = incoming_folder() / f"fetched-{new_id()}"
    folder.mkdir(mode=0o750)
    try:
        total = sum(series.instance_count for series in wanted)
        done, size = 0, 0
        for (
            series
        ) in wanted:  # in one folder: what is damaged anywhere keeps the patient out, with its reason

            def check(before: int = done) -> None:
                steps(before, max(total, before + 1))

            for path in connection.fetch(series, folder, max_instances=MAX_INSTANCES - done, check=check):
                done, size = done + 1, size + path.stat().st_size
                if size > MAX_UPLOAD_BYTES:
                    raise TooLargeError(f"One patient may have {MAX_UPLOAD_BYTES // 1024**3} GiB.")
                steps(done, max(total, done + 1))
        return trial_ingest_folder(trial, folder, rules=plan.rules, purpose=plan.purpose, actor=actor)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pulls_sweep() -> int:
    """Delete identifiers whose job has ended or never began; return of how many lists."""
    waiting = set(
        JobItem.objects.filter(job__kind=JOB_KIND, job__state__in=ACTIVE_STATES).values_list(
            "payload__pull_id", flat=True
        )
    )
    young = (timezone.now() - _ORPHAN_AFTER).timestamp()
    swept = 0
    for folder in incoming_folder().glob(f"{_FOLDER_PREFIX}*"):
        if folder.name.removeprefix(_FOLDER_PREFIX) not in waiting and folder.stat().st_mtime < young:
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


def _pull_folder(pull_id: uuid.UUID) -> Path:
    return incoming_folder() / f"{_FOLDER_PREFIX}{pull_id}"


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as sink:
        sink.write(text)
