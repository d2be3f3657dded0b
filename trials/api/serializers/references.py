"""Shapes of the reference standard."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape


class ReferenceImportSerializer(Shape):
    """A CSV with the columns case, truth, status, source, date, labellers, and covariates."""

    file = serializers.FileField()


class ReferencesImportedSerializer(Shape):
    """What an import changed."""

    references = serializers.IntegerField(read_only=True)
    covariates = serializers.IntegerField(read_only=True)
    unchanged = serializers.IntegerField(read_only=True)


class ReferenceCountSerializer(Shape):
    """How many cases have a status."""

    status = serializers.CharField(read_only=True)
    cases = serializers.IntegerField(read_only=True)


class ReferenceRowSerializer(Shape):
    """The reference standard of one case; nulls where it has none."""

    case = serializers.CharField(read_only=True)
    truth = serializers.IntegerField(read_only=True, allow_null=True)
    status = serializers.CharField(read_only=True, allow_null=True)
    version = serializers.IntegerField(read_only=True, allow_null=True)
    source = serializers.CharField(read_only=True, allow_null=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    date = serializers.CharField(read_only=True, allow_null=True)
    labellers = serializers.CharField(read_only=True, allow_null=True)


class ReferencesSerializer(Shape):
    """The reference standard of a trial's cases."""

    counts = ReferenceCountSerializer(many=True, read_only=True)
    covariates = serializers.ListField(child=serializers.CharField(), read_only=True)
    rows = ReferenceRowSerializer(many=True, read_only=True)
