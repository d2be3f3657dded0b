"""What a trial expects by DICOMweb, and what waits there. The DICOMweb answers themselves are DICOM JSON."""

from rest_framework import serializers

from equipoise.archive.dicomweb.pacs import PullBy
from trials.api.serializers.cases import RoiRuleSerializer
from trials.api.serializers.shape import Shape
from trials.models import CasePurpose


class DeliverySerializer(Shape):
    """Instances of one patient that wait to be ingested. Whose they are is told nowhere."""

    id = serializers.UUIDField(read_only=True)
    opened_at = serializers.DateTimeField(read_only=True)
    received_at = serializers.DateTimeField(read_only=True)
    closed_at = serializers.DateTimeField(read_only=True, allow_null=True)
    instance_count = serializers.IntegerField(read_only=True)
    byte_count = serializers.IntegerField(read_only=True)
    job_id = serializers.UUIDField(read_only=True, allow_null=True)


class InboxSettingsSerializer(Shape):
    """How the trial takes what is sent."""

    rules = RoiRuleSerializer(many=True)
    purpose = serializers.ChoiceField(choices=CasePurpose.choices, default=CasePurpose.TRIAL)
    quiet_s = serializers.IntegerField(min_value=5, max_value=3600, default=60)


class InboxSerializer(InboxSettingsSerializer):
    """How the trial takes what is sent, and what waits."""

    deliveries = DeliverySerializer(many=True, read_only=True)


class DeliveryJobsSerializer(Shape):
    """The jobs that ingest what was sent, one per patient."""

    job_ids = serializers.ListField(child=serializers.UUIDField(), read_only=True)


class PacsSerializer(Shape):
    """An archive that the site may fetch from."""

    name = serializers.CharField(read_only=True)


class PacsListSerializer(Shape):
    """The archives that the site may fetch from."""

    results = PacsSerializer(many=True, read_only=True)


class PullCreateSerializer(Shape):
    """Which studies to fetch from where, and what they become. Identifiers are not kept."""

    pacs = serializers.CharField(max_length=32)
    by = serializers.ChoiceField(choices=[(by.value, by.value) for by in PullBy])
    values = serializers.ListField(
        child=serializers.CharField(max_length=200, trim_whitespace=True), min_length=1, max_length=1000
    )
    modalities = serializers.ListField(
        child=serializers.RegexField(r"^[A-Z0-9]{1,16}$"), max_length=20, default=list
    )
    rules = RoiRuleSerializer(many=True)
    purpose = serializers.ChoiceField(choices=CasePurpose.choices, default=CasePurpose.TRIAL)
