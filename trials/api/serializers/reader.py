"""What a reader's browser sends and receives."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape, StorableDictField
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
    kind = serializers.ChoiceField(
        choices=["choice", "multiple_choice", "integer", "number", "yes_no", "text", "likert"], read_only=True
    )
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
    """The image of a reading: where its frames are and how large they are."""

    frames = serializers.CharField(read_only=True)
    rows = serializers.IntegerField(read_only=True)
    columns = serializers.IntegerField(read_only=True)
    row_spacing_mm = serializers.FloatField(read_only=True)
    column_spacing_mm = serializers.FloatField(read_only=True)
    dtype = serializers.ChoiceField(choices=["int16"], read_only=True)
    first_frame = serializers.IntegerField(read_only=True)
    frame_count = serializers.IntegerField(read_only=True)
    start_frame = serializers.IntegerField(read_only=True)


class OptionSerializer(Shape):
    """One answer button."""

    value = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    key = serializers.CharField(read_only=True)


class ReasonSerializer(Shape):
    """One coded reason for not answering."""

    code = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument


class PaneSerializer(Shape):
    """One side of a pair. Both sides have the same length."""

    pane = serializers.ChoiceField(choices=["left", "right"], read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    outlines = serializers.CharField(read_only=True)


class LineStyleSerializer(Shape):
    """How every outline is drawn."""

    colour = serializers.CharField(read_only=True)
    width_px = serializers.IntegerField(read_only=True)
    halo_px = serializers.IntegerField(read_only=True)


class WindowSerializer(Shape):
    """A display window in Hounsfield units and its key."""

    key = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    width = serializers.IntegerField(read_only=True)
    level = serializers.IntegerField(read_only=True)


class PresentationSerializer(Shape):
    """Everything the screen of one reading shows."""

    reading = serializers.CharField(read_only=True)
    lease = serializers.IntegerField(read_only=True)
    task = serializers.CharField(read_only=True)
    phase = serializers.ChoiceField(choices=["practice", "reading", "blinding-check"], read_only=True)
    n = serializers.IntegerField(read_only=True)
    total = serializers.IntegerField(read_only=True)
    seconds_left_estimate = serializers.IntegerField(read_only=True, allow_null=True)
    resumed = serializers.BooleanField(read_only=True)
    may_amend_previous = serializers.BooleanField(read_only=True)
    image = ImageSerializer(read_only=True)
    question = serializers.CharField(read_only=True)
    options = OptionSerializer(many=True, read_only=True)
    cannot_assess = ReasonSerializer(many=True, read_only=True)
    confirm = serializers.BooleanField(read_only=True)
    comment = serializers.BooleanField(read_only=True)
    panes = PaneSerializer(many=True, read_only=True)
    style = LineStyleSerializer(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    windows = WindowSerializer(many=True, read_only=True)
    start_window = serializers.IntegerField(read_only=True)
    scroll = serializers.BooleanField(read_only=True)
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


class ReadingAmendSerializer(Shape):
    """A correction of the answer just given."""

    reading = serializers.CharField(max_length=40)
    key = serializers.UUIDField()
    answer = StorableDictField(child=serializers.JSONField(allow_null=True))


class PreloadSerializer(Shape):
    """The bare image frames of the next reading."""

    frames = serializers.CharField(read_only=True)
    rows = serializers.IntegerField(read_only=True)
    columns = serializers.IntegerField(read_only=True)
    first_frame = serializers.IntegerField(read_only=True)
    frame_count = serializers.IntegerField(read_only=True)
    start_frame = serializers.IntegerField(read_only=True)


class NextSerializer(Shape):
    """What comes next."""

    step = serializers.ChoiceField(choices=[step.value for step in Step], read_only=True)
    n = serializers.IntegerField(read_only=True)
    total = serializers.IntegerField(read_only=True)
    preload = PreloadSerializer(read_only=True, allow_null=True)


class SubmittedSerializer(Shape):
    """The acknowledgement of an answer: it is stored."""

    late = serializers.BooleanField(read_only=True)
    next = NextSerializer(read_only=True)
