"""How a reader did in practice: right answers against the reference standard, round by round."""

from dataclasses import dataclass

from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import ReadingState
from trials.models import Participant, Reading
from trials.reading_tasks.contract import CheckedAnswer
from trials.reading_tasks.registry import reading_task
from trials.selectors.reading import ANSWERED, PRACTICE


@dataclass(frozen=True)
class PracticeRound:
    """One round of practice that has been read to its end."""

    number: int
    right: int
    judged: int
    """Answers that are right or wrong; the others count neither way."""

    def passed(self, percent: int) -> bool:
        """Whether the share of right answers reaches the pass mark."""
        return self.right * 100 >= percent * self.judged


def practice_round(participant: Participant, number: int, *, protocol: ProtocolV1) -> PracticeRound:
    """Count the right answers of a round."""
    readings = (
        Reading.objects.filter(participant=participant, phase=PRACTICE, repeat=number, state__in=ANSWERED)
        .select_related("item__case", "left", "right")
        .prefetch_related("responses")
    )
    verdicts = []
    for reading in readings:
        answer = next(iter(reading.responses.all())).answer
        checked = CheckedAnswer(
            stored=answer, comment="", not_assessable=reading.state == ReadingState.NOT_ASSESSABLE
        )
        told = reading_task(reading.task).feedback(reading, checked, protocol=protocol)
        verdicts.append(None if told is None else told.correct)
    judged = [verdict for verdict in verdicts if verdict is not None]
    return PracticeRound(number=number, right=sum(judged), judged=len(judged))


def practice_failed(participant: Participant, *, protocol: ProtocolV1) -> PracticeRound | None:
    """Return the last round if practice is over and no round reached the pass mark."""
    mark = protocol.practice.pass_mark_percent
    readings = Reading.objects.filter(participant=participant, phase=PRACTICE)
    if mark is None or readings.filter(state__in=(ReadingState.PLANNED, ReadingState.OPEN)).exists():
        return None
    numbers = sorted(set(readings.filter(state__in=ANSWERED).values_list("repeat", flat=True)))
    rounds = [practice_round(participant, number, protocol=protocol) for number in numbers]
    if not rounds or any(one.passed(mark) for one in rounds):
        return None
    return rounds[-1]
