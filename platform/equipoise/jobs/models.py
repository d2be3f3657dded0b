"""The queue. A job's items are claimed, done and counted here; the broker only rings the bell."""

from django.db import models
from django.utils import timezone

from equipoise.common.ids import new_id


class JobState(models.TextChoices):
    """Of a whole job."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARTIAL = "partial"


class JobItemState(models.TextChoices):
    """Of one item of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE_STATES = (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)
"""A job that still has something to do."""


class Job(models.Model):
    """Work on behalf of somebody, in items that succeed or fail one by one."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=64)
    queue = models.CharField(max_length=32, default="default")
    trial_id = models.UUIDField(null=True, blank=True, db_index=True)
    created_by_id = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED, db_index=True)
    done = models.PositiveIntegerField(default=0)
    """Items that will not change any more: succeeded, failed or cancelled."""
    failed = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField()
    unit = models.CharField(max_length=32)
    """What is counted: ``series``, ``readings``."""
    message_code = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    rung_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["trial_id", "-id"], name="jobs_job_of_trial")]


class JobItem(models.Model):
    """One unit of work. It may start more than once; it takes effect once (``fence``)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="items")
    key = models.CharField(max_length=200)
    position = models.PositiveIntegerField()
    payload = models.JSONField()
    state = models.CharField(max_length=10, choices=JobItemState.choices, default=JobItemState.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    """Raised by every claim; a worker whose number is older can write nothing."""
    lease_until = models.DateTimeField(null=True, blank=True)
    task_id = models.CharField(max_length=64, blank=True)
    """Of the running Celery task, by which a deaf one is ended."""
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    result = models.JSONField(null=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.TextField(blank=True)
    error_data = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["job", "position"]
        constraints = [models.UniqueConstraint(fields=["job", "key"], name="jobs_item_key_once")]
        indexes = [models.Index(fields=["job", "state", "position"], name="jobs_item_claim")]


class Lease(models.Model):
    """A named right to do something alone for a while: the ``tick`` loop."""

    name = models.CharField(primary_key=True, max_length=64)
    holder = models.CharField(max_length=128, blank=True)
    until = models.DateTimeField(null=True, blank=True)
