"""Queries and protocol deviations."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape
from trials.domain.review import TOPICS, ReviewAct, ReviewKind, ReviewState, Severity

KINDS = [kind.value for kind in ReviewKind]
STATES = [state.value for state in ReviewState]
SEVERITIES = [severity.value for severity in Severity]
TOPIC_CODES = sorted({code for topics in TOPICS.values() for code in topics})


class ReviewStepSerializer(Shape):
    """One act on a record: who, when, what was said and decided."""

    act = serializers.ChoiceField(choices=[act.value for act in ReviewAct], read_only=True)
    severity = serializers.ChoiceField(choices=SEVERITIES, read_only=True, allow_null=True)
    excludes = serializers.BooleanField(read_only=True, allow_null=True)
    by = serializers.CharField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    text = serializers.CharField(read_only=True, allow_null=True)


class ReviewRecordSerializer(Shape):
    """A query or a deviation, with everything that was done to it."""

    id = serializers.UUIDField(read_only=True)
    code = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(choices=KINDS, read_only=True)
    topic = serializers.CharField(read_only=True)
    topic_words = serializers.CharField(read_only=True)
    participant = serializers.CharField(read_only=True, allow_null=True)
    n = serializers.IntegerField(read_only=True, allow_null=True)
    case = serializers.CharField(read_only=True, allow_null=True)
    state = serializers.ChoiceField(choices=STATES, read_only=True)
    severity = serializers.ChoiceField(choices=SEVERITIES, read_only=True, allow_null=True)
    excludes = serializers.BooleanField(read_only=True, allow_null=True)
    allowed = serializers.ListField(child=serializers.CharField(), read_only=True)
    steps = ReviewStepSerializer(many=True, read_only=True)


class ReviewOpenSerializer(Shape):
    """A new query or deviation, and what it is about: a reader, a reader's n-th case, or a case."""

    kind = serializers.ChoiceField(choices=KINDS)
    topic = serializers.ChoiceField(choices=TOPIC_CODES)
    participant = serializers.CharField(max_length=12, required=False, allow_blank=True, default="")
    n = serializers.IntegerField(
        min_value=1, max_value=100_000, required=False, allow_null=True, default=None
    )
    case = serializers.CharField(max_length=12, required=False, allow_blank=True, default="")
    severity = serializers.ChoiceField(choices=SEVERITIES, required=False, allow_null=True, default=None)
    text = serializers.CharField(max_length=4000)


class ReviewStepWriteSerializer(Shape):
    """An answer, a closing (of a deviation with its severity and effect), or a reopening."""

    act = serializers.ChoiceField(choices=[act.value for act in ReviewAct if act != ReviewAct.OPEN])
    severity = serializers.ChoiceField(choices=SEVERITIES, required=False, allow_null=True, default=None)
    excludes = serializers.BooleanField(required=False, allow_null=True, default=None)
    text = serializers.CharField(max_length=4000)


class DisagreementSerializer(Shape):
    """An item on which readers gave different answers to a question; which, and in what condition, is not told."""

    case = serializers.CharField(read_only=True)
    item = serializers.CharField(read_only=True)
    question = serializers.CharField(read_only=True)
    readers = serializers.IntegerField(read_only=True)
    minority = serializers.IntegerField(read_only=True)


class AdjudicationListSerializer(Shape):
    """Where readers disagree, and out of how many items and questions."""

    compared = serializers.IntegerField(read_only=True)
    results = DisagreementSerializer(many=True, read_only=True)
