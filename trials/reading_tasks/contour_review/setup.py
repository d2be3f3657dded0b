"""What the screen of a contour under review is sent: the contour's voxels, and nothing of where they come from."""

from rest_framework import serializers

from trials.reading_tasks.volumes import VolumeSetupSerializer

ORIGINS = (("person", "A person"), ("algorithm", "An algorithm"), ("dont_know", "Don't know"))
"""What may be answered to the question by whom the contour was made, and the words of it."""


class ContourReviewSetupSerializer(VolumeSetupSerializer):
    """A volume and the contour to be judged."""

    kind = serializers.ChoiceField(choices=["contour-review"], read_only=True)
    start = serializers.CharField(read_only=True, help_text="The contour as EQMK1 bytes in base64.")
    acceptability = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="The steps of the scale, the best first."
    )
    allow_edit = serializers.BooleanField(read_only=True)
    origin_question = serializers.CharField(read_only=True, allow_null=True)
    surface_check = serializers.BooleanField(read_only=True)
