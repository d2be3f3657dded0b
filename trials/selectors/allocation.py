"""The allocation as its balance, and as rows for whoever may see them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from trials.domain.allocation import (
    Allocation,
    AllocationItem,
    AllocationRules,
    AllocationSlot,
    DesignRules,
    Phase,
    Side,
    SlotPlan,
    allocation_sha256,
    seed_commitment,
    slot_plan,
)
from trials.domain.allocation import AllocationRow as PlannedRow
from trials.domain.allocators import allocate, replacement_slot
from trials.domain.balance import (
    BalanceReport,
    Basis,
    ConditionCount,
    ConditionReport,
    ConditionRow,
    PositionReport,
    PositionRow,
    SetReport,
    SetRow,
    SideRow,
    balance_report,
    condition_report,
    position_report,
    set_report,
)
from trials.domain.blinding import Sight, may_see
from trials.domain.protocol.tasks import ClassificationTask
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


def _is_paired(trial: Trial) -> bool:
    """Say whether items show two candidates, whose sides are counted."""
    return not trial.items.filter(candidate_b=None).exists()


def _side(left_id: object, candidate_b_id: object) -> str:
    return "left" if left_id == candidate_b_id else "right"


def balance_allocated(trial: Trial) -> BalanceReport:
    """Count the sides over every slot of protocol lock. Copies made since would tell the sides of the slot copied."""
    rows = AllocationRow.objects.filter(
        slot__trial=trial, slot__replaces=None, item__candidate_b__isnull=False
    ).values_list("slot__stratum", "slot__number", "item__code", "phase", "left_id", "item__candidate_b_id")
    return balance_report(
        (
            SideRow(reader=f"{stratum}/{number}", item=item, phase=phase, side_b=_side(left, b))
            for stratum, number, item, phase, left, b in rows.iterator(chunk_size=2000)
        ),
        basis=Basis.ALLOCATED,
    )


def balance_read(trial: Trial) -> BalanceReport:
    """Count the sides over the readings that were answered."""
    rows = Reading.objects.filter(
        trial=trial, state__in=ANSWERED, item__candidate_b__isnull=False
    ).values_list("participant__code", "item__code", "phase", "left_id", "item__candidate_b_id")
    return balance_report(
        (
            SideRow(reader=code, item=item, phase=phase, side_b=_side(left, b))
            for code, item, phase, left, b in rows.iterator(chunk_size=2000)
        ),
        basis=Basis.READ,
    )


def conditions_allocated(trial: Trial) -> ConditionReport | None:
    """Count the conditions over every slot of protocol lock; None where the design has fewer than two."""
    names = _condition_names(trial)
    if len(names) < 2:
        return None
    rows = (
        AllocationRow.objects.filter(slot__trial=trial, slot__replaces=None, phase=Phase.READING, repeat=1)
        .order_by("slot__stratum", "slot__number", "position")
        .values_list("slot__stratum", "slot__number", "item__code", "period", "condition")
    )
    return condition_report(
        (
            ConditionRow(reader=f"{stratum}/{number}", item=item, period=period, condition=condition)
            for stratum, number, item, period, condition in rows.iterator(chunk_size=2000)
        ),
        conditions=names,
        basis=Basis.ALLOCATED,
    )


def conditions_read(trial: Trial) -> ConditionReport | None:
    """Count the conditions over the readings that were answered; None where the design has fewer than two."""
    names = _condition_names(trial)
    if len(names) < 2:
        return None
    rows = (
        Reading.objects.filter(trial=trial, state__in=ANSWERED, phase=Phase.READING, repeat=1)
        .order_by("participant__code", "position")
        .values_list("participant__code", "item__code", "period", "condition")
    )
    return condition_report(
        (
            ConditionRow(reader=code, item=item, period=period, condition=condition)
            for code, item, period, condition in rows.iterator(chunk_size=2000)
        ),
        conditions=names,
        basis=Basis.READ,
    )


def sets_allocated(trial: Trial) -> SetReport | None:
    """Count who reads what over every slot of protocol lock; None where everybody reads every case."""
    if protocol_of_version(protocol_locked(trial)).allocation.design.case_sets is None:
        return None
    rows = AllocationRow.objects.filter(
        slot__trial=trial, slot__replaces=None, phase=Phase.READING, repeat=1
    ).values_list("slot__stratum", "slot__number", "item__code")
    return set_report(
        (
            SetRow(stratum=stratum, reader=f"{stratum}/{number}", item=item)
            for stratum, number, item in rows.iterator(chunk_size=2000)
        ),
        items=_main_items(trial),
        basis=Basis.ALLOCATED,
    )


def sets_read(trial: Trial) -> SetReport | None:
    """Count who read what of the readings that were answered; None where everybody reads every case."""
    if protocol_of_version(protocol_locked(trial)).allocation.design.case_sets is None:
        return None
    rows = Reading.objects.filter(trial=trial, state__in=ANSWERED, phase=Phase.READING, repeat=1).values_list(
        "participant__stratum", "participant__code", "item__code"
    )
    return set_report(
        (
            SetRow(stratum=stratum, reader=code, item=item)
            for stratum, code, item in rows.iterator(chunk_size=2000)
        ),
        items=_main_items(trial),
        basis=Basis.READ,
    )


def positions_allocated(trial: Trial) -> PositionReport:
    """Count when items and sides come, over every slot of protocol lock."""
    paired = _is_paired(trial)
    rows = (
        AllocationRow.objects.filter(slot__trial=trial, slot__replaces=None, phase=Phase.READING, repeat=1)
        .exclude(stage=2)
        .order_by("slot__stratum", "slot__number", "position")
        .values_list(
            "slot__stratum", "slot__number", "period", "item__code", "left_id", "item__candidate_b_id"
        )
    )
    return position_report(
        (
            PositionRow(f"{stratum}/{number}", period, item, left == b if paired else None)
            for stratum, number, period, item, left, b in rows.iterator(chunk_size=2000)
        ),
        basis=Basis.ALLOCATED,
    )


def positions_read(trial: Trial) -> PositionReport:
    """Count when items and sides came, over the readings that were answered."""
    paired = _is_paired(trial)
    rows = (
        Reading.objects.filter(trial=trial, state__in=ANSWERED, phase=Phase.READING, repeat=1)
        .exclude(stage=2)
        .order_by("participant__code", "position")
        .values_list("participant__code", "period", "item__code", "left_id", "item__candidate_b_id")
    )
    return position_report(
        (
            PositionRow(code, period, item, left == b if paired else None)
            for code, period, item, left, b in rows.iterator(chunk_size=2000)
        ),
        basis=Basis.READ,
    )


def _main_items(trial: Trial) -> list[str]:
    return list(trial.items.filter(practice=False).order_by("code").values_list("code", flat=True))


def balance_sentences(trial: Trial) -> list[str]:
    """Return how even the allocation is, in words: sides where pairs are shown, conditions where there are several,
    and who reads what where readers read different cases."""
    conditions, sets = conditions_allocated(trial), sets_allocated(trial)
    sides = balance_allocated(trial).sentences if _is_paired(trial) else ()
    return [
        *sides,
        *(conditions.sentences if conditions is not None else ()),
        *(sets.sentences if sets is not None else ()),
        *positions_allocated(trial).sentences,
    ]


_ONE_CONDITION_AT_A_TIME = ("parallel", "fully-crossed")
"""Designs in which a slot's counts say in which condition its reader reads."""


