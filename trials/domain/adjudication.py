"""On which items readers disagree: what an adjudicator looks at, without what anybody answered."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Judgement:
    """One reader's answer to one question that readers can agree on, in one condition."""

    case: str
    item: str
    question: str
    condition: str
    participant: str
    label: str


@dataclass(frozen=True)
class Disagreement:
    """An item on which readers of the same condition gave different answers to a question."""

    case: str
    item: str
    question: str
    readers: int
    """Who answered it, over all conditions."""
    minority: int
    """How many at most, in one condition, did not answer as most of the others did."""


@dataclass(frozen=True)
class AdjudicationList:
    """The items to be adjudicated, and out of how many."""

    compared: int
    """Items and questions that at least two readers answered in the same condition."""
    disagreements: tuple[Disagreement, ...]


def adjudication_list(judgements: Iterable[Judgement]) -> AdjudicationList:
    """Compare readers within each condition and pool what is found: which condition it was is told nowhere."""
    cells: dict[tuple[str, str, str], dict[str, dict[str, str]]] = {}
    for one in judgements:
        place = (one.case, one.item, one.question)
        cells.setdefault(place, {}).setdefault(one.condition, {})[one.participant] = one.label
    compared, found = 0, []
    for place in sorted(cells):
        by_condition = cells[place]
        counts = [Counter(labels.values()) for labels in by_condition.values() if len(labels) > 1]
        compared += bool(counts)
        minority = max((one.total() - max(one.values()) for one in counts), default=0)
        if minority:
            readers = {reader for labels in by_condition.values() for reader in labels}
            found.append(Disagreement(*place, readers=len(readers), minority=minority))
    return AdjudicationList(compared, tuple(found))
