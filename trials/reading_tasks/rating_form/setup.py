"""What the rating form's screen is sent."""

from typing import Any

from rest_framework import serializers

from trials.domain.protocol.questions import QuestionKind

QUESTION_KINDS = [(kind.value, kind.value) for kind in QuestionKind]
"""Of a questionnaire's and of a form's questions, as the schema lists them."""

# Fields named `label` and the like shadow arguments of DRF's own fields; each says so.


class FormOptionSerializer(serializers.Serializer[Any]):
    """One answer of a choice."""

    value = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument


class ShownIfSerializer(serializers.Serializer[Any]):
    """After which answers of an earlier question a question is asked."""

    question = serializers.CharField(read_only=True)
    answers = serializers.ListField(child=serializers.CharField(), read_only=True)


class FormQuestionSerializer(serializers.Serializer[Any]):
    """One question of the form."""

    key = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(choices=QUESTION_KINDS, read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    help = serializers.CharField(read_only=True, allow_null=True)
    required = serializers.BooleanField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    options = FormOptionSerializer(many=True, read_only=True)
    minimum = serializers.CharField(read_only=True, allow_null=True)
    maximum = serializers.CharField(read_only=True, allow_null=True)
    unit = serializers.CharField(read_only=True, allow_null=True)
    max_length = serializers.IntegerField(read_only=True)
    shown_if = ShownIfSerializer(read_only=True, allow_null=True)


class RatingFormSetupSerializer(serializers.Serializer[Any]):
    """The form."""

    kind = serializers.ChoiceField(choices=["rating-form"], read_only=True)
    introduction = serializers.CharField(read_only=True, allow_null=True)
    questions = FormQuestionSerializer(many=True, read_only=True)
