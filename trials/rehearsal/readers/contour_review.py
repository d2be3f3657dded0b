"""A simulated reader of a contour review: the model's judgement and edits become what a browser would send."""

from dataclasses import dataclass
from typing import Any

from equipoise.archive.selectors import stored_mask
from equipoise.imaging.mask import Mask
from equipoise.simulation import ContourReviewAnswer, ContourReviewReader, stream
from trials.domain.protocol.tasks import ContourReviewTask
from trials.models import Reading
from trials.reading_tasks.contour_review.task import shown_contour
from trials.rehearsal.readers.answers import SimulatedAnswer, Step
from trials.rehearsal.readers.contouring import ENGINE, drawing_body
from trials.selectors.protocol import protocol_of_version


@dataclass(frozen=True)
class SimulatedReview:
    """One reader of a contour review.

    What is there is taken from the expert's contour of the case, or from the one shown where no expert is a candidate.
    ``seed`` and ``number`` name the reader's stream of random numbers, of which each reading has its own.
    """

    model: ContourReviewReader
    seed: int
    number: int

    def answer(self, reading: Reading) -> SimulatedAnswer:
        """Judge the contour that the reading shows."""
        task = protocol_of_version(reading.protocol).task
        if not isinstance(task, ContourReviewTask):
            raise LookupError("The protocol has no contour review, yet a reading asks for one.")
        contour = shown_contour(reading)
        kinds = {one.source: one.kind for one in task.candidates}
        experts = [source for source, kind in kinds.items() if kind == "expert"]
        known = reading.item.case.contours.filter(source__in=experts).select_related("mask").first()
        shown = stored_mask(contour.mask)
        structure = shown if known is None else stored_mask(known.mask)
        answer = self.model.answer(
            stream(self.seed, self.number, reading.position),
            structure.array,
            shown.array,
            shown.grid.spacing_mm_zyx,
            by_algorithm=kinds[contour.source] == "algorithm",
            allow_edit=task.allow_edit,
            position=reading.position,
        )
        body = (
            {"reason_code": task.cannot_assess[0].code, "comment": ""}
            if answer.cannot_assess
            else _body(answer, shown, task)
        )
        return SimulatedAnswer(body=body, steps=_steps(answer))


def _body(answer: ContourReviewAnswer, shown: Mask, task: ContourReviewTask) -> dict[str, Any]:
    start_s = answer.decision_s - sum(answer.slice_s.values())
    drawing: dict[str, Any] = (
        {"engine": ENGINE, "slice_ms": {}}
        if answer.mask is None
        else drawing_body(Mask(answer.mask, shown.grid), answer.slice_s, start_s=start_s, anew=True)
    )
    return {
        **drawing,
        "acceptability": min(answer.acceptability, len(task.acceptability)),
        "verdict": answer.verdict,
        "origin": answer.origin if task.origin_question is not None else None,
        "reason_code": None,
        "comment": "",
    }


def _steps(answer: ContourReviewAnswer) -> tuple[Step, ...]:
    start_s = answer.decision_s - sum(answer.slice_s.values())
    steps: list[Step] = [
        ("first_paint", 0.0, {}),
        ("answer_change", answer.judged_s, {"acceptability": answer.acceptability, "primary": False}),
        ("answer_change", start_s, {"verdict": answer.verdict}),
    ]
    now_s = start_s
    for count, (z, seconds) in enumerate(answer.slice_s.items(), start=1):
        now_s += seconds
        steps.append(("answer_change", now_s, {"tool": "polygon", "slice": z, "acts": count}))
    return (*steps, ("submit", answer.wall_s, {}))
