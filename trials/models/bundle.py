"""The bundle of a trial as the site keeps it: one stored file, its hash, and where it came from."""

from django.db import models

from equipoise.common.ids import new_id
from trials.models.trial import Trial


class StoredBundle(models.Model):
    """The bundle of a trial, zipped, in the store. An archived trial keeps the one it was archived with."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.OneToOneField(Trial, on_delete=models.PROTECT, related_name="stored_bundle")
    files_key = models.CharField(max_length=200, unique=True)
    file_sha256 = models.CharField(max_length=64)
    """Of the zipped file; another packing of the same bundle has another."""
    size_bytes = models.PositiveBigIntegerField()
    manifest_sha256 = models.CharField(max_length=64)
    """Of ``manifest.json``, which names every other file with its hash: the bundle's own hash."""
    report_sha256 = models.CharField(max_length=64, blank=True)
    """Of the content of its report, which is what a signature on the report is bound to."""
    file_count = models.PositiveIntegerField()
    not_computed = models.JSONField(default=dict)
    """Analyses that could not be computed, with the reason."""
    made_at = models.DateTimeField()
    imported_at = models.DateTimeField(null=True)
    """Set where the trial was run elsewhere and its bundle brought here."""
    origin = models.JSONField(default=dict)
    """Of an imported one: what the bundle says of the trial it was made of."""
    counts = models.JSONField(default=dict)
    """Of an imported one: how many cases, items, participants and readings its tables hold."""


class PublicBundle(models.Model):
    """The public form of a trial's bundle, zipped, in the store: the newest one that was made."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.OneToOneField(Trial, on_delete=models.PROTECT, related_name="public_bundle")
    files_key = models.CharField(max_length=200, unique=True)
    file_sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    manifest_sha256 = models.CharField(max_length=64)
    made_of_sha256 = models.CharField(max_length=64)
    """The hash of the manifest of the bundle that it was made of."""
    file_count = models.PositiveIntegerField()
    not_computed = models.JSONField(default=dict)
    """Analyses that its tables do not give, with the reason."""
    has_words = models.BooleanField()
    """Whether comments are in it, which somebody said to have reviewed."""
    made_at = models.DateTimeField()
