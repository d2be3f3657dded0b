"""The classification task's answer, presentation, tidy columns and practice feedback.

The decision is asked separately and first and never derived from the rating; where the two contradict each other, the
answer is flagged and kept as it was given.
"""

import math
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from trials.domain.protocol.tasks import ClassificationTask as ClassificationProtocol
from trials.domain.protocol.tasks import LesionMarks, Rating
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import Reading, ReferenceStatus, Response
from trials.reading_tasks.classification.setup import ClassificationSetupSerializer
from trials.reading_tasks.contract import (
    REASON_CODE,
    CheckedAnswer,
    Feedback,
    Presented,
    check_common,
    refuse,
)
from trials.reading_tasks.windows import image_windows, value_range

NEGATIVE, POSITIVE = 0, 1
HIGHEST_RATING = 100
"""Of the slider; its lowest is 0."""
CONTRADICTION = "contradiction"
"""The flag of a decision that its own rating contradicts."""
_KEYS = {NEGATIVE: "n", POSITIVE: "y"}
_MARK_KEYS = {"point": ("frame", "x", "y"), "box": ("frame", "x", "y", "x2", "y2")}


def _classification(protocol: ProtocolV1) -> ClassificationProtocol:
    task = protocol.task
    if not isinstance(task, ClassificationProtocol):
        raise LookupError("The protocol has no classification task, yet a reading asks for one.")
    return task


def score_of(rating: int, scale: Rating) -> float:
    """Return a rating between 0 (definitely absent) and 1 (definitely present)."""
    if scale.scale == "slider":
        return rating / HIGHEST_RATING
    return (rating - 1) / (len(scale.points) - 1)


def contradicts(decision: int | None, score: float | None) -> bool:
    """Say whether "no" came with a suspicion above one half, or "yes" with one below."""
    if decision is None or score is None:
        return False
    return score > 0.5 if decision == NEGATIVE else score < 0.5


class ClassificationTask:
    """See the module."""

    name: str = "classification"
    setup_serializer: type[serializers.Serializer[Any]] = ClassificationSetupSerializer
    columns: tuple[str, ...] = ("rating", "marks", "overlay_s")

    def check_answer(
        self, answer: Mapping[str, Any], *, reading: Reading, protocol: ProtocolV1
    ) -> CheckedAnswer:
        """Return the answer in its stored form, or raise naming each wrong field."""
        task = _classification(protocol)
        problems, comment = check_common(answer, keys=("decision", "rating", "marks"), part=task)
        decision, rating, marks = answer.get("decision"), answer.get("rating"), answer.get("marks") or []
        cannot = answer.get(REASON_CODE) is not None
        if cannot:
            for key in ("decision", "rating", "marks"):
                if answer.get(key):
                    problems[f"/answer/{key}"] = (
                        "An image that cannot be assessed has no answer but the reason."
                    )
        else:
            problems |= _decision_problem(decision, task)
            problems |= _rating_problem(rating, task)
            problems |= _marks_problems(marks, task, reading, decision)
        refuse(problems)
        score = None if cannot or rating is None or task.rating is None else score_of(rating, task.rating)
        return CheckedAnswer(
            stored={
                "decision": None if cannot else decision,
                "rating": None if cannot else rating,
                "marks": [] if cannot else marks,
                REASON_CODE: answer.get(REASON_CODE),
            },
            comment=comment,
            not_assessable=cannot,
            flags=(CONTRADICTION,) if contradicts(None if cannot else decision, score) else (),
        )

    def present(self, reading: Reading, *, protocol: ProtocolV1) -> Presented:
        """Return the questions and the windows that fit the image."""
        task = _classification(protocol)
        decision, rating, marks = task.decision, task.rating, task.marks
        windows = image_windows(reading, task.display)
        question = (
            decision.question if decision is not None else rating.question if rating is not None else ""
        )
        return Presented(
            question=question,
            windows=windows,
            inverted=task.display.inverted,
            scroll=reading.item.unit == "volume",
            value_range=value_range(reading, windows),
            setup={
                "kind": self.name,
                "decision": None
                if decision is None
                else {
                    "question": decision.question,
                    "options": [
                        {"value": NEGATIVE, "label": decision.negative, "key": _KEYS[NEGATIVE]},
                        {"value": POSITIVE, "label": decision.positive, "key": _KEYS[POSITIVE]},
                    ],
                },
                "rating": None if rating is None else rating.model_dump(mode="json"),
                "marks": None if marks is None else marks.model_dump(mode="json"),
                "magnifier": task.display.magnifier,
                "histogram": task.display.histogram,
            },
        )

    def tidy_columns(
        self, reading: Reading, response: Response | None, *, protocol: ProtocolV1, unblinded: bool
    ) -> dict[str, Any]:
        """Return decision, score (rating / 100, or the place on the scale of points), rating, marks, overlay time."""
        answer = response.answer if response is not None else {}
        rating = answer.get("rating")
        scale = _classification(protocol).rating
        return {
            "decision": answer.get("decision"),
            "score": None if rating is None or scale is None else score_of(rating, scale),
            "rating": rating,
            "marks": len(answer["marks"]) if answer.get("marks") else None,
            "reason_code": answer.get(REASON_CODE),
            "overlay_s": response.timing.get("overlay_s") if response is not None else None,
        }

    def judged(self, answer: Mapping[str, Any], *, protocol: ProtocolV1) -> Mapping[str, str]:
        """Return the decision; ratings differ by degrees."""
        decision = answer.get("decision")
        return {} if decision is None else {"decision": str(decision)}

    def feedback(self, reading: Reading, checked: CheckedAnswer, *, protocol: ProtocolV1) -> Feedback | None:
        """Return the reference standard of a practice case, and whether the decision agrees with it."""
        reference = reading.item.case.reference_standards.order_by("-version").first()
        decision = _classification(protocol).decision
        if reference is None or reference.status != ReferenceStatus.FINAL or decision is None:
            return None
        given = checked.stored.get("decision")
        right = decision.positive if reference.truth == POSITIVE else decision.negative
        return Feedback(
            correct=None if given is None else given == reference.truth, text=f"Reference standard: {right}."
        )


