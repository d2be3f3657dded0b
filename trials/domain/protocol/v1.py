"""Schema ``equipoise/protocol/1``: every field of a trial's design.

Stored protocols outlive this code. Fields are only ever added here, each with a default, and never renamed; a change
of meaning is schema 2 with an upgrade beside it (``trials.domain.protocol.upgrade``). A draft may leave almost
everything out: what protocol lock needs is named by ``trials.domain.protocol.completeness.lock_problems``.

Numbers that are not whole are decimals and travel as text ("0.7"), so that the canonical form has no floats.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from trials.domain.protocol.design import Condition, Design
from trials.domain.protocol.parts import (
    DecimalNumber,
    Key,
    Part,
    Percent,
    Seed,
    Sha256,
    ShortText,
    SourceName,
    Text,
    VersionText,
)
from trials.domain.protocol.questions import Question
from trials.domain.protocol.tasks import PreferenceTask, Task, TaskByKind

SCHEMA = "equipoise/protocol/1"
"""The value of the document's ``schema`` key."""

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


# --- Material ---------------------------------------------------------------------------------------------------


class Limits(Part):
    """Both ends belong to it; an end that is left out is open."""

    low: DecimalNumber | None = None
    high: DecimalNumber | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Limits":
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low ({self.low}) must not exceed high ({self.high}).")
        return self


Modality = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""DICOM's code, such as CT, MR, PT or NM."""
KernelPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 ._/+*?-]{1,40}$")]
"""A reconstruction kernel; * and ? stand for any letters and any one letter."""
Fraction = Annotated[DecimalNumber, Field(ge=Decimal(0), le=Decimal(10))]


class Deidentification(Part):
    """What of the sender's headers is kept, by the options of DICOM PS3.15 Annex E; by default nothing of a person."""

    descriptors: Literal["remove", "clean"] = "remove"
    """Descriptions of series: ``clean`` keeps their words of imaging (body part, phase, sequence)."""
    dates: Literal["remove", "shift"] = "remove"
    """``shift`` moves all dates of a patient by the same secret number of days, so that intervals stay."""
    patient_characteristics: bool = False
    """Sex, age, size and weight."""
    device: bool = False
    """Maker and model; in kept originals also serial number and station."""
    kernel: bool = True
    """The reconstruction kernel."""
    originals: Literal["none", "deidentified_files"] = "none"
    """Whether the sender's DICOM files are kept, cleaned by these options."""
    burned_in: Literal["refuse", "review"] = "refuse"
    """Images with something like writing in their pixels: kept out, or looked at before protocol lock."""


class Quality(Part):
    """What images the trial accepts. What is left out is not checked; what a header does not state fails its check."""

    modalities: tuple[Modality, ...] = ()
    views: tuple[ShortText, ...] = ()
    """Of a planar image, in any order: anterior, posterior."""
    slices: Limits | None = None
    slice_spacing_mm: Limits | None = None
    slice_thickness_mm: Limits | None = None
    even_thickness: bool = False
    max_overlap: Fraction | None = None
    """Largest overlap of neighbouring slices, as a fraction of their thickness."""
    max_gap: Fraction | None = None
    in_plane_spacing_mm: Limits | None = None
    in_plane_size_mm: Limits | None = None
    """Of the shorter side of the image."""
    kernels: tuple[KernelPattern, ...] = ()
    tube_voltage_kv: Limits | None = None
    exposure_mas: Limits | None = None
    rescale_stated: bool = False
    """Whether CT and PET must state rescale slope and intercept."""
    failing_cases: Literal["list", "forbid"] = "list"
    """``forbid``: no protocol lock while a case of the trial fails a check."""


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


class Prevalence(Part):
    """The share of diseased cases: as they are drawn, and where the results are carried over to."""

    sample_percent: Annotated[int, Field(ge=1, le=99)] | None = None
    """Of the cases drawn: so many are diseased by their final reference standard. Without it the draw does not look."""
    target_percent: DecimalNumber | None = Field(default=None, gt=Decimal(0), lt=Decimal(100))
    """Of the population meant: predictive values, accuracy and F1 are given at it beside the sample's."""
    target_from: Text | None = None
    """Where that number comes from."""


