"""Trials of rating forms for tests: the shipped labelling protocol on small CT volumes."""

import uuid
from typing import Any

from equipoise.common.permissions import Role
from tests.factories.accounts import AccountFactory
from tests.factories.trials import ENVIRONMENT, PreferenceWorld, account_of, events_of, phantom_case
from trials.domain.protocol.document import check_text, to_yaml
from trials.domain.states import TrialAction
from trials.models import Participant
from trials.selectors.templates import template
from trials.services.acts import Actor
from trials.services.invitation import membership_create
from trials.services.items import items_draw
from trials.services.participant import (
    participant_answer_questionnaire,
    participant_consent,
    participant_read_instructions,
)
from trials.services.reading import Opened, Submitted, reading_open, reading_submit
from trials.services.trial import trial_create


def form_world(
    *, cases: int = 3, strata: dict[str, int] | None = None, task: dict[str, Any] | None = None
) -> PreferenceWorld:
    """Return an open trial of the labelling form; ``task`` replaces keys of its task."""
    document = check_text(template("case-labelling").text).document
    assert document is not None
    document["quality"] = {}
    document["tasks"][0] |= task or {}
    document["allocation"]["strata"] = [
        {"key": key, "label": key, "participants": count} | ({"answers": [key]} if strata is not None else {})
        for key, count in (strata or {"labellers": 2}).items()
    ]
    if strata is not None:
        document["questionnaire"]["questions"].append(
            {
                "key": "part",
                "kind": "choice",
                "label": "What is your part?",
                "options": [{"value": key, "label": key} for key in strata],
            }
        )
        document["allocation"]["stratum_question"] = "part"
    administrator = AccountFactory.create()
    assert administrator.institute is not None
    trial = trial_create(
        slug="labels",
        title="Labels",
        protocol_text=to_yaml(document),
        institute=administrator.institute,
        creator=administrator,
        actor=Actor(account_id=administrator.id),
    )
    world = PreferenceWorld(
        trial=trial,
        administrator=administrator,
        statistician=AccountFactory.create(institute=administrator.institute),
    )
    membership_create(trial, world.statistician, Role.UNBLINDED_STATISTICIAN, actor=world.actor)
    for number in range(cases):
        phantom_case(trial, number=number)
    items_draw(trial, actor=world.actor)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world


def labeller(world: PreferenceWorld, *, part: str | None = None) -> Participant:
    """Make a labeller who is ready to read."""
    account = AccountFactory.create(institute=world.trial.institute)
    participant: Participant = membership_create(
        world.trial, account, Role.READER, actor=world.actor
    ).participant
    actor = Actor(account_id=account.id)
    participant_consent(participant, version="1", agreed=True, actor=actor)
    answers: dict[str, Any] = {"speciality": "radiology", "experience_years": 4}
    if part is not None:
        answers["part"] = part
    participant_answer_questionnaire(participant, answers=answers, actor=actor)
    participant_read_instructions(participant, actor=actor)
    participant.refresh_from_db()
    return participant


def open_form(participant: Participant) -> Opened:
    """Open the participant's current form."""
    actor = Actor(account_id=account_of(participant).id)
    return reading_open(participant, environment=ENVIRONMENT, session_key="session-a", actor=actor)


def submit_form(
    participant: Participant, opened: Opened, answers: dict[str, Any] | None, **others: Any
) -> Submitted:
    """Submit answers to an opened form."""
    return reading_submit(
        participant,
        token=str(opened.reading.token),
        lease=opened.reading.lease,
        key=uuid.uuid4(),
        answer={"answers": answers, "reason_code": None, "comment": "", **others},
        events=events_of(seconds=3, choice="pet_needed"),
        actor=Actor(account_id=account_of(participant).id),
    )
