"""Results of algorithms: what is sent, the report on each, and what is listed."""

import math
from typing import Any

import numpy as np
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from equipoise.common.errors import ErrorCode
from equipoise.imaging.heat_map import RAW_TYPES
from trials.api.serializers.shape import Shape
from trials.domain.results import (
    MIN_POLYGON_POINTS,
    FailureCode,
    HeatFormat,
    MaskFormat,
    ResultTask,
    UsedInTraining,
)

MAX_ITEMS = 100
"""Results of one request: as many as it may have files."""

RESULT_TASKS = [(task.value, task.value) for task in ResultTask]
FAILURE_CODES = [(code.value, code.value) for code in FailureCode]
ERROR_CODES = [(code.value, code.value) for code in ErrorCode]
MASK_FORMATS = [(one.value, one.value) for one in MaskFormat]
HEAT_FORMATS = [(one.value, one.value) for one in HeatFormat]
HEAT_TYPES = [(name, name) for name in RAW_TYPES]
USES = [(one.value, one.value) for one in UsedInTraining]
OUTCOMES = [(outcome, outcome) for outcome in ("stored", "unchanged", "refused")]
_POINT = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}


@extend_schema_field(
    {"type": "array", "items": {"type": "array", "items": _POINT, "minItems": MIN_POLYGON_POINTS}}
)
class PolygonsField(serializers.Field[Any, Any, Any, Any]):
    """Closed polygons as lists of points (x, y, z) in mm, LPS; one slice each."""

    default_error_messages = {
        "shape": "Polygon {number} must be a list of at least three points, each three numbers."
    }

    def to_internal_value(self, data: Any) -> tuple[np.ndarray, ...]:
        """Return each polygon as an (n, 3) array; that its numbers are finite is checked with the others."""
        if not isinstance(data, list):
            self.fail("shape", number=1)
        return tuple(self._polygon(points, number) for number, points in enumerate(data, start=1))

    def _polygon(self, points: Any, number: int) -> np.ndarray:
        try:
            array = np.array(points, dtype=float)
        except (TypeError, ValueError, OverflowError):
            self.fail("shape", number=number)
        if array.ndim != 2 or array.shape[1] != 3 or len(array) < MIN_POLYGON_POINTS:
            self.fail("shape", number=number)
        return array

    def to_representation(self, value: Any) -> Any:
        """Return plain lists."""
        return [np.asarray(points).tolist() for points in value]


class NumberField(serializers.FloatField):
    """A number that may be NaN or infinite: the service refuses those, each by its own code."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number."""
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            self.fail("invalid")
        try:
            return float(data)
        except OverflowError:
            return math.inf
        except ValueError:
            self.fail("invalid")


class ModelVersionSerializer(Shape):
    """Which model, by name, version and the SHA-256 of its weights."""

    name = serializers.CharField(max_length=300)
    version = serializers.CharField(max_length=40)
    weights_sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")


class ResultContourSerializer(Shape):
    """A contour: ``polygons``, or a mask file of a ``format`` as base64 ``content`` or as the multipart ``part``."""

    polygons = PolygonsField(required=False, allow_null=True)
    format = serializers.ChoiceField(choices=MASK_FORMATS, required=False, allow_null=True)
    content = serializers.CharField(required=False, allow_null=True, trim_whitespace=False)
    part = serializers.CharField(required=False, allow_null=True, max_length=100)
    label = serializers.CharField(required=False, allow_null=True, max_length=200)  # type: ignore[assignment]  # a field of this name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want the contour in exactly one form."""
        forms = [name for name in ("polygons", "content", "part") if attrs.get(name) is not None]
        if len(forms) != 1:
            raise serializers.ValidationError("Send exactly one of polygons, content and part.")
        if forms != ["polygons"] and not attrs.get("format"):
            raise serializers.ValidationError({"format": "Say which format the mask file has."})
        return attrs


