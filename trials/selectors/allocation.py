"""The allocation as its balance, and as rows for whoever may see them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from trials.domain.allocation import (
    Allocation,
    AllocationItem,
    AllocationRules,
    AllocationSlot,
    Phase,
    Side,
    SlotPlan,
    allocate,
    allocation_sha256,
    replacement_slot,
    seed_commitment,
    slot_plan,
)
from trials.domain.allocation import AllocationRow as PlannedRow
from trials.domain.balance import BalanceReport, Basis, SideRow, balance_report
from trials.domain.blinding import Sight, may_see
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.published_allocation import published_allocation
from trials.domain.states import TrialState
from trials.models import AllocationRow, Reading, Slot, Trial
from trials.selectors.access import Caller, trial_roles
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import ANSWERED


def caller_may_see(trial: Trial, caller: Caller, sight: Sight) -> bool:
    """Say whether one of the caller's roles may see the thing in the trial's state."""
    state = TrialState(trial.state)
    return any(may_see(role, sight, state) for role in trial_roles(caller, trial))


def _side(left_id: object, candidate_b_id: object) -> str:
    return "left" if left_id == candidate_b_id else "right"


def balance_allocated(trial: Trial) -> BalanceReport:
    """Count the sides over every slot of protocol lock. Copies made since would tell the sides of the slot copied."""
    rows = AllocationRow.objects.filter(slot__trial=trial, slot__replaces=None).values_list(
        "slot__stratum", "slot__number", "item__code", "phase", "left_id", "item__candidate_b_id"
    )
    return balance_report(
        (
            SideRow(reader=f"{stratum}/{number}", item=item, phase=phase, side_b=_side(left, b))
            for stratum, number, item, phase, left, b in rows.iterator(chunk_size=2000)
        ),
        basis=Basis.ALLOCATED,
    )


def balance_read(trial: Trial) -> BalanceReport:
    """Count the sides over the readings that were answered."""
    rows = Reading.objects.filter(trial=trial, state__in=ANSWERED).values_list(
        "participant__code", "item__code", "phase", "left_id", "item__candidate_b_id"
    )
    return balance_report(
        (
            SideRow(reader=code, item=item, phase=phase, side_b=_side(left, b))
            for code, item, phase, left, b in rows.iterator(chunk_size=2000)
        ),
        basis=Basis.READ,
    )


def _balance_document(report: BalanceReport) -> dict[str, Any]:
    return {
        "sentences": list(report.sentences),
        "balanced": report.balanced,
        "per_reader": [asdict(count) for count in report.per_reader],
        "per_item": [asdict(count) for count in report.per_item],
    }


def _balance_without_direction(report: BalanceReport) -> dict[str, Any]:
    """Return how even the sides are, not which was more frequent where.

    As read, the counts of an item follow single readings: with one reader they say on which side each contour was.
    """
    document = _balance_document(report) | {"per_reader": [], "per_item": []}
    if report.worst_reader is not None and report.worst_item is not None:
        reader, item = abs(report.worst_reader.difference), abs(report.worst_item.difference)
        words = f"at most {reader} over any reader and by at most {item} over any item, as read"
        document["sentences"] = [f"The sides of candidate b differ by {words}."]
    return document


def allocation_document(trial: Trial, caller: Caller) -> dict[str, Any]:
    """Return commitment, slots and balance; the seed for those who may see it."""
    sealed = getattr(trial, "sealed_seed", None)
    if sealed is None:
        return {
            "commitment": None,
            "algorithm": None,
            "sha256": None,
            "seed": None,
            "slots": [],
            "allocated": None,
            "read": None,
        }
    sees_rows = caller_may_see(trial, caller, Sight.ALLOCATION_ROWS)
    read = balance_read(trial)
    sees_seed = caller_may_see(trial, caller, Sight.ALLOCATION_SEED)
    return {
        "commitment": sealed.commitment_sha256,
        "algorithm": sealed.algorithm,
        "sha256": sealed.allocation_sha256,
        "seed": sealed.seed_hex if sees_seed else None,
        "slots": [
            {
                "number": slot.number,
                "stratum": slot.stratum,
                "reserve": slot.reserve,
                "state": slot.state,
                "participant": slot.participant.code if slot.participant is not None else None,
            }
            for slot in trial.slots.select_related("participant")
        ],
        "allocated": _balance_document(balance_allocated(trial)),
        "read": _balance_document(read) if sees_rows else _balance_without_direction(read),
    }


# ---------------------------------------------------------------- the rows and the seed they come from


@dataclass(frozen=True)
class AllocationInputs:
    """What an allocation is made of, beside its seed."""

    items: Sequence[AllocationItem]
    practice: Sequence[AllocationItem]
    plans: Sequence[SlotPlan]
    rules: AllocationRules


def rules_of(protocol: ProtocolV1) -> AllocationRules:
    """Return the protocol's rules of order, repeats and blinding check."""
    plan = protocol.allocation
    return AllocationRules(
        min_case_distance=plan.min_case_distance,
        repeat_count=protocol.repeat_count,
        repeat_distance=plan.hidden_repeats.min_distance,
        blinding_check_pairs=plan.blinding_check.pairs,
    )


def allocation_items(trial: Trial) -> tuple[list[AllocationItem], list[AllocationItem]]:
    """Return the items to allocate and the practice items, under their neutral codes."""
    main: list[AllocationItem] = []
    practice: list[AllocationItem] = []
    for item in trial.items.select_related("case").order_by("code"):
        (practice if item.practice else main).append(AllocationItem(id=item.code, case=item.case.code))
    return main, practice


