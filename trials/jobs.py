"""What workers do for trials. Each handler loads by id and calls a service; its effect is written once."""

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from equipoise.audit.kinds import Origin
from equipoise.common.errors import DomainError
from equipoise.common.faults import is_database_away
from equipoise.jobs.execution import unforeseen_words
from equipoise.jobs.registry import ClaimLostError, JobCancelledError, JobContext, Outcome, job_handler
from equipoise.jobs.tick import register_periodic
from trials.domain.results import Failure, FailureCode
from trials.models import AlgorithmRun, Analysis, AnalysisState, Trial
from trials.rehearsal.requested import gate_part, gate_part_keep, rehearsal_found
from trials.reports.bundle import bundle_make
from trials.reports.public_bundle import public_bundle_make
from trials.selectors.bundle import JOB_KIND, PUBLIC_JOB_KIND
from trials.selectors.notifications import NOTIFY_JOB
from trials.selectors.reminders import REMIND_JOB
from trials.services import algorithm as algorithm_services
from trials.services import algorithm_case
from trials.services import analysis as analysis_services
from trials.services import delivery as delivery_services
from trials.services import ingest as ingest_services
from trials.services import notifications as notification_services
from trials.services import pull as pull_services
from trials.services import rehearsal as rehearsal_services
from trials.services import reminders as reminder_services
from trials.services.acts import Actor

logger = logging.getLogger("equipoise.jobs")


@contextmanager
def _failing(fail: Callable[[str], None]) -> Iterator[None]:
    """Let the row that people look at say why work on it ended, whatever ended it but what is tried again by itself."""
    try:
        yield
    except (JobCancelledError, ClaimLostError):
        raise
    except (DomainError, ValueError) as error:
        fail(str(error))
        raise
    except Exception as error:
        if not is_database_away(error):
            fail(unforeseen_words(error))
        raise


def _analysis_exhausted(payload: Mapping[str, Any], detail: str) -> None:
    """Let an analysis that ended its worker again and again be seen as failed."""
    analysis_services.analysis_fail(uuid.UUID(payload["analysis_id"]), detail)


def _rehearsal_exhausted(payload: Mapping[str, Any], detail: str) -> None:
    """Let a rehearsal that ended its worker again and again be seen as failed."""
    rehearsal_services.rehearsal_fail(uuid.UUID(payload["rehearsal_id"]), detail)


