"""Doing jobs in this process, without broker or worker: commands that wait for their job, and tests."""

from uuid import UUID

from equipoise.jobs.execution import work_next_item
from equipoise.jobs.models import ACTIVE_STATES, Job


def job_run_inline(job_id: UUID) -> Job:
    """Do every free item of a job here and now, by the same claims and fences, and return the job."""
    while work_next_item(job_id, task_id="inline", heartbeat=False):
        pass
    return Job.objects.get(pk=job_id)


def jobs_run_inline() -> list[Job]:
    """Do every job that waits, and those they make, until none is left; return them in order."""
    finished: list[Job] = []
    while True:
        job = (
            Job.objects.filter(state__in=ACTIVE_STATES)
            .exclude(pk__in=[j.pk for j in finished])
            .order_by("id")
            .first()
        )
        if job is None:
            return finished
        finished.append(job_run_inline(job.pk))
