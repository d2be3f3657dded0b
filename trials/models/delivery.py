"""DICOM on its way in over the network, before an ingest takes it: what a trial expects, and what waits."""

from django.db import models
from django.db.models import Q

from equipoise.common.ids import new_id
from trials.models.case import CasePurpose
from trials.models.trial import Trial


class DicomInbox(models.Model):
    """How a trial takes what programs and archives send by DICOMweb, since their requests cannot say it."""

    trial = models.OneToOneField(
        Trial, on_delete=models.CASCADE, primary_key=True, related_name="dicom_inbox"
    )
    rules = models.JSONField(default=list)
    """Whose contour a region is, as the ingest of an upload is told."""
    purpose = models.CharField(max_length=10, choices=CasePurpose.choices, default=CasePurpose.TRIAL)
    quiet_s = models.PositiveIntegerField(default=60)
    """A patient's delivery is complete once nothing came for so long."""


class Delivery(models.Model):
    """What one sender has sent of one patient, until it is closed and ingested. Its files have names of ours."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="deliveries")
    sender_id = models.UUIDField()
    """Account or service token."""
    patient_key = models.CharField(max_length=64)
    opened_at = models.DateTimeField()
    received_at = models.DateTimeField()
    instance_count = models.PositiveIntegerField(default=0)
    byte_count = models.PositiveBigIntegerField(default=0)
    closed_at = models.DateTimeField(null=True)
    """Nothing is added any more; an ingest was queued."""
    job_id = models.UUIDField(null=True)
    finished_at = models.DateTimeField(null=True)
    """Its files are gone: ingested, refused or swept."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trial", "sender_id", "patient_key"],
                condition=Q(closed_at=None),
                name="delivery_one_open",
            )
        ]
        indexes = [models.Index(fields=["closed_at", "received_at"], name="delivery_quiet")]


class DeliveryBatch(models.Model):
    """The instances of a delivery that came in one request: a folder named by this id."""

    id = models.UUIDField(primary_key=True, editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="batches")
