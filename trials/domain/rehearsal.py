"""Rehearsal: what simulated readers are set to, and when a rehearsal counts. Pure rules; the driving is elsewhere.

One run must go through without a missing cell; it gates nothing statistical. The gate is the repeated rehearsal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol.problems import pointer_of
from trials.domain.protocol.yaml_view import read_yaml

DEFAULT_SEED = 1
MAX_SEED = 2**31 - 1
DEFAULT_REPEATS, MIN_REPEATS, MAX_REPEATS = 200, 20, 5000

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Spread = Annotated[float, Field(ge=0.0, le=10.0)]
Area = Annotated[float, Field(ge=0.5, lt=1.0)]
OpenShare = Annotated[float, Field(gt=0.0, lt=1.0)]
Logit = Annotated[float, Field(ge=-10.0, le=10.0)]


class RehearsalKind(StrEnum):
    """What was rehearsed."""

    SINGLE = "single"
    """The whole allocation, once, through the submit path, into a copy of the trial."""
    REPEATED = "repeated"
    """Allocation, simulated data and primary analysis for many seeds, data alone."""


class _Set(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReaderSettings(_Set):
    """What sets simulated readers apart from one another, whatever they read."""

    skill_lowest: Share = 0.6
    skill_highest: Share = 0.95
    """Skill is uniform between the two: 0 a novice, 1 an expert. Of contours and forms."""
    bias_sd: Spread = 0.5
    """Of the mean displacement of outlines (mm), or of the impressions of a form (standard deviations)."""
    speed_sd: Spread = 0.25
    """Of the logarithm of the speed: about a quarter faster or slower."""
    fatigue_mean: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.05
    """Relative change of time per 100 readings; positive is slower."""
    fatigue_sd: Spread = 0.1


class PreferenceSettings(_Set):
    """The population of a preference trial, on the logit scale."""

    mean_logit: Logit = 0.2
    """Overall preference for the algorithm's contour; 0 is none."""
    reader_sd: Spread = 0.35
    case_sd: Spread = 0.5
    item_sd: Spread = 0.3
    side_logit: Logit = 0.1
    """Pull to the left side that all readers share."""
    side_sd: Spread = 0.1


class RatingSettings(_Set):
    """The population of a trial of rated scans: areas under the ROC curve, and variances of Roe and Metz's model."""

    auc_unaided: Area = 0.80
    auc_aided: Area = 0.88
    aucs: dict[str, Area] = {}
    """By the key of a condition, where it shall differ from the two above."""
    auc_algorithm: Area = 0.85
    """Of an algorithm whose results are simulated."""
    var_reader: Spread = 0.0055
    var_reader_condition: Spread = 0.0055
    var_case: Spread = 0.3
    var_case_condition: Spread = 0.3
    var_reader_case: Spread = 0.2
    var_error: Spread = 0.2


class ContourSettings(_Set):
    """The population of overlaps of contours: medians, and standard deviations on the logit scale."""

    dice_between_readers: OpenShare = 0.85
    """Median Dice of two readers over pairs and cases."""
    dice_algorithm: OpenShare = 0.85
    """Median Dice of the algorithm against the reference over cases."""
    case_sd: Spread = 0.5
    """Of the cases, as readers agree on them."""
    algorithm_case_sd: Spread = 0.7
    """Of the cases, as the algorithm meets the reference."""
    reader_sd: Spread = 0.2
    reader_case_sd: Spread = 0.2
    pair_sd: Spread = 0.2


class SurveySettings(_Set):
    """The population of a survey's answers: what is left of a reader at a case has a standard deviation of 1."""

    share: OpenShare = 0.3
    """Of the first answer to the first question that is counted."""
    case_sd: Spread = 0.8
    reader_sd: Spread = 0.4


Positive = Annotated[float, Field(gt=0.0, le=1e6)]