class Items(Part):
    """What one reading shows and where it comes from."""

    unit: Literal["slice", "scan", "volume"] = "slice"
    """``slice``: drawn by ``selection``. ``scan`` (planar views) and ``volume``: one item per case image."""
    structure: ShortText = "tumour"
    """What is outlined, in words the reader sees."""
    selection: ItemSelection = ItemSelection()
    """For slices alone."""
    count: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Of scans and volumes: how many cases, drawn by the item seed; every one if left out."""
    cases: tuple[ShortText, ...] = ()
    """Of scans and volumes: these cases by their codes, instead of a draw."""
    strata: tuple[Key, ...] = ()
    """Of scans and volumes that are drawn: covariates of the case. Every combination of their values has its share."""
    prevalence: Prevalence = Prevalence()
    """Of diseased cases, where a decision is asked for."""


class Practice(Part):
    """Items read first, from patients with no item in the trial, never analysed."""

    count: Annotated[int, Field(ge=0, le=50)] = 3
    show_reference: bool = False
    """Whether each answer is followed by the reference standard of the practice case."""
    text: Text | None = None
    pass_mark_percent: Percent | None = None
    """Share of right answers without which the next round of practice, or no reading, follows."""
    rounds: Annotated[int, Field(ge=1, le=5)] = 1
    """How often the practice items may be read to reach the pass mark."""


# --- Allocation, sessions, timing -------------------------------------------------------------------------------


class HiddenRepeats(Part):
    """Items read twice by the same reader, sides swapped, for agreement with oneself."""

    count: Annotated[int, Field(ge=0, le=10_000)] | None = None
    percent: Percent | None = None
    """Of the items, rounded up. Give ``count`` or ``percent``; neither means no repeats."""
    min_distance: Annotated[int, Field(ge=1)] = 20
    """Readings between the two positions: the second stands at least this many places after the first."""
    min_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """Days between the two readings. The repeats then are a period of their own, after all others."""


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

    design: Design = Design()
    stratum_question: Key | None = None
    strata: tuple[Stratum, ...] = ()
    reserve_percent: Annotated[int, Field(ge=0, le=400)] = 25
    min_case_distance: Annotated[int, Field(ge=1, le=1000)] = 5
    """Readings of items of one case stand at least this many places apart where arithmetic allows."""
    hidden_repeats: HiddenRepeats = HiddenRepeats()
    blinding_check: BlindingCheck = BlindingCheck()


class OnReturn(StrEnum):
    """What becomes of a reading that was left open for longer than the protocol allows."""

    RESUME = "resume"
    """It goes on where it was left."""
    RESTART = "restart"
    """It begins anew, with an empty answer and a new clock; what was done before is kept as an earlier attempt."""
    BLOCK = "block"
    """It is not shown any more and counts as missing, unless an administrator releases it."""


class Sessions(Part):
    """How much is read in one go, and what happens to a reading that was left open."""

    max_readings: Annotated[int, Field(ge=1)] | None = None
    break_after_readings: Annotated[int, Field(ge=1)] | None = 25
    break_after_minutes: Annotated[int, Field(ge=1)] | None = 30
    break_text: Text = "Time for a short break. The clock is stopped, and your answers are saved."
    on_return: OnReturn = OnReturn.RESUME
    """What happens when a reader comes back to a reading that was left open. Practice always goes on."""
    resume_within_hours: Annotated[int, Field(ge=1, le=8760)] = 12
    """Whoever is back within so many hours always goes on where the reading was left."""


PrimaryTime = Literal["decision_s", "wall_s", "visible_s", "active_s"]


class Timing(Part):
    """Which derived time is the primary one and when a reader counts as idle."""

    primary_time: PrimaryTime = "decision_s"
    idle_threshold_s: Annotated[int, Field(ge=5, le=3600)] = 60


# --- Where it is read -------------------------------------------------------------------------------------------


class WindowSize(Part):
    """Of the browser's window without its frame, in CSS pixels."""

    width_px: Annotated[int, Field(ge=320, le=10_000)]
    height_px: Annotated[int, Field(ge=320, le=10_000)]