def allocation_inputs(trial: Trial, protocol: ProtocolV1) -> AllocationInputs:
    """Return everything but the seed from which the trial's allocation is made."""
    main, practice = allocation_items(trial)
    rules = rules_of(protocol)
    return AllocationInputs(
        items=main,
        practice=practice,
        plans=[
            slot_plan(
                stratum.key,
                participants=stratum.participants,
                reserve_percent=protocol.allocation.reserve_percent,
            )
            for stratum in protocol.allocation.strata
        ],
        rules=replace(
            rules,
            repeat_count=min(rules.repeat_count, len(main)),
            blinding_check_pairs=min(rules.blinding_check_pairs, len(main)),
        ),
    )


def allocation_of(trial: Trial, protocol: ProtocolV1, *, seed: int) -> Allocation:
    """Make the trial's allocation from a seed; the same at lock, at verification and at unblinding."""
    inputs = allocation_inputs(trial, protocol)
    return allocate(inputs.items, practice=inputs.practice, plans=inputs.plans, rules=inputs.rules, seed=seed)


def allocation_published(trial: Trial) -> dict[str, Any]:
    """Return seed, commitment, hash and inputs, so that anybody can make the rows; for those who may see them."""
    sealed = trial.sealed_seed
    inputs = allocation_inputs(trial, protocol_of_version(protocol_locked(trial)))
    return published_allocation(
        seed_hex=sealed.seed_hex,
        commitment_sha256=sealed.commitment_sha256,
        sha256=sealed.allocation_sha256,
        items=inputs.items,
        practice=inputs.practice,
        plans=inputs.plans,
        rules=inputs.rules,
    )


def stored_rows(slot: Slot) -> list[PlannedRow]:
    """Return a stored slot's rows as the allocation's rules speak of them."""
    return [
        PlannedRow(
            stratum=slot.stratum,
            slot=slot.number,
            position=row.position,
            phase=Phase(row.phase),
            item=row.item.code,
            repeat=row.repeat,
            side_b=Side.LEFT if row.left_id == row.item.candidate_b_id else Side.RIGHT,
        )
        for row in slot.rows.select_related("item").order_by("position")
    ]


def stored_allocation_sha256(trial: Trial, protocol: ProtocolV1) -> str:
    """Return the hash of the rows as they stand in the database, those of protocol lock alone."""
    order = {stratum.key: place for place, stratum in enumerate(protocol.allocation.strata)}
    slots = sorted(
        trial.slots.filter(replaces=None),
        key=lambda slot: (order.get(slot.stratum, len(order)), slot.number),
    )
    return allocation_sha256(row for slot in slots for row in stored_rows(slot))


@dataclass(frozen=True)
class AllocationProof:
    """Whether seed, commitment and rows belong together. The hashes are of every row, in their order."""

    algorithm: str
    seed_hex: str
    commitment_sha256: str
    sha256_at_lock: str
    sha256_stored: str
    sha256_regenerated: str
    replacements_regenerated: bool
    """Whether the copies for withdrawn readers are those that the seed gives."""

    @property
    def commitment_kept(self) -> bool:
        """Whether the seed is the one that was committed to."""
        return seed_commitment(int(self.seed_hex, 16)) == self.commitment_sha256

    @property
    def holds(self) -> bool:
        """Whether everything agrees."""
        rows_agree = self.sha256_at_lock == self.sha256_stored == self.sha256_regenerated
        return self.commitment_kept and rows_agree and self.replacements_regenerated


def allocation_proof(trial: Trial) -> AllocationProof:
    """Make the allocation anew from the stored seed and compare it with what was locked and what is stored."""
    sealed = trial.sealed_seed
    protocol = protocol_of_version(protocol_locked(trial))
    seed = int(sealed.seed_hex, 16)
    return AllocationProof(
        algorithm=sealed.algorithm,
        seed_hex=sealed.seed_hex,
        commitment_sha256=sealed.commitment_sha256,
        sha256_at_lock=sealed.allocation_sha256,
        sha256_stored=stored_allocation_sha256(trial, protocol),
        sha256_regenerated=allocation_sha256(allocation_of(trial, protocol, seed=seed).rows),
        replacements_regenerated=all(
            tuple(stored_rows(slot)) == replacement_of(slot.replaces, number=slot.number).rows
            for slot in trial.slots.filter(replaces__isnull=False).select_related("replaces")
            if slot.replaces is not None
        ),
    )


def replacement_of(slot: Slot, *, number: int) -> AllocationSlot:
    """Return the copy of a slot, in an order of its own, that the seed gives under a number."""
    trial = slot.trial
    main, practice = allocation_items(trial)
    withdrawn = AllocationSlot(
        stratum=slot.stratum,
        number=slot.number,
        pair=(slot.number + 1) // 2,
        mirrored=False,
        reserve=slot.reserve,
        rows=tuple(stored_rows(slot)),
        case_distance=None,
        repeat_distance=None,
    )
    return replacement_slot(
        withdrawn,
        items=main,
        practice=practice,
        number=number,
        rules=rules_of(protocol_of_version(protocol_locked(trial))),
        seed=int(trial.sealed_seed.seed_hex, 16),
    )


ALLOCATION_COLUMNS = (
    "stratum", "slot", "position", "phase", "item", "repeat", "side_b", "replaces_slot", "participant"
)  # fmt: skip
"""The columns of ``allocation.csv``; the first seven are what the allocation's hash covers, in this order."""


def allocation_rows(trial: Trial) -> Iterator[dict[str, Any]]:
    """Yield every row of every slot; only for those who may see them."""
    for slot in trial.slots.select_related("participant", "replaces"):
        told = {
            "replaces_slot": slot.replaces.number if slot.replaces is not None else None,
            "participant": slot.participant.code if slot.participant is not None else None,
        }
        for row in stored_rows(slot):
            yield {**asdict(row), "phase": row.phase.value, "side_b": row.side_b.value, **told}
