"""What protocol lock needs of each kind of task."""

from collections.abc import Iterable, Iterator

from trials.domain.columns import RESERVED
from trials.domain.protocol.problems import Problem, inconsistent, missing, repeated
from trials.domain.protocol.questions import Question, QuestionKind
from trials.domain.protocol.tasks import (
    ClassificationTask,
    Consensus,
    ConsensusRule,
    ContouringTask,
    ContourReviewTask,
    PreferenceTask,
    RatingFormTask,
    Task,
    TaskPart,
    ValueWindow,
    VolumeDisplay,
)
from trials.domain.protocol.v1 import ProtocolV1

MAX_WINDOWS = 9
"""One key each, 1 to 9."""
MAX_ACCEPTABILITY_STEPS = 7
"""One key each; the windows take the digits after them."""
RATING_POINTS = (5, 6)
"""The lengths of the rating scales that the field's analyses know."""
_CHOICES = frozenset({QuestionKind.CHOICE, QuestionKind.MULTIPLE_CHOICE, QuestionKind.LIKERT})
_NUMBERS = frozenset({QuestionKind.INTEGER, QuestionKind.NUMBER})


def task_problems(pointer: str, task: Task, protocol: ProtocolV1) -> Iterator[Problem]:
    """Yield everything that is missing from a task or contradicts another part."""
    yield from _every_task(pointer, task)
    unit = protocol.items.unit
    if isinstance(task, PreferenceTask):
        yield from _unit(unit, ("slice",), task)
        yield from _preference(pointer, task)
    elif isinstance(task, ClassificationTask):
        yield from _unit(unit, ("scan", "volume"), task)
        yield from _classification(pointer, task)
    elif isinstance(task, ContouringTask):
        yield from _unit(unit, ("volume",), task)
        yield from _volume_display(pointer, task.display)
    elif isinstance(task, ContourReviewTask):
        yield from _unit(unit, ("volume",), task)
        yield from _contour_review(pointer, task, protocol)
    else:
        yield from _unit(unit, ("scan", "volume"), task)
        yield from _rating_form(pointer, task, protocol)


def shown_algorithms(protocol: ProtocolV1) -> list[str]:
    """Return the sources of every algorithm whose results readers are shown, each once."""
    sources = [one.aid.source for one in protocol.conditions if one.aid is not None]
    for task in protocol.tasks:
        if isinstance(task, PreferenceTask) and task.candidates is not None:
            sources.append(task.candidates.b.source)
        if isinstance(task, ContourReviewTask):
            sources += [one.source for one in task.candidates if one.kind == "algorithm"]
    return list(dict.fromkeys(sources))


def _unit(unit: str, allowed: tuple[str, ...], task: Task) -> Iterator[Problem]:
    if unit not in allowed:
        yield inconsistent(
            "/items/unit", f"A {task.kind} task is read on a {' or '.join(allowed)}; the items are {unit}s."
        )


def _every_task(pointer: str, task: TaskPart) -> Iterator[Problem]:
    if not task.cannot_assess:
        yield missing(f"{pointer}/cannot_assess", "Readers need at least one reason for 'Cannot assess'.")
    yield from repeated(
        f"{pointer}/cannot_assess", (reason.code for reason in task.cannot_assess), "The reason"
    )


