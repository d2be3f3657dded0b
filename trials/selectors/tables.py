"""The tidy tables of a trial, one row per reading, and the hash that data lock freezes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any
from uuid import UUID

import rfc8785
from django.db.models import Prefetch

from equipoise.analysis.restriction import NOT_PER_PROTOCOL
from equipoise.common.collector import collector_slowed
from trials.domain.columns import (
    AID_COLUMNS,
    ALGORITHM_COLUMNS,
    CORRECTED_COLUMNS,
    READINGS_COLUMNS,
    RESTART_COLUMNS,
)
from trials.domain.protocol.questions import Question, QuestionKind
from trials.domain.protocol.v1 import OnReturn, ProtocolV1
from trials.domain.states import BLINDED_STATES, TrialState
from trials.models import Contour, Questionnaire, Reading, Response, Trial
from trials.reading_tasks.contract import REASON_CODE
from trials.reading_tasks.registry import reading_task
from trials.selectors.aid import aid_columns, has_aid
from trials.selectors.algorithm_tables import algorithm_rows, has_algorithm_rows
from trials.selectors.per_protocol import exclusion_facts, exclusions_of
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import ANSWERED
from trials.selectors.reference import truth_rows

_TIMES = ("decision_s", "wall_s", "visible_s", "active_s", "active_30_s", "active_120_s", "comment_s")
_ANSWER_COLUMNS = (
    "choice_side", "preferred", "comment", "decision", "score",
    "corrected_preferred", "corrected_decision", "corrected_score",
)  # fmt: skip
"""What was answered: told to nobody before unblinding, not even without the sources."""
NOT_ASSESSABLE = "not_assessable"
"""The flag by which the statistics know a reading that could not be assessed from one that is missing."""
INCREMENTAL = "incremental"
"""The flag of the second answer of a sequential pair: its time counts from the first and is never held against it."""
EXTERNAL = "external"
"""An analysis's option: it ran on the imported table of that id instead of the trial's own readings."""
ANALYSIS_SET = "analysis_set"
"""An analysis's option: which set it was asked for, where that is not the planned one."""
WHERE = "where"
"""An analysis's option: the part of the readings that it was asked for, column -> value."""
_CHUNK = 2000
"""Readings that stand in memory together."""
_TASK_OF_PHASE = {"blinding-check": "blinding-check"}
"""The blinding check is a task of its own in the table, so that its answers never enter an effect estimate."""


def is_blinded(trial: Trial) -> bool:
    """Say whether nothing may be told by arm yet."""
    return TrialState(trial.state) in BLINDED_STATES


def readings_rows(trial: Trial, *, unblinded: bool) -> Iterator[dict[str, Any]]:
    """Yield one row per planned or given reading of the main task and the blinding check, practice left out.

    Results of algorithms follow, a row each.
    """
    protocol = protocol_of_version(protocol_locked(trial))
    answer_used = protocol.analysis_plan.answer_used
    columns, answers = readings_columns(trial), _form_answers(trial)
    restart_columns = _restart_columns(trial)
    form_keys = _form_keys(protocol)
    with_aid = has_aid(protocol)
    exclusions = exclusions_of(trial)
    for reading in _readings(trial, with_aid=with_aid, with_attempts=bool(restart_columns)):
        responses: list[Response] = reading.given if reading.state in ANSWERED else []
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
            "condition": _condition(reading, protocol, unblinded=unblinded),
            "repeat": reading.repeat,
            "session": reading.session,
            "position": reading.position,
            "task": _TASK_OF_PHASE.get(reading.phase, reading.task),
            "state": reading.state,
            "flags": " ".join((*_flags(reading, first, used), *exclusions.flags(reading, reading.item))),
            **({"period": reading.period} if "period" in columns else {}),
            "comment": comment.text if comment is not None else None,
        }
        row |= task.tidy_columns(reading, used, protocol=protocol, unblinded=unblinded)
        if with_aid:
            row |= aid_columns(reading, protocol=protocol)
        if first is not None:
            row |= {name: first.timing.get(name) for name in _TIMES}
            if restart_columns:
                row |= {n: value for n, value in _attempt(reading, first).items() if n in restart_columns}
        if last is not None and last is not first:
            corrected = task.tidy_columns(reading, last, protocol=protocol, unblinded=unblinded)
            for name, source in CORRECTED_COLUMNS.items():
                if name in row:
                    row[name] = NOT_ASSESSABLE if is_not_assessable(last) else corrected.get(source)
        if not unblinded:
            told = (*_ANSWER_COLUMNS, *task.columns, *AID_COLUMNS, *form_keys)
            row |= dict.fromkeys(name for name in told if name in row)
        row |= answers.get(reading.participant_id, {})
        yield row
    yield from algorithm_rows(trial, protocol, columns=columns, unblinded=unblinded)


