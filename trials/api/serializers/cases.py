"""Cases, uploads, ingests and items."""

from rest_framework import serializers

from equipoise.archive.models import IngestState
from equipoise.archive.quality import CheckOutcome
from trials.api.serializers.shape import Shape
from trials.models import CasePurpose


class ContourSerializer(Shape):
    """A contour of a case; its source is told only to those who may see it."""

    id = serializers.UUIDField(read_only=True)
    source = serializers.CharField(read_only=True, allow_null=True)  # type: ignore[assignment]  # a field of this name
    voxel_count = serializers.IntegerField(read_only=True)
    volume_ml = serializers.FloatField(read_only=True)


class CaseSerializer(Shape):
    """A case: one patient's material under a neutral code."""

    id = serializers.UUIDField(read_only=True)
    code = serializers.CharField(read_only=True)
    purpose = serializers.ChoiceField(choices=CasePurpose.choices, read_only=True)
    modality = serializers.CharField(read_only=True, allow_null=True)
    slices = serializers.IntegerField(read_only=True)
    spacing_mm = serializers.ListField(child=serializers.FloatField(), read_only=True)
    contours = ContourSerializer(many=True, read_only=True)
    covariates = serializers.DictField(child=serializers.JSONField(allow_null=True), read_only=True)
    flags = serializers.ListField(child=serializers.CharField(), read_only=True)
    waits_to_be_looked_at = serializers.BooleanField(read_only=True)
    thumbnail_url = serializers.CharField(read_only=True)


class CaseListSerializer(Shape):
    """A trial's cases."""

    results = CaseSerializer(many=True, read_only=True)


class QualityCheckSerializer(Shape):
    """One rule and what came of it."""

    rule = serializers.CharField(read_only=True)
    outcome = serializers.ChoiceField(choices=[one.value for one in CheckOutcome], read_only=True)
    sentence = serializers.CharField(read_only=True)


class QualityCaseSerializer(Shape):
    """An image of a case: its technical facts, and its checks."""

    case = serializers.CharField(read_only=True)
    purpose = serializers.ChoiceField(choices=CasePurpose.choices, read_only=True)
    accepted = serializers.BooleanField(read_only=True)
    modality = serializers.CharField(read_only=True)
    views = serializers.ListField(child=serializers.CharField(), read_only=True)
    kernel = serializers.CharField(read_only=True, allow_null=True)
    manufacturer = serializers.CharField(read_only=True, allow_null=True)
    shape = serializers.ListField(child=serializers.IntegerField(), read_only=True)
    spacing_mm = serializers.ListField(child=serializers.FloatField(), read_only=True)
    numbers = serializers.DictField(child=serializers.FloatField(), read_only=True)
    checks = QualityCheckSerializer(many=True, read_only=True)
    thumbnail_url = serializers.CharField(read_only=True)


class QualityRuleSerializer(Shape):
    """How many images passed a rule."""

    rule = serializers.CharField(read_only=True)
    passed = serializers.IntegerField(read_only=True)
    failed = serializers.IntegerField(read_only=True)
    not_stated = serializers.IntegerField(read_only=True)


class QualityValueSerializer(Shape):
    """One case's value of a fact."""

    case = serializers.CharField(read_only=True)
    value = serializers.FloatField(read_only=True)


class QualityDistributionSerializer(Shape):
    """A fact over all cases, with the protocol's limits."""

    name = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    unit = serializers.CharField(read_only=True)
    low = serializers.FloatField(read_only=True, allow_null=True)
    high = serializers.FloatField(read_only=True, allow_null=True)
    values = QualityValueSerializer(many=True, read_only=True)


class QualitySerializer(Shape):
    """The trial's material held against the protocol's limits."""

    limited = serializers.BooleanField(read_only=True)
    failing_cases = serializers.ChoiceField(choices=["list", "forbid"], read_only=True)
    accepted = serializers.IntegerField(read_only=True)
    cases = QualityCaseSerializer(many=True, read_only=True)
    rules = QualityRuleSerializer(many=True, read_only=True)
    distributions = QualityDistributionSerializer(many=True, read_only=True)


class UploadSerializer(Shape):
    """Files on their way in."""

    id = serializers.UUIDField(read_only=True)
    file_count = serializers.IntegerField(read_only=True)
    byte_count = serializers.IntegerField(read_only=True)


