"""What protocol lock needs of the design: conditions that fit its kind, a washout that separates them, enough readers
for its groups and blocks, and a primary analysis that is valid for it."""

from collections.abc import Iterator

from trials.domain.protocol.design import MIN_CROSSOVER_WASHOUT_DAYS, Condition, DesignKind
from trials.domain.protocol.problems import Problem, inconsistent, missing, repeated
from trials.domain.protocol.tasks import ContourReviewTask, PreferenceTask, RatingFormTask
from trials.domain.protocol.v1 import PrimaryEndpoint, ProtocolV1

_PLACE = "/allocation/design"
_CONDITIONS: dict[DesignKind, tuple[int, int]] = {
    "single": (0, 1),
    "split": (2, 6),
    "crossover": (2, 2),
    "sequential": (2, 2),
    "fully-crossed": (2, 6),
    "parallel": (2, 6),
}
"""How many conditions a design has: at least, at most."""
MIN_READERS_OF_A_GROUP = 2
"""Of a condition or block that readers are nested in: one reader alone cannot be told from it."""

GROUP_METRICS = ("auc", "sensitivity", "specificity")
"""What U-statistics, the one comparison of random readers nested in conditions over random cases, are defined for."""


def design_problems(protocol: ProtocolV1) -> Iterator[Problem]:
    """Yield everything that is missing from the design or contradicts another part."""
    design, place = protocol.allocation.design, f"{_PLACE}/conditions"
    least, most = _CONDITIONS[design.kind]
    count = len(design.conditions)
    if not least <= count <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        problem = missing if count < least else inconsistent
        yield problem(place, f"A {design.kind} design has {wanted} conditions; got {count}.")
    yield from repeated(place, (one.key for one in design.conditions), "The condition")
    for index, condition in enumerate(design.conditions):
        yield from _condition(f"{place}/{index}", condition, protocol)
    if design.kind == "crossover" and design.washout_days < MIN_CROSSOVER_WASHOUT_DAYS:
        yield inconsistent(
            f"{_PLACE}/washout_days",
            f"Between the two readings of a case lie at least {MIN_CROSSOVER_WASHOUT_DAYS} days; "
            f"got {design.washout_days}.",
        )
    if isinstance(protocol.task, PreferenceTask) and design.kind != "single":
        yield inconsistent(f"{_PLACE}/kind", "Pairs are compared side by side: their design is single.")
    if design.kind == "sequential":
        yield from _sequential(protocol)
    yield from _order(protocol)
    yield from _case_sets(protocol)
    if design.kind == "parallel":
        yield from _parallel(protocol)
    repeats = protocol.allocation.hidden_repeats
    if design.kind == "sequential" and (repeats.count or repeats.percent) and repeats.min_days is None:
        yield inconsistent(
            "/allocation/hidden_repeats/min_days",
            "In a sequential design repeats come back after days, not after readings: give min_days.",
        )


def _order(protocol: ProtocolV1) -> Iterator[Problem]:
    design = protocol.allocation.design
    if design.condition_order == "latin-square":
        return
    pointer = f"{_PLACE}/condition_order"
    if design.kind != "fully-crossed":
        yield inconsistent(pointer, "Only a fully-crossed design has an order of conditions to balance.")
    if design.case_sets is not None and design.case_sets.kind == "subsets" and len(design.conditions) % 2:
        yield inconsistent(
            pointer,
            "With subsets of cases and an odd number of conditions a balanced Latin square cannot be kept for every "
            "case: use latin-square.",
        )


def _case_sets(protocol: ProtocolV1) -> Iterator[Problem]:
    design, pointer = protocol.allocation.design, f"{_PLACE}/case_sets"
    sets = design.case_sets
    if sets is None:
        return
    if sets.kind == "blocks":
        if sets.blocks is None:
            yield missing(f"{pointer}/blocks", "Say into how many blocks the cases are shared out.")
        if sets.readers_per_case is not None or sets.overlap_cases:
            yield inconsistent(pointer, "Blocks have no overlap and no readers per case: remove them.")
        if sets.blocks is not None:
            yield from _enough_readers(f"{pointer}/blocks", protocol, sets.blocks, "block of cases")
    else:
        if sets.readers_per_case is None:
            yield missing(f"{pointer}/readers_per_case", "Say how many readers of every stratum read a case.")
        if sets.blocks is not None:
            yield inconsistent(f"{pointer}/blocks", "Subsets are not in blocks: remove the number of blocks.")
        yield from _shared_out(pointer, protocol)
    if design.kind == "parallel":
        yield inconsistent(
            pointer,
            "Parallel groups read every case: with sets of cases a difference between groups could not be told from "
            "one between sets.",
        )
    if protocol.allocation.hidden_repeats.percent is not None:
        yield inconsistent(
            "/allocation/hidden_repeats/percent",
            "Readers read different numbers of items: say how many are repeated (count), not which percentage.",
        )
    if isinstance(protocol.task, RatingFormTask) and protocol.task.consensus is not None:
        yield inconsistent(
            pointer,
            "Labels are made from every labeller's: where readers are labellers, all read every case.",
        )
    primary = protocol.analysis_plan.primary
    if primary is not None and primary.cases == "fixed":
        yield inconsistent(
            "/analysis_plan/primary/cases",
            "Readers who read different cases are compared over cases like these: make the cases random.",
        )


