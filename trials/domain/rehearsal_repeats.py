"""Which protocols can be rehearsed repeatedly: their primary estimate must have a value that a simulation can set."""

from typing import Any

from trials.domain.protocol.questions import QuestionKind
from trials.domain.protocol.tasks import RatingFormTask
from trials.domain.protocol.v1 import PrimaryEndpoint, ProtocolV1

REPEATABLE = (
    "preference",
    "mrmc",
    "observer-variability",
    "segmentation-performance",
    "survey",
    "survival",
)
"""Primary analyses that can be repeated."""
ONCE = "Rehearse the trial once instead."
_OR_ONCE = "rehearse the trial once instead."


def repeat_refusal(protocol: ProtocolV1) -> str | None:
    """Return why a protocol cannot be rehearsed repeatedly and what would be right; None where it can."""
    primary = protocol.analysis_plan.primary
    if primary is None:
        return f"The protocol has no primary analysis to repeat. Plan one, or {_OR_ONCE}"
    if primary.data is not None and primary.analysis != "survival":
        return (
            f"The primary endpoint is computed from the external data '{primary.data}', which no simulation gives; "
            f"{_OR_ONCE}"
        )
    if primary.analysis not in REPEATABLE:
        return (
            f"The primary analysis {primary.analysis} estimates nothing that a simulation can be set to, so it cannot "
            f"be repeated; that is possible for {', '.join(REPEATABLE[:-1])} and {REPEATABLE[-1]}. {ONCE}"
        )
    if primary.analysis != "preference" and primary.cases == "fixed":
        return (
            "The primary analysis takes the cases as fixed, so that its result is about these cases alone; a repeated "
            "rehearsal draws the cases' difficulty anew for every simulated trial and would hold the analysis to what "
            f"it does not claim. Declare the cases random, or {_OR_ONCE}"
        )
    return (
        _contours_refusal(protocol, primary)
        or _survey_refusal(protocol, primary)
        or _follow_up_refusal(primary)
    )


def _contours_refusal(protocol: ProtocolV1, primary: PrimaryEndpoint) -> str | None:
    """Return what of a primary analysis of contours cannot be set."""
    if primary.analysis not in ("observer-variability", "segmentation-performance"):
        return None
    metric = next((one.value for one in primary.parameters if one.name == "metric"), "dice")
    if metric != "dice":
        return f"The primary metric is {metric}; a repeated rehearsal simulates Dice. Plan dice, or rehearse once."
    if primary.analysis == "observer-variability" and len(protocol.conditions) > 1:
        return (
            "Readers outline under several conditions; a repeated rehearsal simulates the agreement of readers under "
            f"one. {ONCE}"
        )
    if primary.analysis == "segmentation-performance" and not protocol.algorithms:
        return f"The protocol names no algorithm whose contours are held against the reference. {ONCE}"
    return None


def counted_answers(protocol: ProtocolV1) -> tuple[str, tuple[str, ...]] | None:
    """Return the first question that every reader answers with one of several answers, and these; None without one."""
    task = protocol.task
    for question in task.questions if isinstance(task, RatingFormTask) else ():
        if question.shown_if is not None:
            continue
        if question.kind is QuestionKind.YES_NO:
            return question.key, ("1", "0")
        if question.kind in (QuestionKind.CHOICE, QuestionKind.LIKERT) and len(question.options) > 1:
            return question.key, tuple(option.value for option in question.options)
    return None


def _survey_refusal(protocol: ProtocolV1, primary: PrimaryEndpoint) -> str | None:
    """Return what of a primary survey cannot be set."""
    if primary.analysis != "survey":
        return None
    if counted_answers(protocol) is None:
        return (
            "The trial asks no question of a form that every reader answers with one of several answers, so there is "
            f"no share to be held to. {ONCE}"
        )
    if any(one.name == "questions" for one in primary.parameters):
        return (
            "The primary analysis names its questions; a repeated rehearsal simulates the first of the form alone. "
            f"{ONCE}"
        )
    return None


def measurement_pair(pairs: Any) -> tuple[str, str] | None:
    """Return the two measurements of the first pair that a survival analysis compares (``A:B``, further ones behind).

    Parameters
    ----------
    pairs : str or sequence of str
        As the protocol writes it, separated by commas, or as the analysis takes it.
    """
    listed = pairs.split(",") if isinstance(pairs, str) else list(pairs)
    first, colon, second = (part.strip() for part in (listed[0] if listed else "").partition(":"))
    return (first, second) if colon and first and second else None


def _follow_up_refusal(primary: PrimaryEndpoint) -> str | None:
    """Return what of a primary analysis of follow-up cannot be set."""
    if primary.analysis != "survival":
        return None
    given = {one.name: one.value for one in primary.parameters}
    if measurement_pair(given.get("pairs", "")) is None:
        return (
            "The primary analysis compares no two measurements; a repeated rehearsal is held to their difference in "
            f"C-index. Name them in the parameter pairs (A:B). {ONCE}"
        )
    if "group" in given or "measurements" in given:
        return (
            "The primary analysis names further columns of the follow-up (group or measurements), which no simulation "
            f"gives. Put them into a secondary analysis. {ONCE}"
        )
    return None
