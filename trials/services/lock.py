"""Protocol lock: freeze the document, draw and seal the seed, store the allocation row by row.

The work is done before the transaction (outlines, allocation); the transaction only writes.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.utils import timezone

from equipoise.archive.selectors import stored_mask_array
from equipoise.common.errors import ValidationFailedError, VersionConflictError
from equipoise.imaging.outline import Loop, OutlinePacket, outline_of_slice, packet_capacity
from trials.domain.allocation import SEED_BITS, Allocation, Side, allocation_sha256, seed_commitment
from trials.domain.allocation import AllocationRow as PlannedRow
from trials.domain.protocol.document import (
    canonical_document,
    check_document,
    load_protocol,
    protocol_sha256,
)
from trials.domain.protocol.tasks import ContourReviewTask
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.set_allocation import set_problems
from trials.models import AllocationRow, Contour, Item, ProtocolVersion, SealedSeed, Slot, Trial
from trials.selectors.allocation import allocation_inputs, allocation_of, item_strata
from trials.selectors.protocol import protocol_current

_BATCH = 500


@dataclass(frozen=True)
class ItemOutlines:
    """The two packets of one item and the frames they cover."""

    item_id: UUID
    first_frame: int
    last_frame: int
    a: bytes
    b: bytes


@dataclass(frozen=True)
class LockPreparation:
    """Everything that protocol lock will store."""

    version: ProtocolVersion
    document: dict[str, Any]
    """With every default spelt out, so that a later change of a default changes no locked protocol."""
    sha256: str
    seed: int
    allocation: Allocation
    outlines: tuple[ItemOutlines, ...]
    """Of pairs of candidates; none where the task compares none."""
    strata: dict[str, str]
    """Item code -> within which the allocation balanced it."""


def lock_prepare(trial: Trial, *, rehearsal_seed: int | None = None) -> LockPreparation:
    """Draw the seed, make the allocation and the outlines. Nothing is written yet.

    A rehearsal gives a seed of its own, which is never a trial's: that one is drawn here and sealed.
    """
    version = protocol_current(trial)
    protocol = check_document(version.document).protocol
    if protocol is None:
        raise LookupError("The protocol was found complete and cannot be parsed.")
    seed = secrets.randbits(SEED_BITS) if rehearsal_seed is None else rehearsal_seed
    strata = item_strata(trial, protocol)
    _require_cases_for_sets(trial, protocol, strata)
    return LockPreparation(
        version=version,
        document=canonical_document(protocol),
        sha256=protocol_sha256(protocol),
        seed=seed,
        allocation=allocation_of(trial, protocol, seed=seed, strata=strata),
        outlines=tuple(_outlines(trial, protocol)) if protocol.preference is not None else (),
        strata=strata,
    )


def _require_cases_for_sets(trial: Trial, protocol: ProtocolV1, strata: Mapping[str, str]) -> None:
    """Refuse blocks and subsets of cases that the drawn cases do not fill."""
    inputs = allocation_inputs(trial, protocol, strata=strata)
    if inputs.rules.design is None:
        return
    problems = set_problems(inputs.items, inputs.plans, inputs.rules.design)
    if problems:
        raise ValidationFailedError.of_fields({"/protocol/allocation/design/case_sets": " ".join(problems)})


def _outlines(trial: Trial, protocol: ProtocolV1) -> list[ItemOutlines]:
    """Outline both candidates of every item through one pipeline, in packets of one length over the whole trial."""
    task = protocol.preference
    reach = task.display.scroll.slices if task is not None and task.display.scroll.mode == "range" else 0
    drawn: list[tuple[Item, int, int, list[list[Loop]], list[list[Loop]]]] = []
    items = trial.items.select_related("image__volume", "candidate_a__mask", "candidate_b__mask")
    for item in items.order_by("case_id", "code"):
        count = item.image.volume.shape_zyx[0]
        first, last = max(0, item.slice_index - reach), min(count - 1, item.slice_index + reach)
        a, b = (
            [outline_of_slice(slice_2d) for slice_2d in _slices(contour, first, last)]
            for contour in (item.candidate_a, item.candidate_b)
            if contour is not None
        )
        drawn.append((item, first, last, a, b))
    capacity = packet_capacity(loops for row in drawn for side in (row[3], row[4]) for loops in side)
    return [
        ItemOutlines(
            item_id=item.id,
            first_frame=first,
            last_frame=last,
            a=b"".join(OutlinePacket(capacity, tuple(loops)).encode() for loops in a),
            b=b"".join(OutlinePacket(capacity, tuple(loops)).encode() for loops in b),
        )
        for item, first, last, a, b in drawn
    ]


def _slices(contour: Contour, first: int, last: int) -> np.ndarray:
    array: np.ndarray = stored_mask_array(contour.mask)[first : last + 1]
    return array


def lock_store(trial: Trial, prepared: LockPreparation) -> dict[str, object]:
    """Write what was prepared, inside the caller's transaction; return what the audit entry says of it."""
    now = timezone.now()
    algorithm = prepared.allocation.algorithm
    rows_sha256 = allocation_sha256(prepared.allocation.rows, algorithm=algorithm)
    frozen = ProtocolVersion.objects.filter(
        id=prepared.version.id, revision=prepared.version.revision, locked_at=None
    ).update(document=prepared.document, sha256=prepared.sha256, locked_at=now)
    items = {item.code: item for item in trial.items.all()}
    outlined = {outlines.item_id for outlines in prepared.outlines}
    same = set(prepared.strata) == set(items)
    if not frozen or not same or (outlined and outlined != {item.id for item in items.values()}):
        raise VersionConflictError(
            "Protocol or items were changed while the lock was prepared. Look at them again and repeat the lock."
        )
    SealedSeed.objects.create(
        trial=trial,
        seed_hex=f"{prepared.seed:064x}",
        commitment_sha256=seed_commitment(prepared.seed),
        algorithm=algorithm,
        allocation_sha256=rows_sha256,
        drawn_at=now,
    )
    for outlines in prepared.outlines:
        Item.objects.filter(id=outlines.item_id).update(
            first_frame=outlines.first_frame,
            last_frame=outlines.last_frame,
            outlines_a=outlines.a,
            outlines_b=outlines.b,
        )
    for code, stratum in prepared.strata.items():
        if stratum:
            Item.objects.filter(id=items[code].id).update(stratum=stratum)
    slots = {
        (slot.stratum, slot.number): Slot(
            trial=trial, stratum=slot.stratum, number=slot.number, reserve=slot.reserve
        )
        for slot in prepared.allocation.slots
    }
    Slot.objects.bulk_create(slots.values(), batch_size=_BATCH)
    shown = shown_contours(trial, prepared.document)
    AllocationRow.objects.bulk_create(
        [
            allocation_row(row, slot=slots[row.stratum, row.slot], items=items, shown=shown)
            for row in prepared.allocation.rows
        ],
        batch_size=_BATCH,
    )
    return {
        "protocol_sha256": prepared.sha256,
        "seed_commitment": seed_commitment(prepared.seed),
        "allocation_sha256": rows_sha256,
        "slots": len(slots),
    }


