"""Labels of cases from the answers of several labellers to a rating form."""

from collections.abc import Iterator
from typing import Any

from trials.domain.labels import GivenLabel, consensus_labels
from trials.domain.protocol.tasks import Consensus, RatingFormTask
from trials.models import Reading, Slot, Trial
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import ANSWERED

LABELS_COLUMNS = ("case", "item", "question", "labels", "n_labels", "agreed", "label", "label_from")
"""The columns of ``labels.csv``."""


def consensus_of(trial: Trial) -> Consensus | None:
    """Return the trial's rule for labels, if its readers are labellers."""
    task = protocol_of_version(protocol_locked(trial)).task
    return task.consensus if isinstance(task, RatingFormTask) else None


def label_rows(trial: Trial) -> Iterator[dict[str, Any]]:
    """Yield one row per item and labelled question: what was given by whom, and the label."""
    consensus = consensus_of(trial)
    if consensus is None:
        return
    for one in consensus_labels(_given(trial), consensus):
        yield {
            "case": one.case,
            "item": one.item,
            "question": one.question,
            "labels": ";".join(f"{given.participant}={given.label}" for given in one.given),
            "n_labels": len(one.given),
            "agreed": None if one.agreed is None else int(one.agreed),
            "label": one.label,
            "label_from": one.source.value,
        }


def _given(trial: Trial) -> Iterator[GivenLabel]:
    strata = dict(Slot.objects.filter(trial=trial).values_list("participant_id", "stratum"))
    readings = (
        Reading.objects.filter(trial=trial, repeat=1, state__in=ANSWERED)
        .exclude(phase="practice")
        .select_related("participant", "item__case")
        .prefetch_related("responses")
        .order_by("participant__code", "position")
    )
    for reading in readings.iterator(chunk_size=500):
        answers = reading.responses.all()[0].answer.get("answers") or {}
        for question, value in answers.items():
            yield GivenLabel(
                case=reading.item.case.code,
                item=reading.item.code,
                question=question,
                participant=reading.participant.code,
                stratum=strata.get(reading.participant_id, ""),
                label=("yes" if value else "no") if isinstance(value, bool) else str(value),
            )