def _preference(pointer: str, task: PreferenceTask) -> Iterator[Problem]:
    if task.candidates is None:
        yield missing(
            f"{pointer}/candidates", "Name the two candidates: a, the expert's, and b, the algorithm's."
        )
    else:
        a, b = task.candidates.a, task.candidates.b
        if a.source == b.source:
            yield inconsistent(f"{pointer}/candidates/b/source", "The candidates must come from two sources.")
        if (a.kind, b.kind) != ("expert", "algorithm"):
            yield inconsistent(
                f"{pointer}/candidates", "Candidate a must be an expert's and candidate b an algorithm's."
            )
    display = task.display
    names = [window.name for window in display.windows]
    yield from repeated(f"{pointer}/display/windows", names, "The window")
    if len(names) > MAX_WINDOWS:
        yield inconsistent(
            f"{pointer}/display/windows", f"At most {MAX_WINDOWS} windows have a key; got {len(names)}."
        )
    if display.start_window not in names:
        yield inconsistent(
            f"{pointer}/display/start_window",
            f"The start window must be one of {', '.join(names) or 'the windows'}.",
        )
    if display.panes[0] == display.panes[1]:
        yield inconsistent(f"{pointer}/display/panes", "The two panes must have different names.")
    if (display.scroll.mode == "range") != (display.scroll.slices > 0):
        yield inconsistent(
            f"{pointer}/display/scroll",
            "Scrolling is either mode none with 0 slices or mode range with 1 or more.",
        )


def _value_windows(pointer: str, windows: Iterable[ValueWindow]) -> Iterator[Problem]:
    windows = tuple(windows)
    yield from repeated(pointer, (window.name for window in windows), "The window")
    if len(windows) > MAX_WINDOWS:
        yield inconsistent(pointer, f"At most {MAX_WINDOWS} windows can be offered; got {len(windows)}.")
    for index, window in enumerate(windows):
        if window.lowest >= window.highest:
            yield inconsistent(
                f"{pointer}/{index}", f"The lowest value of '{window.name}' must lie below its highest."
            )


def _classification(pointer: str, task: ClassificationTask) -> Iterator[Problem]:
    if task.decision is None and task.rating is None:
        yield missing(pointer, "Ask for a decision, a rating, or both.")
    if task.decision is not None and task.decision.negative == task.decision.positive:
        yield inconsistent(f"{pointer}/decision/positive", "The two answers need different words.")
    rating = task.rating
    if rating is not None:
        if rating.scale == "points" and len(rating.points) not in RATING_POINTS:
            yield missing(
                f"{pointer}/rating/points",
                f"A scale of points needs 5 or 6 labels, the lowest first; got {len(rating.points)}.",
            )
        if rating.scale == "slider" and rating.points:
            yield inconsistent(f"{pointer}/rating/points", "A slider has no points; remove them.")
        yield from repeated(f"{pointer}/rating/points", rating.points, "The point")
    if task.decision is None and task.marks is not None and task.marks.required_if_positive:
        yield inconsistent(
            f"{pointer}/marks/required_if_positive", "Without a decision no answer is positive."
        )
    yield from _value_windows(f"{pointer}/display/windows", task.display.windows)


def _volume_display(pointer: str, display: VolumeDisplay) -> Iterator[Problem]:
    names = [window.name for window in display.windows]
    yield from repeated(f"{pointer}/display/windows", names, "The window")
    if len(names) > MAX_WINDOWS:
        yield inconsistent(
            f"{pointer}/display/windows", f"At most {MAX_WINDOWS} windows have a key; got {len(names)}."
        )
    if display.start_window not in names:
        yield inconsistent(
            f"{pointer}/display/start_window",
            f"The start window must be one of {', '.join(names) or 'the windows'}.",
        )


def _contour_review(pointer: str, task: ContourReviewTask, protocol: ProtocolV1) -> Iterator[Problem]:
    if not task.candidates:
        yield missing(f"{pointer}/candidates", "Name whose contours are reviewed.")
    yield from repeated(f"{pointer}/candidates", (one.source for one in task.candidates), "The candidate")
    steps = len(task.acceptability)
    if not 2 <= steps <= MAX_ACCEPTABILITY_STEPS:
        problem = missing if steps < 2 else inconsistent
        yield problem(
            f"{pointer}/acceptability",
            f"The acceptability scale has 2 to {MAX_ACCEPTABILITY_STEPS} steps; got {steps}.",
        )
    yield from repeated(f"{pointer}/acceptability", task.acceptability, "The step")
    shown = [one for one in protocol.conditions if one.candidate is not None]
    if len(task.candidates) > 1 and {one.candidate for one in shown} != {
        one.source for one in task.candidates
    }:
        yield missing(
            "/allocation/design/conditions",
            "Several candidates are reviewed: give each a condition that names it (candidate).",
        )
    if task.origin_question is not None and any(one.factor == "open" for one in shown):
        yield inconsistent(
            f"{pointer}/origin_question",
            "Who made a contour is asked only where it is concealed: set the conditions' factor to concealed.",
        )
    yield from _volume_display(pointer, task.display)


