"""The tidy tables of a trial, one row per reading, and the hash that data lock freezes."""

import hashlib
from collections.abc import Iterator
from typing import Any

import rfc8785

from trials.domain.states import BLINDED_STATES, TrialState
from trials.models import Reading, Trial
from trials.reading_tasks.registry import reading_task
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import ANSWERED

READINGS_COLUMNS = (
    "trial",
    "participant",
    "participant_kind",
    "group",
    "experience_years",
    "case",
    "item",
    "slice",
    "condition",
    "repeat",
    "session",
    "position",
    "task",
    "score",
    "decision",
    "preferred",
    "left_source",
    "right_source",
    "left_contour_id",
    "right_contour_id",
    "choice_side",
    "decision_s",
    "wall_s",
    "visible_s",
    "active_s",
    "active_30_s",
    "active_120_s",
    "comment_s",
    "flags",
    "comment",
    "state",
    "reason_code",
    "corrected_preferred",
)
"""The columns of ``readings.csv``: those that other programs rely on, then ours."""

_TIMES = ("decision_s", "wall_s", "visible_s", "active_s", "active_30_s", "active_120_s", "comment_s")
_TASK_OF_PHASE = {"blinding-check": "blinding-check"}
"""The blinding check is a task of its own in the table, so that its answers never enter an effect estimate."""


def is_blinded(trial: Trial) -> bool:
    """Say whether nothing may be told by arm yet."""
    return TrialState(trial.state) in BLINDED_STATES


def readings_rows(trial: Trial, *, unblinded: bool) -> Iterator[dict[str, Any]]:
    """Yield one row per planned or given reading of the main task and the blinding check, practice left out."""
    protocol = protocol_of_version(protocol_locked(trial))
    answer_used = protocol.analysis_plan.answer_used
    readings = (
        Reading.objects.filter(trial=trial)
        .exclude(phase="practice")
        .select_related("participant", "item", "item__case", "left", "right")
        .prefetch_related("responses", "responses__comment")
        .order_by("participant__code", "position")
    )
    for reading in readings.iterator(chunk_size=500):
        responses = list(reading.responses.all()) if reading.state in ANSWERED else []
        first = responses[0] if responses else None
        last = responses[-1] if responses else None
        used = last if answer_used == "last" else first
        task = reading_task(reading.task)
        comment = getattr(used, "comment", None)
        row: dict[str, Any] = dict.fromkeys(READINGS_COLUMNS)
        row |= {
            "trial": trial.slug,
            "participant": reading.participant.code,
            "participant_kind": reading.participant.kind,
            "group": reading.participant.group,
            "experience_years": _number(reading.participant.experience_years),
            "case": reading.item.case.code,
            "item": reading.item.code,
            "slice": reading.item.slice_index,
            "condition": reading.condition or None,
            "repeat": reading.repeat,
            "session": reading.session,
            "position": reading.position,
            "task": _TASK_OF_PHASE.get(reading.phase, reading.task),
            "state": reading.state,
            "flags": " ".join(used.flags) if used is not None else " ".join(reading.flags),
            "comment": comment.text if comment is not None else None,
        }
        row |= task.tidy_columns(reading, used, unblinded=unblinded)
        if first is not None:
            row |= {name: first.timing.get(name) for name in _TIMES}
        if last is not None and last is not first:
            row["corrected_preferred"] = task.tidy_columns(reading, last, unblinded=unblinded)["preferred"]
        yield row


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def snapshot_sha256(trial: Trial) -> str:
    """Return the hash over every row as it will be analysed, comments left out (they can be erased)."""
    digest = hashlib.sha256()
    for row in readings_rows(trial, unblinded=True):
        row.pop("comment")
        digest.update(rfc8785.dumps(row))
    return digest.hexdigest()