class ResultHeatMapSerializer(Shape):
    """A heat map on the case's image: a file as base64 ``content`` or as the multipart ``part``, and how it was made.

    Floats from 0 to 1, or uint8 levels. ``raw`` bytes need ``shape`` (frames, rows, columns) and ``dtype``.
    """

    format = serializers.ChoiceField(choices=HEAT_FORMATS)
    content = serializers.CharField(required=False, allow_null=True, trim_whitespace=False)
    part = serializers.CharField(required=False, allow_null=True, max_length=100)
    shape = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1 << 20),
        min_length=2,
        max_length=3,
        required=False,
        allow_null=True,
    )
    dtype = serializers.ChoiceField(choices=HEAT_TYPES, required=False, allow_null=True)
    method = serializers.CharField(max_length=80)
    layer = serializers.CharField(max_length=120, allow_blank=True, default="")
    target_class = serializers.CharField(max_length=120, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want the file once, and shape and type with raw bytes alone."""
        if len([name for name in ("content", "part") if attrs.get(name) is not None]) != 1:
            raise serializers.ValidationError("Send exactly one of content and part.")
        described = [name for name in ("shape", "dtype") if attrs.get(name) is not None]
        if len(described) != (2 if attrs["format"] == HeatFormat.RAW else 0):
            raise serializers.ValidationError(
                "Raw bytes need shape and dtype; other formats say both themselves."
            )
        return attrs


class RunTimeSerializer(Shape):
    """Wall time from input read to result stored, the model being loaded, and on what."""

    seconds = NumberField()
    hardware = serializers.CharField(max_length=120, allow_blank=True, default="")
    device = serializers.CharField(max_length=40, allow_blank=True, default="")
    cold_start_seconds = NumberField(allow_null=True, default=None)


class FailureSerializer(Shape):
    """Why there is no result."""

    code = serializers.ChoiceField(choices=FAILURE_CODES)
    detail = serializers.CharField(max_length=500, allow_blank=True, default="")


class ResultItemSerializer(Shape):
    """One result, or one failure, of a model version on a case."""

    key = serializers.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")
    case = serializers.CharField(max_length=12)
    model = ModelVersionSerializer()
    task = serializers.ChoiceField(choices=RESULT_TASKS, default=ResultTask.PREFERENCE.value)
    repeat = serializers.IntegerField(min_value=1, max_value=999, default=1)
    contour = ResultContourSerializer(required=False, allow_null=True)
    probability = NumberField(required=False, allow_null=True)
    rating = NumberField(required=False, allow_null=True)
    heat_map = ResultHeatMapSerializer(required=False, allow_null=True)
    used_in_training = serializers.ChoiceField(choices=USES, required=False, allow_null=True)
    run = RunTimeSerializer(required=False, allow_null=True)
    failure = FailureSerializer(required=False, allow_null=True)


class ResultsSubmitSerializer(Shape):
    """Results of one or many cases. Each is stored whole or not at all, whatever becomes of the others."""

    results = serializers.ListField(child=ResultItemSerializer(), min_length=1, max_length=MAX_ITEMS)


class ResultsMultipartSerializer(Shape):
    """The same as a form: ``results`` is the JSON list, every other part a mask file that an item names."""

    results = serializers.CharField()


class ResultReportSerializer(Shape):
    """What became of one item."""

    index = serializers.IntegerField(read_only=True)
    key = serializers.CharField(read_only=True, allow_null=True)
    case = serializers.CharField(read_only=True, allow_null=True)
    outcome = serializers.ChoiceField(choices=OUTCOMES, read_only=True)
    id = serializers.UUIDField(read_only=True, allow_null=True)
    code = serializers.ChoiceField(choices=ERROR_CODES, read_only=True, allow_null=True)
    detail = serializers.CharField(read_only=True, allow_null=True)
    data = serializers.DictField(read_only=True)  # type: ignore[assignment]  # a field of this name


class ResultsReportSerializer(Shape):
    """The report on a request, item by item in the order sent."""

    stored = serializers.IntegerField(read_only=True)
    unchanged = serializers.IntegerField(read_only=True)
    refused = serializers.IntegerField(read_only=True)
    results = ResultReportSerializer(many=True, read_only=True)


class ReceivedRunSerializer(Shape):
    """The run's time as received."""

    seconds = serializers.FloatField(read_only=True)
    cold_start_seconds = serializers.FloatField(read_only=True, allow_null=True)
    hardware = serializers.CharField(read_only=True)
    device = serializers.CharField(read_only=True)


class ReceivedFailureSerializer(Shape):
    """A failure as received."""

    code = serializers.ChoiceField(choices=FAILURE_CODES, read_only=True)
    detail = serializers.CharField(read_only=True)


class ReceivedHeatMapSerializer(Shape):
    """A heat map's making, and the SHA-256 of its levels."""

    method = serializers.CharField(read_only=True)
    layer = serializers.CharField(read_only=True)
    target_class = serializers.CharField(read_only=True)
    levels_sha256 = serializers.CharField(read_only=True)


class ReceivedResultSerializer(Shape):
    """One stored result."""

    id = serializers.UUIDField(read_only=True)
    case = serializers.CharField(read_only=True)
    participant = serializers.CharField(read_only=True)
    participant_kind = serializers.CharField(read_only=True)
    source = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name
    model = ModelVersionSerializer(read_only=True)
    task = serializers.ChoiceField(choices=RESULT_TASKS, read_only=True)
    repeat = serializers.IntegerField(read_only=True)
    is_candidate = serializers.BooleanField(read_only=True)
    volume_ml = serializers.FloatField(read_only=True, allow_null=True)
    probability = serializers.FloatField(read_only=True, allow_null=True)
    rating = serializers.FloatField(read_only=True, allow_null=True)
    heat_map = ReceivedHeatMapSerializer(read_only=True, allow_null=True)
    run = ReceivedRunSerializer(read_only=True, allow_null=True)
    failure = ReceivedFailureSerializer(read_only=True, allow_null=True)
    received_at = serializers.DateTimeField(read_only=True)


class ReceivedResultListSerializer(Shape):
    """A page of results."""

    results = ReceivedResultSerializer(many=True, read_only=True)
    next = serializers.CharField(read_only=True, allow_null=True)
    previous = serializers.CharField(read_only=True, allow_null=True)
