"""Algorithms as participants that the site runs: enrolment, runs, failures, repeats."""

from rest_framework import serializers

from equipoise.inference.cards import PIPELINES
from equipoise.jobs.models import JobState
from trials.api.serializers.results import FAILURE_CODES, RESULT_TASKS
from trials.api.serializers.shape import Shape

JOB_STATES = JobState.choices


class KnownWeightsSerializer(Shape):
    """Weights that this site can run."""

    sha256 = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    version = serializers.CharField(read_only=True)
    pipelines = serializers.ListField(child=serializers.CharField(), read_only=True)
    threshold = serializers.FloatField(read_only=True)
    demonstration = serializers.BooleanField(read_only=True)
    shipped = serializers.BooleanField(read_only=True)
    scores = serializers.DictField(child=serializers.FloatField(), read_only=True)


class AlgorithmFailureSerializer(Shape):
    """Why a case has no result."""

    case = serializers.CharField(read_only=True)
    task = serializers.ChoiceField(choices=RESULT_TASKS, read_only=True)
    repeat = serializers.IntegerField(read_only=True)
    attempt = serializers.IntegerField(read_only=True)
    code = serializers.ChoiceField(choices=FAILURE_CODES, read_only=True)
    detail = serializers.CharField(read_only=True)


class AlgorithmRunStateSerializer(Shape):
    """One run over the cases and how it stands."""

    id = serializers.UUIDField(read_only=True)
    task = serializers.ChoiceField(choices=RESULT_TASKS, read_only=True)
    repeat = serializers.IntegerField(read_only=True)
    job_id = serializers.UUIDField(read_only=True, allow_null=True)
    job_state = serializers.ChoiceField(choices=JOB_STATES, read_only=True, allow_null=True)
    active = serializers.BooleanField(read_only=True)
    can_retry = serializers.BooleanField(read_only=True)
    stored = serializers.IntegerField(read_only=True)
    failed = serializers.IntegerField(read_only=True)
    empty = serializers.IntegerField(read_only=True)
    median_run_s = serializers.FloatField(read_only=True, allow_null=True)
    device = serializers.CharField(read_only=True)
    hardware = serializers.CharField(read_only=True)
    cold_start_s = serializers.FloatField(read_only=True, allow_null=True)


class ReproducibilitySerializer(Shape):
    """A repeat beside the first run."""

    task = serializers.ChoiceField(choices=RESULT_TASKS, read_only=True)
    repeat = serializers.IntegerField(read_only=True)
    pairs = serializers.IntegerField(read_only=True)
    identical = serializers.IntegerField(read_only=True)
    reproducible = serializers.BooleanField(read_only=True)
    lowest_dice = serializers.FloatField(read_only=True, allow_null=True)


class AlgorithmParticipantSerializer(Shape):
    """A model version with its runs and failures."""

    id = serializers.UUIDField(read_only=True)
    code = serializers.CharField(read_only=True)
    source = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name
    name = serializers.CharField(read_only=True)
    version = serializers.CharField(read_only=True)
    weights_sha256 = serializers.CharField(read_only=True)
    pipeline = serializers.ChoiceField(choices=list(PIPELINES), read_only=True, allow_null=True)
    threshold = serializers.FloatField(read_only=True, allow_null=True)
    tasks = serializers.ListField(child=serializers.CharField(), read_only=True)
    result_count = serializers.IntegerField(read_only=True)
    failures = AlgorithmFailureSerializer(many=True, read_only=True)
    runs = AlgorithmRunStateSerializer(many=True, read_only=True)
    reproducibility = ReproducibilitySerializer(many=True, read_only=True)


class ProtocolAlgorithmSerializer(Shape):
    """An algorithm as the protocol names it."""

    source = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name
    name = serializers.CharField(read_only=True)
    version = serializers.CharField(read_only=True)
    weights_sha256 = serializers.CharField(read_only=True, allow_null=True)


class AlgorithmListSerializer(Shape):
    """The trial's algorithms, what the protocol names, and the weights that can be enrolled."""

    can_run = serializers.BooleanField(read_only=True)
    cannot_run_because = serializers.CharField(read_only=True)
    protocol = ProtocolAlgorithmSerializer(many=True, read_only=True)
    weights = KnownWeightsSerializer(many=True, read_only=True)
    results = AlgorithmParticipantSerializer(many=True, read_only=True)


class AlgorithmEnrolSerializer(Shape):
    """Which entry of the protocol is run, by which pipeline, with which weights."""

    source = serializers.CharField(max_length=80)  # type: ignore[assignment]  # a field of this name
    pipeline = serializers.ChoiceField(choices=list(PIPELINES))
    weights_sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")


class AlgorithmRunRequestSerializer(Shape):
    """What to run: a task, and the number of the repeat."""

    task = serializers.ChoiceField(choices=RESULT_TASKS)
    repeat = serializers.IntegerField(min_value=1, max_value=99, default=1)