def _enough_readers(pointer: str, protocol: ProtocolV1, groups: int, what: str) -> Iterator[Problem]:
    """Readers are dealt to the groups within every stratum: each group is sure of the whole part of its share."""
    strata = protocol.allocation.strata
    planned = sum(stratum.participants for stratum in strata)
    if strata and planned // groups < MIN_READERS_OF_A_GROUP:
        yield inconsistent(
            pointer,
            f"Every {what} needs at least {MIN_READERS_OF_A_GROUP} readers; {planned} are planned for {groups}.",
        )


def _shared_out(pointer: str, protocol: ProtocolV1) -> Iterator[Problem]:
    design = protocol.allocation.design
    per_case = design.case_sets.readers_per_case if design.case_sets is not None else None
    for index, stratum in enumerate(protocol.allocation.strata if per_case is not None else ()):
        parts, rest = divmod(stratum.participants, per_case or 1)
        place = f"/allocation/strata/{index}/participants"
        if rest or not parts:
            yield inconsistent(
                place,
                f"The {stratum.participants} readers of '{stratum.key}' must be a multiple of the {per_case} readers "
                "of a case, so that every case is read equally often.",
            )
        elif design.kind == "fully-crossed" and parts % max(1, len(design.conditions)):
            yield inconsistent(
                place,
                f"The cases are shared by {parts} readers of '{stratum.key}', which must be a multiple of the "
                f"{len(design.conditions)} conditions, so that their order is balanced over the readers of a case.",
            )
    count = protocol.items.count or len(protocol.items.cases) or None
    if design.case_sets is not None and count is not None and design.case_sets.overlap_cases >= count:
        yield inconsistent(
            f"{pointer}/overlap_cases",
            f"The overlap must leave cases to share out: fewer than {count}; got {design.case_sets.overlap_cases}.",
        )


def _parallel(protocol: ProtocolV1) -> Iterator[Problem]:
    design = protocol.allocation.design
    if design.conditions:
        yield from _enough_readers(f"{_PLACE}/conditions", protocol, len(design.conditions), "condition")
    if isinstance(protocol.task, RatingFormTask) and protocol.task.consensus is not None:
        yield inconsistent(
            f"{_PLACE}/kind", "Labels are made from readers who saw the same: labellers have one condition."
        )
    primary = protocol.analysis_plan.primary
    if primary is not None and primary.readers == "fixed" and primary.cases == "fixed":
        yield inconsistent(
            "/analysis_plan/primary/readers",
            "Parallel groups are compared over readers or cases like these: make the readers random.",
        )
    elif primary is not None and primary.analysis == "mrmc":
        yield from _compared_between_groups(primary, protocol)


def _compared_between_groups(primary: PrimaryEndpoint, protocol: ProtocolV1) -> Iterator[Problem]:
    """Readers nested in conditions are compared by U-statistics alone if readers and cases are both random."""
    given = {one.name: one.value for one in primary.parameters}
    pointer, items = "/analysis_plan/primary/parameters", protocol.items
    if len(protocol.conditions) > 2 and not {"first", "second"} <= set(given):
        yield inconsistent(
            pointer,
            "Of more than two parallel groups the primary analysis compares two: name them as 'first' and 'second'.",
        )
    if "fixed" in (primary.readers, primary.cases):
        return
    if given.get("metric", "auc") not in GROUP_METRICS:
        yield inconsistent(
            pointer,
            f"Parallel groups of random readers and cases are compared by {', '.join(GROUP_METRICS)}; there is no "
            f"valid test of {given['metric']}.",
        )
    if items.unit == "slice" and items.selection.max_per_case != 1:
        yield inconsistent(
            "/items/selection/max_per_case",
            "Parallel groups of random readers and cases are compared over cases with one item each: make it 1.",
        )


def _condition(pointer: str, condition: Condition, protocol: ProtocolV1) -> Iterator[Problem]:
    aid = condition.aid
    if aid is not None and not (aid.probability or aid.heat_map):
        yield missing(f"{pointer}/aid", "The aid shows a probability, a heat map, or both.")
    if aid is not None and aid.sham == "shuffled" and not aid.heat_map:
        yield inconsistent(f"{pointer}/aid/sham", "Only a heat map can be shuffled.")
    if aid is not None and aid.sham != "none" and condition.factor == "open":
        others = [one for one in protocol.conditions if one is not condition and one.label == condition.label]
        if not others:
            yield inconsistent(
                f"{pointer}/label",
                "A sham aid is concealed: give its condition the label of the true one, or make it concealed.",
            )
    reviewed = protocol.task if isinstance(protocol.task, ContourReviewTask) else None
    if condition.candidate is not None:
        sources = [one.source for one in reviewed.candidates] if reviewed is not None else []
        if condition.candidate not in sources:
            yield inconsistent(
                f"{pointer}/candidate", "The candidate of a condition is one of those of a contour review."
            )


def _sequential(protocol: ProtocolV1) -> Iterator[Problem]:
    conditions = protocol.conditions
    if len(conditions) == 2 and (conditions[0].aid is not None or conditions[1].aid is None):
        yield inconsistent(
            f"{_PLACE}/conditions",
            "In a sequential design the first condition is unaided and the second aided.",
        )
