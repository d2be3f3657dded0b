"""That a reader looked at the grey-step pattern on a display, or left it out."""

from django.db import models

from equipoise.common.ids import new_id
from trials.models.participant import Participant


class DisplayCheck(models.Model):
    """One try. Append-only; fields of ``environment`` and ``answers`` are only ever added."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="display_checks")
    session = models.PositiveIntegerField()
    """The session of the readings that follow."""
    display = models.CharField(max_length=80, blank=True)
    """The display as the browser knows it: size, place and colours."""
    environment = models.JSONField(default=dict)
    outcome = models.CharField(max_length=10)
    answers = models.JSONField(default=list)
    """Per patch the field, the quarter it was shown in and the quarter that was chosen."""
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["participant", "session"], name="display_check_session")]
        ordering = ["made_at"]