class UploadFilesSerializer(Shape):
    """Files with their paths relative to the folder that was dragged in, in the same order."""

    file = serializers.ListField(child=serializers.FileField(allow_empty_file=True), max_length=500)
    path = serializers.ListField(child=serializers.CharField(max_length=400), max_length=500)


class RoiRuleSerializer(Shape):
    """Whose contour a region or mask file is."""

    source = serializers.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")  # type: ignore[assignment]  # a field of this name
    pattern = serializers.CharField(max_length=200)
    applies_to = serializers.ChoiceField(choices=["region", "file"], default="region")
    required = serializers.BooleanField(default=True)  # type: ignore[assignment]  # a field of this name


class IngestRequestSerializer(Shape):
    """How an upload becomes cases."""

    rules = RoiRuleSerializer(many=True)
    purpose = serializers.ChoiceField(choices=CasePurpose.choices, default=CasePurpose.TRIAL)


class JobStartedSerializer(Shape):
    """The job that does the work."""

    job_id = serializers.UUIDField(read_only=True)


class IngestRunSerializer(Shape):
    """One run of ingestion."""

    id = serializers.UUIDField(read_only=True)
    state = serializers.ChoiceField(choices=IngestState.choices, read_only=True)
    started_at = serializers.DateTimeField(read_only=True)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)
    used = serializers.IntegerField(read_only=True)
    ignored = serializers.IntegerField(read_only=True)
    failed = serializers.IntegerField(read_only=True)


class IngestRunListSerializer(Shape):
    """A trial's runs of ingestion."""

    results = IngestRunSerializer(many=True, read_only=True)


class IngestFileSerializer(Shape):
    """What became of one file."""

    number = serializers.IntegerField(read_only=True)
    path = serializers.CharField(read_only=True, allow_null=True)
    kind = serializers.CharField(read_only=True)
    outcome = serializers.ChoiceField(choices=["used", "ignored", "failed"], read_only=True)
    code = serializers.CharField(read_only=True, allow_null=True)
    message = serializers.CharField(read_only=True, allow_null=True)


class IngestDetailSerializer(IngestRunSerializer):
    """One run, file by file."""

    files = IngestFileSerializer(many=True, read_only=True)


class RemovedAttributeSerializer(Shape):
    """An attribute that headers held and that was not kept; never its value."""

    tag = serializers.CharField(read_only=True)
    keyword = serializers.CharField(read_only=True)
    vr = serializers.CharField(read_only=True)
    action = serializers.CharField(read_only=True)
    files = serializers.IntegerField(read_only=True)
    first_file = serializers.IntegerField(read_only=True, allow_null=True)


class RemovalSerializer(Shape):
    """What a run removed, and under which options."""

    deidentification = serializers.DictField(child=serializers.JSONField(), read_only=True)
    deleted = serializers.BooleanField(read_only=True)
    files_not_listed = serializers.IntegerField(read_only=True)
    entries = RemovedAttributeSerializer(many=True, read_only=True)


class PixelsReviewedSerializer(Shape):
    """Why an image may stay in."""

    reason = serializers.CharField(max_length=500)


class NotQualifyingSerializer(Shape):
    """Why slices did not qualify, and how many."""

    reason = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)
    count = serializers.IntegerField(read_only=True)


class DrawnItemSerializer(Shape):
    """One item."""

    id = serializers.UUIDField(read_only=True)
    code = serializers.CharField(read_only=True)
    case = serializers.CharField(read_only=True)
    practice = serializers.BooleanField(read_only=True)
    slice_index = serializers.IntegerField(read_only=True)
    dice = serializers.FloatField(read_only=True, allow_null=True)
    thumbnail_url = serializers.CharField(read_only=True)


class ItemDrawSerializer(Shape):
    """The last draw of items."""

    seed = serializers.IntegerField(read_only=True, allow_null=True)
    requested = serializers.IntegerField(read_only=True)
    qualifying = serializers.IntegerField(read_only=True)
    not_qualifying = NotQualifyingSerializer(many=True, read_only=True)
    drawn_at = serializers.DateTimeField(read_only=True, allow_null=True)
    drawn = DrawnItemSerializer(many=True, read_only=True)
