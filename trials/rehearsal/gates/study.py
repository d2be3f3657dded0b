"""What every run of a repeated rehearsal is made of, and the readings of a simulated allocation as numbers."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.analysis.plan import AnalysisPlan
from equipoise.analysis.results import AnalysisResult, Number
from equipoise.simulation import StudyReadings, stream
from trials.domain.allocation import (
    AllocationItem,
    AllocationRow,
    AllocationRules,
    Phase,
    Side,
    SlotPlan,
)
from trials.domain.allocators import allocate
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.rehearsal_gate import Expected

Tables = dict[str, dict[str, list[Any]]]
"""By name the tables that an analysis takes: column -> values."""
RESAMPLES = 100
"""Of bootstraps that stand beside the primary estimate and are not held to anything."""
INTERVAL_RESAMPLES = 400
"""Of bootstraps that give the interval of the primary estimate."""
_ANSWERS = 22
"""Key of the stream of answers under a run's seed."""


@dataclass(frozen=True)
class GateInputs:
    """What every run of a repeated rehearsal is made of."""

    protocol: ProtocolV1
    plan: RehearsalPlan
    items: tuple[AllocationItem, ...]
    slots: tuple[SlotPlan, ...]
    """The planned ones: reserves are nobody's until somebody leaves."""
    rules: AllocationRules
    truth: dict[str, int]
    """By case; empty where nothing is diseased or not."""
    analysis: str
    analysis_plan: AnalysisPlan


@dataclass(frozen=True)
class SimulatedTrial:
    """One trial to simulate: the readings of its allocation, and the seed of everything else."""

    inputs: GateInputs
    rows: Sequence[AllocationRow]
    seed: int
    null: bool
    """Whether the effect is that of the null hypothesis."""

    @property
    def rng(self) -> np.random.Generator:
        """The stream of what is simulated."""
        return stream(self.seed, _ANSWERS, int(self.null))


@dataclass(frozen=True)
class Gate:
    """How one primary analysis is repeated: what is simulated for it, and what its estimate is held to."""

    tables: Callable[[SimulatedTrial], Tables]
    primary_number: Callable[[GateInputs, AnalysisResult], Number]
    expected: Callable[[GateInputs, dict[str, Any]], Expected]
    """Takes what is shared by all analyses, see :func:`trials.rehearsal.gate.gate_expected`."""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"n_resamples": RESAMPLES})
    """Go before the protocol's: they leave out what stands beside the primary estimate, or shorten it."""
    parameters_of: Callable[[ProtocolV1], Mapping[str, Any]] = lambda _: {}
    """Those that depend on the protocol; they go before the others."""
    null_value: float = 0.0
    """Of the estimate, where nothing differs."""


def reading_rows(inputs: GateInputs, seed: int) -> list[AllocationRow]:
    """Return the rows that enter the primary analysis: first readings, no practice, no blinding check."""
    sealed = int.from_bytes(hashlib.sha256(f"rehearsal gate {seed}".encode()).digest(), "big")
    made = allocate(inputs.items, plans=inputs.slots, rules=inputs.rules, seed=sealed)
    return [row for row in made.rows if row.phase is Phase.READING and row.repeat == 1]


def study_of(inputs: GateInputs, rows: Sequence[AllocationRow]) -> tuple[StudyReadings, list[str]]:
    """Return the rows as numbers, and the readers' names."""
    names = sorted({(row.stratum, row.slot) for row in rows})
    reader = {name: place for place, name in enumerate(names)}
    item = {one.id: place for place, one in enumerate(inputs.items)}
    cases = sorted({one.case for one in inputs.items})
    case = {name: place for place, name in enumerate(cases)}
    conditions = {one.key: place for place, one in enumerate(inputs.protocol.conditions)}
    study = StudyReadings(
        readers=_index(reader[row.stratum, row.slot] for row in rows),
        items=_index(item[row.item] for row in rows),
        case_of_item=_index(case[one.case] for one in inputs.items),
        conditions=_index(conditions.get(row.condition, 0) for row in rows),
        b_left=np.array([row.side_b is Side.LEFT for row in rows], dtype=bool),
    )
    return study, [f"R-{place + 1:03d}" for place in range(len(names))]


def _index(values: Any) -> NDArray[np.intp]:
    return np.fromiter(values, dtype=np.intp)


def reading_columns(
    inputs: GateInputs, rows: Sequence[AllocationRow], study: StudyReadings, names: Sequence[str]
) -> dict[str, list[Any]]:
    case_of = {one.id: one.case for one in inputs.items}
    return {
        "participant": [names[place] for place in study.readers],
        "participant_kind": ["reader"] * len(rows),
        "case": [case_of[row.item] for row in rows],
        "item": [row.item for row in rows],
        "condition": [row.condition for row in rows],
        "repeat": [1] * len(rows),
    }


def has_fixed_readers(inputs: GateInputs) -> bool:
    """Return whether the protocol asks about its own readers alone."""
    primary = inputs.protocol.analysis_plan.primary
    return primary is not None and primary.readers == "fixed"
