"""Which readings recorded deviations take out of the per-protocol set, and by which deviation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from equipoise.analysis.restriction import NOT_PER_PROTOCOL
from trials.domain.review import ReviewKind
from trials.models import Item, Reading, Trial
from trials.selectors.review import review_records, standing_of

SECOND_HALF = 2
"""The stage of the reading that follows its pair's first half at once."""


@dataclass(frozen=True)
class Exclusions:
    """The deviations that exclude: topics by the reading, the participant or the case that they are about."""

    readings: Mapping[UUID, tuple[str, ...]]
    first_halves: Mapping[tuple[UUID, int], tuple[str, ...]]
    """Of sequential pairs, by participant and position: what is about the first half is about the pair."""
    participants: Mapping[UUID, tuple[str, ...]]
    cases: Mapping[UUID, tuple[str, ...]]

    def __bool__(self) -> bool:
        return bool(self.readings or self.participants or self.cases)

    def flags(self, reading: Reading, item: Item) -> list[str]:
        """Return the flags of the tidy tables that say by which deviations a reading is out, each once."""
        first = (reading.participant_id, reading.position - 1)
        topics = (
            *self.readings.get(reading.id, ()),
            *(self.first_halves.get(first, ()) if reading.stage == SECOND_HALF else ()),
            *self.participants.get(reading.participant_id, ()),
            *self.cases.get(item.case_id, ()),
        )
        return _flags(topics)

    def case_flags(self, case_id: UUID) -> list[str]:
        """Return the flags of what is told of a case by no participant."""
        return _flags(self.cases.get(case_id, ()))

    def result_flags(self, participant_id: UUID, case_id: UUID) -> list[str]:
        """Return the flags of an algorithm's result on a case, which is no reading."""
        return _flags((*self.participants.get(participant_id, ()), *self.cases.get(case_id, ())))

    def participant_flags(self, participant_id: UUID) -> list[str]:
        """Return the flags of everything that a participant gave."""
        return _flags(self.participants.get(participant_id, ()))


def _flags(topics: Iterable[str]) -> list[str]:
    return [f"{NOT_PER_PROTOCOL}:{topic}" for topic in dict.fromkeys(topics)]


def exclusions_of(trial: Trial) -> Exclusions:
    """Read what the decided deviations of a trial exclude. None can be decided otherwise after data lock."""
    readings: dict[UUID, tuple[str, ...]] = {}
    first_halves: dict[tuple[UUID, int], tuple[str, ...]] = {}
    participants: dict[UUID, tuple[str, ...]] = {}
    cases: dict[UUID, tuple[str, ...]] = {}
    for one in review_records(trial, kind=ReviewKind.DEVIATION):
        if standing_of(one).excludes is not True:
            continue
        if one.reading is not None:
            reading = one.reading
            readings[reading.id] = (*readings.get(reading.id, ()), one.topic)
            place = (reading.participant_id, reading.position)
            first_halves[place] = (*first_halves.get(place, ()), one.topic)
        elif one.participant_id is not None:
            participants[one.participant_id] = (*participants.get(one.participant_id, ()), one.topic)
        elif one.case_id is not None:
            cases[one.case_id] = (*cases.get(one.case_id, ()), one.topic)
    return Exclusions(readings, first_halves, participants, cases)


def exclusion_facts(trial: Trial) -> Iterator[dict[str, Any]]:
    """Yield what data lock hashes of the deviations that exclude: what each is about, and its decision."""
    for one in review_records(trial, kind=ReviewKind.DEVIATION):
        if standing_of(one).excludes is True:
            yield {
                "deviation": one.code,
                "topic": one.topic,
                "participant": one.participant.code if one.participant is not None else None,
                "reading": str(one.reading_id) if one.reading_id is not None else None,
                "case": one.case.code if one.case is not None else None,
            }