def _rating_form(pointer: str, task: RatingFormTask, protocol: ProtocolV1) -> Iterator[Problem]:
    place = f"{pointer}/questions"
    if not task.questions:
        yield missing(place, "The form needs at least one question.")
    yield from repeated(place, (question.key for question in task.questions), "The question")
    for index, question in enumerate(task.questions):
        if question.key in RESERVED:
            yield inconsistent(
                f"{place}/{index}/key",
                f"'{question.key}' is a column of the table already; choose another key.",
            )
    earlier: set[str] = set()
    for index, question in enumerate(task.questions):
        yield from question_problems(f"{place}/{index}", question)
        shown_if = question.shown_if
        if shown_if is not None and shown_if.question not in earlier:
            yield inconsistent(
                f"{place}/{index}/shown_if/question",
                f"'{shown_if.question}' must be a question that stands before '{question.key}'.",
            )
        earlier.add(question.key)
    if task.consensus is not None:
        yield from _consensus(f"{pointer}/consensus", task, task.consensus, protocol)
    yield from _value_windows(f"{pointer}/display/windows", task.display.windows)


def _consensus(
    pointer: str, task: RatingFormTask, consensus: Consensus, protocol: ProtocolV1
) -> Iterator[Problem]:
    labels = {
        one.key: {"yes", "no"}
        if one.kind is QuestionKind.YES_NO
        else {option.value for option in one.options}
        for one in task.questions
        if one.kind in (QuestionKind.CHOICE, QuestionKind.LIKERT, QuestionKind.YES_NO)
    }
    for key in consensus.questions:
        if key not in labels:
            yield inconsistent(
                f"{pointer}/questions", f"'{key}' must be a choice, Likert or yes-no question of the form."
            )
        elif consensus.rule is ConsensusRule.COUNTS_AS and consensus.counts_as not in labels[key]:
            yield inconsistent(
                f"{pointer}/counts_as",
                f"A disagreement on '{key}' must count as one of {', '.join(sorted(labels[key]))}; "
                f"got {consensus.counts_as!r}.",
            )
    if consensus.rule is ConsensusRule.ADJUDICATION:
        strata = {stratum.key for stratum in protocol.allocation.strata}
        if consensus.adjudicators not in strata:
            yield inconsistent(
                f"{pointer}/adjudicators",
                f"The adjudicator must be a stratum of the allocation ({', '.join(sorted(strata)) or 'none'}); "
                f"got {consensus.adjudicators!r}.",
            )


def question_problems(pointer: str, question: Question) -> Iterator[Problem]:
    """Yield everything that is wrong with one question of a form."""
    if question.kind in _CHOICES:
        if len(question.options) < 2:
            yield missing(f"{pointer}/options", f"The question '{question.key}' needs at least two options.")
        yield from repeated(f"{pointer}/options", (option.value for option in question.options), "The option")
    elif question.options:
        yield inconsistent(f"{pointer}/options", f"A {question.kind} question has no options; remove them.")
    low, high = question.minimum, question.maximum
    if question.kind not in _NUMBERS and (low is not None or high is not None):
        yield inconsistent(
            pointer, f"Only number questions have a minimum and maximum, not '{question.key}'."
        )
    elif low is not None and high is not None and low > high:
        yield inconsistent(f"{pointer}/minimum", f"The minimum of '{question.key}' lies above its maximum.")
