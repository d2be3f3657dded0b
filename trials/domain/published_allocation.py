"""What is published of an allocation at unblinding: everything from which anybody can make its rows again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from trials.domain import allocation as pairs
from trials.domain.allocation import (
    Allocation,
    AllocationItem,
    AllocationRules,
    DesignRules,
    SlotPlan,
    allocation_sha256,
    seed_commitment,
)
from trials.domain.allocators import MAKERS, algorithm_of

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
    design = rules.design
    return {
        "schema": SCHEMA,
        "algorithm": algorithm_of(rules),
        "seed": seed_hex,
        "commitment_sha256": commitment_sha256,
        "allocation_sha256": sha256,
        "rules": {
            "min_case_distance": rules.min_case_distance,
            "repeat_count": rules.repeat_count,
            "repeat_distance": rules.repeat_distance,
            "blinding_check_pairs": rules.blinding_check_pairs,
        },
        **({} if design is None else {"design": asdict(design)}),
        "strata": [{"key": plan.stratum, "planned": plan.planned, "slots": plan.total} for plan in plans],
        "items": [_item(item) for item in items],
        "practice_items": [_item(item) for item in practice],
    }


def _item(item: AllocationItem) -> dict[str, str]:
    stratum = {"stratum": item.stratum} if item.stratum else {}
    return {"item": item.id, "case": item.case, **stratum}


def _items(rows: Sequence[Mapping[str, str]]) -> list[AllocationItem]:
    return [AllocationItem(id=row["item"], case=row["case"], stratum=row.get("stratum", "")) for row in rows]


def _design(document: Mapping[str, Any]) -> DesignRules | None:
    if document["algorithm"] == pairs.ALGORITHM:
        return None
    given = document["design"]
    return DesignRules(**{**given, "conditions": tuple(given["conditions"]), "shams": tuple(given["shams"])})


def regenerated(document: Mapping[str, Any]) -> Allocation:
    """Make the allocation from what was published of it.

    Raises
    ------
    ValueError
        If the document is not one of ours or lacks something; the message says what.
    """
    make = MAKERS.get(str(document.get("algorithm")))
    if document.get("schema") != SCHEMA or make is None:
        known = " or ".join(MAKERS)
        raise ValueError(f"This is no published allocation of schema {SCHEMA} and algorithm {known}.")
    try:
        return make(
            _items(document["items"]),
            practice=_items(document["practice_items"]),
            plans=[
                SlotPlan(stratum=row["key"], planned=row["planned"], total=row["slots"])
                for row in document["strata"]
            ],
            rules=AllocationRules(**document["rules"], design=_design(document)),
            seed=int(document["seed"], 16),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"The published allocation lacks or misstates something: {error}.") from None


def proof_problems(document: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each thing that does not agree; none where seed, commitment and rows belong together."""
    problems = []
    made = regenerated(document)
    sha256 = allocation_sha256(made.rows, algorithm=made.algorithm)
    if seed_commitment(int(document["seed"], 16)) != document["commitment_sha256"]:
        problems.append("The seed is not the one that was committed to.")
    if sha256 != document["allocation_sha256"]:
        problems.append(f"The seed gives other rows: {sha256} instead of {document['allocation_sha256']}.")
    return problems
