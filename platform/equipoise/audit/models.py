"""The audit trail's rows. Entries and heads carry pseudonyms only; free text and addresses stand in erasable
side tables."""

from django.db import models
from django.utils import timezone

from equipoise.common.ids import new_id


class AuditEntry(models.Model):
    """One act, chained to the one before it. Append-only: guarded by triggers, and by the chain of hashes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    chain = models.CharField(max_length=64)
    """``site``, or the trial's id."""
    sequence = models.PositiveBigIntegerField()
    """From 1, without gaps."""
    version = models.PositiveSmallIntegerField()
    """Of what is hashed and how; old versions stay verifiable."""
    kind = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    actor_id = models.UUIDField(null=True)
    """Account or service token; null is the system itself."""
    actor_key = models.CharField(max_length=64, blank=True)
    """Keyed hash of the actor, which exports carry instead of the id."""
    origin = models.CharField(max_length=8)
    subject = models.CharField(max_length=128)
    """What was acted on: ``reading:<id>``."""
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason_hash = models.CharField(max_length=64, blank=True)
    address_hash = models.CharField(max_length=64, blank=True, default="", db_default="")
    """Salted hash of the network address, from version 2 on; empty where the act came in by no request."""
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["chain", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "sequence"], name="audit_entry_sequence_once")
        ]
        indexes = [models.Index(fields=["chain", "kind"], name="audit_entry_kind")]


class AuditReason(models.Model):
    """The words an actor gave. Erasable: the entry holds only a salted hash, and the salt goes with the words."""

    entry = models.OneToOneField(
        AuditEntry, primary_key=True, on_delete=models.DO_NOTHING, related_name="reason_row"
    )
    salt = models.CharField(max_length=32)
    text = models.TextField()


class AuditAddress(models.Model):
    """The network address a request came from. Erasable like the words of a reason, and never changed."""

    entry = models.OneToOneField(
        AuditEntry, primary_key=True, on_delete=models.DO_NOTHING, related_name="address_row"
    )
    salt = models.CharField(max_length=32)
    address = models.CharField(max_length=64)


class AuditHead(models.Model):
    """The last sequence number and hash of a chain; taken by a conditional UPDATE."""

    chain = models.CharField(primary_key=True, max_length=64)
    sequence = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)


class RefusalCount(models.Model):
    """Refused requests of callers who are no members, per minute and keyed address; never a row per request."""

    minute = models.DateTimeField()
    address_key = models.CharField(max_length=64)
    count = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["minute", "address_key"], name="audit_refusal_minute_once")
        ]
