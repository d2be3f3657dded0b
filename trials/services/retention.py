"""What of a trial's surroundings does not stay for ever: registered with :mod:`equipoise.audit.retention`."""

from datetime import datetime

from django.db.models import Q, QuerySet

from equipoise.accounts.models import ServiceToken
from equipoise.archive.models import IngestRun
from equipoise.audit.kinds import Origin
from equipoise.audit.retention import register_retention
from equipoise.jobs.models import ACTIVE_STATES, Job
from trials.domain.states import TrialState
from trials.models import Draft, Invitation
from trials.selectors.notifications import NOTIFY_JOB
from trials.services.acts import Actor
from trials.services.erasure import ERASED_EMAIL
from trials.services.ingest import trial_ingest_logs_delete

_OVER = (TrialState.UNBLINDED, TrialState.ARCHIVED, TrialState.ABANDONED)


def drafts_found(before: datetime) -> QuerySet[Draft]:
    """Return unfinished answers, masks among them, of trials in which nothing is read any more."""
    return Draft.objects.filter(saved_at__lt=before, reading__participant__trial__state__in=_OVER)


def ingest_logs_found(before: datetime) -> QuerySet[IngestRun]:
    """Return runs whose logs (file names, headers that were removed) still lie there."""
    return IngestRun.objects.filter(finished_at__lt=before).exclude(log_key="", removal_log_key="")


def ingest_logs_remove(runs: QuerySet[IngestRun]) -> None:
    """Delete the logs of runs, each with an entry in its trial's own chain, whether or not the trial is there."""
    actor = Actor(account_id=None, origin=Origin.WORKER)
    for run in runs:
        trial_ingest_logs_delete(run, actor=actor, reason="The time that the site keeps them is over.")


def invitations_found(before: datetime) -> QuerySet[Invitation]:
    """Return invitations that were used, taken back or not taken up, and still hold an address."""
    over = Q(accepted_at__lt=before) | Q(revoked_at__lt=before) | Q(expires_at__lt=before)
    return Invitation.objects.filter(over).exclude(email=ERASED_EMAIL)


def jobs_found(before: datetime) -> QuerySet[Job]:
    """Return ended jobs with all their items, but for messages to programs, which have a time of their own."""
    return (
        Job.objects.filter(finished_at__lt=before).exclude(state__in=ACTIVE_STATES).exclude(kind=NOTIFY_JOB)
    )


def notifications_found(before: datetime) -> QuerySet[Job]:
    """Return messages to programs that were delivered or given up."""
    return Job.objects.filter(finished_at__lt=before, kind=NOTIFY_JOB).exclude(state__in=ACTIVE_STATES)


def tokens_found(before: datetime) -> QuerySet[ServiceToken]:
    """Return programs' tokens that expired or were revoked."""
    return ServiceToken.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))


def retention_start() -> None:
    """Register all of it."""
    register_retention("drafts", drafts_found)
    register_retention("ingest-logs", ingest_logs_found, remove=ingest_logs_remove)
    register_retention("invitations", invitations_found, remove=lambda rows: rows.update(email=ERASED_EMAIL))
    register_retention("jobs", jobs_found)
    register_retention("notifications", notifications_found)
    register_retention("tokens", tokens_found)
