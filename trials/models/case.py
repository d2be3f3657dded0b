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


def images_with_volumes() -> models.Prefetch:  # type: ignore[type-arg]  # generic in the stubs alone
    """Return how cases fetch their images and what is stored of these.

    A path through a foreign key ("images__volume") asks SQLite for every volume by a comparison of its own, of which
    one query holds a thousand at most; a join holds any number of cases.
    """
    return models.Prefetch("images", queryset=CaseImage.objects.select_related("volume"))


class ReferenceStatus(models.TextChoices):
    """How sure a reference standard is. Only ``final`` enters an analysis."""

    FINAL = "final"
    INDETERMINATE = "indeterminate"
    PENDING = "pending"


class ReferenceStandard(models.Model):
    """What a case's answer is checked against, in one version. Versions are added, never changed; the last one counts.

    No reader sees it, except that of a practice case where the protocol says so.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reference_standards")
    version = models.PositiveIntegerField()
    truth = models.PositiveSmallIntegerField(null=True)
    """1 diseased, 0 not; null while it is not final."""
    status = models.CharField(max_length=15, choices=ReferenceStatus.choices)
    source = models.CharField(max_length=300)
    """What it rests on: histology, follow-up, a consensus."""
    established_on = models.DateField()
    labellers = models.CharField(max_length=300)
    """Who gave it, blinded to AI and to readings: codes or roles, not names."""
    imported_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "version"], name="reference_version_unique"),
            models.CheckConstraint(
                condition=models.Q(truth__in=[0, 1], status="final")
                | (models.Q(truth__isnull=True) & ~models.Q(status="final")),
                name="reference_truth_when_final",
            ),
        ]
        ordering = ["version"]


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


def contours_with_masks(path: str = "contours") -> models.Prefetch:  # type: ignore[type-arg]  # generic in the stubs alone
    """Return how cases (items, by the path to their case's) fetch contours and their masks, any number of them."""
    return models.Prefetch(path, queryset=Contour.objects.select_related("mask__volume"))


class Item(models.Model):
    """What one reading shows: a slice with its two candidates, a scan, or a volume."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="items")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="items")
    image = models.ForeignKey(CaseImage, on_delete=models.PROTECT, related_name="items")
    code = models.CharField(max_length=20)
    practice = models.BooleanField(default=False)
    slice_index = models.PositiveIntegerField()
    """Zero-based frame of the volume as stored: the slice, or the frame a scan or volume starts on."""
    unit = models.CharField(max_length=10, default="slice")
    """``slice``, ``scan`` or ``volume``."""
    stratum = models.CharField(max_length=200, blank=True)
    """Within which the allocation balances; frozen at protocol lock, whatever becomes of the case's facts later."""
    dice = models.FloatField(null=True)
    """Per-slice overlap of the two candidates, by which the item qualified."""
    candidate_a = models.ForeignKey(Contour, on_delete=models.PROTECT, null=True, related_name="+")
    candidate_b = models.ForeignKey(Contour, on_delete=models.PROTECT, null=True, related_name="+")
    """The two contours of a pair; null where the task compares none."""
    first_frame = models.PositiveIntegerField(default=0)
    last_frame = models.PositiveIntegerField(default=0)
    """The slices a reader may scroll to, both ends included; set at protocol lock."""
    outlines_a = models.BinaryField(default=b"")
    outlines_b = models.BinaryField(default=b"")
    """Outline packets over those slices, equal in length over the whole trial; made at protocol lock."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "code"], name="item_code_unique")]
        ordering = ["code"]

    @property
    def images(self) -> list[CaseImage]:
        """The images that a reading of this item shows: its own first; of a volume every image of the case."""
        if self.unit != "volume":
            return [self.image]
        others = [image for image in self.case.images.all() if image.id != self.image_id]
        return [self.image, *sorted(others, key=lambda image: str(image.id))]

    def frames_of(self, image: CaseImage) -> tuple[int, int]:
        """Return the first and last frame of an image that a reader may see, both included."""
        if image.id == self.image_id:
            return self.first_frame, self.last_frame
        return 0, image.volume.frame_count - 1


class ItemDraw(models.Model):
    """The last draw of items from the cases: what was asked for, what qualified, and why the rest did not."""

    trial = models.OneToOneField(Trial, on_delete=models.CASCADE, primary_key=True, related_name="item_draw")
    seed = models.BigIntegerField()
    requested = models.PositiveIntegerField()
    qualifying = models.PositiveIntegerField()
    not_qualifying = models.JSONField(default=list)
    drawn_at = models.DateTimeField()
