"""What a reader's browser sends and receives."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from trials.api.serializers.shape import Shape, StorableDictField
from trials.domain.grey_steps import FIELDS, QUARTERS
from trials.domain.protocol.v1 import OnReturn
from trials.reading_tasks.rating_form.setup import QUESTION_KINDS
from trials.reading_tasks.registry import READING_TASKS, reading_task
from trials.selectors.reader import Step


class InboxRowSerializer(Shape):
    """One trial in the reader's inbox."""

    trial = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    step = serializers.ChoiceField(choices=[step.value for step in Step], read_only=True)
    n = serializers.IntegerField(read_only=True)
    total = serializers.IntegerField(read_only=True)
    minutes_left = serializers.IntegerField(read_only=True, allow_null=True)
    message = serializers.CharField(read_only=True, allow_null=True)


class ConsentTextSerializer(Shape):
    """The words a reader agrees to."""

    version = serializers.CharField(read_only=True)
    text = serializers.CharField(read_only=True)


class QuestionOptionSerializer(Shape):
    """One answer of a choice."""

    value = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument


class QuestionSerializer(Shape):
    """One question of a form."""

    key = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(choices=QUESTION_KINDS, read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    help = serializers.CharField(read_only=True, allow_null=True)
    required = serializers.BooleanField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    options = QuestionOptionSerializer(many=True, read_only=True)
    minimum = serializers.CharField(read_only=True, allow_null=True)
    maximum = serializers.CharField(read_only=True, allow_null=True)
    unit = serializers.CharField(read_only=True, allow_null=True)
    max_length = serializers.IntegerField(read_only=True)


class QuestionnaireSerializer(Shape):
    """The questions before the first reading."""

    introduction = serializers.CharField(read_only=True, allow_null=True)
    questions = QuestionSerializer(many=True, read_only=True)


class InstructionsSerializer(Shape):
    """What a reader is told before practice."""

    text = serializers.CharField(read_only=True)
    disclosure = serializers.CharField(read_only=True)


class ClosingSerializer(Shape):
    """The one question after the last reading."""

    question = serializers.CharField(read_only=True, allow_null=True)


class WindowSizeSerializer(Shape):
    """A window's size in CSS pixels."""

    width_px = serializers.IntegerField(read_only=True)
    height_px = serializers.IntegerField(read_only=True)


class EnvironmentRuleSerializer(Shape):
    """What the protocol asks of the reader's display and window, and the displays that need no further test."""

    minimum_window = WindowSizeSerializer(read_only=True, allow_null=True)
    minimum_colour_depth_bits = serializers.IntegerField(read_only=True, allow_null=True)
    grey_steps = serializers.ChoiceField(choices=["none", "offered", "required"], read_only=True)
    grey_steps_failing = serializers.ChoiceField(choices=["warn", "block"], read_only=True)
    fit_displays = serializers.ListField(child=serializers.CharField(), read_only=True)


class OnReturnSerializer(Shape):
    """What happens to a reading that was left open, now that its reader is back."""

    what = serializers.ChoiceField(choices=[what.value for what in OnReturn], read_only=True)
    left_at = serializers.DateTimeField(read_only=True)
    message = serializers.CharField(read_only=True)


class ReaderStateSerializer(Shape):
    """The reader's next screen."""

    trial = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    step = serializers.ChoiceField(choices=[step.value for step in Step], read_only=True)
    n = serializers.IntegerField(read_only=True)
    total = serializers.IntegerField(read_only=True)
    phase_label = serializers.CharField(read_only=True)
    seconds_left_estimate = serializers.IntegerField(read_only=True, allow_null=True)
    consent = ConsentTextSerializer(read_only=True, allow_null=True)
    questionnaire = QuestionnaireSerializer(read_only=True, allow_null=True)
    instructions = InstructionsSerializer(read_only=True, allow_null=True)
    break_text = serializers.CharField(read_only=True, allow_null=True)
    closing = ClosingSerializer(read_only=True, allow_null=True)
    message = serializers.CharField(read_only=True, allow_null=True)
    opens_at = serializers.DateTimeField(read_only=True, allow_null=True)
    task = serializers.CharField(read_only=True, allow_null=True)
    environment = EnvironmentRuleSerializer(read_only=True, allow_null=True)
    on_return = OnReturnSerializer(read_only=True, allow_null=True)
    leave_note = serializers.CharField(read_only=True, allow_null=True)


class PatchAnswerSerializer(Shape):
    """Where a patch was shown and where the reader found it; null where none was seen."""

    field = serializers.ChoiceField(choices=list(FIELDS))
    shown = serializers.IntegerField(min_value=QUARTERS[0], max_value=QUARTERS[-1])
    chosen = serializers.IntegerField(min_value=QUARTERS[0], max_value=QUARTERS[-1], allow_null=True)


class DisplayCheckSerializer(Shape):
    """One try of the grey-step test; ``answers`` is null where it was left out."""

    environment = StorableDictField(child=serializers.JSONField(allow_null=True))
    answers = PatchAnswerSerializer(many=True, allow_null=True)


class ConsentGiveSerializer(Shape):
    """A reader's agreement."""

    version = serializers.CharField(max_length=40)
    agreed = serializers.BooleanField()


class AnswersSerializer(Shape):
    """Answers of a form, by question key."""

    answers = StorableDictField(child=serializers.JSONField(allow_null=True))


class ReadingOpenSerializer(Shape):
    """The environment a reading is opened in: window size, pixel ratio, zoom."""

    environment = StorableDictField(child=serializers.JSONField(allow_null=True), default=dict)


class ImageSerializer(Shape):
    """An image of a reading: where its frames are and how large they are."""

    frames = serializers.CharField(read_only=True)
    rows = serializers.IntegerField(read_only=True)
    columns = serializers.IntegerField(read_only=True)
    row_spacing_mm = serializers.FloatField(read_only=True)
    column_spacing_mm = serializers.FloatField(read_only=True)
    frame_spacing_mm = serializers.FloatField(read_only=True)
    dtype = serializers.ChoiceField(choices=["int16"], read_only=True)
    first_frame = serializers.IntegerField(read_only=True)
    frame_count = serializers.IntegerField(read_only=True)
    start_frame = serializers.IntegerField(read_only=True)
    views = serializers.ListField(child=serializers.CharField(), read_only=True)
    modality = serializers.CharField(read_only=True)


class ReasonSerializer(Shape):
    """One coded reason for not answering."""

    code = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument


class WindowSerializer(Shape):
    """A display window in stored values (Hounsfield units for CT) and its key, empty if it has none."""

    key = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    width = serializers.IntegerField(read_only=True)
    level = serializers.IntegerField(read_only=True)


class ValueRangeSerializer(Shape):
    """Between which stored values a window may lie."""

    lowest = serializers.IntegerField(read_only=True)
    highest = serializers.IntegerField(read_only=True)


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="TaskSetup",
        serializers=[task.setup_serializer for task in READING_TASKS.values()],
        resource_type_field_name=None,
    )
)
class SetupField(serializers.Field[Any, Any, Any, Any]):
    """The task's own part of a presentation, whitelisted by the task's serializer."""

    def to_representation(self, value: dict[str, Any]) -> Any:
        """Write the part through the serializer of its kind."""
        return reading_task(value["kind"]).setup_serializer(value).data