def _condition_names(trial: Trial) -> tuple[str, ...]:
    return tuple(one.key for one in protocol_of_version(protocol_locked(trial)).conditions)


def _conditions_document(
    report: ConditionReport | None, *, with_counts: bool, with_readers: bool
) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "conditions": list(report.conditions),
        "sentences": list(report.sentences) if with_counts else [report.sentences[0]],
        "balanced": report.balanced,
        "per_reader": _condition_counts(report.per_reader) if with_readers else [],
        "per_item": _condition_counts(report.per_item) if with_counts else [],
    }


def _condition_counts(counts: Sequence[ConditionCount]) -> list[dict[str, Any]]:
    return [
        {"key": one.key, "period": one.period, "counts": [count for _, count in one.counts]} for one in counts
    ]


def _sets_document(report: SetReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "sentences": list(report.sentences),
        "balanced": report.balanced,
        "per_reader": [asdict(one) for one in report.items_per_reader],
        "per_item": [asdict(one) for one in report.readers_per_item],
    }


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
            "conditions_allocated": None,
            "conditions_read": None,
            "sets_allocated": None,
            "sets_read": None,
            "positions_allocated": [],
        }
    sees_rows = caller_may_see(trial, caller, Sight.ALLOCATION_ROWS)
    read = balance_read(trial)
    read_document = _balance_document(read) if sees_rows else _balance_without_direction(read)
    design = protocol_of_version(protocol_locked(trial)).allocation.design
    tells_conditions = design.kind in _ONE_CONDITION_AT_A_TIME
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
        "allocated": _balance_document(balance_allocated(trial)) if _is_paired(trial) else None,
        "read": read_document if _is_paired(trial) else None,
        "conditions_allocated": _conditions_document(
            conditions_allocated(trial), with_counts=True, with_readers=sees_rows or not tells_conditions
        ),
        "conditions_read": _conditions_document(
            conditions_read(trial), with_counts=sees_rows, with_readers=sees_rows
        ),
        "sets_allocated": _sets_document(sets_allocated(trial)),
        "sets_read": _sets_document(sets_read(trial)),
        "positions_allocated": list(positions_allocated(trial).sentences),
    }


