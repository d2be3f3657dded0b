"""The trial itself, the versions of its protocol, who may do what in it, and its sealed seed."""

from django.conf import settings
from django.db import models

from equipoise.common.ids import new_id
from equipoise.common.permissions import Role
from trials.domain.states import TrialState


class Trial(models.Model):
    """One study: protocol, cases, participants, readings, analyses."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    institute = models.ForeignKey("accounts.Institute", on_delete=models.PROTECT, related_name="trials")
    slug = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=200)
    state = models.CharField(
        max_length=20, choices=[(s.value, s.value) for s in TrialState], default=TrialState.DRAFT
    )
    patient_key_secret = models.BinaryField(max_length=32)
    """Keys the hash that recognises a patient in two ingests; the patient's own number is never kept."""
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    data_locked_at = models.DateTimeField(null=True)
    unblinded_at = models.DateTimeField(null=True)
    data_sha256 = models.CharField(max_length=64, blank=True)
    """Hash of the tidy tables at data lock; what every planned analysis runs on."""

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in TrialState]), name="trial_state_known"
            )
        ]


class ProtocolVersion(models.Model):
    """One version of the protocol. Frozen when ``locked_at`` is set."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="protocol_versions")
    version = models.PositiveIntegerField()
    text = models.TextField()
    """The document as it was last written, comments and all; a view of ``document``."""
    document = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64, blank=True)
    """Of the RFC 8785 form of ``document``; set at protocol lock."""
    revision = models.PositiveIntegerField(default=1)
    """Counts the edits of a draft, for If-Match."""
    reason = models.TextField(blank=True)
    updated_at = models.DateTimeField()
    locked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "version"], name="protocol_version_unique")]
        ordering = ["version"]


class Membership(models.Model):
    """A person's role in one trial. Ended, never deleted: who has seen sources can no longer read."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(max_length=30, choices=[(r.value, r.value) for r in Role])
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "account", "role"], name="membership_unique")]


class Invitation(models.Model):
    """A one-time link into one role of one trial. Only the token's hash is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=30, choices=[(r.value, r.value) for r in Role])
    token_sha256 = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True)


class SealedSeed(models.Model):
    """The allocation's seed: drawn by the server at protocol lock, shown by nobody until unblinding."""

    trial = models.OneToOneField(
        Trial, on_delete=models.CASCADE, primary_key=True, related_name="sealed_seed"
    )
    seed_hex = models.CharField(max_length=64)
    commitment_sha256 = models.CharField(max_length=64)
    algorithm = models.CharField(max_length=40)
    allocation_sha256 = models.CharField(max_length=64)
    drawn_at = models.DateTimeField()