def told_rows(trial: Trial) -> Iterator[dict[str, Any]]:
    """Yield the rows of :func:`readings_rows` with as much as may be told now."""
    return readings_rows(trial, unblinded=not is_blinded(trial))


def _readings(trial: Trial, *, with_aid: bool, with_attempts: bool) -> Iterator[Any]:
    """Yield the readings, with their responses as ``given``, a few thousand at a time.

    What many of them share is loaded once and not once each.
    """
    people = {one.id: one for one in trial.participants.all()}
    items = {one.id: one for one in trial.items.select_related("case").defer("outlines_a", "outlines_b")}
    contours = {one.id: one for one in Contour.objects.filter(case__trial=trial)}
    readings = Reading.objects.filter(trial=trial).exclude(phase="practice").defer("environment")
    if with_aid:
        readings = readings.select_related("aid_result")
    # A list of its own, for Django would make a query set for each reading to hold them.
    given = Prefetch("responses", queryset=Response.objects.select_related("comment"), to_attr="given")
    beside = (given, *(("attempts",) if with_attempts else ()))
    ordered = readings.prefetch_related(*beside).order_by("participant__code", "position")
    for reading in ordered.iterator(chunk_size=_CHUNK):
        reading.participant = people[reading.participant_id]
        reading.item = items[reading.item_id]
        reading.left = contours[reading.left_id] if reading.left_id is not None else None
        reading.right = contours[reading.right_id] if reading.right_id is not None else None
        yield reading


def _condition(reading: Reading, protocol: ProtocolV1, *, unblinded: bool) -> str | None:
    """Return the condition's key, once unblinded or once the reader has seen it.

    Before, a concealed one would say whose contour was shown, and an open one what the next readings will be.
    """
    condition = protocol.condition(reading.condition)
    concealed = condition is not None and condition.factor == "concealed"
    told = unblinded or (reading.first_opened_at is not None and not concealed)
    return (reading.condition or None) if told else None


def is_not_assessable(response: Response) -> bool:
    """Say whether the answer is that there was none to give."""
    return response.answer.get(REASON_CODE) is not None


def _attempt(reading: Reading, response: Response) -> dict[str, Any]:
    """Return which attempt at the reading was answered, and for how long images stood in those before."""
    return {
        "attempt": 1 + sum(response.lease > ended.last_lease for ended in reading.attempts.all()),
        "earlier_visible_s": response.timing.get("earlier_visible_s"),
    }


def _flags(reading: Reading, first: Response | None, used: Response | None) -> list[str]:
    flags = list(first.flags if first is not None else reading.flags)
    if used is not None and is_not_assessable(used):
        flags.append(NOT_ASSESSABLE)
    if reading.stage == 2:
        flags.append(INCREMENTAL)
    return flags


def form_columns(trial: Trial) -> dict[str, str]:
    """Return the columns for what readers said of themselves: name -> the question's key.

    The question on experience has its column among the others already.
    """
    questionnaire = protocol_of_version(protocol_locked(trial)).questionnaire
    keys = [q.key for q in questionnaire.questions if q.key != questionnaire.experience_question]
    taken = {*READINGS_COLUMNS, *ALGORITHM_COLUMNS, *_task_columns(trial)}
    return {f"form_{key}" if key in taken else key: key for key in keys}


def _form_keys(protocol: ProtocolV1) -> tuple[str, ...]:
    """Return the questions of a rating form; each is a column of its key."""
    return tuple(one.key for one in protocol.task.form_questions) if protocol.task is not None else ()


def readings_columns(trial: Trial) -> tuple[str, ...]:
    """Return the columns of the trial's ``readings.csv``: the fixed ones, then one per question of its form."""
    algorithms = ALGORITHM_COLUMNS if has_algorithm_rows(trial) else ()
    return (
        *READINGS_COLUMNS,
        *_task_columns(trial),
        *algorithms,
        *form_columns(trial),
        *_restart_columns(trial),
    )


def _restart_columns(trial: Trial) -> tuple[str, ...]:
    protocol = protocol_of_version(protocol_locked(trial))
    if protocol.sessions.on_return != OnReturn.RESTART:
        return ()
    taken = {*_form_keys(protocol), *form_columns(trial)}
    return tuple(name for name in RESTART_COLUMNS if name not in taken)


