"""Events of a trial, and webhooks."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape
from trials.domain.notifications import EventKind

EVENT_KINDS = [kind.value for kind in EventKind]


class EventSerializer(Shape):
    """Something that happened; nothing by arm, and no answer."""

    id = serializers.UUIDField(read_only=True)
    sequence = serializers.IntegerField(read_only=True)
    kind = serializers.ChoiceField(choices=EVENT_KINDS, read_only=True)
    at = serializers.DateTimeField(read_only=True)
    data = serializers.DictField(child=serializers.CharField(allow_null=True), read_only=True)  # type: ignore[assignment]  # a field of this name, not the framework's attribute


class EventListSerializer(Shape):
    """Events in order; ``next`` is what to send as ``after`` the next time."""

    results = EventSerializer(many=True, read_only=True)
    next = serializers.IntegerField(read_only=True)
    more = serializers.BooleanField(read_only=True)


class WebhookCreateSerializer(Shape):
    """An address, and what it is told of."""

    url = serializers.CharField(max_length=2000)
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=EVENT_KINDS), min_length=1)


class WebhookSerializer(Shape):
    """A webhook without its secret."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.CharField(read_only=True)
    kinds = serializers.ListField(child=serializers.CharField(), read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)
    last_delivered_at = serializers.DateTimeField(read_only=True, allow_null=True)
    waiting = serializers.IntegerField(read_only=True)
    given_up = serializers.IntegerField(read_only=True)


class WebhookListSerializer(Shape):
    """A trial's webhooks."""

    results = WebhookSerializer(many=True, read_only=True)


class WebhookCreatedSerializer(WebhookSerializer):
    """A new webhook with the secret that signs its messages, which is not shown again."""

    secret = serializers.CharField(read_only=True)