class HeatMapSerializer(Shape):
    """A heat map on the grid of the first image, reduced by a whole factor; levels 0 to 255 as base64."""

    factor = serializers.IntegerField(read_only=True)
    rows = serializers.IntegerField(read_only=True)
    columns = serializers.IntegerField(read_only=True)
    frames = serializers.IntegerField(read_only=True)
    levels = serializers.CharField(read_only=True)


class AidSerializer(Shape):
    """What of an algorithm's result stands beside the image."""

    available = serializers.BooleanField(read_only=True)
    probability = serializers.FloatField(read_only=True, allow_null=True)
    heat_map = HeatMapSerializer(read_only=True, allow_null=True)


class PresentationSerializer(Shape):
    """Everything the screen of one reading shows."""

    reading = serializers.CharField(read_only=True)
    lease = serializers.IntegerField(read_only=True)
    task = serializers.CharField(read_only=True)
    phase = serializers.ChoiceField(choices=["practice", "reading", "blinding-check"], read_only=True)
    stage = serializers.ChoiceField(choices=[0, 1, 2], read_only=True)
    condition = serializers.CharField(read_only=True, allow_null=True)
    n = serializers.IntegerField(read_only=True)
    total = serializers.IntegerField(read_only=True)
    seconds_left_estimate = serializers.IntegerField(read_only=True, allow_null=True)
    resumed = serializers.BooleanField(read_only=True)
    may_amend_previous = serializers.BooleanField(read_only=True)
    images = ImageSerializer(many=True, read_only=True)
    question = serializers.CharField(read_only=True)
    cannot_assess = ReasonSerializer(many=True, read_only=True)
    confirm = serializers.BooleanField(read_only=True)
    comment = serializers.BooleanField(read_only=True)
    windows = WindowSerializer(many=True, read_only=True)
    start_window = serializers.IntegerField(read_only=True)
    inverted = serializers.BooleanField(read_only=True)
    value_range = ValueRangeSerializer(read_only=True)
    scroll = serializers.BooleanField(read_only=True)
    setup = SetupField(read_only=True)
    has_aid = serializers.BooleanField(read_only=True)
    aid = AidSerializer(read_only=True, allow_null=True)
    first_answer = serializers.DictField(
        child=serializers.JSONField(allow_null=True), read_only=True, allow_null=True
    )
    leave_note = serializers.CharField(read_only=True)
    resume_within_hours = serializers.IntegerField(read_only=True, allow_null=True)
    draft = serializers.DictField(
        child=serializers.JSONField(allow_null=True), read_only=True, allow_null=True
    )


