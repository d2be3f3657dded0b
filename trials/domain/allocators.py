"""Which algorithm makes a trial's allocation: the oldest that knows everything its rules ask for."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from trials.domain import allocation as pairs
from trials.domain import design_allocation as designs
from trials.domain import set_allocation as sets
from trials.domain.allocation import (
    Allocation,
    AllocationItem,
    AllocationRules,
    AllocationSlot,
    SlotPlan,
)

MAKERS: Mapping[str, Callable[..., Allocation]] = MappingProxyType(
    {
        pairs.ALGORITHM: pairs.allocate,
        designs.ALGORITHM: designs.allocate,
        sets.ALGORITHM: sets.allocate,
    }
)
"""Algorithm -> what makes its slots."""
_REPLACEMENTS: Mapping[str, Callable[..., AllocationSlot]] = MappingProxyType(
    {
        pairs.ALGORITHM: pairs.replacement_slot,
        designs.ALGORITHM: designs.replacement_slot,
        sets.ALGORITHM: sets.replacement_slot,
    }
)


def algorithm_of(rules: AllocationRules) -> str:
    """Return the name of the algorithm that the rules need."""
    if rules.design is None:
        return pairs.ALGORITHM
    return sets.ALGORITHM if sets.is_needed(rules.design) else designs.ALGORITHM


def allocate(
    items: Sequence[AllocationItem],
    *,
    practice: Sequence[AllocationItem] = (),
    plans: Sequence[SlotPlan],
    rules: AllocationRules,
    seed: int,
) -> Allocation:
    """Make every slot of every stratum by the algorithm that the rules need."""
    make = MAKERS[algorithm_of(rules)]
    return make(items, practice=practice, plans=plans, rules=rules, seed=seed)


def replacement_slot(
    withdrawn: AllocationSlot,
    *,
    items: Sequence[AllocationItem],
    practice: Sequence[AllocationItem] = (),
    number: int,
    rules: AllocationRules,
    seed: int,
) -> AllocationSlot:
    """Copy a withdrawn reader's slot by the algorithm that the rules need."""
    make = _REPLACEMENTS[algorithm_of(rules)]
    return make(withdrawn, items=items, practice=practice, number=number, rules=rules, seed=seed)
