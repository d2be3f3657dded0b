"""Cases, uploads, ingests and items."""

from rest_framework import serializers

from equipoise.archive.models import IngestState
from trials.models import CasePurpose


class ContourSerializer(serializers.Serializer):
    """A contour of a case; its source is told only to those who may see it."""

    id = serializers.UUIDField(read_only=True)
    source = serializers.CharField(read_only=True, allow_null=True)  # type: ignore[assignment]  # a field of this name
    voxel_count = serializers.IntegerField(read_only=True)
    volume_ml = serializers.FloatField(read_only=True)


class CaseSerializer(serializers.Serializer):
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
    thumbnail_url = serializers.CharField(read_only=True)


class CaseListSerializer(serializers.Serializer):
    """A trial's cases."""

    results = CaseSerializer(many=True, read_only=True)


class UploadSerializer(serializers.Serializer):
    """Files on their way in."""

    id = serializers.UUIDField(read_only=True)
    file_count = serializers.IntegerField(read_only=True)
    byte_count = serializers.IntegerField(read_only=True)


class UploadFilesSerializer(serializers.Serializer):
    """Files with their paths relative to the folder that was dragged in, in the same order."""

    file = serializers.ListField(child=serializers.FileField(allow_empty_file=True), max_length=500)
    path = serializers.ListField(child=serializers.CharField(max_length=400), max_length=500)


class RoiRuleSerializer(serializers.Serializer):
    """Whose contour a region or mask file is."""

    source = serializers.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")  # type: ignore[assignment]  # a field of this name
    pattern = serializers.CharField(max_length=200)
    applies_to = serializers.ChoiceField(choices=["region", "file"], default="region")
    required = serializers.BooleanField(default=True)  # type: ignore[assignment]  # a field of this name


class IngestRequestSerializer(serializers.Serializer):
    """How an upload becomes cases."""

    rules = RoiRuleSerializer(many=True, max_length=50)
    purpose = serializers.ChoiceField(choices=CasePurpose.choices, default=CasePurpose.TRIAL)


class JobStartedSerializer(serializers.Serializer):
    """The job that does the work."""

    job_id = serializers.UUIDField(read_only=True)


class IngestRunSerializer(serializers.Serializer):
    """One run of ingestion."""

    id = serializers.UUIDField(read_only=True)
    state = serializers.ChoiceField(choices=IngestState.choices, read_only=True)
    started_at = serializers.DateTimeField(read_only=True)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)
    used = serializers.IntegerField(read_only=True)
    ignored = serializers.IntegerField(read_only=True)
    failed = serializers.IntegerField(read_only=True)


class IngestRunListSerializer(serializers.Serializer):
    """A trial's runs of ingestion."""

    results = IngestRunSerializer(many=True, read_only=True)


class IngestFileSerializer(serializers.Serializer):
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


class NotQualifyingSerializer(serializers.Serializer):
    """Why slices did not qualify, and how many."""

    reason = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)
    count = serializers.IntegerField(read_only=True)


class DrawnItemSerializer(serializers.Serializer):
    """One item."""

    id = serializers.UUIDField(read_only=True)
    code = serializers.CharField(read_only=True)
    case = serializers.CharField(read_only=True)
    practice = serializers.BooleanField(read_only=True)
    slice_index = serializers.IntegerField(read_only=True)
    dice = serializers.FloatField(read_only=True, allow_null=True)
    thumbnail_url = serializers.CharField(read_only=True)


class ItemDrawSerializer(serializers.Serializer):
    """The last draw of items."""

    seed = serializers.IntegerField(read_only=True, allow_null=True)
    requested = serializers.IntegerField(read_only=True)
    qualifying = serializers.IntegerField(read_only=True)
    not_qualifying = NotQualifyingSerializer(many=True, read_only=True)
    drawn_at = serializers.DateTimeField(read_only=True, allow_null=True)
    drawn = DrawnItemSerializer(many=True, read_only=True)
