"""What a repeated rehearsal takes of a trial: read once, before the first run."""

import math
from dataclasses import replace

from equipoise.analysis.plan import ALL_SUBMITTED
from equipoise.common.errors import ValidationFailedError
from trials.domain.allocation import AllocationItem, SlotPlan
from trials.domain.planned import parameters_planned
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.rehearsal_repeats import repeat_refusal
from trials.models import Trial
from trials.rehearsal.gates import GATES
from trials.rehearsal.gates.study import GateInputs
from trials.rehearsal.material import cases_needed, diseased_share, is_diseased
from trials.selectors.allocation import allocation_items, item_strata, rules_of, stratifies_by_reference
from trials.selectors.reference import reference_of
from trials.selectors.rehearsal import protocol_to_rehearse
from trials.services.analysis import plan_of_protocol


def gate_inputs(trial: Trial, plan: RehearsalPlan) -> tuple[GateInputs, str]:
    """Return what the runs are made of, and the hash of the protocol; refuse a plan that cannot be held to anything."""
    protocol, sha256 = protocol_to_rehearse(trial)
    refusal = repeat_refusal(protocol)
    if refusal is not None:
        raise ValidationFailedError(refusal)
    primary = protocol.analysis_plan.primary
    name, data = (primary.analysis, primary.data or "") if primary is not None else ("", "")
    items, truth = _items(trial, protocol, plan)
    strata = protocol.allocation.strata
    rules = rules_of(protocol, n_items=len(items))
    inputs = GateInputs(
        protocol=protocol,
        plan=plan,
        items=tuple(items),
        slots=tuple(SlotPlan(one.key, planned=one.participants, total=one.participants) for one in strata),
        # Neither enters the primary analysis.
        rules=replace(rules, repeat_count=0, blinding_check_pairs=0),
        truth=truth,
        analysis=name,
        # No simulated reading deviates from the protocol: the sets are the same.
        analysis_plan=plan_of_protocol(
            protocol,
            name,
            {
                **parameters_planned(protocol, name, data),
                **GATES[name].parameters,
                **GATES[name].parameters_of(protocol),
            },
            analysis_set=ALL_SUBMITTED,
        ),
    )
    return inputs, sha256


def _items(
    trial: Trial, protocol: ProtocolV1, plan: RehearsalPlan
) -> tuple[list[AllocationItem], dict[str, int]]:
    """Return the trial's items, or as many as the protocol asks for, and the truth of their cases."""
    drawn = list(trial.items.filter(practice=False).select_related("case"))
    share = diseased_share(protocol, plan)
    if drawn:
        items, _ = allocation_items(trial, strata=item_strata(trial, protocol))
        known = {item.case.code: reference_of(item.case) for item in drawn}
        truth = {
            code: one.truth if one is not None and one.truth is not None else int(is_diseased(number, share))
            for number, (code, one) in enumerate(sorted(known.items()))
        }
        return items, truth
    items = _planned_items(protocol, plan)
    cases = sorted({item.case for item in items})
    truth = {case: int(is_diseased(number, share)) for number, case in enumerate(cases)}
    if stratifies_by_reference(protocol):
        items = [AllocationItem(one.id, one.case, f"reference={truth[one.case]}") for one in items]
    return items, truth


def _planned_items(protocol: ProtocolV1, plan: RehearsalPlan) -> list[AllocationItem]:
    if protocol.items.unit != "slice":
        # Where the protocol takes every case there is: those of the plan, for no phantom has to be made of them.
        is_open = not (protocol.items.count or protocol.items.cases)
        count = plan.material.cases if is_open else cases_needed(protocol, plan, most=None)
        return [AllocationItem(f"I-{n + 1:04d}", f"C-{n + 1:04d}") for n in range(count)]
    selection = protocol.items.selection
    per_case = int(min(selection.max_per_case or math.inf, selection.max_per_case_and_expert))
    return [AllocationItem(f"I-{n + 1:04d}", f"C-{n // per_case + 1:04d}") for n in range(selection.count)]
