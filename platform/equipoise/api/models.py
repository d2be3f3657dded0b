"""The API kit's only table."""

from django.db import models
from django.utils import timezone


class IdempotentAnswer(models.Model):
    """The answer given to a request with an ``Idempotency-Key``, kept for a day to be given again."""

    caller = models.CharField(max_length=64)
    """Id of the account or token."""
    key = models.CharField(max_length=128)
    path = models.CharField(max_length=500)
    body_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    """Null while the first request is still being answered."""
    answer = models.JSONField(null=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "key", "path"], name="api_idempotent_key_once")
        ]
