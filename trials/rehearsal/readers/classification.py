"""A simulated reader of scans that are classified and rated."""

from dataclasses import dataclass
from typing import Any

from equipoise.simulation import RatingAnswer, RatingPopulation, RatingReader, stream
from trials.domain.protocol.tasks import ClassificationTask
from trials.models import Reading
from trials.rehearsal.readers.answers import SimulatedAnswer, Step, case_key
from trials.selectors.protocol import protocol_of_version
from trials.selectors.reference import reference_of


@dataclass(frozen=True)
class SimulatedClassification:
    """One reader of a classification trial: a population's reader before the cases' own reference standard."""

    population: RatingPopulation
    model: RatingReader
    seed: int

    def answer(self, reading: Reading) -> SimulatedAnswer:
        """Decide and rate as the population's model has it in the reading's condition."""
        reference = reference_of(reading.item.case)
        answer = self.population.answer(
            self.model,
            stream(self.seed, self.model.number, reading.position),
            case=case_key(reading.item),
            truth=0 if reference is None or reference.truth is None else reference.truth,
            condition=reading.condition,
            position=reading.position,
        )
        return SimulatedAnswer(body=_body(reading, answer), steps=_steps(reading, answer))


def _body(reading: Reading, answer: RatingAnswer) -> dict[str, Any]:
    task = protocol_of_version(reading.protocol).task
    if not isinstance(task, ClassificationTask):
        raise LookupError("The protocol has no classification task, yet a reading asks for one.")
    if answer.cannot_assess:
        return {"reason_code": task.cannot_assess[0].code, "comment": ""}
    rating = None
    if task.rating is not None and task.rating.scale == "slider":
        rating = answer.rating
    elif task.rating is not None:
        rating = 1 + round(answer.rating / 100 * (len(task.rating.points) - 1))
    return {
        "decision": answer.decision if task.decision is not None else None,
        "rating": rating,
        "marks": [],
        "reason_code": None,
        "comment": "",
    }


def _steps(reading: Reading, answer: RatingAnswer) -> tuple[Step, ...]:
    """Return the events; the second half of a sequential pair takes a third of the time of a whole reading."""
    share = 1 / 3 if reading.stage == 2 else 1.0
    return (
        ("first_paint", 0.0, {}),
        *(("pointer", answer.decision_s * part * share, {}) for part in (0.2, 0.5, 0.8)),
        ("answer_change", answer.decision_s * share, {"decision": answer.decision}),
        ("answer_change", answer.rating_s * share, {"rating": answer.rating, "primary": False}),
        ("submit", answer.wall_s * share, {}),
    )
