"""What a rehearsal found, as a record of the protocol's hash. Its readings are never kept among the trial's."""

from django.db import models

from equipoise.common.ids import new_id
from trials.domain.rehearsal import RehearsalKind
from trials.models.trial import Trial


class RehearsalState(models.TextChoices):
    """Where a rehearsal stands. ``failed`` ran and found that something is missing, or broke."""

    QUEUED = "queued"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Rehearsal(models.Model):
    """One rehearsal of one version of the protocol, single or repeated."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="rehearsals")
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in RehearsalKind])
    protocol_sha256 = models.CharField(max_length=64)
    """Of the document with every default spelt out, as protocol lock would freeze it."""
    protocol_version = models.PositiveIntegerField()
    seed = models.PositiveBigIntegerField()
    """The first, of a repeated one."""
    repeats = models.PositiveIntegerField(default=1)
    plan = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=RehearsalState.choices, default=RehearsalState.QUEUED)
    job_id = models.UUIDField(null=True)
    report = models.JSONField(default=dict)
    message = models.TextField(blank=True)
    """Why it did not pass."""
    requested_by_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["trial", "protocol_sha256"], name="rehearsal_of_protocol")]
