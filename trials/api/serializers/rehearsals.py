"""Rehearsals as the administrator's page shows them."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape
from trials.domain.rehearsal import (
    DEFAULT_REPEATS,
    DEFAULT_SEED,
    MAX_REPEATS,
    MAX_SEED,
    MIN_REPEATS,
    RehearsalKind,
)
from trials.models import RehearsalState

KINDS = [kind.value for kind in RehearsalKind]


class RehearsalRequestSerializer(Shape):
    """What to rehearse with. The plan is a YAML or JSON text; without one the defaults of the task hold."""

    kind = serializers.ChoiceField(choices=KINDS, default=RehearsalKind.SINGLE)
    repeats = serializers.IntegerField(min_value=MIN_REPEATS, max_value=MAX_REPEATS, default=DEFAULT_REPEATS)
    seed = serializers.IntegerField(min_value=0, max_value=MAX_SEED, default=DEFAULT_SEED)
    plan = serializers.CharField(
        max_length=20_000, required=False, default="", allow_blank=True, trim_whitespace=False
    )


class CellsSerializer(Shape):
    """What was to be read and what was."""

    planned = serializers.IntegerField(read_only=True)
    read = serializers.IntegerField(read_only=True)
    not_assessable = serializers.IntegerField(read_only=True)
    missing = serializers.ListField(child=serializers.CharField(), read_only=True)


class SetEstimateSerializer(Shape):
    """An estimate beside the value that was set."""

    analysis = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    unit = serializers.CharField(read_only=True)
    value = serializers.FloatField(read_only=True, allow_null=True)
    low = serializers.FloatField(read_only=True, allow_null=True)
    high = serializers.FloatField(read_only=True, allow_null=True)
    set_to = serializers.FloatField(read_only=True)
    covers = serializers.BooleanField(read_only=True, allow_null=True)


class RehearsedAnalysisSerializer(Shape):
    """A planned analysis of the simulated readings: what it found, or why it could not be computed."""

    name = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    role = serializers.CharField(read_only=True)
    findings = serializers.ListField(child=serializers.CharField(), read_only=True)
    problem = serializers.CharField(read_only=True, allow_null=True)


class PaceSerializer(Shape):
    """How long a simulated reader took."""

    participant = serializers.CharField(read_only=True)
    readings = serializers.IntegerField(read_only=True)
    minutes = serializers.FloatField(read_only=True)


class MaterialSerializer(Shape):
    """What was read."""

    cases = serializers.IntegerField(read_only=True)
    items = serializers.IntegerField(read_only=True)
    phantoms = serializers.IntegerField(read_only=True)
    references_simulated = serializers.IntegerField(read_only=True)
    algorithms_simulated = serializers.ListField(child=serializers.CharField(), read_only=True)


class RehearsalReportSerializer(Shape):
    """What a single rehearsal found."""

    passed = serializers.BooleanField(read_only=True)
    problems = serializers.ListField(child=serializers.CharField(), read_only=True)
    material = MaterialSerializer(read_only=True)
    cells = CellsSerializer(read_only=True)
    estimates = SetEstimateSerializer(many=True, read_only=True)
    analyses = RehearsedAnalysisSerializer(many=True, read_only=True)
    pace = PaceSerializer(many=True, read_only=True)
    pace_in_words = serializers.CharField(read_only=True)
    balance = serializers.ListField(child=serializers.CharField(), read_only=True)
    seconds = serializers.FloatField(read_only=True)


class GateCheckSerializer(Shape):
    """One thing that the repeated rehearsal holds the primary analysis to."""

    name = serializers.ChoiceField(choices=["bias", "coverage", "type_one", "computed"], read_only=True)
    holds = serializers.BooleanField(read_only=True)
    sentence = serializers.CharField(read_only=True)
    value = serializers.FloatField(read_only=True, allow_null=True)
    low = serializers.FloatField(read_only=True)
    high = serializers.FloatField(read_only=True)


class GateSerializer(Shape):
    """What a repeated rehearsal found. Every rate has its Monte-Carlo standard error."""

    analysis = serializers.CharField(read_only=True)
    quantity = serializers.CharField(read_only=True)
    repeats = serializers.IntegerField(read_only=True)
    computed = serializers.IntegerField(read_only=True)
    set_to = serializers.FloatField(read_only=True)
    mean = serializers.FloatField(read_only=True, allow_null=True)
    bias = serializers.FloatField(read_only=True, allow_null=True)
    bias_mcse = serializers.FloatField(read_only=True, allow_null=True)
    coverage = serializers.FloatField(read_only=True, allow_null=True)
    coverage_mcse = serializers.FloatField(read_only=True, allow_null=True)
    type_one = serializers.FloatField(read_only=True, allow_null=True)
    type_one_mcse = serializers.FloatField(read_only=True, allow_null=True)
    power = serializers.FloatField(read_only=True, allow_null=True)
    power_mcse = serializers.FloatField(read_only=True, allow_null=True)
    readers = serializers.IntegerField(read_only=True)
    cases = serializers.IntegerField(read_only=True)
    checks = GateCheckSerializer(many=True, read_only=True)
    notes = serializers.ListField(child=serializers.CharField(), read_only=True)
    seeds = serializers.CharField(read_only=True)
    seconds = serializers.FloatField(read_only=True)


class RehearsalSerializer(Shape):
    """One rehearsal."""

    id = serializers.UUIDField(read_only=True)
    kind = serializers.ChoiceField(choices=KINDS, read_only=True)
    protocol_version = serializers.IntegerField(read_only=True)
    protocol_sha256 = serializers.CharField(read_only=True)
    seed = serializers.IntegerField(read_only=True)
    repeats = serializers.IntegerField(read_only=True)
    plan = serializers.JSONField(read_only=True)
    state = serializers.ChoiceField(choices=RehearsalState.choices, read_only=True)
    job_id = serializers.UUIDField(read_only=True, allow_null=True)
    message = serializers.CharField(read_only=True, allow_null=True)
    report = RehearsalReportSerializer(read_only=True, allow_null=True)
    gate = GateSerializer(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)


class RehearsalListSerializer(Shape):
    """A trial's rehearsals, and what protocol lock still lacks of them."""

    results = RehearsalSerializer(many=True, read_only=True)
    lacking = serializers.CharField(read_only=True, allow_null=True)
    protocol_sha256 = serializers.CharField(read_only=True, allow_null=True)
