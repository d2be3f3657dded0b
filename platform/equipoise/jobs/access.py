"""Who may see and cancel jobs. The layer that knows trials says so; without it, only the site administrator may."""

from typing import Any, Protocol
from uuid import UUID

from equipoise.common.errors import NotFoundError
from equipoise.common.permissions import Permission
from equipoise.jobs.models import Job


class JobAccess(Protocol):
    """Raises :class:`NotFoundError` or :class:`PermissionDeniedError` unless the actor may do this in the trial."""

    def __call__(self, *, actor: Any, trial_id: UUID, permission: Permission) -> None: ...


_access: list[JobAccess] = []


def register_job_access(access: JobAccess) -> None:
    """Let the layer that knows memberships decide about the jobs of a trial."""
    _access[:] = [access]


def access_trial_jobs(*, actor: Any, trial_id: UUID, permission: Permission) -> None:
    """Refuse unless the actor may see (or cancel) the jobs of a trial."""
    if not _access:
        raise NotFoundError("There is no such trial.")
    _access[0](actor=actor, trial_id=trial_id, permission=permission)


def access_job(*, actor: Any, job_id: UUID, permission: Permission) -> Job:
    """Return a job the actor may see (or cancel); absent and not yours give the same answer."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise NotFoundError("There is no such job.")
    if job.trial_id is not None:
        access_trial_jobs(actor=actor, trial_id=job.trial_id, permission=permission)
    elif not (
        actor.is_site_administrator or (job.created_by_id is not None and job.created_by_id == actor.id)
    ):
        raise NotFoundError("There is no such job.")
    return job
