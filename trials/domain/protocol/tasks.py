"""What readers are asked: one part per kind of task, told apart by ``kind``.

A further task is a part here, a name in :data:`Task`, and its folder under ``trials/reading_tasks`` and in the
browser (see ``trials.reading_tasks.contract``). As everywhere in the protocol, fields are only ever added, each with
a default.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from trials.domain.protocol.parts import Colour, DecimalNumber, Key, Part, ShortText, SourceName, Text
from trials.domain.protocol.questions import Question

# --- What every task has ------------------------------------------------------------------------------------------


class CannotAssessReason(Part):
    """A coded reason for not answering."""

    code: Key
    label: ShortText


DEFAULT_CANNOT_ASSESS = (
    CannotAssessReason(code="image_quality", label="Image quality too low"),
    CannotAssessReason(code="display_fault", label="Display fault"),
    CannotAssessReason(code="wrong_material", label="Wrong or incomplete material"),
    CannotAssessReason(code="knows_patient", label="I know this patient"),
    CannotAssessReason(code="other", label="Other (say why in a comment)"),
)
"""The reasons every task offers unless the protocol changes the words."""


class Corrections(StrEnum):
    """Whether a reader may correct an answer after submitting it."""

    NONE = "none"
    UNTIL_NEXT_IS_OPENED = "until_next_is_opened"


class TaskPart(Part):
    """What the screen of every task shows beside its own question."""

    key: Key
    cannot_assess: tuple[CannotAssessReason, ...] = DEFAULT_CANNOT_ASSESS
    comment: bool = True
    confirm: bool = True
    """Whether an answer needs Enter (or the button) before it is submitted."""
    corrections: Corrections = Corrections.UNTIL_NEXT_IS_OPENED

    @property
    def form_questions(self) -> "tuple[FormQuestion, ...]":
        """The questions of the task's form, each a column of the table; none for tasks without a form."""
        return ()


# --- Preference ---------------------------------------------------------------------------------------------------


class WindowPreset(Part):
    """A display window in Hounsfield units."""

    name: ShortText
    width_hu: Annotated[int, Field(ge=1, le=20_000)]
    level_hu: Annotated[int, Field(ge=-5_000, le=20_000)]


class Outline(Part):
    """How every contour is drawn, whoever made it."""

    colour: Colour = "#FFD60A"
    width_px: Annotated[int, Field(ge=1, le=6)] = 2
    halo: bool = True


class Scroll(Part):
    """Whether neighbouring slices may be looked at."""

    mode: Literal["none", "range"] = "none"
    slices: Annotated[int, Field(ge=0, le=200)] = 0
    """With ``range``: how many slices above and below the item's own."""


_DEFAULT_WINDOWS = (
    WindowPreset(name="Lung", width_hu=1500, level_hu=-600),
    WindowPreset(name="Mediastinum", width_hu=400, level_hu=40),
    WindowPreset(name="Bone", width_hu=1800, level_hu=400),
)


class Display(Part):
    """What the reading screen offers."""

    panes: tuple[ShortText, ShortText] = ("A", "B")
    """What the left and the right pane are called."""
    windows: tuple[WindowPreset, ...] = _DEFAULT_WINDOWS
    start_window: ShortText = "Lung"
    outline: Outline = Outline()
    scroll: Scroll = Scroll()


class CandidateSource(Part):
    """Whose contour a candidate is."""

    source: SourceName
    kind: Literal["expert", "algorithm"]


class Candidates(Part):
    """The two contours of a pair: a is the expert's, b the algorithm's."""

    a: CandidateSource
    b: CandidateSource


class PreferenceTask(TaskPart):
    """Two outlines on the same image side by side; which is better."""

    kind: Literal["preference"] = "preference"
    key: Key = "preference"
    question: ShortText = "Which contour is more accurate?"
    candidates: Candidates | None = None
    no_preference: bool = False
    """Forced choice unless true; then "No preference" is stored as ``none``."""
    display: Display = Display()


# --- Classification and rating ------------------------------------------------------------------------------------


class Decision(Part):
    """The yes or no, asked first and never derived from the rating."""

    question: ShortText = "Are metastases present?"
    negative: ShortText = "No metastasis"
    positive: ShortText = "Metastasis"


class Rating(Part):
    """How suspicious of disease, which is not how sure of the decision."""

    question: ShortText = "How likely is it that metastases are present?"
    scale: Literal["slider", "points"] = "slider"
    """``slider``: 0 to 100 without a position to begin with. ``points``: the labelled steps, lowest first."""
    lowest: ShortText = "definitely absent"
    highest: ShortText = "definitely present"
    points: tuple[ShortText, ...] = ()
    """The labels of a 5- or 6-point scale, from definitely absent to definitely present."""


class LesionMarks(Part):
    """Marks that the reader may set on the image."""

    shape: Literal["point", "box"] = "point"
    rated: bool = False
    """Whether each mark has a suspicion of its own, 0 to 100, as free-response analyses need."""
    required_if_positive: bool = False
    maximum: Annotated[int, Field(ge=1, le=200)] = 50


class ValueWindow(Part):
    """A display window in the values of the image (counts of a scintigraphy, Hounsfield units of a CT)."""

    name: ShortText
    lowest: Annotated[int, Field(ge=-32_768, le=32_767)]
    highest: Annotated[int, Field(ge=-32_768, le=32_767)]


