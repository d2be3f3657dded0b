"""Reminders by e-mail."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape
from trials.domain.reminders import MAX_AFTER_DAYS, MIN_AFTER_DAYS


class ReminderRowSerializer(Shape):
    """One reader: the last reminder, and whether another may be sent."""

    participant = serializers.CharField(read_only=True)
    last_reminder_at = serializers.DateTimeField(read_only=True, allow_null=True)
    last_activity_at = serializers.DateTimeField(read_only=True)
    may_be_reminded = serializers.BooleanField(read_only=True)
    why_not = serializers.CharField(read_only=True, allow_null=True)


class ReminderListSerializer(Shape):
    """The plan and the readers of a trial."""

    after_days = serializers.IntegerField(read_only=True, allow_null=True)
    results = ReminderRowSerializer(many=True, read_only=True)


class ReminderPlanSerializer(Shape):
    """After how many days without a reading readers are reminded by themselves; null: never."""

    after_days = serializers.IntegerField(min_value=MIN_AFTER_DAYS, max_value=MAX_AFTER_DAYS, allow_null=True)


class ReminderAskSerializer(Shape):
    """Readers to be reminded now, by code."""

    participants = serializers.ListField(
        child=serializers.CharField(max_length=12), min_length=1, max_length=2000
    )


class ReminderAskedSerializer(Shape):
    """Who is reminded, and who is not, with the reason."""

    reminded = serializers.ListField(child=serializers.CharField(), read_only=True)
    not_reminded = serializers.DictField(child=serializers.CharField(), read_only=True)


class ReminderStopSerializer(Shape):
    """What the link of a reminder carries."""

    token = serializers.CharField(max_length=300)


class ReminderStoppedSerializer(Shape):
    """The trial of which no more reminders come."""

    trial_title = serializers.CharField(read_only=True)
