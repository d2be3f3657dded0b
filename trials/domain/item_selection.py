"""From the agreement of two contours on every slice to the items of a trial: a rule, reasons, a seeded draw.

Every slice that does not become an item is counted under one reason, so that the report can print the exclusions as
a limit on generalisation. The draw uses the stable random stream: same records, same rule, same seed, same items.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from equipoise.common.stable_random import StableRandom
from trials.domain.protocol.v1 import ItemSelection

ALGORITHM = "eq-items/1"
"""Stored with the draw. What it means never changes."""


@dataclass(frozen=True)
class SliceRecord:
    """One slice of one case: which contours are drawn on it and how they overlap."""

    case: str
    slice_index: int
    position_mm: float
    """Along the slice axis."""
    dice: float | None
    """Overlap of the two contours on the slice; None where it could not be computed."""
    has_a: bool = True
    has_b: bool = True
    expert: str = ""
    """Source of candidate a."""
    stratum: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """What names the slice."""
        return self.case, self.expert, self.slice_index


class NotDrawnReason(StrEnum):
    """Why a slice is no item. The first that holds is counted."""

    NO_CONTOUR = "no_contour"
    NO_CONTOUR_A = "no_contour_a"
    NO_CONTOUR_B = "no_contour_b"
    NOT_MEASURED = "not_measured"
    BELOW_THRESHOLD = "below_threshold"
    CASE_AND_EXPERT_FULL = "case_and_expert_full"
    CASE_FULL = "case_full"
    TOO_CLOSE = "too_close"
    ENOUGH_DRAWN = "enough_drawn"


REASON_TEXT: dict[NotDrawnReason, str] = {
    NotDrawnReason.NO_CONTOUR: "no contour on the slice",
    NotDrawnReason.NO_CONTOUR_A: "no expert contour on the slice",
    NotDrawnReason.NO_CONTOUR_B: "no algorithm contour on the slice",
    NotDrawnReason.NOT_MEASURED: "the agreement of the contours could not be measured",
    NotDrawnReason.BELOW_THRESHOLD: "the agreement is not above the threshold",
    NotDrawnReason.CASE_AND_EXPERT_FULL: "the case has its share of slices for this expert",
    NotDrawnReason.CASE_FULL: "the case has its share of slices",
    NotDrawnReason.TOO_CLOSE: "too close to another slice of the case",
    NotDrawnReason.ENOUGH_DRAWN: "qualified, but enough slices were drawn",
}
RULE_REASONS = (
    NotDrawnReason.NO_CONTOUR,
    NotDrawnReason.NO_CONTOUR_A,
    NotDrawnReason.NO_CONTOUR_B,
    NotDrawnReason.NOT_MEASURED,
    NotDrawnReason.BELOW_THRESHOLD,
)
"""By which a slice fails the rule; the others leave out slices that meet it."""


@dataclass(frozen=True)
class ReasonCount:
    """How many slices are no items for one reason."""

    reason: str
    message: str
    count: int


@dataclass(frozen=True)
class SelectionOutcome:
    """The items and what became of the rest."""

    algorithm: str
    drawn: tuple[SliceRecord, ...]
    """In order of case, expert and slice: the order says nothing of the draw."""
    qualifying: tuple[SliceRecord, ...]
    """The slices that meet the rule, drawn or not."""
    not_qualifying: tuple[ReasonCount, ...]
    """Slices that fail the rule, counted by the first reason; reasons without slices are left out."""
    not_drawn: tuple[ReasonCount, ...]
    """Slices that meet the rule and were not drawn, counted by reason."""
    requested: int

    @property
    def qualifying_count(self) -> int:
        """How many slices meet the rule."""
        return len(self.qualifying)

    @property
    def shortfall(self) -> int:
        """How many items fewer than asked for."""
        return self.requested - len(self.drawn)

    @property
    def sentence(self) -> str:
        """What came of the draw, in words."""
        cases = len({record.case for record in self.drawn})
        total = len(self.qualifying) + sum(one.count for one in self.not_qualifying)
        text = (
            f"{len(self.drawn)} of {self.requested} items were drawn from {cases} cases; "
            f"{len(self.qualifying)} of {total} slices qualified."
        )
        counts = [f"{one.count}: {one.message}" for one in (*self.not_qualifying, *self.not_drawn)]
        return text + (f" Not drawn: {'; '.join(counts)}." if counts else "")


def _counted(
    counts: Mapping[NotDrawnReason, int], reasons: Iterable[NotDrawnReason]
) -> tuple[ReasonCount, ...]:
    return tuple(
        ReasonCount(reason=reason.value, message=REASON_TEXT[reason], count=counts[reason])
        for reason in reasons
        if counts.get(reason)
    )


def _rule_reason(record: SliceRecord, above: float) -> NotDrawnReason | None:
    if not record.has_a and not record.has_b:
        return NotDrawnReason.NO_CONTOUR
    if not record.has_a:
        return NotDrawnReason.NO_CONTOUR_A
    if not record.has_b:
        return NotDrawnReason.NO_CONTOUR_B
    if record.dice is None or record.dice != record.dice:  # not a number
        return NotDrawnReason.NOT_MEASURED
    return NotDrawnReason.BELOW_THRESHOLD if record.dice <= above else None


class _Chosen:
    """What has been drawn so far, and whether another slice may join it."""

    def __init__(self, selection: ItemSelection) -> None:
        self._selection = selection
        self._min_distance_mm = float(selection.min_distance_mm)
        self._by_case: dict[str, list[SliceRecord]] = defaultdict(list)
        self._per_expert: Counter[tuple[str, str]] = Counter()
        self.records: list[SliceRecord] = []

    def refusal(self, record: SliceRecord) -> NotDrawnReason | None:
        """Return why the slice may not join, or None."""
        of_case = self._by_case[record.case]
        if self._per_expert[record.case, record.expert] >= self._selection.max_per_case_and_expert:
            return NotDrawnReason.CASE_AND_EXPERT_FULL
        if self._selection.max_per_case is not None and len(of_case) >= self._selection.max_per_case:
            return NotDrawnReason.CASE_FULL
        if any(abs(other.position_mm - record.position_mm) < self._min_distance_mm for other in of_case):
            return NotDrawnReason.TOO_CLOSE
        return None

    def add(self, record: SliceRecord) -> None:
        """Let the slice join."""
        self._by_case[record.case].append(record)
        self._per_expert[record.case, record.expert] += 1
        self.records.append(record)


def _queues(qualifying: Sequence[SliceRecord], *, by_stratum: bool, seed: int) -> list[list[SliceRecord]]:
    """Return one queue per stratum: cases in random order, then each case's next slice in random order, and so on.

    Taking cases in turn keeps a patient with many slices from standing for many patients with few.
    """
    strata: dict[str, dict[str, list[SliceRecord]]] = defaultdict(lambda: defaultdict(list))
    for record in sorted(qualifying, key=lambda one: one.key):
        strata[record.stratum if by_stratum else ""][record.case].append(record)
    queues = []
    for stratum in sorted(strata):
        random = StableRandom(seed, f"{ALGORITHM}:{stratum}")
        slices = {case: random.shuffled(strata[stratum][case]) for case in sorted(strata[stratum])}
        order = random.shuffled(sorted(slices))
        rounds = max(len(of_case) for of_case in slices.values())
        queues.append([slices[case].pop() for _ in range(rounds) for case in order if slices[case]])
    return StableRandom(seed, f"{ALGORITHM}:strata").shuffled(queues)


def draw_items(records: Iterable[SliceRecord], *, selection: ItemSelection, seed: int) -> SelectionOutcome:
    """Return the items of a trial.

    With a stratum the queues of its values are served in turn, so that each gives an equal share as far as it lasts.
    """
    records = list(records)
    twice = [key for key, count in Counter(record.key for record in records).items() if count > 1]
    if twice:
        raise ValueError(f"Each slice must be given once; given more often: {sorted(twice)[:5]}.")
    reasons = [_rule_reason(record, float(selection.above)) for record in records]
    qualifying = [record for record, reason in zip(records, reasons, strict=True) if reason is None]
    failed = Counter(reason for reason in reasons if reason is not None)
    chosen, refused = _draw(qualifying, selection, seed=seed)
    return SelectionOutcome(
        algorithm=ALGORITHM,
        drawn=tuple(sorted(chosen, key=lambda record: record.key)),
        qualifying=tuple(sorted(qualifying, key=lambda record: record.key)),
        not_qualifying=_counted(failed, RULE_REASONS),
        not_drawn=_counted(refused, (reason for reason in NotDrawnReason if reason not in RULE_REASONS)),
        requested=selection.count,
    )


def practice_items(
    records: Iterable[SliceRecord], *, selection: ItemSelection, count: int, seed: int
) -> SelectionOutcome:
    """Return the practice items, drawn by the same rule from the practice cases under a seed of their own.

    ``count`` may be 0. Practice cases are few, so a case may give more than one item; distances still hold.
    """
    eased = selection.model_copy(
        update={
            "count": max(count, 1),
            "stratum": None,
            "max_per_case": None,
            "max_per_case_and_expert": max(count, 1),
        }
    )
    outcome = draw_items(records, selection=eased, seed=StableRandom(seed, f"{ALGORITHM}:practice").word())
    return outcome if count else replace(outcome, drawn=(), requested=0)


def _draw(
    qualifying: Sequence[SliceRecord], selection: ItemSelection, *, seed: int
) -> tuple[list[SliceRecord], Counter[NotDrawnReason]]:
    chosen = _Chosen(selection)
    refused: Counter[NotDrawnReason] = Counter()
    queues = _queues(qualifying, by_stratum=selection.stratum is not None, seed=seed)
    waiting = [iter(queue) for queue in queues]
    while waiting and len(chosen.records) < selection.count:
        still = []
        for queue in waiting:
            if len(chosen.records) >= selection.count:
                still.append(queue)
                continue
            if _take_next(queue, chosen, refused):
                still.append(queue)
        waiting = still
    for queue in waiting:
        for record in queue:
            refused[chosen.refusal(record) or NotDrawnReason.ENOUGH_DRAWN] += 1
    return chosen.records, refused


def _take_next(queue: Iterable[SliceRecord], chosen: _Chosen, refused: Counter[NotDrawnReason]) -> bool:
    """Let the queue's next admissible slice join; say whether there was one."""
    for record in queue:
        reason = chosen.refusal(record)
        if reason is None:
            chosen.add(record)
            return True
        refused[reason] += 1
    return False