class ReadingEnvironment(Part):
    """The least a reader's display and window must be, checked before each reading is opened."""

    minimum_window: WindowSize | None = None
    minimum_colour_depth_bits: Annotated[int, Field(ge=8, le=48)] | None = None
    """Of the display, all channels together, as the browser tells it: 24 on ordinary displays."""
    grey_steps: Literal["none", "offered", "required"] = "none"
    """A test pattern before the first reading of a session on a display; ``offered``: the reader may leave it out."""
    grey_steps_failing: Literal["warn", "block"] = "warn"
    """What follows when the darkest or brightest steps are not seen. ``block``: no reading until they are."""

    @model_validator(mode="after")
    def _blocking_is_required(self) -> "ReadingEnvironment":
        if self.grey_steps_failing == "block" and self.grey_steps != "required":
            raise ValueError("grey_steps_failing: block needs grey_steps: required.")
        return self


# --- Data collected elsewhere -----------------------------------------------------------------------------------


class ColumnName(Part):
    """A known column that the file keeps under another name."""

    column: Key
    in_file: ShortText


class ExternalData(Part):
    """A table that is collected outside the platform and imported; never mixed with readings given here."""

    key: Key
    table: Literal["readings", "segmentations", "survival"]
    """Which tidy table it is."""
    collected: Text | None = None
    """Where, when, by whom and how."""
    patients: Literal["trial", "other"] = "other"
    """``trial``: its cases are this trial's, by their codes; what is measured of their contours is set beside it."""
    columns: tuple[ColumnName, ...] = ()


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


class Parameter(Part):
    """One parameter of an analysis, as ``equipoise analyse --set`` takes it."""

    name: Key
    value: ShortText


class Endpoint(Part):
    """One endpoint and how it is analysed."""

    key: Key
    name: ShortText
    analysis: AnalysisName
    description: Text | None = None
    data: Key | None = None
    """Which of the external data it is computed from; the readings given here where none is named."""
    parameters: tuple[Parameter, ...] = ()


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
    quality: Quality = Quality()
    deidentification: Deidentification = Deidentification()
    practice: Practice = Practice()
    tasks: tuple[TaskByKind, ...] = ()
    allocation: AllocationPlan = AllocationPlan()
    sessions: Sessions = Sessions()
    timing: Timing = Timing()
    reading_environment: ReadingEnvironment = ReadingEnvironment()
    external_data: tuple[ExternalData, ...] = ()
    analysis_plan: AnalysisPlan = AnalysisPlan()
    seeds: Seeds = Seeds()

    def external(self, key: str) -> ExternalData | None:
        """Return the external data of that key."""
        return next((one for one in self.external_data if one.key == key), None)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints of the plan, the primary one first."""
        plan = self.analysis_plan
        return (*([plan.primary] if plan.primary is not None else []), *plan.secondary)

    @property
    def task(self) -> Task | None:
        """What the trial's readings ask, if the protocol says so yet."""
        return next(iter(self.tasks), None)

    @property
    def preference(self) -> PreferenceTask | None:
        """The preference task, if that is what the trial asks."""
        return self.task if isinstance(self.task, PreferenceTask) else None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """How cases are shown; empty where there is one way only and it has no name."""
        return self.allocation.design.conditions

    def condition(self, key: str) -> Condition | None:
        """Return the condition of that key."""
        return next((one for one in self.conditions if one.key == key), None)

    @property
    def has_blinding_check(self) -> bool:
        """Whether pairs come back after the last reading; only pairs can."""
        return self.preference is not None and self.allocation.blinding_check.pairs > 0

    @property
    def repeat_count(self) -> int:
        """How many of the planned items each reader reads twice."""
        return self.repeats_of(self.items.selection.count if self.items.unit == "slice" else 0)

    def repeats_of(self, n_items: int) -> int:
        """Return how many of so many items each reader reads twice."""
        repeats = self.allocation.hidden_repeats
        if repeats.count is not None:
            return repeats.count
        return -(-n_items * (repeats.percent or 0) // 100)
