"""What the preference screen is sent."""

from typing import Any

from rest_framework import serializers


class OptionSerializer(serializers.Serializer[Any]):
    """One answer button."""

    value = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    key = serializers.CharField(read_only=True)


class PaneSerializer(serializers.Serializer[Any]):
    """One side of a pair. Both sides have the same length."""

    pane = serializers.ChoiceField(choices=["left", "right"], read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    outlines = serializers.CharField(read_only=True)


class LineStyleSerializer(serializers.Serializer[Any]):
    """How every outline is drawn."""

    colour = serializers.CharField(read_only=True)
    width_px = serializers.IntegerField(read_only=True)
    halo_px = serializers.IntegerField(read_only=True)


class PreferenceSetupSerializer(serializers.Serializer[Any]):
    """Two outlines on one image, and what may be answered."""

    kind = serializers.ChoiceField(choices=["preference"], read_only=True)
    options = OptionSerializer(many=True, read_only=True)
    panes = PaneSerializer(many=True, read_only=True)
    style = LineStyleSerializer(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
