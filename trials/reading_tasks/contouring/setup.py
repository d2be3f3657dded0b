"""What the contouring screen is sent."""

from rest_framework import serializers

from trials.reading_tasks.volumes import VolumeSetupSerializer


class ContouringSetupSerializer(VolumeSetupSerializer):
    """An empty volume to draw in."""

    kind = serializers.ChoiceField(choices=["contouring"], read_only=True)
