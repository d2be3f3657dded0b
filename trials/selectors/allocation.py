"""The allocation as its balance, and as rows for whoever may see them."""

from dataclasses import asdict
from typing import Any

from trials.domain.balance import BalanceReport, Basis, SideRow, balance_report
from trials.domain.blinding import Sight, may_see
from trials.domain.states import TrialState
from trials.models import AllocationRow, Reading, Trial
from trials.selectors.access import Caller, trial_roles
from trials.selectors.reading import ANSWERED


def caller_may_see(trial: Trial, caller: Caller, sight: Sight) -> bool:
    """Say whether one of the caller's roles may see the thing in the trial's state."""
    state = TrialState(trial.state)
    return any(may_see(role, sight, state) for role in trial_roles(caller, trial))


def _side(left_id: object, candidate_b_id: object) -> str:
    return "left" if left_id == candidate_b_id else "right"


def balance_allocated(trial: Trial) -> BalanceReport:
    """Count the sides over every slot, as allocated."""
    rows = AllocationRow.objects.filter(slot__trial=trial).values_list(
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
        "read": _balance_document(balance_read(trial)),
    }
