"""The items on which a trial's readers disagree, for the blind review."""

from collections.abc import Iterator

from equipoise.common.errors import StateConflictError
from trials.domain.adjudication import AdjudicationList, Judgement, adjudication_list
from trials.domain.state_acts import StateAct, is_open_to
from trials.models import ParticipantKind, Reading, Trial
from trials.reading_tasks.registry import reading_task
from trials.selectors.protocol import protocol_of_version
from trials.selectors.reading import ANSWERED

ADJUDICATION_COLUMNS = ("case", "item", "question", "readers", "minority")
"""The columns of the list as a table."""


def trial_adjudication(trial: Trial) -> AdjudicationList:
    """Return the list once nobody reads any more: what anybody answered, and in which condition, is not in it.

    Readers' first answers to the first presentation of an item count. Preferences and contours have no entry: sides
    are drawn, and contours differ by degrees.
    """
    if not is_open_to(trial.state, StateAct.ADJUDICATE):
        raise StateConflictError(
            f"The trial is {trial.state}: where readers disagree is listed once reading is closed.",
            data={"state": trial.state, "allowed": []},
        )
    return adjudication_list(_judgements(trial))


def _judgements(trial: Trial) -> Iterator[Judgement]:
    readings = (
        Reading.objects.filter(
            trial=trial,
            phase="reading",
            repeat=1,
            state__in=ANSWERED,
            participant__kind=ParticipantKind.READER,
        )
        .select_related("participant", "item__case", "protocol")
        .prefetch_related("responses")
    )
    for reading in readings.iterator(chunk_size=500):
        first = reading.responses.all()[0]
        protocol = protocol_of_version(reading.protocol)
        condition = f"{reading.condition}/{reading.stage}"
        for question, label in reading_task(reading.task).judged(first.answer, protocol=protocol).items():
            yield Judgement(
                case=reading.item.case.code,
                item=reading.item.code,
                question=question,
                condition=condition,
                participant=reading.participant.code,
                label=label,
            )
