"""The preference task's answer, presentation and tidy columns.

In the blinding check the same pairs come back with another question; there ``choice`` says which contour the reader
takes for the algorithm's.
"""

import base64
from collections.abc import Mapping
from typing import Any

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol.v1 import PreferenceTask as PreferenceProtocol
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import Reading, Response
from trials.reading_tasks.contract import CheckedAnswer

COMMENT_MAX_CHARACTERS = 2000
LEFT, RIGHT, NONE, DONT_KNOW, CANNOT_ASSESS = "left", "right", "none", "dont_know", "cannot_assess"
BLINDING_CHECK = "blinding-check"
"""The phase whose readings ask which contour is the algorithm's."""


def _preference(protocol: ProtocolV1) -> PreferenceProtocol:
    task = protocol.preference
    if task is None:
        raise LookupError("The protocol has no preference task, yet a reading asks for one.")
    return task


def _choices(task: PreferenceProtocol, phase: str) -> dict[str, str]:
    """Return value -> label of what may be answered, in the order of the buttons."""
    left, right = task.display.panes
    choices = {LEFT: left, RIGHT: right}
    if phase == BLINDING_CHECK:
        choices[DONT_KNOW] = "Don't know"
    elif task.no_preference:
        choices[NONE] = "No preference"
    return choices


class PreferenceTask:
    """See the module."""

    name = "preference"

    def check_answer(self, answer: Mapping[str, Any], *, protocol: ProtocolV1, phase: str) -> CheckedAnswer:
        """Return the answer in its stored form, or raise naming each wrong field."""
        task = _preference(protocol)
        problems: dict[str, str] = {}
        unknown = set(answer) - {"choice", "reason_code", "comment"}
        for key in sorted(unknown):
            problems[f"/answer/{key}"] = f"'{key}' is not part of a preference answer."
        allowed = {*_choices(task, phase), CANNOT_ASSESS}
        choice = answer.get("choice")
        if choice not in allowed:
            problems["/answer/choice"] = (
                f"The choice must be one of {', '.join(sorted(allowed))}; got {choice!r}."
            )
        reason_code = answer.get("reason_code")
        reasons = {reason.code for reason in task.cannot_assess}
        if choice == CANNOT_ASSESS and reason_code not in reasons:
            problems["/answer/reason_code"] = (
                f"Cannot assess needs one of the reasons {', '.join(sorted(reasons))}; got {reason_code!r}."
            )
        if choice != CANNOT_ASSESS and reason_code is not None:
            problems["/answer/reason_code"] = "A reason goes with Cannot assess only."
        comment = answer.get("comment") or ""
        if not isinstance(comment, str) or len(comment) > COMMENT_MAX_CHARACTERS:
            problems["/answer/comment"] = (
                f"The comment must be text of at most {COMMENT_MAX_CHARACTERS} characters."
            )
        if problems:
            raise ValidationFailedError.of_fields(problems)
        return CheckedAnswer(
            stored={"choice": choice, "reason_code": reason_code},
            comment=str(comment).strip(),
            not_assessable=choice == CANNOT_ASSESS,
        )

    def present(self, reading: Reading, *, protocol: ProtocolV1) -> dict[str, Any]:
        """Return question, choices and the two outlines, left pane first."""
        task = _preference(protocol)
        item = reading.item
        packets = {item.candidate_a_id: bytes(item.outlines_a), item.candidate_b_id: bytes(item.outlines_b)}
        display = task.display
        keys = {LEFT: "ArrowLeft", RIGHT: "ArrowRight", NONE: "ArrowDown", DONT_KNOW: "ArrowDown"}
        check = protocol.allocation.blinding_check
        names = [window.name for window in display.windows]
        return {
            "question": check.question if reading.phase == BLINDING_CHECK else task.question,
            "options": [
                {"value": value, "label": label, "key": keys[value]}
                for value, label in _choices(task, reading.phase).items()
            ],
            "cannot_assess": [{"code": reason.code, "label": reason.label} for reason in task.cannot_assess],
            "confirm": task.confirm,
            "comment": task.comment,
            "panes": [
                {"pane": LEFT, "label": display.panes[0], "outlines": _encoded(packets[reading.left_id])},
                {"pane": RIGHT, "label": display.panes[1], "outlines": _encoded(packets[reading.right_id])},
            ],
            "style": {
                "colour": display.outline.colour,
                "width_px": display.outline.width_px,
                "halo_px": 1 if display.outline.halo else 0,
            },
            "windows": [
                {"key": str(index), "label": window.name, "width": window.width_hu, "level": window.level_hu}
                for index, window in enumerate(display.windows, start=1)
            ],
            "start_window": names.index(display.start_window) if display.start_window in names else 0,
            "scroll": display.scroll.mode == "range" and display.scroll.slices > 0,
        }

    def tidy_columns(self, reading: Reading, response: Response | None, *, unblinded: bool) -> dict[str, Any]:
        """Return choice, side and, once unblinded, the sources of what was shown and preferred."""
        sides = {LEFT: reading.left, RIGHT: reading.right}
        choice = response.answer["choice"] if response is not None else None
        columns: dict[str, Any] = {
            "choice_side": choice if choice in sides else None,
            "decision": None,
            "score": None,
            "reason_code": response.answer.get("reason_code") if response is not None else None,
            "preferred": None,
            "left_source": None,
            "right_source": None,
            "left_contour_id": None,
            "right_contour_id": None,
        }
        if unblinded:
            columns |= {
                "left_source": reading.left.source,
                "right_source": reading.right.source,
                "left_contour_id": str(reading.left_id),
                "right_contour_id": str(reading.right_id),
            }
            if choice in sides:
                columns["preferred"] = sides[choice].source
            elif choice in (NONE, DONT_KNOW):
                columns["preferred"] = choice
        return columns


def _encoded(packet: bytes) -> str:
    return base64.b64encode(packet).decode("ascii")
