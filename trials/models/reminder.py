"""Reminders by e-mail: what was sent to whom, and who wants none."""

from django.conf import settings
from django.db import models

from equipoise.common.ids import new_id
from trials.models.participant import Participant
from trials.models.trial import Trial


class ReminderPlan(models.Model):
    """When readers of a trial are reminded by themselves; without a row, never."""

    trial = models.OneToOneField(
        Trial, on_delete=models.CASCADE, primary_key=True, related_name="reminder_plan"
    )
    after_days = models.PositiveSmallIntegerField()
    """Without a submitted reading."""


class Reminder(models.Model):
    """One reminder to one reader, asked for by a person or by the plan."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="reminders")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    """Null where the plan asked."""
    asked_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["participant", "-asked_at"], name="reminder_of_participant")]


class ReminderStop(models.Model):
    """That a reader wants no reminders of a trial any more."""

    participant = models.OneToOneField(
        Participant, on_delete=models.CASCADE, primary_key=True, related_name="reminder_stop"
    )
    stopped_at = models.DateTimeField()
