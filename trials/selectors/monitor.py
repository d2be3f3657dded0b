"""What coordinators watch: progress, pace, missing data and flags. Nothing here is by arm, and no answer is told."""

import statistics
from collections import Counter
from datetime import timedelta
from typing import Any

from django.db.models import Count, Max, Q
from django.utils import timezone

from trials.domain.states import ReadingState, TrialState
from trials.models import (
    CasePurpose,
    LateSubmission,
    Participant,
    ParticipantKind,
    ParticipantState,
    Reading,
    Response,
    SlotState,
    Trial,
)
from trials.selectors.environment import environment_rows
from trials.selectors.reader import place_of
from trials.selectors.reading import ANSWERED
from trials.selectors.returning import release_refusal

TOO_FAST_S = 1.0
"""A decision sooner than this after the first paint is flagged."""
ONE_SIDED_SHARE = 0.9
"""A share of one side above this, among at least :data:`ONE_SIDED_MINIMUM` answers, is flagged."""
ONE_SIDED_MINIMUM = 20
PACE_DAYS = 7

FLAG_TEXT = {
    "too_fast": "Decided in under a second",
    "one_sided": "Nearly every answer on one side of the screen",
    "interrupted": "Resumed after an interruption",
    "clock_went_back": "The clock ran backwards",
    "longer_than_open": "Longer, by the reader's computer, than the reading was open",
    "restarted": "Begun anew after being left open",
    "released": "Blocked after being left open, then released",
    "not_reopened": "Answered on a page that had been left for too long",
    "sleep": "The computer slept during the reading",
    "older_window": "Answered in a window that had been taken over",
    "late_submission": "An answer came after the reading was answered",
}


def participants_document(trial: Trial) -> list[dict[str, Any]]:
    """Return every participant with counts, oldest first."""
    answered = Q(readings__state__in=ANSWERED) & ~Q(readings__phase="practice")
    rows = (
        trial.participants.select_related("slot")
        .annotate(
            planned=Count("readings", filter=~Q(readings__phase="practice")),
            submitted=Count("readings", filter=answered),
            not_assessable=Count(
                "readings",
                filter=Q(readings__state=ReadingState.NOT_ASSESSABLE) & ~Q(readings__phase="practice"),
            ),
            last_activity_at=Max("readings__submitted_at"),
        )
        .order_by("code")
    )
    return [
        {
            "id": row.id,
            "code": row.code,
            "kind": row.kind,
            "group": row.group,
            "stratum": row.stratum,
            "state": row.state,
            "slot": row.slot.number if hasattr(row, "slot") and row.slot is not None else None,
            "joined_at": row.joined_at,
            "last_activity_at": row.last_activity_at,
            "planned": row.planned,
            "submitted": row.submitted,
            "not_assessable": row.not_assessable,
        }
        for row in rows
    ]


def progress_matrix(trial: Trial) -> list[dict[str, Any]]:
    """Return one row per participant: the states of the readings in their order, without which item each shows."""
    cells: dict[str, list[str]] = {}
    readings = (
        Reading.objects.filter(trial=trial)
        .exclude(phase="practice")
        .order_by("participant__code", "position")
        .values_list("participant__code", "state")
    )
    for code, state in readings:
        cells.setdefault(code, []).append(state)
    return [{"participant": code, "states": states} for code, states in cells.items()]


def pace_document(trial: Trial) -> list[dict[str, Any]]:
    """Return pace, last activity, flags and expected finish per reader."""
    now = timezone.now()
    rows = []
    for person in participants_document(trial):
        if person["kind"] != ParticipantKind.READER:
            continue
        responses = Response.objects.filter(
            reading__participant_id=person["id"], reading__phase="reading", number=1
        ).values_list("timing", "answer", "flags", "submitted_at")
        late = LateSubmission.objects.filter(reading__participant_id=person["id"]).count()
        times = [t["wall_s"] for t, _, _, _ in responses if t.get("wall_s") is not None]
        recent = sum(1 for *_, at in responses if at > now - timedelta(days=PACE_DAYS))
        left = person["planned"] - person["submitted"]
        states = Counter(
            Reading.objects.filter(participant_id=person["id"], phase="reading").values_list(
                "state", flat=True
            )
        )
        sessions = Reading.objects.filter(participant_id=person["id"]).aggregate(last=Max("session"))["last"]
        breaks = Participant.objects.values("on_break_since", "last_break_at").get(id=person["id"])
        days = left / (recent / PACE_DAYS) if recent and left else None
        rows.append(
            {
                "participant": person["code"],
                "submitted": person["submitted"],
                "planned": person["planned"],
                "missing": states[ReadingState.NOT_DONE] + states[ReadingState.BLOCKED],
                "median_wall_s": statistics.median(times) if times else None,
                "quartiles_wall_s": _quartiles(times),
                "readings_last_week": recent,
                "sessions": sessions or 0,
                **breaks,
                "last_activity_at": person["last_activity_at"],
                "flags": _flags([(t, a, f) for t, a, f, _ in responses], late=late),
                "expected_finish": None if days is None else (now + timedelta(days=days)).date(),
            }
        )
    return rows


