"""Queries and protocol deviations are opened, answered, closed and opened again; nothing of them is edited."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from equipoise.accounts.models import Account
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, ValidationFailedError
from trials.domain.review import (
    REVIEWABLE_STATES,
    TOPICS,
    Act,
    ReviewAct,
    ReviewKind,
    require_act,
)
from trials.models import Case, Participant, Reading, ReviewRecord, ReviewStep, ReviewText, Trial
from trials.selectors.review import reading_at_place, standing_of
from trials.services.acts import MIN_REASON_CHARACTERS, Actor, record

_AUDIT_KINDS = {
    (ReviewKind.QUERY, ReviewAct.OPEN): AuditKind.QUERY_OPENED,
    (ReviewKind.QUERY, ReviewAct.ANSWER): AuditKind.QUERY_ANSWERED,
    (ReviewKind.QUERY, ReviewAct.CLOSE): AuditKind.QUERY_CLOSED,
    (ReviewKind.QUERY, ReviewAct.REOPEN): AuditKind.QUERY_REOPENED,
    (ReviewKind.DEVIATION, ReviewAct.OPEN): AuditKind.DEVIATION_OPENED,
    (ReviewKind.DEVIATION, ReviewAct.ANSWER): AuditKind.DEVIATION_ANSWERED,
    (ReviewKind.DEVIATION, ReviewAct.CLOSE): AuditKind.DEVIATION_CLOSED,
    (ReviewKind.DEVIATION, ReviewAct.REOPEN): AuditKind.DEVIATION_REOPENED,
}


@dataclass(frozen=True)
class ReviewSubject:
    """What a record is about, by the codes people see: a reader, one of their cases by its place, or a case."""

    participant: str = ""
    n: int | None = None
    """The reader's n-th case of the trial, from 1."""
    case: str = ""


@transaction.atomic
def review_open(
    trial: Trial, *, kind: ReviewKind, topic: str, subject: ReviewSubject, act: Act, text: str, actor: Actor
) -> ReviewRecord:
    """Open a query or a deviation."""
    held = _held(trial)
    if topic not in TOPICS[kind]:
        raise ValidationFailedError.of_fields(
            {"/topic": f"The topic of a {kind} is one of {', '.join(TOPICS[kind])}; got {topic!r}."}
        )
    participant, reading, case = _found(held, subject)
    require_act(kind, None, act)
    last = held.review_records.filter(kind=kind).aggregate(last=Max("number"))["last"]
    made = ReviewRecord.objects.create(
        trial=held,
        kind=kind,
        number=(last or 0) + 1,
        topic=topic,
        participant=participant,
        reading=reading,
        case=case,
    )
    _step(made, act, number=1, text=text, actor=actor)
    return made


@transaction.atomic
def review_step(review: ReviewRecord, *, act: Act, text: str, actor: Actor) -> ReviewRecord:
    """Answer, close or reopen a record."""
    _held(review.trial)
    stored = ReviewRecord.objects.prefetch_related("steps").get(id=review.id)
    require_act(ReviewKind(stored.kind), standing_of(stored), act)
    if act.excludes and stored.participant_id is None and stored.case_id is None:
        raise ValidationFailedError.of_fields(
            {"/excludes": "The deviation is about no reader, reading or case that it could take out."}
        )
    _step(stored, act, number=stored.steps.count() + 1, text=text, actor=actor)
    return stored


def _held(trial: Trial) -> Trial:
    """Return the trial, held to the end of the transaction: data lock comes before this or after it."""
    held = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
    if held.state not in REVIEWABLE_STATES:
        raise StateConflictError(
            f"The trial is {held.state}: queries and deviations are opened and decided before data lock.",
            data={"state": held.state, "allowed": []},
        )
    return held


def _found(trial: Trial, subject: ReviewSubject) -> tuple[Participant | None, Reading | None, Case | None]:
    problems = {}
    participant = trial.participants.filter(code=subject.participant).first() if subject.participant else None
    if subject.participant and participant is None:
        problems["/participant"] = f"There is no participant {subject.participant}."
    case = trial.cases.filter(code=subject.case).first() if subject.case else None
    if subject.case and case is None:
        problems["/case"] = f"There is no case {subject.case}."
    reading = None
    if subject.n is not None:
        if subject.case:
            problems["/case"] = (
                "Name a reader's case by its place or a case by its code: which is which is not told."
            )
        reading = reading_at_place(participant, subject.n) if participant is not None else None
        if reading is None and "/participant" not in problems:
            problems["/n"] = (
                f"{subject.participant} has no case {subject.n}."
                if participant is not None
                else "Name the reader whose case it is."
            )
    if problems:
        raise ValidationFailedError.of_fields(problems)
    return participant, reading, case


def _step(review: ReviewRecord, act: Act, *, number: int, text: str, actor: Actor) -> None:
    if len(text.strip()) < MIN_REASON_CHARACTERS:
        raise ValidationFailedError.of_fields({"/text": "Say it in words: they are the record's reason."})
    person = Account.objects.filter(id=actor.account_id).first() if actor.account_id else None
    step = ReviewStep.objects.create(
        record=review,
        number=number,
        act=act.act,
        severity=act.severity or "",
        excludes=act.excludes,
        by=person,
        at=timezone.now(),
    )
    ReviewText.objects.create(step=step, text=text.strip())
    record(
        review.trial,
        _AUDIT_KINDS[ReviewKind(review.kind), act.act],
        actor=actor,
        subject=f"{review.kind}:{review.id}",
        after={
            "code": review.code,
            "topic": review.topic,
            "severity": act.severity and str(act.severity),
            "excludes": act.excludes,
        },
        reason=text.strip(),
    )