def _task_columns(trial: Trial) -> tuple[str, ...]:
    """Return the columns that only this trial's task and design have; none for a trial of preferences."""
    protocol = protocol_of_version(protocol_locked(trial))
    if protocol.task is None or protocol.task.kind == "preference":
        return ()
    corrected = tuple(name for name in CORRECTED_COLUMNS if name not in READINGS_COLUMNS)
    aid = AID_COLUMNS if has_aid(protocol) else ()
    return ("period", *corrected, *reading_task(protocol.task.kind).columns, *aid, *_form_keys(protocol))


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


def _texts(columns: Mapping[str, str], questions: Sequence[Question]) -> list[str]:
    """Return the columns of questions that are answered in words."""
    texts = {question.key for question in questions if question.kind == QuestionKind.TEXT}
    return [name for name, key in columns.items() if key in texts]


EXTERNAL_FACTS = ("version", "kind", "patients", "columns", "rule", "rows", "sha256")
"""What an analysis takes of an imported table, and what it is known by."""


def snapshot_sha256(trial: Trial, rows: Iterable[Mapping[str, Any]] | None = None) -> str:
    """Return the hash that data lock freezes, over every row as it will be analysed and over what deviations exclude.

    Free text is left out (it can be erased). ``rows`` are those of :func:`readings_rows`, unblinded, where the caller
    has read them already.

    Which aid was shown is left out too: the database itself keeps that from changing, and trials were locked before
    it had columns.
    """
    return snapshots_sha256(trial, rows)[-1]


def is_as_frozen(trial: Trial, rows: Iterable[Mapping[str, Any]] | None = None) -> bool:
    """Say whether the readings are those that data lock froze.

    Trials were locked before the hash covered exclusions. Since it covers even that there are none, their hash is no
    other trial's.
    """
    return trial.data_sha256 in snapshots_sha256(trial, rows)


def snapshots_sha256(trial: Trial, rows: Iterable[Mapping[str, Any]] | None = None) -> tuple[str, str]:
    """Return the hash of the data without what deviations exclude, and with it."""
    protocol = protocol_of_version(protocol_locked(trial))
    before, asked = form_columns(trial), {key: key for key in _form_keys(protocol)}
    erasable = {"comment", *_texts(before, protocol.questionnaire.questions)}
    if protocol.task is not None:
        erasable |= {*_texts(asked, protocol.task.form_questions)}
    left_out = erasable.union(AID_COLUMNS)
    digest = hashlib.sha256()
    with collector_slowed():
        for row in readings_rows(trial, unblinded=True) if rows is None else rows:
            hashed = {name: value for name, value in row.items() if name not in left_out}
            digest.update(canonical_row(hashed | {"flags": _flags_of_reading(row["flags"])}))
    for truth in truth_rows(trial):
        if truth["status"] is not None:
            digest.update(rfc8785.dumps(truth))
    for key in sorted(one.key for one in protocol.external_data):
        table = trial.external_tables.filter(key=key).order_by("-version").first()
        facts = None if table is None else {name: getattr(table, name) for name in EXTERNAL_FACTS}
        digest.update(rfc8785.dumps({"external": key, "table": facts}))
    before_exclusions = digest.hexdigest()
    digest.update(rfc8785.dumps({"not_per_protocol": list(exclusion_facts(trial))}))
    return before_exclusions, digest.hexdigest()


def canonical_row(row: Mapping[str, Any]) -> bytes:
    """Return the RFC 8785 JSON of a row: what many rows share, names and codes, is put into its form once."""
    members = (
        start + (_canonical(value) if isinstance(value, _SCALARS) else rfc8785.dumps(value))
        for name, start in _canonical_names(tuple(row))
        for value in (row[name],)
    )
    return b"{" + b",".join(members) + b"}"


_SCALARS = (str, int, float, NoneType)
_canonical = lru_cache(maxsize=8192, typed=True)(rfc8785.dumps)
"""Typed, for True is 1 is 1.0 to a dictionary."""


@lru_cache(maxsize=16)
def _canonical_names(names: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """Return the names in RFC 8785's order, each with how its member begins."""
    ordered = sorted(names, key=lambda name: name.encode("utf-16be"))
    return tuple((name, rfc8785.dumps(name) + b":") for name in ordered)


def _flags_of_reading(flags: str | None) -> str | None:
    """Return the flags but for those of deviations, which are hashed by themselves."""
    if flags is None:
        return None
    return " ".join(flag for flag in flags.split(" ") if not flag.startswith(NOT_PER_PROTOCOL))
