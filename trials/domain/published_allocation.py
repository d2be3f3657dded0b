"""What is published of an allocation at unblinding: everything from which anybody can make its rows again."""

from collections.abc import Mapping, Sequence
from typing import Any

from trials.domain.allocation import (
    ALGORITHM,
    Allocation,
    AllocationItem,
    AllocationRules,
    SlotPlan,
    allocate,
    allocation_sha256,
    seed_commitment,
)

SCHEMA = "equipoise/allocation/1"


def published_allocation(
    *,
    seed_hex: str,
    commitment_sha256: str,
    sha256: str,
    items: Sequence[AllocationItem],
    practice: Sequence[AllocationItem],
    plans: Sequence[SlotPlan],
    rules: AllocationRules,
) -> dict[str, Any]:
    """Return seed, commitment, hash of the rows, and every input of :func:`trials.domain.allocation.allocate`."""
    return {
        "schema": SCHEMA,
        "algorithm": ALGORITHM,
        "seed": seed_hex,
        "commitment_sha256": commitment_sha256,
        "allocation_sha256": sha256,
        "rules": {
            "min_case_distance": rules.min_case_distance,
            "repeat_count": rules.repeat_count,
            "repeat_distance": rules.repeat_distance,
            "blinding_check_pairs": rules.blinding_check_pairs,
        },
        "strata": [{"key": plan.stratum, "planned": plan.planned, "slots": plan.total} for plan in plans],
        "items": [{"item": item.id, "case": item.case} for item in items],
        "practice_items": [{"item": item.id, "case": item.case} for item in practice],
    }


def regenerated(document: Mapping[str, Any]) -> Allocation:
    """Make the allocation from what was published of it.

    Raises
    ------
    ValueError
        If the document is not one of ours or lacks something; the message says what.
    """
    if document.get("schema") != SCHEMA or document.get("algorithm") != ALGORITHM:
        raise ValueError(f"This is no published allocation of schema {SCHEMA} and algorithm {ALGORITHM}.")
    try:
        return allocate(
            [AllocationItem(id=row["item"], case=row["case"]) for row in document["items"]],
            practice=[AllocationItem(id=row["item"], case=row["case"]) for row in document["practice_items"]],
            plans=[
                SlotPlan(stratum=row["key"], planned=row["planned"], total=row["slots"])
                for row in document["strata"]
            ],
            rules=AllocationRules(**document["rules"]),
            seed=int(document["seed"], 16),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"The published allocation lacks or misstates something: {error}.") from None


def proof_problems(document: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each thing that does not agree; none where seed, commitment and rows belong together."""
    problems = []
    sha256 = allocation_sha256(regenerated(document).rows)
    if seed_commitment(int(document["seed"], 16)) != document["commitment_sha256"]:
        problems.append("The seed is not the one that was committed to.")
    if sha256 != document["allocation_sha256"]:
        problems.append(f"The seed gives other rows: {sha256} instead of {document['allocation_sha256']}.")
    return problems
