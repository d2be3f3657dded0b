"""One label per case from several readers' labels.

Two labellers who agree make the label. What becomes of a disagreement is the protocol's rule: the label that it names
(as where "PET was needed" counts as soon as one of two says so), an adjudicator's, or none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from trials.domain.protocol.tasks import Consensus, ConsensusRule

MIN_LABELS = 2
"""Fewer labels cannot agree."""


class LabelSource(StrEnum):
    """What a case's label rests on."""

    AGREEMENT = "agreement"
    RULE = "rule"
    ADJUDICATOR = "adjudicator"
    NONE = "none"
    """There is none: too few labels, or nobody to decide."""


@dataclass(frozen=True)
class GivenLabel:
    """One reader's label of one item on one question."""

    case: str
    item: str
    question: str
    participant: str
    stratum: str
    label: str


@dataclass(frozen=True)
class CaseLabel:
    """The label of an item on one question, and what it rests on."""

    case: str
    item: str
    question: str
    given: tuple[GivenLabel, ...]
    """Those of the labellers, by participant."""
    agreed: bool | None
    """None with fewer than two labels."""
    label: str | None
    source: LabelSource


def consensus_labels(given: Iterable[GivenLabel], consensus: Consensus) -> list[CaseLabel]:
    """Return one label per item and question, in order of items and of the consensus's questions.

    An adjudicator's label decides where the labellers disagree and is told nowhere else.
    """
    labellers: dict[tuple[str, str, str], list[GivenLabel]] = {}
    deciding: dict[tuple[str, str, str], list[GivenLabel]] = {}
    for one in given:
        if one.question not in consensus.questions:
            continue
        decides = consensus.rule is ConsensusRule.ADJUDICATION and one.stratum == consensus.adjudicators
        place = (one.case, one.item, one.question)
        (deciding if decides else labellers).setdefault(place, []).append(one)
    order = {key: number for number, key in enumerate(consensus.questions)}
    places = sorted(labellers, key=lambda place: (place[0], place[1], order[place[2]]))
    return [_label(place, labellers[place], deciding.get(place, []), consensus) for place in places]


def _label(
    place: tuple[str, str, str],
    labels: Sequence[GivenLabel],
    deciding: Sequence[GivenLabel],
    consensus: Consensus,
) -> CaseLabel:
    given = tuple(sorted(labels, key=lambda one: one.participant))
    values = {one.label for one in given}
    agreed = None if len(given) < MIN_LABELS else len(values) == 1
    label: str | None = None
    source = LabelSource.NONE
    if agreed:
        label, source = given[0].label, LabelSource.AGREEMENT
    elif agreed is False and consensus.rule is ConsensusRule.COUNTS_AS:
        label, source = consensus.counts_as, LabelSource.RULE
    elif agreed is False and len({one.label for one in deciding}) == 1:
        label, source = deciding[0].label, LabelSource.ADJUDICATOR
    return CaseLabel(*place, given=given, agreed=agreed, label=label, source=source)
