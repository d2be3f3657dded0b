"""What protocol lock needs of the design: conditions that fit its kind, and a washout that separates them."""

from collections.abc import Iterator

from trials.domain.protocol.design import MIN_CROSSOVER_WASHOUT_DAYS, Condition, DesignKind
from trials.domain.protocol.problems import Problem, inconsistent, missing, repeated
from trials.domain.protocol.tasks import ContourReviewTask, PreferenceTask
from trials.domain.protocol.v1 import ProtocolV1

_PLACE = "/allocation/design"
_CONDITIONS: dict[DesignKind, tuple[int, int]] = {
    "single": (0, 1),
    "split": (2, 6),
    "crossover": (2, 2),
    "sequential": (2, 2),
    "fully-crossed": (2, 6),
}
"""How many conditions a design has: at least, at most."""


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
    repeats = protocol.allocation.hidden_repeats
    if design.kind == "sequential" and (repeats.count or repeats.percent) and repeats.min_days is None:
        yield inconsistent(
            "/allocation/hidden_repeats/min_days",
            "In a sequential design repeats come back after days, not after readings: give min_days.",
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