def _decision_problem(decision: Any, task: ClassificationProtocol) -> dict[str, str]:
    if task.decision is None:
        return {} if decision is None else {"/answer/decision": "No decision is asked for."}
    if isinstance(decision, bool) or decision not in (NEGATIVE, POSITIVE):
        return {
            "/answer/decision": f"The decision must be 0 ({task.decision.negative}) or 1 "
            f"({task.decision.positive}); got {decision!r}."
        }
    return {}


def _rating_problem(rating: Any, task: ClassificationProtocol) -> dict[str, str]:
    if task.rating is None:
        return {} if rating is None else {"/answer/rating": "No rating is asked for."}
    lowest, highest = (0, HIGHEST_RATING) if task.rating.scale == "slider" else (1, len(task.rating.points))
    if isinstance(rating, bool) or not isinstance(rating, int) or not lowest <= rating <= highest:
        return {
            "/answer/rating": f"The rating must be a whole number from {lowest} to {highest}; got {rating!r}."
        }
    return {}


def _marks_problems(
    marks: Any, task: ClassificationProtocol, reading: Reading, decision: Any
) -> dict[str, str]:
    asked = task.marks
    if asked is None:
        return {} if not marks else {"/answer/marks": "No marks are asked for."}
    if not isinstance(marks, list) or len(marks) > asked.maximum:
        return {"/answer/marks": f"The marks must be a list of at most {asked.maximum}."}
    if asked.required_if_positive and decision == POSITIVE and not marks:
        return {"/answer/marks": "Mark at least one lesion, since the answer is that there are some."}
    problems = {}
    for number, mark in enumerate(marks):
        problem = _mark_problem(mark, asked, reading)
        if problem:
            problems[f"/answer/marks/{number}"] = problem
    return problems


def _mark_problem(mark: Any, asked: LesionMarks, reading: Reading) -> str:
    keys = _MARK_KEYS[asked.shape] + (("rating",) if asked.rated else ())
    if not isinstance(mark, dict) or set(mark) != set(keys):
        return f"A mark has the keys {', '.join(keys)}."
    numbers = [mark[key] for key in keys]
    if any(
        isinstance(one, bool) or not isinstance(one, int | float) or not math.isfinite(one) for one in numbers
    ):
        return "Every value of a mark is a number."
    frames, rows, columns = reading.item.image.volume.shape_zyx
    inside = 0 <= mark["frame"] < frames and all(
        -0.5 <= mark[key] <= (columns if key.startswith("x") else rows) - 0.5
        for key in keys
        if key[0] in "xy"
    )
    if not inside or mark["frame"] != int(mark["frame"]):
        return f"A mark lies on the image: {frames} views of {columns} by {rows} pixels."
    if asked.rated and not 0 <= mark["rating"] <= HIGHEST_RATING:
        return f"A mark's rating lies between 0 and {HIGHEST_RATING}."
    return ""
