"""Slots in use: the next free one for a reader, and a copy of a withdrawn reader's for whoever replaces them."""

from django.db.models import F, Max

from equipoise.common.errors import StateConflictError
from trials.models import AllocationRow, Participant, Slot, SlotState
from trials.selectors.allocation import replacement_of
from trials.selectors.protocol import protocol_locked
from trials.services.lock import allocation_row, shown_contours

_BATCH = 500


def slot_bind(participant: Participant, stratum: str) -> Slot:
    """Bind the next free slot of the stratum for good: replacements first, then in order of numbers.

    Of two readers at once, each gets another one. Call it inside the caller's transaction.
    """
    free = Slot.objects.filter(trial_id=participant.trial_id, stratum=stratum, state=SlotState.FREE).order_by(
        F("replaces").asc(nulls_last=True), "number"
    )
    while (slot := free.first()) is not None:
        if Slot.objects.filter(id=slot.id, state=SlotState.FREE).update(
            state=SlotState.BOUND, participant=participant
        ):
            return slot
    raise StateConflictError(
        "Every place of your group is taken. Ask the trial's administrator.",
        data={"state": "full", "allowed": []},
    )


def slot_close(slot: Slot) -> Slot:
    """Close a withdrawn reader's slot and make a copy of it, in an order of its own, for a replacement.

    The copy keeps every item, side, repeat and check pair, so the balance over the readers who finish stays as it was
    allocated. Call it inside the caller's transaction.
    """
    trial = slot.trial
    Slot.objects.filter(id=slot.id).update(state=SlotState.CLOSED)
    last = Slot.objects.filter(trial=trial, stratum=slot.stratum).aggregate(last=Max("number"))["last"]
    planned = replacement_of(slot, number=int(last or 0) + 1)
    made = Slot.objects.create(trial=trial, stratum=slot.stratum, number=planned.number, replaces=slot)
    items = {item.code: item for item in trial.items.all()}
    shown = shown_contours(trial, protocol_locked(trial).document)
    AllocationRow.objects.bulk_create(
        [allocation_row(row, slot=made, items=items, shown=shown) for row in planned.rows],
        batch_size=_BATCH,
    )
    return made