class PlanarDisplay(Part):
    """What the reading screen of a rated image offers."""

    windows: tuple[ValueWindow, ...] = ()
    """Without any, the windows that fit the image: made from its values in the same way for every case."""
    inverted: bool = True
    """Whether high values start dark, as bone scans are read."""
    magnifier: bool = True
    histogram: bool = True


class ClassificationTask(TaskPart):
    """One scan: a decision, a suspicion, or both; marks where wanted."""

    kind: Literal["classification"] = "classification"
    key: Key = "classification"
    decision: Decision | None = Decision()
    rating: Rating | None = Rating()
    marks: LesionMarks | None = None
    display: PlanarDisplay = PlanarDisplay()


# --- Contouring and contour review --------------------------------------------------------------------------------


class VolumeDisplay(Part):
    """What the screen of a volume offers."""

    windows: tuple[WindowPreset, ...] = _DEFAULT_WINDOWS
    start_window: ShortText = "Lung"
    second_series: bool = False
    """Whether a second image of the case (PET) is laid over the first with an opacity of the reader's."""
    show_volume: bool = False
    """Whether the volume and the longest diameter of what is drawn are shown while drawing."""
    show_clock: bool = False


class ContouringTask(TaskPart):
    """One volume: outline the structure. Nothing is drawn beforehand."""

    kind: Literal["contouring"] = "contouring"
    key: Key = "contouring"
    question: ShortText = "Outline the tumour."
    reference: SourceName | None = None
    """Whose contour of the case the readers' are compared with; readers never see it."""
    display: VolumeDisplay = VolumeDisplay()


class ContourReviewTask(TaskPart):
    """One volume with one contour: accept it, edit it or reject it."""

    kind: Literal["contour-review"] = "contour-review"
    key: Key = "contour_review"
    question: ShortText = "Is this contour acceptable for treatment planning?"
    candidates: tuple[CandidateSource, ...] = ()
    """Whose contours are reviewed. With several, each is a condition of the design (``candidate`` names it)."""
    acceptability: tuple[ShortText, ...] = (
        "Acceptable as it is",
        "Acceptable with minor changes",
        "Major changes needed",
        "Not usable",
    )
    """From the best to the worst."""
    allow_edit: bool = True
    surface_tolerance_mm: DecimalNumber = Field(default=Decimal("1.18"), ge=Decimal(0))
    """Of the surface Dice between the contour shown and the contour in the end."""
    origin_question: ShortText | None = None
    """Asked where wanted: "Was this contour made by a person or by an algorithm?"."""
    surface_check: bool = True
    """Whether the surface is shown in three dimensions beside the slices."""
    display: VolumeDisplay = VolumeDisplay()


# --- Rating forms -------------------------------------------------------------------------------------------------


class ShownIf(Part):
    """A condition on an earlier answer of the same form."""

    question: Key
    answers: tuple[ShortText, ...]


class FormQuestion(Question):
    """A question of a rating form; asked always, or only after certain answers."""

    shown_if: ShownIf | None = None


class ConsensusRule(StrEnum):
    """What becomes of a case whose labellers disagree."""

    COUNTS_AS = "counts_as"
    """The label that the protocol names."""
    ADJUDICATION = "adjudication"
    """The label of a further reader, who has read every case without knowing the others' labels."""
    NONE = "none"
    """No label."""


class Consensus(Part):
    """How labels of several readers become one label per case."""

    questions: tuple[Key, ...]
    """Choice, Likert or yes-no questions of the form."""
    rule: ConsensusRule = ConsensusRule.COUNTS_AS
    counts_as: ShortText | None = None
    """With ``counts_as``: the label of a case whose labellers disagree ("yes", or an option's value)."""
    adjudicators: Key | None = None
    """With ``adjudication``: the stratum of the allocation whose reader decides."""


class RatingFormTask(TaskPart):
    """Any image, and a form."""

    kind: Literal["rating-form"] = "rating-form"
    key: Key = "rating_form"
    introduction: Text | None = None
    questions: tuple[FormQuestion, ...] = ()
    consensus: Consensus | None = None
    """Where readers are labellers: one label per case from all of them."""
    display: PlanarDisplay = PlanarDisplay()

    @property
    def form_questions(self) -> tuple[FormQuestion, ...]:
        """The form's questions, in order."""
        return self.questions


# --- The union ----------------------------------------------------------------------------------------------------


def _kind(value: Any) -> str | None:
    """Return a task's kind; one without is a preference task, the only kind when the schema began."""
    kind = value.get("kind", "preference") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


Task = PreferenceTask | ClassificationTask | ContouringTask | ContourReviewTask | RatingFormTask
"""One task of a protocol."""

KINDS = ("preference", "classification", "contouring", "contour-review", "rating-form")
"""The kinds of task, as protocols name them."""

TaskByKind = Annotated[
    Annotated[PreferenceTask, Tag("preference")]
    | Annotated[ClassificationTask, Tag("classification")]
    | Annotated[ContouringTask, Tag("contouring")]
    | Annotated[ContourReviewTask, Tag("contour-review")]
    | Annotated[RatingFormTask, Tag("rating-form")],
    Discriminator(_kind),
]
"""A task as a document holds it, told by its ``kind``."""
