"""Rows that name files: volumes, masks, runs of ingestion, and the tokens by which frames leave.

A trial is known by its id alone (it lives a layer above), and no row holds a word of a header, a file name or
a patient.
"""

from hashlib import sha256

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from equipoise.common.ids import new_id
from equipoise.common.units import ML_PER_MM3
from equipoise.imaging.geometry import AxisTransform, Grid
from equipoise.imaging.mask import Box
from equipoise.imaging.volume import SeriesDescription, WindowPreset


def session_digest(session_key: str) -> str:
    """Return what stands for a session key in the table of tokens."""
    return sha256(session_key.encode()).hexdigest()


class IngestState(models.TextChoices):
    """Of a run of ingestion."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class IngestRun(models.Model):
    """One folder that was read into a trial."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial_id = models.UUIDField(db_index=True)
    institute_id = models.UUIDField()
    state = models.CharField(max_length=8, choices=IngestState.choices, default=IngestState.RUNNING)
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    used = models.PositiveIntegerField(default=0)
    ignored = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    log_key = models.CharField(max_length=200, blank=True)
    """The log with file names and full sentences, which may identify people: a file of its own, that can be
    deleted."""
    removal_log_key = models.CharField(max_length=200, blank=True)
    """The list of what the headers held and was not kept: tags without values, in a file of its own likewise."""
    deidentification = models.JSONField(default=dict)
    """The options under which the run was made."""


class IngestFileReport(models.Model):
    """What became of one file. Its name is in the run's log, under the same number."""

    run = models.ForeignKey(IngestRun, on_delete=models.CASCADE, related_name="files")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8)
    kind = models.CharField(max_length=32)
    code = models.CharField(max_length=40, blank=True)
    advice = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="archive_ingestfile_number")]


class PendingKey(models.Model):
    """A file that is being written and has no row yet; see :mod:`equipoise.archive.new_files`."""

    key = models.CharField(max_length=200, primary_key=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)


class StoredVolume(models.Model):
    """An image volume (or the views of a planar image) of one trial, the usual way round, in one pack."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial_id = models.UUIDField(db_index=True)
    institute_id = models.UUIDField()
    run = models.ForeignKey(
        IngestRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="volumes"
    )
    patient_key = models.CharField(max_length=64, blank=True)
    """HMAC of the original patient id under the trial's secret: tells the same patient, never who."""
    study_uid = models.CharField(max_length=64, db_index=True)
    series_uid = models.CharField(max_length=64, db_index=True)
    frame_of_reference_uid = models.CharField(max_length=64)
    """Under which the image is known outside: mapped within the trial from the sender's, or derived where there
    were none."""
    key = models.CharField(max_length=200, unique=True)
    modality = models.CharField(max_length=16)
    frame_count = models.PositiveIntegerField()
    row_count = models.PositiveIntegerField()
    column_count = models.PositiveIntegerField()
    spacing_mm_z = models.FloatField()
    spacing_mm_y = models.FloatField()
    spacing_mm_x = models.FloatField()
    geometry = models.JSONField()
    """``{"grid": ..., "transform": ...}``: where the stored voxels lie, and how they were turned from the original."""
    description = models.JSONField(default=dict)
    windows = models.JSONField(default=list)
    size_bytes = models.PositiveBigIntegerField()
    content_sha256 = models.CharField(max_length=64)
    """Of the pack file."""
    pixel_hash = models.CharField(max_length=64, db_index=True)
    """Of shape and voxels: equal for the same image, however it was sent."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trial_id", "pixel_hash"], name="archive_volume_once_per_trial"),
            models.CheckConstraint(condition=Q(frame_count__gt=0), name="archive_volume_has_frames"),
        ]
        indexes = [models.Index(fields=["trial_id", "patient_key"], name="archive_volume_patient")]

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (self.frame_count, self.row_count, self.column_count)

    @property
    def spacing_mm_zyx(self) -> tuple[float, float, float]:
        """Between frames, rows, columns."""
        return (self.spacing_mm_z, self.spacing_mm_y, self.spacing_mm_x)

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return Grid.from_json(self.geometry["grid"])

    @property
    def transform(self) -> AxisTransform:
        """How the voxels were turned from the original."""
        document = self.geometry["transform"]
        return AxisTransform(tuple(document["axes_zyx"]), tuple(document["flips_zyx"]))

    @property
    def series_description(self) -> SeriesDescription:
        """The whitelisted facts."""
        return SeriesDescription.from_json(self.description)

    @property
    def window_presets(self) -> tuple[WindowPreset, ...]:
        """What the viewer offers, the default first."""
        return tuple(WindowPreset(**preset) for preset in self.windows)


class StoredMask(models.Model):
    """A mask on a volume's grid, as box and run lengths."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    volume = models.ForeignKey(StoredVolume, on_delete=models.PROTECT, related_name="masks")
    source = models.CharField(max_length=100)
    """Who drew it, by the name the ingest rule gives: never shown to a reader."""
    key = models.CharField(max_length=200, unique=True)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    voxel_count = models.PositiveBigIntegerField()
    box = models.JSONField()
    """``{"start_zyx": [...], "shape_zyx": [...]}``"""
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["volume", "source", "sha256"], name="archive_mask_once"),
            models.CheckConstraint(condition=Q(voxel_count__gt=0), name="archive_mask_not_empty"),
        ]

    @property
    def bounding_box(self) -> Box:
        """The smallest box around the voxels."""
        start, shape = self.box["start_zyx"], self.box["shape_zyx"]
        return Box((start[0], start[1], start[2]), (shape[0], shape[1], shape[2]))

    @property
    def volume_ml(self) -> float:
        """Voxels inside times voxel volume."""
        z, y, x = self.volume.spacing_mm_zyx
        return self.voxel_count * z * y * x * ML_PER_MM3


class StoredHeatMap(models.Model):
    """A heat map on a volume's frames, as a pack whose pixels are the levels 0 to 255."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    volume = models.ForeignKey(StoredVolume, on_delete=models.PROTECT, related_name="heat_maps")
    key = models.CharField(max_length=200, unique=True)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    """Of the pack file."""
    levels_sha256 = models.CharField(max_length=64)
    """Of shape and levels: equal for the same heat map, however it was sent."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["volume", "levels_sha256"], name="archive_heat_map_once")
        ]


class StoredOriginal(models.Model):
    """A DICOM file as it came, cleaned of what identifies. Kept only where the trial says so."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    volume = models.ForeignKey(StoredVolume, on_delete=models.PROTECT, related_name="originals")
    kind = models.CharField(max_length=16)
    """``image``, ``structure set`` or ``segmentation``."""
    number = models.PositiveIntegerField()
    """Among the volume's files, from 1, in the order of the slices."""
    key = models.CharField(max_length=200, unique=True)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["volume", "number"], name="archive_original_number")]


class AssetToken(models.Model):
    """Leave to fetch some frames of a volume: random, for one session, until the reading is left."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    token = models.CharField(max_length=43, unique=True)
    volume = models.ForeignKey(StoredVolume, on_delete=models.CASCADE, related_name="tokens")
    first_frame = models.PositiveIntegerField()
    last_frame = models.PositiveIntegerField()
    session_digest = models.CharField(max_length=64)
    """SHA-256 of the session key: the table alone lets nobody in."""
    reading_id = models.UUIDField(null=True, blank=True, db_index=True)
    expires_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(last_frame__gte=F("first_frame")), name="archive_token_window"
            ),
        ]
        indexes = [models.Index(fields=["session_digest"], name="archive_token_session")]
