"""Queries and protocol deviations as they are listed. Of a reading only its reader and its place are told."""

from collections.abc import Iterator
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from trials.domain.review import (
    REVIEWABLE_STATES,
    TOPICS,
    Act,
    ReviewAct,
    ReviewKind,
    ReviewStanding,
    ReviewState,
    Severity,
    acts_allowed,
    standing_after,
)
from trials.models import Participant, Reading, ReviewRecord, ReviewStep, Trial
from trials.selectors.reader import place_of

_LAST_ACTS = {
    ReviewState.OPEN: (ReviewAct.OPEN, ReviewAct.REOPEN),
    ReviewState.ANSWERED: (ReviewAct.ANSWER,),
    ReviewState.CLOSED: (ReviewAct.CLOSE,),
}
"""A record's state is told by the last act on it."""

QUERIES_COLUMNS = (
    "query", "topic", "state", "participant", "n", "case", "item", "condition", "repeat", "step", "act", "by", "at",
    "text",
)  # fmt: skip
DEVIATIONS_COLUMNS = (
    "deviation", "topic", "state", "severity", "excluded_from_per_protocol", "participant", "n", "case", "item",
    "condition", "repeat", "step", "act", "by", "at", "text",
)  # fmt: skip
"""The columns of ``queries.csv`` and ``deviations.csv``, one row per act."""


def review_records(
    trial: Trial, *, kind: ReviewKind | None = None, state: ReviewState | None = None, participant: str = ""
) -> QuerySet[ReviewRecord]:
    """Return the records of a trial, oldest first."""
    records = ReviewRecord.objects.filter(trial=trial)
    if kind is not None:
        records = records.filter(kind=kind)
    if participant:
        records = records.filter(participant__code=participant)
    if state is not None:
        last = ReviewStep.objects.filter(record=OuterRef("pk")).order_by("-number").values("act")[:1]
        records = records.annotate(last_act=Subquery(last)).filter(last_act__in=_LAST_ACTS[state])
    return records.select_related(
        "trial", "participant", "case", "reading__item__case", "reading__participant"
    ).prefetch_related("steps__words")


def acts_of(review: ReviewRecord) -> list[Act]:
    """Return the acts on a record, oldest first."""
    return [
        Act(ReviewAct(step.act), Severity(step.severity) if step.severity else None, step.excludes)
        for step in review.steps.all()
    ]


def standing_of(review: ReviewRecord) -> ReviewStanding:
    """Return where a record stands."""
    return standing_after(acts_of(review))


def undecided(trial: Trial, kind: ReviewKind) -> list[str]:
    """Return what data lock still waits for: open queries, deviations that are not decided."""
    waits = (ReviewState.OPEN,) if kind == ReviewKind.QUERY else (ReviewState.OPEN, ReviewState.ANSWERED)
    return [one.code for one in review_records(trial, kind=kind) if standing_of(one).state in waits]


def reading_at_place(participant: Participant, n: int) -> Reading | None:
    """Return the reader's n-th case, from 1; of a sequential pair its first half."""
    own = (
        Reading.objects.filter(participant=participant, phase="reading").exclude(stage=2).order_by("position")
    )
    return own[n - 1 : n].first() if n >= 1 else None


def review_document(review: ReviewRecord) -> dict[str, Any]:
    """Return a record as its page shows it."""
    standing = standing_of(review)
    open_to_acts = review.trial.state in REVIEWABLE_STATES
    return {
        "id": review.id,
        "code": review.code,
        "kind": review.kind,
        "topic": review.topic,
        "topic_words": TOPICS[ReviewKind(review.kind)].get(review.topic, review.topic),
        "participant": review.participant.code if review.participant is not None else None,
        "n": place_of(review.reading).n if review.reading is not None else None,
        "case": review.case.code if review.case is not None else None,
        "state": standing.state,
        "severity": standing.severity,
        "excludes": standing.excludes,
        "allowed": list(acts_allowed(standing.state)) if open_to_acts else [],
        "steps": [
            {
                "act": step.act,
                "severity": step.severity or None,
                "excludes": step.excludes,
                "by": _who(step),
                "at": step.at,
                "text": step.words.text if hasattr(step, "words") else None,
            }
            for step in review.steps.all()
        ],
    }


def _who(step: ReviewStep) -> str:
    """Return a pseudonym: the trail has the account, pages and files never a name."""
    return "program" if step.by_id is None else str(step.by_id)[-4:]


def review_rows(trial: Trial, kind: ReviewKind) -> Iterator[dict[str, Any]]:
    """Yield one row per act of the records of a kind, with the reading's cell: for the bundle, after unblinding."""
    for review in review_records(trial, kind=kind).iterator(chunk_size=500):
        told = review_document(review)
        reading = review.reading
        for number, step in enumerate(told["steps"], 1):
            yield {
                str(kind): told["code"],
                "topic": told["topic"],
                "state": told["state"],
                "severity": told["severity"],
                "excluded_from_per_protocol": None if told["excludes"] is None else int(told["excludes"]),
                "participant": told["participant"],
                "n": told["n"],
                "case": reading.item.case.code if reading is not None else told["case"],
                "item": reading.item.code if reading is not None else None,
                "condition": reading.condition if reading is not None else None,
                "repeat": reading.repeat if reading is not None else None,
                "step": number,
                "act": step["act"],
                "by": step["by"],
                "at": step["at"].isoformat(),
                "text": step["text"],
            }