class PrognosisSettings(_Set):
    """The population of a trial of prognostic value; times in the unit of the analysis."""

    sd_doublings: Spread = 1.5
    """Of the true measurement over patients, on its binary logarithm."""
    log_hazard_per_doubling: Logit = 0.3
    median_time: Positive = 24.0
    """Median time to the event at the median measurement."""
    shape: Annotated[float, Field(ge=0.2, le=5.0)] = 1.0
    """Of the Weibull times; 1 is exponential."""
    shortest_follow_up: Positive = 24.0
    longest_follow_up: Positive = 60.0
    """Patients come in evenly between the two, counted back from the end of follow-up."""
    first_error: Spread = 0.2
    second_error: Spread = 0.3
    """Standard deviation of either measurement's error, in doublings."""

    @model_validator(mode="after")
    def _follow_up_is_a_span(self) -> "PrognosisSettings":
        if self.shortest_follow_up >= self.longest_follow_up:
            raise ValueError("shortest_follow_up must be below longest_follow_up")
        return self


class MaterialSettings(_Set):
    """Phantoms, for a trial that has no cases yet."""

    cases: Annotated[int, Field(ge=2, le=500)] = 24
    """The most phantom cases that are made; fewer where the protocol asks for fewer."""
    diseased_share: Share = 0.5


class RehearsalPlan(_Set):
    """Everything a rehearsal is set to. What is left out takes a default that fits the task."""

    readers: ReaderSettings = ReaderSettings()
    preference: PreferenceSettings = PreferenceSettings()
    classification: RatingSettings = RatingSettings()
    contours: ContourSettings = ContourSettings()
    survey: SurveySettings = SurveySettings()
    prognosis: PrognosisSettings = PrognosisSettings()
    material: MaterialSettings = MaterialSettings()


def plan_of_text(text: str) -> RehearsalPlan:
    """Return the plan that a YAML or JSON text sets; refuse with every problem at once."""
    read = read_yaml(text) if text.strip() else None
    if read is None:
        return RehearsalPlan()
    if read.problems:
        raise ValidationFailedError.of_fields(
            {
                one.pointer: f"Line {one.line}: {one.message}" if one.line else one.message
                for one in read.problems
            }
        )
    return plan_of_document(read.value)


def plan_of_document(document: Any) -> RehearsalPlan:
    """Return the plan that a document sets; numbers may come as text, as the YAML view keeps them."""
    if not isinstance(document, Mapping):
        raise ValidationFailedError.of_fields(
            {
                "": f"A rehearsal plan is a list of 'key: value' lines: {', '.join(RehearsalPlan.model_fields)}."
            }
        )
    try:
        return RehearsalPlan.model_validate(document)
    except ValidationError as error:
        raise ValidationFailedError.of_fields(
            {pointer_of(one["loc"]): f"{one['msg']}." for one in error.errors(include_url=False)}
        ) from None


RIGHT = "Rehearse it (its Rehearsal page, or `equipoise trial rehearse`), or waive the rehearsal in writing."


def lock_lacks(
    sha256: str, *, singles: Sequence[tuple[str, bool]], repeated: Sequence[tuple[str, bool, int]]
) -> str | None:
    """Return what protocol lock lacks of rehearsals of this hash and what would be right; None where nothing.

    Of each kind the finished ones, oldest first: hash, whether it passed and, of repeated ones, in how many repeats
    (0 where it broke before it found anything). A single run must have gone through since the last that did not. A
    repeated rehearsal that failed is made up for by a later one alone that passed with at least as many repeats: fewer
    see less.
    """
    own = [passed for hash_, passed in singles if hash_ == sha256]
    gates = [(passed, repeats) for hash_, passed, repeats in repeated if hash_ == sha256]
    name = f"This version of the protocol ({sha256[:12]})"
    if not own:
        changed = "; it was changed since its last rehearsal" if singles or repeated else ""
        return f"{name} has not been rehearsed{changed}. {RIGHT}"
    if not own[-1]:
        return f"The last rehearsal of this version ({sha256[:12]}) did not go through. Mend what it found. {RIGHT}"
    owed = _repeats_owed(gates)
    if owed is not None and gates[-1][0]:
        return (
            f"A repeated rehearsal of this version ({sha256[:12]}) found its primary analysis wrong for this design in "
            f"{owed} repeats; the one that passed since has fewer. Mend the plan, rehearse again with at least {owed} "
            f"repeats, or waive the rehearsal in writing."
        )
    if owed == 0:
        return (
            f"The last repeated rehearsal of this version ({sha256[:12]}) broke before it found anything. Rehearse "
            "again, remove it, or waive the rehearsal in writing."
        )
    if owed is not None:
        return (
            f"The last repeated rehearsal of this version ({sha256[:12]}) found its primary analysis wrong for this "
            f"design. Mend the plan and rehearse again, or waive the rehearsal in writing."
        )
    return None


