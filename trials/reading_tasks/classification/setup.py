"""What the classification screen is sent."""

from typing import Any

from rest_framework import serializers

# Fields named `label` and the like shadow arguments of DRF's own fields; each says so.


class DecisionOptionSerializer(serializers.Serializer[Any]):
    """One of the two answers."""

    value = serializers.ChoiceField(choices=[0, 1], read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    key = serializers.CharField(read_only=True)


class DecisionSerializer(serializers.Serializer[Any]):
    """The yes or no."""

    question = serializers.CharField(read_only=True)
    options = DecisionOptionSerializer(many=True, read_only=True)


class RatingSerializer(serializers.Serializer[Any]):
    """The suspicion of disease."""

    question = serializers.CharField(read_only=True)
    scale = serializers.ChoiceField(choices=["slider", "points"], read_only=True)
    lowest = serializers.CharField(read_only=True)
    highest = serializers.CharField(read_only=True)
    points = serializers.ListField(child=serializers.CharField(), read_only=True)


class MarksSerializer(serializers.Serializer[Any]):
    """What may be marked on the image."""

    shape = serializers.ChoiceField(choices=["point", "box"], read_only=True)
    rated = serializers.BooleanField(read_only=True)
    required_if_positive = serializers.BooleanField(read_only=True)
    maximum = serializers.IntegerField(read_only=True)


class ClassificationSetupSerializer(serializers.Serializer[Any]):
    """A decision, a rating, marks: those that the protocol asks for."""

    kind = serializers.ChoiceField(choices=["classification"], read_only=True)
    decision = DecisionSerializer(read_only=True, allow_null=True)
    rating = RatingSerializer(read_only=True, allow_null=True)
    marks = MarksSerializer(read_only=True, allow_null=True)
    magnifier = serializers.BooleanField(read_only=True)
    histogram = serializers.BooleanField(read_only=True)
