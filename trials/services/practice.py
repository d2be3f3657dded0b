"""The end of a round of practice: who reached the pass mark reads no further round."""

from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import ReadingState
from trials.models import Participant, Reading
from trials.selectors.practice import practice_round
from trials.selectors.reading import PRACTICE

PASSED = "practice_passed"
"""The flag of rounds that were not needed."""


def practice_end(participant: Participant, reading: Reading, protocol: ProtocolV1) -> None:
    """After the last reading of a round: leave out the rounds still planned, unless the pass mark was missed.

    Call it inside the transaction that stores the answer.
    """
    rows = Reading.objects.filter(participant=participant, phase=PRACTICE)
    unfinished = (ReadingState.PLANNED, ReadingState.OPEN)
    later = rows.filter(repeat__gt=reading.repeat, state=ReadingState.PLANNED)
    if rows.filter(repeat=reading.repeat, state__in=unfinished).exists() or not later.exists():
        return
    mark = protocol.practice.pass_mark_percent
    if mark is None or practice_round(participant, reading.repeat, protocol=protocol).passed(mark):
        later.update(state=ReadingState.NOT_DONE, flags=[PASSED])