# ---------------------------------------------------------------- the rows and the seed they come from


@dataclass(frozen=True)
class AllocationInputs:
    """What an allocation is made of, beside its seed."""

    items: Sequence[AllocationItem]
    practice: Sequence[AllocationItem]
    plans: Sequence[SlotPlan]
    rules: AllocationRules


MAX_STRATUM_CHARACTERS = 200


def rules_of(protocol: ProtocolV1, *, n_items: int) -> AllocationRules:
    """Return the protocol's rules of order, repeats, blinding check and design for so many items."""
    plan = protocol.allocation
    return AllocationRules(
        min_case_distance=plan.min_case_distance,
        repeat_count=protocol.repeats_of(n_items),
        repeat_distance=plan.hidden_repeats.min_distance,
        blinding_check_pairs=plan.blinding_check.pairs if protocol.has_blinding_check else 0,
        design=design_of(protocol),
    )


def design_of(protocol: ProtocolV1) -> DesignRules | None:
    """Return the rules of the design; None where ``eq-alloc/1`` says everything: pairs, one period, no rounds."""
    plan, repeats = protocol.allocation.design, protocol.allocation.hidden_repeats
    paired, sets = protocol.preference is not None, plan.case_sets
    if (
        sets is None
        and paired
        and repeats.min_days is None
        and protocol.practice.rounds == 1
        and not plan.conditions
    ):
        return None
    shams = (one.key for one in plan.conditions if one.aid is not None and one.aid.sham == "other_scan")
    concealed = any(one.factor == "concealed" for one in plan.conditions)
    return DesignRules(
        kind=plan.kind,
        conditions=tuple(one.key for one in plan.conditions),
        blocked=plan.kind in ("crossover", "fully-crossed") or (plan.kind == "split" and not concealed),
        paired=paired,
        shams=tuple(shams),
        washout_days=plan.washout_days if plan.kind in ("crossover", "fully-crossed") else 0,
        repeat_days=repeats.min_days or 0,
        practice_rounds=protocol.practice.rounds,
        balanced_order=plan.condition_order == "balanced-latin-square",
        case_blocks=(sets.blocks or 0) if sets is not None else 0,
        readers_per_case=(sets.readers_per_case or 0) if sets is not None else 0,
        overlap_cases=sets.overlap_cases if sets is not None else 0,
    )


def stratifies_by_reference(protocol: ProtocolV1) -> bool:
    """Say whether cases are drawn within the diseased and the others; pairs and outlines have no such standard."""
    design = protocol.allocation.design
    if not design.stratify_by_reference or not design.draws_cases:
        return False
    return len(design.conditions) > 1 or isinstance(protocol.task, ClassificationTask)


def item_strata(trial: Trial, protocol: ProtocolV1) -> dict[str, str]:
    """Return, by item code, the stratum within which a design draws cases: reference standard and covariates.

    The sides of pairs are halved within the covariates in every design.
    """
    design = protocol.allocation.design
    uses_reference = stratifies_by_reference(protocol)
    keys = design.stratify_by if design.draws_cases or protocol.preference is not None else ()
    strata = {}
    for item in trial.items.select_related("case").prefetch_related("case__reference_standards"):
        parts = []
        if uses_reference:
            known = list(item.case.reference_standards.all())
            truth = known[-1].truth if known else None
            parts.append(f"reference={'unknown' if truth is None else truth}")
        parts += [f"{key}={item.case.covariates.get(key, '')}" for key in keys]
        strata[item.code] = "|".join(parts)[:MAX_STRATUM_CHARACTERS]
    return strata


