"""The only Celery task. It carries a job's id; what is to be done, and whether, stands in the database."""

from uuid import UUID

from celery import Task, shared_task  # noqa: TID251 - the one task that the ban on shared_task points to

from equipoise.jobs.execution import work_next_item
from equipoise.jobs.models import Job
from equipoise.jobs.services import WORK_TASK, ring


def do_next(self: Task, job_id: str) -> None:
    """Do the next item of a job; if more are waiting, go to the back of the queue, so that jobs take turns."""
    if work_next_item(UUID(job_id), task_id=str(self.request.id)):
        job = Job.objects.filter(pk=job_id).first()
        if job is not None:
            ring(job)


work = shared_task(name=WORK_TASK, bind=True, ignore_result=True)(do_next)
