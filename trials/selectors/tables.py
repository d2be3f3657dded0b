"""The tidy tables of a trial, one row per reading, and the hash that data lock freezes."""

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import rfc8785

from trials.domain.protocol.v1 import QuestionKind
from trials.domain.states import BLINDED_STATES, TrialState
from trials.models import Questionnaire, Reading, Response, Trial
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
_ANSWER_COLUMNS = ("choice_side", "preferred", "comment", "corrected_preferred", "decision", "score")
"""What was answered: told to nobody before unblinding, not even without the sources."""
NOT_ASSESSABLE = "not_assessable"
"""The flag by which the statistics know a reading that could not be assessed from one that is missing."""
EXTERNAL = "external"
"""An analysis's option: it ran on the imported table of that id instead of the trial's own readings."""
_TASK_OF_PHASE = {"blinding-check": "blinding-check"}
"""The blinding check is a task of its own in the table, so that its answers never enter an effect estimate."""


def is_blinded(trial: Trial) -> bool:
    """Say whether nothing may be told by arm yet."""
    return TrialState(trial.state) in BLINDED_STATES


def readings_rows(trial: Trial, *, unblinded: bool) -> Iterator[dict[str, Any]]:
    """Yield one row per planned or given reading of the main task and the blinding check, practice left out."""
    protocol = protocol_of_version(protocol_locked(trial))
    answer_used = protocol.analysis_plan.answer_used
    columns, answers = readings_columns(trial), _form_answers(trial)
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
        row: dict[str, Any] = dict.fromkeys(columns)
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
            "flags": " ".join(_flags(reading, first, used)),
            "comment": comment.text if comment is not None else None,
        }
        row |= task.tidy_columns(reading, used, unblinded=unblinded)
        if first is not None:
            row |= {name: first.timing.get(name) for name in _TIMES}
        if last is not None and last is not first:
            corrected = task.tidy_columns(reading, last, unblinded=unblinded)["preferred"]
            row["corrected_preferred"] = NOT_ASSESSABLE if is_not_assessable(last) else corrected
        if not unblinded:
            row |= dict.fromkeys(_ANSWER_COLUMNS)
        row |= answers.get(reading.participant_id, {})
        yield row


def is_not_assessable(response: Response) -> bool:
    """Say whether the answer is that there was none to give."""
    return bool(response.answer.get("choice") == "cannot_assess")


def _flags(reading: Reading, first: Response | None, used: Response | None) -> list[str]:
    flags = list(first.flags if first is not None else reading.flags)
    if used is not None and is_not_assessable(used):
        flags.append(NOT_ASSESSABLE)
    return flags


def form_columns(trial: Trial) -> dict[str, str]:
    """Return the columns for what readers said of themselves: name -> the question's key.

    The question on experience has its column among the others already.
    """
    questionnaire = protocol_of_version(protocol_locked(trial)).questionnaire
    keys = [q.key for q in questionnaire.questions if q.key != questionnaire.experience_question]
    return {f"form_{key}" if key in READINGS_COLUMNS else key: key for key in keys}


def readings_columns(trial: Trial) -> tuple[str, ...]:
    """Return the columns of the trial's ``readings.csv``: the fixed ones, then one per question of its form."""
    return (*READINGS_COLUMNS, *form_columns(trial))


def _form_answers(trial: Trial) -> dict[UUID, dict[str, Any]]:
    columns = form_columns(trial)
    given = Questionnaire.objects.filter(participant__trial=trial).values_list("participant_id", "answers")
    return {
        participant_id: {name: _cell(answers.get(key)) for name, key in columns.items()}
        for participant_id, answers in given
    }


def form_and_closing_answers(trial: Trial) -> dict[UUID, dict[str, Any]]:
    """Return, per participant, what was answered before the first reading and after the last.

    The closing question is the blinding check's general one; nobody is told before unblinding.
    """
    questions = protocol_of_version(protocol_locked(trial)).questionnaire.questions
    people = trial.participants.select_related("questionnaire").order_by("code")
    told: dict[UUID, dict[str, Any]] = {}
    for person in people:
        before = person.questionnaire.answers if hasattr(person, "questionnaire") else {}
        told[person.id] = {f"form_{one.key}": _cell(before.get(one.key)) for one in questions}
        told[person.id] |= {
            f"closing_{k}": _cell(v) for k, v in sorted((person.closing_answers or {}).items())
        }
    return told


def _cell(value: Any) -> Any:
    return ";".join(map(str, value)) if isinstance(value, list) else value


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def snapshot_sha256(trial: Trial) -> str:
    """Return the hash over every row as it will be analysed, free text left out (it can be erased)."""
    questions = protocol_of_version(protocol_locked(trial)).questionnaire.questions
    texts = {question.key for question in questions if question.kind == QuestionKind.TEXT}
    erasable = {"comment", *(name for name, key in form_columns(trial).items() if key in texts)}
    digest = hashlib.sha256()
    for row in readings_rows(trial, unblinded=True):
        digest.update(rfc8785.dumps({name: value for name, value in row.items() if name not in erasable}))
    return digest.hexdigest()
