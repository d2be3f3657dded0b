"""A simulated reader of a contouring trial: a drawing of the model becomes what a browser would send."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.archive.selectors import stored_mask
from equipoise.imaging.mask import Mask, encode_mask
from equipoise.imaging.outline import boundary_loops
from equipoise.simulation import ContouringAnswer, ContouringReader, stream
from trials.domain.protocol.tasks import ContouringTask
from trials.models import Reading
from trials.rehearsal.readers.answers import SimulatedAnswer, Step
from trials.selectors.protocol import protocol_of_version

ENGINE = {"name": "equipoise-canvas", "version": "1"}
"""The log is one polygon per slice: replayed by this engine, it gives the mask."""


@dataclass(frozen=True)
class SimulatedContouring:
    """One reader of a contouring trial, before the case's own reference contour.

    ``seed`` and ``number`` name the reader's stream of random numbers, of which each reading has its own.
    """

    model: ContouringReader
    seed: int
    number: int

    def answer(self, reading: Reading) -> SimulatedAnswer:
        """Outline what the reference says is there."""
        task = protocol_of_version(reading.protocol).task
        if not isinstance(task, ContouringTask):
            raise LookupError("The protocol has no contouring task, yet a reading asks for one.")
        contour = reading.item.case.contours.filter(source=task.reference).select_related("mask").first()
        if contour is None:
            raise LookupError(
                f"Case {reading.item.case.code} has no contour of the reference: nothing to simulate."
            )
        structure = stored_mask(contour.mask)
        answer = self.model.answer(
            stream(self.seed, self.number, reading.position),
            structure.array,
            structure.grid.spacing_mm_zyx,
            position=reading.position,
        )
        if answer.mask is None:
            body = {"reason_code": task.cannot_assess[0].code, "comment": ""}
        else:
            body = _body(Mask(answer.mask, structure.grid), answer)
        return SimulatedAnswer(body=body, steps=_steps(answer))


def drawing_body(
    mask: Mask, slice_s: Mapping[int, float], *, start_s: float, anew: bool = False
) -> dict[str, Any]:
    """Return a drawing as a browser sends it: a polygon per outline, slice by slice from ``start_s`` on.

    With ``anew`` each slice is erased first, for something was drawn on it.
    """
    acts: list[dict[str, Any]] = []
    now_s = start_s
    for z, seconds in slice_s.items():
        times = {"startMs": round(1000 * now_s), "endMs": round(1000 * (now_s + seconds))}
        if anew:
            acts.append({"tool": "erase_slice", "z": z, **times, "endMs": times["startMs"]})
        acts += [
            {"tool": "polygon", "z": z, "mode": "add", "points": loop.ravel().tolist(), **times}
            for loop in boundary_loops(mask.array[z])
        ]
        now_s += seconds
    return {
        "mask": base64.b64encode(encode_mask(mask)).decode(),
        "engine": ENGINE,
        "acts": acts,
        "slice_ms": {str(z): round(1000 * seconds) for z, seconds in slice_s.items()},
        "origins": {str(z): "drawn" for z in slice_s if mask.array[z].any()},
    }


def _body(mask: Mask, answer: ContouringAnswer) -> dict[str, Any]:
    start_s = answer.decision_s - sum(answer.slice_s.values())
    return {**drawing_body(mask, answer.slice_s, start_s=start_s), "reason_code": None, "comment": ""}


def _steps(answer: ContouringAnswer) -> tuple[Step, ...]:
    steps: list[Step] = [("first_paint", 0.0, {})]
    now_s = answer.decision_s - sum(answer.slice_s.values())
    for count, (z, seconds) in enumerate(answer.slice_s.items(), start=1):
        steps.append(("slice_change", now_s, {"frame": z}))
        now_s += seconds
        steps.append(("answer_change", now_s, {"tool": "polygon", "slice": z, "acts": count}))
    return (*steps, ("submit", answer.wall_s, {}))
