"""A trial's material: cases (patients under neutral codes), images, contours, and the items drawn from them."""

from django.db import models

from equipoise.common.ids import new_id
from trials.models.trial import Trial


class CasePurpose(models.TextChoices):
    """What a case is for. No patient serves both."""

    TRIAL = "trial"
    PRACTICE = "practice"


class Case(models.Model):
    """One patient's material in one trial."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="cases")
    code = models.CharField(max_length=12)
    purpose = models.CharField(max_length=10, choices=CasePurpose.choices, default=CasePurpose.TRIAL)
    patient_key = models.CharField(max_length=64)
    """Keyed hash of the patient's original number."""
    pixel_sha256 = models.CharField(max_length=64)
    covariates = models.JSONField(default=dict)
    flags = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trial", "code"], name="case_code_unique"),
            models.UniqueConstraint(fields=["trial", "patient_key"], name="case_patient_unique"),
        ]
        ordering = ["code"]


class CaseImage(models.Model):
    """An image volume of a case, kept by the archive."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="images")
    volume = models.OneToOneField("archive.StoredVolume", on_delete=models.PROTECT, related_name="case_image")


class Contour(models.Model):
    """One delineation of a case by one source (an expert, an algorithm's version, a reader)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="contours")
    source = models.CharField(max_length=80)
    """As the protocol's candidates name it. Never reaches a reader's browser."""
    mask = models.OneToOneField("archive.StoredMask", on_delete=models.PROTECT, related_name="contour")
    voxel_count = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "source"], name="contour_source_unique")]


class Item(models.Model):
    """What one reading shows: a slice of a case with its two candidates."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="items")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="items")
    image = models.ForeignKey(CaseImage, on_delete=models.PROTECT, related_name="items")
    code = models.CharField(max_length=20)
    practice = models.BooleanField(default=False)
    slice_index = models.PositiveIntegerField()
    """Zero-based frame of the volume as stored."""
    dice = models.FloatField(null=True)
    """Per-slice overlap of the two candidates, by which the item qualified."""
    candidate_a = models.ForeignKey(Contour, on_delete=models.PROTECT, related_name="+")
    candidate_b = models.ForeignKey(Contour, on_delete=models.PROTECT, related_name="+")
    first_frame = models.PositiveIntegerField(default=0)
    last_frame = models.PositiveIntegerField(default=0)
    """The slices a reader may scroll to, both ends included; set at protocol lock."""
    outlines_a = models.BinaryField(default=b"")
    outlines_b = models.BinaryField(default=b"")
    """Outline packets over those slices, equal in length over the whole trial; made at protocol lock."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "code"], name="item_code_unique")]
        ordering = ["code"]


class ItemDraw(models.Model):
    """The last draw of items from the cases: what was asked for, what qualified, and why the rest did not."""

    trial = models.OneToOneField(Trial, on_delete=models.CASCADE, primary_key=True, related_name="item_draw")
    seed = models.BigIntegerField()
    requested = models.PositiveIntegerField()
    qualifying = models.PositiveIntegerField()
    not_qualifying = models.JSONField(default=list)
    drawn_at = models.DateTimeField()
