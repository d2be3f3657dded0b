"""What of a locked protocol an amendment may still change.

Nothing that was fixed for readings that were given or handed out: slots, items and order were made from the protocol
at its lock, and a reader's readings are shown, asked and timed by the version they were planned under. What is not
named here cannot be amended.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from trials.domain.protocol.difference import Change
from trials.domain.protocol.problems import Problem
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import TrialState


class Until(StrEnum):
    """Until when a part may be amended."""

    DATA_LOCK = "data_lock"
    """No reading is shown, asked or timed by it."""
    FIRST_LOOK = "first_look"
    """Before data lock, and before anybody looked at results by arm or of external data."""
    FIRST_READER = "first_reader"
    """Before readings were handed out to the first reader."""


@dataclass(frozen=True)
class Amendable:
    """A part of the protocol that may be amended, until when."""

    pointer: str
    """A JSON pointer, with * for any one step; everything below belongs to it."""
    until: Until

    def covers(self, pointer: str) -> bool:
        """Say whether a pointer stands at or below this part."""
        pattern = "[^/]+".join(re.escape(part) for part in self.pointer.split("*"))
        return re.match(rf"{pattern}(/|$)", pointer) is not None


AMENDABLE = (
    Amendable("/title", Until.DATA_LOCK),
    Amendable("/summary", Until.DATA_LOCK),
    Amendable("/registration", Until.DATA_LOCK),
    Amendable("/ethics", Until.DATA_LOCK),
    Amendable("/consent", Until.DATA_LOCK),
    Amendable("/analysis_plan", Until.FIRST_LOOK),
    Amendable("/external_data", Until.FIRST_LOOK),
    Amendable("/disclosure", Until.FIRST_READER),
    Amendable("/questionnaire", Until.FIRST_READER),
    Amendable("/instructions", Until.FIRST_READER),
    Amendable("/practice/show_reference", Until.FIRST_READER),
    Amendable("/practice/text", Until.FIRST_READER),
    Amendable("/practice/pass_mark_percent", Until.FIRST_READER),
    Amendable("/practice/rounds", Until.FIRST_READER),
    Amendable("/sessions", Until.FIRST_READER),
    Amendable("/timing", Until.FIRST_READER),
    Amendable("/reading_environment", Until.FIRST_READER),
    Amendable("/allocation/blinding_check/question", Until.FIRST_READER),
    Amendable("/allocation/blinding_check/general_question", Until.FIRST_READER),
    Amendable("/tasks/*/question", Until.FIRST_READER),
    Amendable("/tasks/*/introduction", Until.FIRST_READER),
    Amendable("/tasks/*/cannot_assess", Until.FIRST_READER),
    Amendable("/tasks/*/comment", Until.FIRST_READER),
    Amendable("/tasks/*/confirm", Until.FIRST_READER),
    Amendable("/tasks/*/corrections", Until.FIRST_READER),
    Amendable("/tasks/*/display/panes", Until.FIRST_READER),
    Amendable("/tasks/*/display/windows", Until.FIRST_READER),
    Amendable("/tasks/*/display/start_window", Until.FIRST_READER),
    Amendable("/tasks/*/display/outline", Until.FIRST_READER),
    Amendable("/tasks/*/display/inverted", Until.FIRST_READER),
    Amendable("/tasks/*/display/magnifier", Until.FIRST_READER),
    Amendable("/tasks/*/display/histogram", Until.FIRST_READER),
    Amendable("/tasks/*/display/show_volume", Until.FIRST_READER),
    Amendable("/tasks/*/display/show_clock", Until.FIRST_READER),
)
"""Every part that may be amended."""

_FIXED = (
    ("/allocation", "slots, sides and order were drawn by it at protocol lock"),
    ("/items", "the items were drawn by it"),
    ("/seeds", "what was drawn by it is frozen"),
    ("/practice", "the practice items were fixed by it at protocol lock"),
    ("/algorithms", "model versions, weights and thresholds are fixed at protocol lock"),
    ("/quality", "the cases were taken in under it"),
    ("/deidentification", "the cases were taken in under it"),
    ("/tasks", "what is shown and how answers are stored was fixed by it at protocol lock"),
)
_TOO_LATE = {
    Until.FIRST_LOOK: (
        "results by arm or of external data have been looked at, and a plan is not changed by what was seen"
    ),
    Until.FIRST_READER: "readings were handed out under it, and all readings of a trial are read alike",
}
AMENDABLE_STATES = (TrialState.LOCKED, TrialState.OPEN, TrialState.PAUSED, TrialState.CLOSED)
"""After protocol lock and before data lock: nothing that enters an analysis changes after that."""


@dataclass(frozen=True)
class Standing:
    """How far a trial has come: what decides about an amendment."""

    readings_handed_out: bool
    looked_by_arm: bool


def amendment_refusals(changes: Iterable[Change], standing: Standing) -> dict[str, str]:
    """Return why changes may not be made any more, a sentence by the pointer of each that is refused."""
    refusals = {}
    for change in changes:
        part = next((one for one in AMENDABLE if one.covers(change.pointer)), None)
        why = _fixed(change.pointer) if part is None else _too_late(part.until, standing)
        if why is not None:
            refusals[change.pointer] = f"{change.words} This cannot be amended: {why}."
    return refusals


def declaration_refusals(before: ProtocolV1, after: ProtocolV1, known: frozenset[str]) -> dict[str, str]:
    """Return why external data may not be declared any more, by pointer: ``known`` keys were imported or analysed.

    While the protocol does not name them, anybody may analyse them and see what comes out.
    """
    return {
        f"/external_data/{index}": (
            f"The data '{one.key}' were imported before the protocol names them, so what they show could be seen. They "
            "cannot become planned: leave them out, analyses of them are exploratory. What is to be planned is "
            "declared first and imported after."
        )
        for index, one in enumerate(after.external_data)
        if before.external(one.key) is None and one.key in known
    }


def consent_problems(before: ProtocolV1, after: ProtocolV1) -> list[Problem]:
    """Return what is wrong with a changed consent: readers agreed to a version's words, so new words are another."""
    if (
        before.consent.shown_text == after.consent.shown_text
        or before.consent.version != after.consent.version
    ):
        return []
    words = (
        f"The words of the consent changed, its version did not. Give them a version other than "
        f"{after.consent.version}: readers then agree to them before they go on."
    )
    return [Problem("/consent/version", "inconsistent", words)]


def _fixed(pointer: str) -> str:
    return next(
        (why for part, why in _FIXED if pointer == part or pointer.startswith(part + "/")),
        "it was fixed at protocol lock",
    )


def _too_late(until: Until, standing: Standing) -> str | None:
    late = {
        Until.DATA_LOCK: False,
        Until.FIRST_LOOK: standing.looked_by_arm,
        Until.FIRST_READER: standing.readings_handed_out,
    }
    return _TOO_LATE[until] if late[until] else None
