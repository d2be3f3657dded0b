"""Electronic signatures. Append-only and bound to what they sign; the printed name stands apart, bound by its hash."""

from django.conf import settings
from django.db import models

from equipoise.common.ids import new_id
from trials.domain.signatures import Meaning
from trials.models.trial import Trial


class Signature(models.Model):
    """A person's signature on one record, by the record's hash."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="signatures")
    meaning = models.CharField(max_length=40, choices=[(one.value, one.value) for one in Meaning])
    record = models.CharField(max_length=80)
    """What was signed, as people call it."""
    record_sha256 = models.CharField(max_length=64)
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    name_hash = models.CharField(max_length=64)
    factors = models.JSONField()
    """By what the signer showed who they are."""
    signed_at = models.DateTimeField()
    sha256 = models.CharField(max_length=64)
    """Over all of this; the entry of the audit trail names it."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trial", "meaning", "record", "record_sha256", "signer"], name="signature_once"
            )
        ]
        ordering = ["signed_at", "id"]


class SignatureName(models.Model):
    """The signer's name as it was when they signed; a change of the account's name does not touch it."""

    signature = models.OneToOneField(
        Signature, primary_key=True, on_delete=models.PROTECT, related_name="name_row"
    )
    salt = models.CharField(max_length=32)
    name = models.CharField(max_length=254)
