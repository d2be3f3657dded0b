"""Schema ``equipoise/protocol/1``: every field of a trial's design.

Stored protocols outlive this code. Fields are only ever added here, each with a default, and never renamed; a change
of meaning is schema 2 with an upgrade beside it (``trials.domain.protocol.upgrade``). A draft may leave almost
everything out: what protocol lock needs is named by ``trials.domain.protocol.completeness.lock_problems``.

Numbers that are not whole are decimals and travel as text ("0.7"), so that the canonical form has no floats.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

SCHEMA = "equipoise/protocol/1"
"""The value of the document's ``schema`` key."""

MAX_TEXT = 20_000
"""Characters of the longest text a protocol may hold (consent)."""
MAX_SEED = 2**53 - 1
"""Largest seed that every JSON reader keeps exactly (RFC 8785)."""


def decimal_text(value: Decimal) -> str:
    """Return the one text of a decimal: no exponent, no trailing zeros."""
    text = format(value.normalize(), "f")
    return "0" if text in {"-0", "0"} else text


def _whole_number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


DecimalNumber = Annotated[Decimal, PlainSerializer(decimal_text, return_type=str), Field(allow_inf_nan=False)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A name inside the protocol: lower case, digits, underscores."""
SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Whose contour: the name under which candidates are ingested. Readers never see it."""
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]
VersionText = Annotated[
    str,
    BeforeValidator(_whole_number_as_text),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
Percent = Annotated[int, Field(ge=0, le=100)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class Part(BaseModel):
    """A part of the protocol: immutable, exact types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# --- The study --------------------------------------------------------------------------------------------------


class Reference(Part):
    """A number in a public register, or the reason why there is none."""

    registry: ShortText | None = None
    number: ShortText | None = None
    none_because: Text | None = None


class Algorithm(Part):
    """One model version, fixed at protocol lock."""

    source: SourceName
    """The name its results are ingested under."""
    name: ShortText
    version: VersionText
    weights_sha256: Sha256 | None = None
    weights_unknown_because: Text | None = None
    operating_threshold: DecimalNumber | None = None
    operating_threshold_from: Text | None = None
    """The data the threshold was chosen on."""
    used_in_training: Literal["no", "some", "unknown"] = "unknown"
    """Whether cases of this trial were used to train or tune it; the exact answer stands per case."""


class Consent(Part):
    """What a reader agrees to."""

    version: VersionText | None = None
    text: Text | None = None
    withdrawal_of_readings_until: Text | None = None
    """Until when a reader may say "do not use my readings", in words the reader sees."""

    @property
    def shown_text(self) -> str:
        """The words that a reader reads and agrees to."""
        until = self.withdrawal_of_readings_until
        return (self.text or "") + (f"\n\nYour readings can be withdrawn until: {until}" if until else "")


class QuestionKind(StrEnum):
    """How a question is answered."""

    CHOICE = "choice"
    MULTIPLE_CHOICE = "multiple_choice"
    INTEGER = "integer"
    NUMBER = "number"
    YES_NO = "yes_no"
    TEXT = "text"
    LIKERT = "likert"


class Option(Part):
    """One answer of a choice."""

    value: Key
    label: ShortText


class Question(Part):
    """One question of a questionnaire."""

    key: Key
    kind: QuestionKind
    label: ShortText
    help: ShortText | None = None
    required: bool = True
    options: tuple[Option, ...] = ()
    """For ``choice`` and ``multiple_choice``; for ``likert`` from the lowest to the highest."""
    minimum: DecimalNumber | None = None
    maximum: DecimalNumber | None = None
    unit: ShortText | None = None
    max_length: Annotated[int, Field(ge=1, le=5000)] = 1000


class Questionnaire(Part):
    """What is asked before the first reading."""

    introduction: Text | None = None
    questions: tuple[Question, ...] = ()
    group_question: Key | None = None
    """The choice question whose answer is the reader's group in tables (speciality)."""
    experience_question: Key | None = None
    """The number question whose answer is the reader's years of experience."""


class Instructions(Part):
    """What a reader is told before practice."""

    text: Text | None = None


# --- Items ------------------------------------------------------------------------------------------------------


class ItemSelection(Part):
    """Which slices become items: a rule on the agreement of the two contours, then a seeded draw."""

    metric: Literal["dice_2d"] = "dice_2d"
    above: DecimalNumber = Field(default=Decimal("0.7"), ge=Decimal(0), lt=Decimal(1))
    """A slice qualifies if its metric is strictly above this."""
    count: Annotated[int, Field(ge=1, le=10_000)] = 100
    max_per_case: Annotated[int, Field(ge=1)] | None = None
    max_per_case_and_expert: Annotated[int, Field(ge=1)] = 1
    min_distance_mm: DecimalNumber = Field(default=Decimal(10), ge=Decimal(0))
    """Between two shown slices of one case, along the slice axis."""
    stratum: Key | None = None
    """A case covariate; the draw then takes equal shares from each of its values, as far as they last."""


class Items(Part):
    """What one reading shows and where it comes from."""

    unit: Literal["slice"] = "slice"
    structure: ShortText = "tumour"
    """What is outlined, in words the reader sees."""
    selection: ItemSelection = ItemSelection()


class Practice(Part):
    """Items read first, from patients with no item in the trial, never analysed."""

    count: Annotated[int, Field(ge=0, le=50)] = 3
    show_reference: bool = False
    text: Text | None = None


# --- Tasks ------------------------------------------------------------------------------------------------------


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


class CandidateSource(Part):
    """Whose contour a candidate is."""

    source: SourceName
    kind: Literal["expert", "algorithm"]


class Candidates(Part):
    """The two contours of a pair: a is the expert's, b the algorithm's."""

    a: CandidateSource
    b: CandidateSource


class Corrections(StrEnum):
    """Whether a reader may correct an answer after submitting it."""

    NONE = "none"
    UNTIL_NEXT_IS_OPENED = "until_next_is_opened"


class PreferenceTask(Part):
    """Two outlines on the same image side by side; which is better."""

    kind: Literal["preference"] = "preference"
    key: Key = "preference"
    question: ShortText = "Which contour is more accurate?"
    candidates: Candidates | None = None
    no_preference: bool = False
    """Forced choice unless true; then "No preference" is stored as ``none``."""
    confirm: bool = True
    """Whether an answer needs Enter (or the button) before it is submitted."""
    cannot_assess: tuple[CannotAssessReason, ...] = DEFAULT_CANNOT_ASSESS
    comment: bool = True
    corrections: Corrections = Corrections.UNTIL_NEXT_IS_OPENED
    display: Display = Display()


# --- Allocation, sessions, timing -------------------------------------------------------------------------------


class HiddenRepeats(Part):
    """Items read twice by the same reader, sides swapped, for agreement with oneself."""

    count: Annotated[int, Field(ge=0, le=10_000)] | None = None
    percent: Percent | None = None
    """Of the items, rounded up. Give ``count`` or ``percent``; neither means no repeats."""
    min_distance: Annotated[int, Field(ge=1)] = 20
    """Readings between the two positions: the second stands at least this many places after the first."""


class BlindingCheck(Part):
    """After the last reading: some of the reader's own pairs again, with the question which one is the algorithm's."""

    pairs: Annotated[int, Field(ge=0, le=500)] = 20
    question: ShortText = "Which contour was made by the algorithm?"
    general_question: ShortText | None = (
        "In general, could you tell the algorithm's contours from the expert's contours?"
    )


class Stratum(Part):
    """A group of readers that has slots of its own."""

    key: Key
    label: ShortText
    participants: Annotated[int, Field(ge=1, le=2000)]
    answers: tuple[Key, ...] = ()
    """The answers to the stratum question that lead here."""


class AllocationPlan(Part):
    """How many slots, and the rules of order. The seed is not here: it is drawn and sealed at protocol lock."""

    stratum_question: Key | None = None
    strata: tuple[Stratum, ...] = ()
    reserve_percent: Annotated[int, Field(ge=0, le=400)] = 25
    min_case_distance: Annotated[int, Field(ge=1, le=1000)] = 5
    """Readings of items of one case stand at least this many places apart where arithmetic allows."""
    hidden_repeats: HiddenRepeats = HiddenRepeats()
    blinding_check: BlindingCheck = BlindingCheck()


class Sessions(Part):
    """How much is read in one go."""

    max_readings: Annotated[int, Field(ge=1)] | None = None
    break_after_readings: Annotated[int, Field(ge=1)] | None = 25
    break_after_minutes: Annotated[int, Field(ge=1)] | None = 30
    break_text: Text = "Time for a short break. The clock is stopped, and your answers are saved."


PrimaryTime = Literal["decision_s", "wall_s", "visible_s", "active_s"]


class Timing(Part):
    """Which derived time is the primary one and when a reader counts as idle."""

    primary_time: PrimaryTime = "decision_s"
    idle_threshold_s: Annotated[int, Field(ge=5, le=3600)] = 60


# --- Analysis plan ----------------------------------------------------------------------------------------------


class IntercurrentEvent(Part):
    """Something that changes the meaning of a reading, and how it is handled."""

    event: ShortText
    handling: Text


class Estimand(Part):
    """What is estimated, in the words of ICH E9(R1)."""

    readers: Text | None = None
    cases: Text | None = None
    contrast: Text | None = None
    summary: Text | None = None
    intercurrent_events: tuple[IntercurrentEvent, ...] = ()


class HypothesisKind(StrEnum):
    """What is to be shown."""

    SUPERIORITY = "superiority"
    NON_INFERIORITY = "non_inferiority"
    ESTIMATION = "estimation"


class Hypothesis(Part):
    """What is to be shown, against what."""

    kind: HypothesisKind
    direction: Literal["higher", "lower", "two_sided"] | None = None
    null_value: DecimalNumber | None = None
    margin: DecimalNumber | None = Field(default=None, gt=Decimal(0))
    justification: Text | None = None


AnalysisName = Literal[
    "preference",
    "reading-time",
    "roc",
    "mrmc",
    "operating-point",
    "agreement",
    "observer-variability",
    "segmentation-performance",
    "survival",
    "survey",
    "blinding",
]
"""The analyses, as ``equipoise analyse`` names them."""


class Endpoint(Part):
    """One endpoint and how it is analysed."""

    key: Key
    name: ShortText
    analysis: AnalysisName
    description: Text | None = None


class PrimaryEndpoint(Endpoint):
    """The one endpoint the trial is planned around."""

    estimand: Estimand | None = None
    hypothesis: Hypothesis | None = None
    alpha: DecimalNumber | None = Field(default=None, gt=Decimal(0), lt=Decimal("0.5"))
    sides: Literal[1, 2] | None = None
    readers: Literal["random", "fixed"] | None = None
    cases: Literal["random", "fixed"] | None = None
    analysis_set: Literal["all_submitted", "per_protocol"] = "all_submitted"


class Multiplicity(Part):
    """How the secondary endpoints share the error rate."""

    method: Literal["hierarchical", "holm", "bonferroni", "none_exploratory"]
    family: Text | None = None
    """The endpoints it covers, in words."""


class AnalysisSets(Part):
    """Which readings enter."""

    all_submitted: Text | None = None
    per_protocol: Text | None = None
    per_protocol_excludes: tuple[ShortText, ...] = ()
    """The deviations that take a reading out of the per-protocol set."""


class MissingRule(Part):
    """What happens to readings that are missing or could not be assessed."""

    missing: Text | None = None
    cannot_assess: Text | None = None
    sensitivity_analysis: Text | None = None


class SampleSize(Part):
    """Why so many readers and items."""

    rationale: Text | None = None


class Look(Part):
    """A look at results by arm before data lock."""

    number: Annotated[int, Field(ge=1)]
    purpose: Text
    when: Text
    alpha_spending: Text | None = None
    technical_only: bool = False


class AnalysisPlan(Part):
    """What will be computed. Whatever is not here prints as exploratory."""

    primary: PrimaryEndpoint | None = None
    secondary: tuple[Endpoint, ...] = ()
    multiplicity: Multiplicity | None = None
    analysis_sets: AnalysisSets = AnalysisSets()
    missing_readings: MissingRule = MissingRule()
    answer_used: Literal["first", "last"] = "first"
    """Of a corrected reading. Both are exported."""
    confidence_level: DecimalNumber = Field(default=Decimal("0.95"), gt=Decimal("0.5"), lt=Decimal(1))
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    sample_size: SampleSize = SampleSize()
    looks: tuple[Look, ...] = ()


class Seeds(Part):
    """Seeds of everything random that is public. The allocation's is sealed and stands nowhere here."""

    item_draw: Seed | None = None
    analysis: Seed | None = None
    simulation: Seed | None = None


DEFAULT_DISCLOSURE = "The share of diseased cases is not that of clinical practice."
"""What readers are told about prevalence unless the protocol says more."""


class ProtocolV1(Part):
    """A trial's design, schema 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, title="Trial protocol, schema 1")

    schema_: Literal["equipoise/protocol/1"] = Field(alias="schema")
    title: ShortText | None = None
    summary: Text | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    registration: Reference = Reference()
    ethics: Reference = Reference()
    disclosure: Text = DEFAULT_DISCLOSURE
    algorithms: tuple[Algorithm, ...] = ()
    consent: Consent = Consent()
    questionnaire: Questionnaire = Questionnaire()
    instructions: Instructions = Instructions()
    items: Items = Items()
    practice: Practice = Practice()
    tasks: tuple[PreferenceTask, ...] = ()
    allocation: AllocationPlan = AllocationPlan()
    sessions: Sessions = Sessions()
    timing: Timing = Timing()
    analysis_plan: AnalysisPlan = AnalysisPlan()
    seeds: Seeds = Seeds()

    @property
    def preference(self) -> PreferenceTask | None:
        """The preference task, if the protocol has one."""
        return next(iter(self.tasks), None)

    @property
    def repeat_count(self) -> int:
        """How many items each reader reads twice."""
        repeats = self.allocation.hidden_repeats
        if repeats.count is not None:
            return repeats.count
        return -(-self.items.selection.count * (repeats.percent or 0) // 100)
