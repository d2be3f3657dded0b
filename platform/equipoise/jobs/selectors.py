"""Reading jobs."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Case, F, FloatField, QuerySet, Sum, Value, When
from django.db.models.functions import Cast
from django.utils import timezone

from equipoise.jobs.models import Job, JobItem, JobItemState, JobState


def job_is_stalled(job: Job) -> bool:
    """Whether a job that should be working has not been heard of for too long."""
    if job.state not in (JobState.RUNNING, JobState.CANCELLING):
        return False
    last = job.heartbeat_at or job.started_at or job.created_at
    return timezone.now() - last > timedelta(seconds=settings.JOB_STALLED_AFTER_S)


def job_progress(job: Job) -> float:
    """Return the share of the job that is done, in [0, 1], parts of running items included."""
    if job.total == 0:
        return 1.0
    share = Case(
        When(progress_total__gt=0, then=Cast(F("progress_done"), FloatField()) / F("progress_total")),
        default=Value(0.0),
        output_field=FloatField(),
    )
    running = (
        JobItem.objects.filter(job=job, state=JobItemState.RUNNING).aggregate(share=Sum(share))["share"]
        or 0.0
    )
    return min(1.0, (job.done + running) / job.total)


def job_list_of_trial(trial_id: UUID) -> QuerySet[Job]:
    """Return a trial's jobs."""
    return Job.objects.filter(trial_id=trial_id)
