"""The contour review's answer, presentation and tidy columns.

Whose contour is shown is the allocation's affair (``Reading.left``): neither the screen nor the answer names it. What
is stored of an accepted contour are the voxels that were shown, whatever a browser may send.
"""

import base64
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from rest_framework import serializers

from equipoise.archive.selectors import stored_mask
from equipoise.common.errors import ValidationFailedError
from equipoise.common.units import MS_PER_SECOND
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask, encode_mask
from equipoise.metrics import segmentation_metrics
from trials.domain.protocol.tasks import ContourReviewTask as ContourReviewProtocol
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import Contour, Reading, Response
from trials.reading_tasks.contour_review.setup import ORIGINS, ContourReviewSetupSerializer
from trials.reading_tasks.contract import (
    REASON_CODE,
    CheckedAnswer,
    Feedback,
    Presented,
    check_common,
    refuse,
)
from trials.reading_tasks.drawing import (
    DRAWING_COLUMNS,
    DRAWING_KEYS,
    drawing_columns,
    drawing_problems,
    engine_problem,
    files_of,
    mask_of,
    measures_of,
    slice_times_problem,
)
from trials.reading_tasks.volumes import volume_setup, volume_windows

ACCEPT, EDIT, REJECT = "accept", "edit", "reject"
VERDICTS = (ACCEPT, EDIT, REJECT)
OF_AN_EDIT = ("mask", "acts", "origins")
"""What only an edited contour has."""
KEYS = ("acceptability", "verdict", "origin", *DRAWING_KEYS)
REVIEW_COLUMNS = (
    "acceptability", "verdict", "origin_guess", "origin_correct", "editing_s", "surface_dice",
    "surface_tolerance_mm", "added_path_length_mm", "start_volume_ml",
)  # fmt: skip


def _review(protocol: ProtocolV1) -> ContourReviewProtocol:
    task = protocol.task
    if not isinstance(task, ContourReviewProtocol):
        raise LookupError("The protocol has no contour review, yet a reading asks for one.")
    return task


def shown_contour(reading: Reading) -> Contour:
    """Return the contour that a reading is about."""
    if reading.left is None:
        raise LookupError("A contour review shows one contour; this reading has none.")
    return reading.left


def start_mask(reading: Reading) -> Mask:
    """Return the voxels that a reading starts with, on the image's own grid."""
    mask = stored_mask(shown_contour(reading).mask)
    if mask.grid.shape_zyx != reading.item.image.volume.grid.shape_zyx:
        raise LookupError("The contour under review lies on another image's voxels.")
    return mask


def editing_seconds(acts: list[dict[str, Any]], *, idle_threshold_s: float) -> float:
    """Return the seconds from the beginning of the first act to the end of the last one.

    Between two acts at most the idle threshold counts: what is longer is a pause.
    """
    if not acts:
        return 0.0
    longest_ms = idle_threshold_s * MS_PER_SECOND
    drawing = sum(max(0.0, act["endMs"] - act["startMs"]) for act in acts)
    between = sum(
        min(longest_ms, max(0.0, later["startMs"] - earlier["endMs"])) for earlier, later in pairwise(acts)
    )
    return float(drawing + between) / MS_PER_SECOND


class ContourReviewTask:
    """See the module."""

    name: str = "contour-review"
    setup_serializer: type[serializers.Serializer[Any]] = ContourReviewSetupSerializer
    columns: tuple[str, ...] = (*REVIEW_COLUMNS, *DRAWING_COLUMNS)

    def check_answer(
        self, answer: Mapping[str, Any], *, reading: Reading, protocol: ProtocolV1
    ) -> CheckedAnswer:
        """Return the answer in its stored form, or raise naming each wrong field."""
        task = _review(protocol)
        problems, comment = check_common(answer, keys=KEYS, part=task)
        if answer.get(REASON_CODE) is not None:
            for key in KEYS:
                if answer.get(key):
                    problems[f"/answer/{key}"] = (
                        "A contour that cannot be assessed has no answer but the reason."
                    )
            refuse(problems)
            stored = {REASON_CODE: answer[REASON_CODE]}
            return CheckedAnswer(stored=stored, comment=comment, not_assessable=True)
        grid = reading.item.image.volume.grid
        problems |= _answer_problems(answer, task)
        problems |= _looking_problems(answer, grid)
        refuse(problems)
        start = start_mask(reading)
        end = _end_mask(answer, start, grid)
        stored = {
            "acceptability": answer["acceptability"],
            "verdict": answer["verdict"],
            "origin": answer.get("origin"),
            "engine": answer["engine"],
            "slice_ms": answer["slice_ms"],
            "start_volume_ml": start.volume_ml,
            REASON_CODE: None,
        }
        if end is None:
            return CheckedAnswer(stored=stored, comment=comment, not_assessable=False)
        acts, origins = answer.get("acts") or [], answer.get("origins") or {}
        tolerance_mm = float(task.surface_tolerance_mm)
        return CheckedAnswer(
            stored={
                **stored,
                **measures_of(end, acts, origins),
                **_changes(start, end, tolerance_mm),
                "editing_s": editing_seconds(acts, idle_threshold_s=protocol.timing.idle_threshold_s),
                "origins": origins,
            },
            comment=comment,
            not_assessable=False,
            files=files_of(end, acts),
        )

    def present(self, reading: Reading, *, protocol: ProtocolV1) -> Presented:
        """Return the contour's voxels and what may be answered; nothing that tells whose contour it is."""
        task = _review(protocol)
        windows, first = volume_windows(task.display, after=max(len(task.acceptability), len(ORIGINS)))
        start = start_mask(reading)
        return Presented(
            question=task.question,
            windows=windows,
            start_window=first,
            scroll=True,
            start_frame=int(start.array.sum(axis=(1, 2)).argmax()) if start.voxel_count else None,
            setup={
                "kind": self.name,
                **volume_setup(reading, task.display),
                # Written anew from the voxels: how a source's file was packed does not reach the browser.
                "start": base64.b64encode(encode_mask(start)).decode("ascii"),
                "acceptability": list(task.acceptability),
                "allow_edit": task.allow_edit,
                "origin_question": task.origin_question,
                "surface_check": task.surface_check,
            },
        )

    def tidy_columns(
        self, reading: Reading, response: Response | None, *, protocol: ProtocolV1, unblinded: bool
    ) -> dict[str, Any]:
        """Return verdict, scale and what was changed; once unblinded, whose contour it was."""
        answer = response.answer if response is not None else {}
        guess = answer.get("origin")
        columns: dict[str, Any] = {
            **drawing_columns(response),
            **{name: answer.get(name) for name in REVIEW_COLUMNS},
            "origin_guess": guess,
            "origin_correct": None,
        }
        if unblinded:
            shown = shown_contour(reading)
            kinds = {one.source: one.kind for one in _review(protocol).candidates}
            made_by = "person" if kinds.get(shown.source) == "expert" else "algorithm"
            columns |= {"left_source": shown.source, "left_contour_id": str(shown.id)}
            if guess in ("person", "algorithm"):
                columns["origin_correct"] = int(guess == made_by)
        return columns

    def judged(self, answer: Mapping[str, Any], *, protocol: ProtocolV1) -> Mapping[str, str]:
        """Return the verdict."""
        verdict = answer.get("verdict")
        return {} if verdict is None else {"verdict": str(verdict)}

    def feedback(self, reading: Reading, checked: CheckedAnswer, *, protocol: ProtocolV1) -> Feedback | None:
        """Return nothing: a judgement of a contour is neither right nor wrong."""
        return None