def shown_contours(trial: Trial, document: dict[str, Any]) -> dict[tuple[str, str], UUID]:
    """Return the one contour that a review shows, by condition and item code; empty for every other task."""
    task = load_protocol(document).task
    if not isinstance(task, ContourReviewTask):
        return {}
    named = {one.key: one.candidate for one in load_protocol(document).conditions}
    sources = named or {"": task.candidates[0].source}
    shown = {}
    for item in trial.items.select_related("case").prefetch_related("case__contours"):
        for contour in item.case.contours.all():
            for condition, source in sources.items():
                if contour.source == source:
                    shown[condition, item.code] = contour.id
    return shown


def allocation_row(
    row: PlannedRow, *, slot: Slot, items: dict[str, Item], shown: dict[tuple[str, str], UUID]
) -> AllocationRow:
    """Return a planned row as it is stored."""
    item = items[row.item]
    left = right = None
    if row.side_b is not None:
        left, right = contour_on(item, row.side_b, Side.LEFT), contour_on(item, row.side_b, Side.RIGHT)
    elif shown:
        left = shown.get((row.condition, row.item))
    return AllocationRow(
        slot=slot,
        phase=row.phase,
        position=row.position,
        item=item,
        repeat=row.repeat,
        condition=row.condition,
        period=row.period,
        stage=row.stage,
        min_days=row.min_days,
        aid_item=items[row.aid_item] if row.aid_item is not None else None,
        left_id=left,
        right_id=right,
    )


def contour_on(item: Item, side_of_b: Side, pane: Side) -> UUID | None:
    """Return the contour that a pane shows when candidate b stands on the given side."""
    return item.candidate_b_id if side_of_b == pane else item.candidate_a_id
