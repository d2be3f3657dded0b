"""The preference task's answer, presentation and tidy columns.

In the blinding check the same pairs come back with another question; there ``choice`` says which contour the reader
takes for the algorithm's.
"""

import base64
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from trials.domain.protocol.tasks import PreferenceTask as PreferenceProtocol
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import Contour, Item, Reading, Response
from trials.reading_tasks.contract import (
    REASON_CODE,
    CheckedAnswer,
    Feedback,
    Presented,
    ShownWindow,
    check_common,
    refuse,
)
from trials.reading_tasks.preference.setup import PreferenceSetupSerializer

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


def sides_of(reading: Reading) -> dict[str, Contour]:
    """Return the two contours that the reading shows, by pane."""
    if reading.left is None or reading.right is None:
        raise LookupError("A preference reading shows two contours; this one lacks one.")
    return {LEFT: reading.left, RIGHT: reading.right}


class PreferenceTask:
    """See the module."""

    name: str = "preference"
    setup_serializer: type[serializers.Serializer[Any]] = PreferenceSetupSerializer
    columns: tuple[str, ...] = ()

    def check_answer(
        self, answer: Mapping[str, Any], *, reading: Reading, protocol: ProtocolV1
    ) -> CheckedAnswer:
        """Return the answer in its stored form, or raise naming each wrong field."""
        task = _preference(protocol)
        problems, comment = check_common(answer, keys=("choice",), part=task)
        allowed = {*_choices(task, reading.phase), CANNOT_ASSESS}
        choice, reason_code = answer.get("choice"), answer.get(REASON_CODE)
        if choice not in allowed:
            problems["/answer/choice"] = (
                f"The choice must be one of {', '.join(sorted(allowed))}; got {choice!r}."
            )
        if choice == CANNOT_ASSESS and reason_code is None:
            reasons = ", ".join(sorted(reason.code for reason in task.cannot_assess))
            problems["/answer/reason_code"] = f"Cannot assess needs one of the reasons {reasons}; got None."
        if choice != CANNOT_ASSESS and reason_code is not None:
            problems["/answer/reason_code"] = "A reason goes with Cannot assess only."
        refuse(problems)
        return CheckedAnswer(
            stored={"choice": choice, REASON_CODE: reason_code},
            comment=comment,
            not_assessable=choice == CANNOT_ASSESS,
        )

    def present(self, reading: Reading, *, protocol: ProtocolV1) -> Presented:
        """Return question, choices and the two outlines, left pane first."""
        task = _preference(protocol)
        display = task.display
        keys = {LEFT: "ArrowLeft", RIGHT: "ArrowRight", NONE: "ArrowDown", DONT_KNOW: "ArrowDown"}
        check = protocol.allocation.blinding_check
        names = [window.name for window in display.windows]
        return Presented(
            question=check.question if reading.phase == BLINDING_CHECK else task.question,
            windows=tuple(
                ShownWindow(key=str(index), label=window.name, width=window.width_hu, level=window.level_hu)
                for index, window in enumerate(display.windows, start=1)
            ),
            start_window=names.index(display.start_window) if display.start_window in names else 0,
            scroll=display.scroll.mode == "range" and display.scroll.slices > 0,
            setup={
                "kind": self.name,
                "options": [
                    {"value": value, "label": label, "key": keys[value]}
                    for value, label in _choices(task, reading.phase).items()
                ],
                "panes": [
                    {"pane": pane, "label": label, "outlines": _outlines(reading.item, contour_id)}
                    for pane, label, contour_id in (
                        (LEFT, display.panes[0], reading.left_id),
                        (RIGHT, display.panes[1], reading.right_id),
                    )
                ],
                "style": {
                    "colour": display.outline.colour,
                    "width_px": display.outline.width_px,
                    "halo_px": 1 if display.outline.halo else 0,
                },
            },
        )

    def tidy_columns(
        self, reading: Reading, response: Response | None, *, protocol: ProtocolV1, unblinded: bool
    ) -> dict[str, Any]:
        """Return choice, side and, once unblinded, the sources of what was shown and preferred."""
        sides = sides_of(reading)
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
                "left_source": sides[LEFT].source,
                "right_source": sides[RIGHT].source,
                "left_contour_id": str(reading.left_id),
                "right_contour_id": str(reading.right_id),
            }
            if choice in sides:
                columns["preferred"] = sides[choice].source
            elif choice in (NONE, DONT_KNOW):
                columns["preferred"] = choice
        return columns

    def judged(self, answer: Mapping[str, Any], *, protocol: ProtocolV1) -> Mapping[str, str]:
        """A side is drawn for every reading: what was chosen is no label of the pair."""
        return {}

    def feedback(self, reading: Reading, checked: CheckedAnswer, *, protocol: ProtocolV1) -> Feedback | None:
        """Return None: which contour is better has no reference standard."""
        return None


def _outlines(item: Item, contour_id: Any) -> str:
    packets = {item.candidate_a_id: item.outlines_a, item.candidate_b_id: item.outlines_b}
    return base64.b64encode(bytes(packets[contour_id])).decode("ascii")
