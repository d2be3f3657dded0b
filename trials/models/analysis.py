"""Analyses of a trial's data, and readings that were collected elsewhere."""

from django.db import models

from equipoise.common.ids import new_id
from equipoise.common.stored_json import StoredDecoder
from trials.models.trial import Trial


class ExternalTable(models.Model):
    """A tidy table that was collected outside the platform. Never changed: a new version replaces it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="external_tables")
    kind = models.CharField(max_length=20, default="readings")
    """``readings``, ``segmentations`` or ``survival``."""
    key = models.CharField(max_length=40, blank=True)
    """As the protocol or the importer names the data. Without one a table is looked at and stays out of the bundle."""
    version = models.PositiveIntegerField(default=1)
    """Of the data of one key: the highest counts."""
    patients = models.CharField(max_length=10, default="other")
    """``trial`` where the cases are this trial's."""
    columns = models.JSONField(default=dict)
    """Known column -> its name in the file."""
    file_name = models.CharField(max_length=200, blank=True)
    file_sha256 = models.CharField(max_length=64, blank=True)
    rows = models.JSONField()
    row_count = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    """Over columns and rows."""
    rule = models.JSONField(default=dict)
    """How rows that mark both candidates or neither are counted."""
    surfaced = models.JSONField(default=list)
    """Those rows and any other oddity, one entry each."""
    imported_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trial", "kind", "sha256"], condition=models.Q(key=""), name="external_table_unique"
            ),
            models.UniqueConstraint(
                fields=["trial", "key", "version"],
                condition=~models.Q(key=""),
                name="external_table_version_unique",
            ),
        ]


class AnalysisState(models.TextChoices):
    """Where an analysis stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Analysis(models.Model):
    """A named method applied to a frozen snapshot, with everything it found."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="analyses")
    name = models.CharField(max_length=40)
    data_key = models.CharField(max_length=40, blank=True)
    """Of the external data it is computed from; empty for the trial's own readings."""
    exploratory = models.BooleanField(default=True)
    options = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=AnalysisState.choices, default=AnalysisState.QUEUED)
    job_id = models.UUIDField(null=True)
    results = models.JSONField(default=dict, decoder=StoredDecoder)
    files_key = models.CharField(max_length=200, blank=True)
    """The stored archive of figures and tables."""
    data_sha256 = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]


class Upload(models.Model):
    """Files on their way in from a browser, before an ingest takes them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="uploads")
    created_by_id = models.UUIDField()
    created_at = models.DateTimeField()
    file_count = models.PositiveIntegerField(default=0)
    byte_count = models.BigIntegerField(default=0)
    ingest_run_id = models.UUIDField(null=True)
