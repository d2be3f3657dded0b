"""Queries and protocol deviations. Records and acts are append-only; their words stand apart and can be erased."""

from django.conf import settings
from django.db import models

from equipoise.common.ids import new_id
from trials.domain.review import ReviewAct, ReviewKind, Severity
from trials.models.case import Case
from trials.models.participant import Participant
from trials.models.reading import Reading
from trials.models.trial import Trial


class ReviewRecord(models.Model):
    """One query or deviation: what it is about. Where it stands follows from its acts."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="review_records")
    kind = models.CharField(max_length=10, choices=[(one.value, one.value) for one in ReviewKind])
    number = models.PositiveIntegerField()
    """From 1, per trial and kind."""
    topic = models.CharField(max_length=40)
    participant = models.ForeignKey(
        Participant, on_delete=models.PROTECT, null=True, related_name="review_records"
    )
    reading = models.ForeignKey(Reading, on_delete=models.PROTECT, null=True, related_name="review_records")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, null=True, related_name="review_records")
    """Where it is about a case as such; never the case of a reading, which would tell who reads what when."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trial", "kind", "number"], name="review_number_unique"),
            models.CheckConstraint(
                condition=models.Q(reading__isnull=True)
                | models.Q(participant__isnull=False, case__isnull=True),
                name="review_reading_of_participant",
            ),
        ]
        ordering = ["id"]

    @property
    def code(self) -> str:
        """What people call it."""
        return f"{self.kind[0].upper()}-{self.number:03d}"


class ReviewStep(models.Model):
    """One act on a record: who, when, what was decided."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    record = models.ForeignKey(ReviewRecord, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField()
    act = models.CharField(max_length=10, choices=[(one.value, one.value) for one in ReviewAct])
    severity = models.CharField(
        max_length=10, blank=True, choices=[(one.value, one.value) for one in Severity]
    )
    excludes = models.BooleanField(null=True)
    """Whether what it is about leaves the per-protocol set; of a deviation's closing alone."""
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    """Null where a program acted."""
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["record", "number"], name="review_step_unique")]
        ordering = ["number"]


class ReviewText(models.Model):
    """The words of an act, apart from the immutable row so that they can be erased."""

    step = models.OneToOneField(ReviewStep, on_delete=models.CASCADE, primary_key=True, related_name="words")
    text = models.TextField()