def allocation_items(
    trial: Trial, *, strata: Mapping[str, str] | None = None
) -> tuple[list[AllocationItem], list[AllocationItem]]:
    """Return the items to allocate and the practice items, under their neutral codes.

    ``strata`` by item code; after protocol lock those that were frozen with the items.
    """
    main: list[AllocationItem] = []
    practice: list[AllocationItem] = []
    for item in trial.items.select_related("case").order_by("code"):
        stratum = item.stratum if strata is None else strata[item.code]
        (practice if item.practice else main).append(
            AllocationItem(id=item.code, case=item.case.code, stratum=stratum)
        )
    return main, practice


def allocation_inputs(
    trial: Trial, protocol: ProtocolV1, *, strata: Mapping[str, str] | None = None
) -> AllocationInputs:
    """Return everything but the seed from which the trial's allocation is made."""
    main, practice = allocation_items(trial, strata=strata)
    rules = rules_of(protocol, n_items=_planned_items(protocol, len(main)))
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


def _planned_items(protocol: ProtocolV1, n_items: int) -> int:
    """Return the number of items that a percentage of repeats is taken of: of slices, those planned."""
    return protocol.items.selection.count if protocol.items.unit == "slice" else n_items


def allocation_of(
    trial: Trial, protocol: ProtocolV1, *, seed: int, strata: Mapping[str, str] | None = None
) -> Allocation:
    """Make the trial's allocation from a seed; the same at lock, at verification and at unblinding."""
    inputs = allocation_inputs(trial, protocol, strata=strata)
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
    told = slot.rows.order_by("position").values_list(
        "position", "phase", "item__code", "repeat", "left_id", "item__candidate_b_id",
        "period", "condition", "stage", "min_days", "aid_item__code",
    )  # fmt: skip
    return [
        PlannedRow(
            stratum=slot.stratum,
            slot=slot.number,
            position=position,
            phase=Phase(phase),
            item=item,
            repeat=repeat,
            side_b=_planned_side(left, b),
            period=period,
            condition=condition,
            stage=stage,
            min_days=min_days,
            aid_item=aid_item,
        )
        for position, phase, item, repeat, left, b, period, condition, stage, min_days, aid_item in told
    ]


def _planned_side(left_id: object, candidate_b_id: object) -> Side | None:
    return None if candidate_b_id is None else Side(_side(left_id, candidate_b_id))


def stored_allocation_sha256(trial: Trial, protocol: ProtocolV1) -> str:
    """Return the hash of the rows as they stand in the database, those of protocol lock alone."""
    order = {stratum.key: place for place, stratum in enumerate(protocol.allocation.strata)}
    slots = sorted(
        trial.slots.filter(replaces=None),
        key=lambda slot: (order.get(slot.stratum, len(order)), slot.number),
    )
    rows = (row for slot in slots for row in stored_rows(slot))
    return allocation_sha256(rows, algorithm=trial.sealed_seed.algorithm)


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
        sha256_regenerated=allocation_sha256(
            allocation_of(trial, protocol, seed=seed).rows, algorithm=sealed.algorithm
        ),
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
    protocol = protocol_of_version(protocol_locked(trial))
    rules = rules_of(protocol, n_items=_planned_items(protocol, len(main)))
    return replacement_slot(
        withdrawn,
        items=main,
        practice=practice,
        number=number,
        rules=rules,
        seed=int(trial.sealed_seed.seed_hex, 16),
    )


ALLOCATION_COLUMNS = (
    "stratum", "slot", "position", "phase", "item", "repeat", "side_b", "replaces_slot", "participant",
    "period", "condition", "stage", "min_days", "aid_item",
)  # fmt: skip
"""The columns of ``allocation.csv``. The hash covers the first seven, and under ``eq-alloc/2`` the last five too."""


def allocation_rows(trial: Trial) -> Iterator[dict[str, Any]]:
    """Yield every row of every slot; only for those who may see them."""
    for slot in trial.slots.select_related("participant", "replaces"):
        told = {
            "replaces_slot": slot.replaces.number if slot.replaces is not None else None,
            "participant": slot.participant.code if slot.participant is not None else None,
        }
        for row in stored_rows(slot):
            side = row.side_b.value if row.side_b is not None else None
            yield {**vars(row), "phase": row.phase.value, "side_b": side, **told}
