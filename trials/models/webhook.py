"""Where programs are told of what happens in a trial."""

from django.conf import settings
from django.db import models

from equipoise.common.ids import new_id
from trials.models.trial import Trial


class Webhook(models.Model):
    """An address that is told of events. Ended, never deleted; its secret leaves the site once, when it is made."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=2000)
    kinds = models.JSONField()
    """Of the events it is told of."""
    secret = models.BinaryField(max_length=32)
    """Signs what is sent."""
    queued_through = models.PositiveBigIntegerField()
    """The sequence number of the last event that was looked at for it."""
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    last_delivered_at = models.DateTimeField(null=True)
    resting_until = models.DateTimeField(null=True)
    """After it kept a worker waiting for nothing."""

    class Meta:
        ordering = ["id"]