def _quartiles(times: list[float]) -> list[float] | None:
    """Return the first and the third quartile; none of a single time."""
    if len(times) < 2:
        return None
    first, _, third = statistics.quantiles(times, n=4, method="inclusive")
    return [first, third]


def _flags(
    answers: list[tuple[dict[str, Any], dict[str, Any], list[str]]], *, late: int
) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter({"late_submission": late} if late else {})
    sides: Counter[str] = Counter()
    for timing, answer, flags in answers:
        counts.update(flags)
        decision_s = timing.get("decision_s")
        if decision_s is not None and decision_s < TOO_FAST_S:
            counts["too_fast"] += 1
        if answer.get("choice") in ("left", "right"):
            sides[answer["choice"]] += 1
    total = sides.total()
    if total >= ONE_SIDED_MINIMUM and max(sides.values()) / total > ONE_SIDED_SHARE:
        counts["one_sided"] += 1
    return [
        {"code": code, "message": FLAG_TEXT.get(code, code.replace("_", " ")), "count": count}
        for code, count in sorted(counts.items())
    ]


def flow_document(trial: Trial) -> dict[str, Any]:
    """Return the numbers of the flow diagram: cases, items, slots, readers, readings."""
    readings = Counter(
        Reading.objects.filter(trial=trial).exclude(phase="practice").values_list("state", flat=True)
    )
    people = Counter(Participant.objects.filter(trial=trial).values_list("state", flat=True))
    slots = Counter(trial.slots.values_list("state", flat=True))
    draw = getattr(trial, "item_draw", None)
    return {
        "cases": trial.cases.filter(purpose=CasePurpose.TRIAL).count(),
        "practice_cases": trial.cases.filter(purpose=CasePurpose.PRACTICE).count(),
        "slices_qualifying": draw.qualifying if draw is not None else 0,
        "items": trial.items.filter(practice=False).count(),
        "slots": {state.value: slots.get(state.value, 0) for state in SlotState},
        "participants": dict(people),
        "readings": dict(readings),
    }


def left_readings(trial: Trial) -> list[dict[str, Any]]:
    """Return the readings that were blocked because they were left open, by reader and place; never what they show."""
    states = (ReadingState.BLOCKED, ReadingState.RELEASED)
    rows = (
        Reading.objects.filter(trial=trial, state__in=states, first_opened_at__isnull=False)
        .select_related("participant", "item")
        .order_by("participant__code", "position")
    )
    return [
        {
            "reading": row.id,
            "participant": row.participant.code,
            "n": place_of(row).n,
            "opened_at": row.first_opened_at,
            "state": row.state,
            "releasable": row.state == ReadingState.BLOCKED and refusal is None,
            "refusal": refusal if row.state == ReadingState.BLOCKED else None,
        }
        for row, refusal in ((row, _refusal(trial, row)) for row in rows)
    ]


def _refusal(trial: Trial, reading: Reading) -> str | None:
    """Return why a blocked reading cannot be released now, in words."""
    if trial.state not in (TrialState.OPEN, TrialState.PAUSED):
        return f"The trial is {trial.state}: readings are released while it is open or paused."
    if reading.participant.state == ParticipantState.WITHDRAWN:
        return f"Reader {reading.participant.code} has left the trial."
    return release_refusal(reading)


def monitor_document(trial: Trial) -> dict[str, Any]:
    """Return everything the monitor page shows."""
    return {
        "progress": progress_matrix(trial),
        "pace": pace_document(trial),
        "flow": flow_document(trial),
        "environments": list(environment_rows(trial)),
        "left": left_readings(trial),
    }