@job_handler("trials.analyse", queue="analysis", exhausted=_analysis_exhausted)
def analyse(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Compute one analysis."""
    analysis_id = uuid.UUID(payload["analysis_id"])
    Analysis.objects.filter(id=analysis_id).update(state=AnalysisState.RUNNING)
    analysis = Analysis.objects.select_related("trial").get(id=analysis_id)
    context.check_cancelled()
    with _failing(lambda why: analysis_services.analysis_fail(analysis_id, why)):
        computed = analysis_services.analysis_compute(analysis)
    return Outcome(
        result={"analysis_id": str(analysis_id)},
        effect=lambda: analysis_services.analysis_store(analysis_id, computed),
    )


@job_handler(rehearsal_services.GATE_JOB_KIND, queue="analysis", exhausted=_rehearsal_exhausted)
def run_rehearsal_part(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Do some runs of a repeated rehearsal; whoever does the last ones writes the report."""
    rehearsal = rehearsal_services.rehearsal_start(uuid.UUID(payload["rehearsal_id"]))
    with _failing(lambda why: rehearsal_services.rehearsal_fail(rehearsal.id, why)):
        outcomes = gate_part(rehearsal, payload["seeds"], check=context.check_cancelled)
    actor = Actor(account_id=rehearsal.requested_by_id, origin=Origin.WORKER)
    return Outcome(
        result={"rehearsal_id": str(rehearsal.id), "runs": len(outcomes)},
        effect=lambda: gate_part_keep(rehearsal, outcomes, actor=actor),
    )


@job_handler(JOB_KIND, queue="analysis")
def bundle(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Make the bundle of an unblinded trial and keep it."""
    trial = Trial.objects.get(id=uuid.UUID(payload["trial_id"]))
    context.check_cancelled()
    made = bundle_make(trial)

    def keep() -> None:
        made.keep()

    return Outcome(
        result={"manifest_sha256": made.manifest_sha256, "not_computed": dict(made.not_computed)},
        effect=keep,
        discard=made.discard,
    )


@job_handler(PUBLIC_JOB_KIND, queue="analysis")
def public_bundle(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Make the public form of the kept bundle and keep it."""
    trial = Trial.objects.get(id=uuid.UUID(payload["trial_id"]))
    context.check_cancelled()
    made = public_bundle_make(trial, comments_reviewed=payload["comments_reviewed"])

    def keep() -> None:
        made.keep()

    return Outcome(
        result={"manifest_sha256": made.manifest_sha256, "not_computed": dict(made.not_computed)},
        effect=keep,
        discard=made.discard,
    )


@job_handler(rehearsal_services.JOB_KIND, queue="analysis", exhausted=_rehearsal_exhausted)
def run_rehearsal(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Rehearse a protocol in a copy of its trial."""
    rehearsal = rehearsal_services.rehearsal_start(uuid.UUID(payload["rehearsal_id"]))

    def say(step: str, done: int, total: int) -> None:
        context.progress(done, total, f"rehearsal_{step}")
        context.check_cancelled()

    try:
        with _failing(lambda why: rehearsal_services.rehearsal_fail(rehearsal.id, why)):
            found = rehearsal_found(rehearsal, say=say)
    except JobCancelledError:
        rehearsal_services.rehearsal_fail(rehearsal.id, "It was cancelled.", cancelled=True)
        raise
    actor = Actor(account_id=rehearsal.requested_by_id, origin=Origin.WORKER)
    return Outcome(
        result={"rehearsal_id": str(rehearsal.id), "passed": found.passed},
        effect=lambda: rehearsal_services.rehearsal_store(rehearsal, found, actor=actor),
    )


@job_handler("trials.ingest", queue="ingest")
def ingest(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Take an uploaded folder into the trial's cases."""
    report = ingest_services.upload_ingest(uuid.UUID(payload["upload_id"]), payload, context)
    return Outcome(result=report)


def _run_exhausted(payload: Mapping[str, Any], detail: str) -> None:
    """Let a case that ended its worker again and again stand as a failure: failures stay in the trial."""
    run, case = algorithm_services.run_of_payload(payload)
    failure = Failure(FailureCode.CRASHED, detail)
    try:
        in_hand = algorithm_case.failure_result(run, case, failure, actor=_worker_of(run))
    except DomainError:  # the trial takes no results any more
        logger.exception("A failure could not be noted.", extra={"run_id": str(run.id), "case": case.code})
        return
    if in_hand is not None:
        in_hand.store()


@job_handler(algorithm_services.JOB_KIND, queue="inference", exhausted=_run_exhausted)
def run_algorithm(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Run one case through an enrolled model version."""
    run, case = algorithm_services.run_of_payload(payload)
    done = algorithm_case.case_result(run, case, actor=_worker_of(run), check=context.check_cancelled)
    if done is None:
        return Outcome(result={"outcome": "there_already"})
    in_hand, failure = done
    refusal = None
    if failure is not None and failure.code != FailureCode.EMPTY_RESULT:
        refusal = algorithm_case.CaseFailedError(failure.detail, data={"failure": str(failure.code)})
    return Outcome(
        result={"outcome": "stored" if failure is None else str(failure.code)},
        effect=in_hand.store,
        refusal=refusal,
        discard=in_hand.discard,
    )


def _worker_of(run: AlgorithmRun) -> Actor:
    return Actor(account_id=run.requested_by_id, origin=Origin.WORKER)


@job_handler(delivery_services.JOB_KIND, queue="ingest")
def deliver(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Take what was sent of one patient by DICOMweb into the trial's cases."""
    return Outcome(result=delivery_services.delivery_ingest(payload, context))


@job_handler(pull_services.JOB_KIND, queue="ingest", max_attempts=pull_services.ATTEMPTS)
def pull(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Fetch a study from an archive into the trial's cases."""
    return Outcome(result=pull_services.pull_item(payload, context))


@job_handler(REMIND_JOB, max_attempts=reminder_services.ATTEMPTS)
def remind(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Send one reminder."""
    return reminder_services.reminder_send(payload, context)


@job_handler(NOTIFY_JOB, max_attempts=notification_services.ATTEMPTS, at_once=1)
def notify(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Tell one webhook of one event."""
    return notification_services.notification_send(payload, context)


QUIET_CHECK_S = 15.0
HOUR_S = 3600.0

register_periodic("trials.deliveries_quiet", QUIET_CHECK_S, delivery_services.deliveries_close_quiet)
register_periodic("trials.deliveries_old", HOUR_S, delivery_services.deliveries_sweep)
register_periodic("trials.notifications", QUIET_CHECK_S, notification_services.notifications_queue)
register_periodic("trials.reminders", HOUR_S, reminder_services.reminders_due_send)
register_periodic("trials.pulls_old", HOUR_S, pull_services.pulls_sweep)