class EventSerializer(Shape):
    """One time-stamped fact."""

    sequence = serializers.IntegerField(min_value=0, max_value=2_000_000)
    kind = serializers.RegexField(r"^[a-z][a-z_]{0,29}$")
    clock_id = serializers.CharField(max_length=40)
    t_ms = serializers.FloatField(min_value=0, max_value=1e11)
    wall_ms = serializers.FloatField(min_value=0, max_value=1e14)
    data = StorableDictField(child=serializers.JSONField(allow_null=True), default=dict)  # type: ignore[assignment]  # a field of this name


class EventsAppendSerializer(Shape):
    """A batch of events; it may be sent again."""

    reading = serializers.CharField(max_length=40)
    lease = serializers.IntegerField(min_value=1)
    events = EventSerializer(many=True)


class EventsReceivedSerializer(Shape):
    """What became of a batch."""

    received = serializers.IntegerField(read_only=True)
    state = serializers.CharField(read_only=True)


class DraftSaveSerializer(Shape):
    """The unfinished answer."""

    reading = serializers.CharField(max_length=40)
    lease = serializers.IntegerField(min_value=1)
    draft = StorableDictField(child=serializers.JSONField(allow_null=True))


class ReadingSubmitSerializer(Shape):
    """An answer, with the events not sent before."""

    reading = serializers.CharField(max_length=40)
    lease = serializers.IntegerField(min_value=1)
    key = serializers.UUIDField()
    answer = StorableDictField(child=serializers.JSONField(allow_null=True))
    events = EventSerializer(many=True)


class ReadingCommitSerializer(ReadingSubmitSerializer):
    """The first answer of a sequential pair; the second half is opened in the environment given."""

    environment = StorableDictField(child=serializers.JSONField(allow_null=True), default=dict)


class ReadingAmendSerializer(Shape):
    """A correction of the answer just given."""

    reading = serializers.CharField(max_length=40)
    key = serializers.UUIDField()
    answer = StorableDictField(child=serializers.JSONField(allow_null=True))


class NextSerializer(Shape):
    """What comes next."""

    step = serializers.ChoiceField(choices=[step.value for step in Step], read_only=True)
    n = serializers.IntegerField(read_only=True)
    total = serializers.IntegerField(read_only=True)
    suggest_break = serializers.BooleanField(read_only=True)
    preload = ImageSerializer(many=True, read_only=True)


class FeedbackSerializer(Shape):
    """How a practice answer stands to the reference standard."""

    correct = serializers.BooleanField(read_only=True, allow_null=True)
    text = serializers.CharField(read_only=True)


class SubmittedSerializer(Shape):
    """The acknowledgement of an answer: it is stored."""

    late = serializers.BooleanField(read_only=True)
    feedback = FeedbackSerializer(read_only=True, allow_null=True)
    next = NextSerializer(read_only=True)