def _repeats_owed(gates: Sequence[tuple[bool, int]]) -> int | None:
    """Return how many repeats must pass before failed ones are made up for; None where nothing failed since."""
    owed = None
    for passed, repeats in gates:
        if not passed:
            owed = max(owed or 0, repeats)
        elif owed is not None and repeats >= owed:
            owed = None
    return owed


@dataclass(frozen=True)
class Cells:
    """What was to be read and what was, practice left out."""

    planned: int
    read: int
    not_assessable: int
    missing: tuple[str, ...]
    """Reader, item, condition and repeat of each cell without an answer."""

    @property
    def complete(self) -> bool:
        """Whether every planned cell has an answer; "cannot assess" is one."""
        return self.planned > 0 and self.planned == self.read and not self.missing


@dataclass(frozen=True)
class SetEstimate:
    """An estimate of a planned analysis beside what the simulation was set to."""

    analysis: str
    label: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    set_to: float

    @property
    def covers(self) -> bool | None:
        """Whether the interval holds the set value; None without an interval. One run proves nothing by it."""
        if self.low is None or self.high is None:
            return None
        return self.low <= self.set_to <= self.high


@dataclass(frozen=True)
class Pace:
    """How long one reader took for everything, practice included, breaks left out."""

    participant: str
    readings: int
    minutes: float


def run_problems(
    cells: Cells, *, stopped: Sequence[str], analyses_failed: Mapping[str, str], primary: str | None
) -> tuple[str, ...]:
    """Return why a single run does not count, a sentence each; none where it does.

    ``primary`` is the primary analysis, None where it is of external data, which no simulation gives.
    """
    problems = list(stopped)
    if cells.planned == 0:
        problems.append("The allocation plans no reading.")
    elif not cells.complete:
        named = "; ".join(cells.missing[:5])
        more = len(cells.missing) - 5
        problems.append(
            f"{len(cells.missing)} of {cells.planned} planned readings have no answer: {named}"
            + (f"; and {more} more." if more > 0 else ".")
        )
    problems += [
        f"The {'primary' if name == primary else 'secondary'} analysis {name} could not be computed: {why}"
        for name, why in analyses_failed.items()
    ]
    return tuple(problems)


def minutes_words(minutes: Sequence[float]) -> str:
    """Return how long readers will need, in words: the middle one and the range."""
    if not minutes:
        return "Nobody read."
    ordered = sorted(minutes)
    middle = ordered[len(ordered) // 2] if len(ordered) % 2 else sum(ordered[len(ordered) // 2 - 1 :][:2]) / 2
    return (
        f"A reader needs about {duration_words(middle)} of reading (from {duration_words(ordered[0])} to "
        f"{duration_words(ordered[-1])}), breaks left out."
    )


def duration_words(minutes: float) -> str:
    """Return a duration as people say it: 45 min, 2 h 10 min."""
    whole = max(1, round(minutes))
    return f"{whole} min" if whole < 60 else f"{whole // 60} h {whole % 60:02d} min"
