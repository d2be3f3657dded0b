"""The end of a person's role in a trial, for a reason."""

from django.db import transaction

from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.common.permissions import Role
from trials.models import Membership, Participant, Trial
from trials.services.acts import MIN_REASON_CHARACTERS, Actor
from trials.services.invitation import membership_end
from trials.services.participant import is_leavable, participant_withdraw


@transaction.atomic
def membership_revoke(membership: Membership, *, reason: str, actor: Actor) -> Membership:
    """End a role at once; the tokens that the person made go with the right to make some.

    A reader leaves as by withdrawal, where the trial's readings may still change: the slot is closed, what is open or
    planned is not done, what was submitted stays.
    """
    if len(reason.strip()) < MIN_REASON_CHARACTERS:
        raise ValidationFailedError.of_fields({"/reason": "Say why; it is kept in the audit trail."})
    # One after the other: two administrators who end each other's role at once would leave none.
    trial = Trial.objects.select_for_update(no_key=True).get(id=membership.trial_id)
    membership.refresh_from_db()
    if membership.ended_at is not None:
        raise StateConflictError("This role has ended already.", data={"state": "ended", "allowed": []})
    if membership.role == Role.ADMINISTRATOR:
        _require_another_administrator(membership)
    reader = Participant.objects.filter(membership=membership).first()
    if reader is not None and is_leavable(reader):
        participant_withdraw(reader, reason_code="other", reason=reason, actor=actor)
    else:
        membership_end(trial, membership, reason=reason, actor=actor)
    membership.refresh_from_db()
    return membership


def _require_another_administrator(membership: Membership) -> None:
    others = Membership.objects.filter(
        trial_id=membership.trial_id, role=Role.ADMINISTRATOR, ended_at=None, account__is_active=True
    ).exclude(id=membership.id)
    if not others.exists():
        raise StateConflictError(
            "This is the trial's last administrator; invite another one first.",
            data={"state": "last_administrator", "allowed": []},
        )