def _answer_problems(answer: Mapping[str, Any], task: ContourReviewProtocol) -> dict[str, str]:
    """Return what is wrong with scale, verdict and the question of who made it, by JSON pointer."""
    problems = {}
    step, steps = answer.get("acceptability"), len(task.acceptability)
    if not isinstance(step, int) or isinstance(step, bool) or not 1 <= step <= steps:
        problems["/answer/acceptability"] = (
            f"The acceptability must be a step of the scale, 1 (best) to {steps}; got {step!r}."
        )
    allowed = VERDICTS if task.allow_edit else (ACCEPT, REJECT)
    if answer.get("verdict") not in allowed:
        problems["/answer/verdict"] = (
            f"The verdict must be one of {', '.join(allowed)}; got {answer.get('verdict')!r}."
        )
    origin, origins = answer.get("origin"), [value for value, _ in ORIGINS]
    if task.origin_question is None and origin is not None:
        problems["/answer/origin"] = "This trial does not ask by whom a contour was made."
    elif task.origin_question is not None and origin not in origins:
        problems["/answer/origin"] = f"The origin must be one of {', '.join(origins)}; got {origin!r}."
    return problems


def _looking_problems(answer: Mapping[str, Any], grid: Grid) -> dict[str, str]:
    """Return what is wrong with what came of looking and drawing, but for the mask, by JSON pointer."""
    if answer.get("verdict") == EDIT:
        return drawing_problems(answer, grid)
    problems = {
        "/answer/engine": engine_problem(answer.get("engine")),
        "/answer/slice_ms": slice_times_problem(answer.get("slice_ms"), grid),
    }
    for key in OF_AN_EDIT:
        if answer.get(key):
            problems[f"/answer/{key}"] = "Only an edited contour is sent; an accepted one is the one shown."
    return {pointer: problem for pointer, problem in problems.items() if problem}


def _end_mask(answer: Mapping[str, Any], start: Mask, grid: Grid) -> Mask | None:
    """Return what the contour is in the end: as shown, as edited, or None where it was rejected."""
    if answer["verdict"] == REJECT:
        return None
    if answer["verdict"] == ACCEPT:
        return start
    mask = mask_of(answer.get("mask"), grid)
    problem = mask if isinstance(mask, str) else ""
    if not problem and not isinstance(mask, str) and bool((mask.array == start.array).all()):
        problem = "Nothing of the contour was changed. Accept it as it is, or change it."
    if problem or isinstance(mask, str):
        raise ValidationFailedError.of_fields({"/answer/mask": problem})
    return mask


def _changes(start: Mask, end: Mask, tolerance_mm: float) -> dict[str, Any]:
    """Return how far the contour was changed: the path that was added, and how much of the surface stayed.

    The reference of both is the contour in the end. An empty contour that was accepted has no surface: None.
    """
    if start.voxel_count == 0 and end.voxel_count == 0:
        return {"surface_dice": None, "added_path_length_mm": 0.0, "surface_tolerance_mm": tolerance_mm}
    measured = segmentation_metrics(end.array, start.array, end.grid.spacing_mm_zyx, (tolerance_mm,))
    return {
        "surface_dice": measured.surface_dice[tolerance_mm],
        "added_path_length_mm": measured.added_path_length_mm,
        "surface_tolerance_mm": tolerance_mm,
    }
