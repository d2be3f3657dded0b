"""A simulated reader of rating forms: impressions of the model become the answers that a form takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.simulation import FormAnswer, FormReader, form_truths, stream
from trials.domain.protocol.questions import Question, QuestionKind
from trials.domain.protocol.tasks import FormQuestion, RatingFormTask
from trials.domain.questionnaire import asked_questions
from trials.models import Reading
from trials.rehearsal.readers.answers import SimulatedAnswer, Step, case_key
from trials.selectors.protocol import protocol_of_version

HIGHEST_NUMBER = 100.0
"""Of a number whose question names no maximum."""
WORDS = "Simulated."
"""What is written where words are asked for and required."""
_CASES, _READINGS = 1, 2
"""Keys of the streams under the seed."""


@dataclass(frozen=True)
class SimulatedForm:
    """One reader of a trial of rating forms.

    ``seed`` is the study's: what is there to be seen of a case is the same for each of its readers. ``number`` names
    the reader's stream of random numbers, of which each reading has its own.
    """

    model: FormReader
    seed: int
    number: int

    def answer(self, reading: Reading) -> SimulatedAnswer:
        """Fill in the form as the reader sees the case; what is not asked is not answered."""
        task = protocol_of_version(reading.protocol).task
        if not isinstance(task, RatingFormTask):
            raise LookupError("The protocol has no rating form, yet a reading asks for one.")
        questions = task.questions
        counts = [len(one.options) if one.kind is QuestionKind.MULTIPLE_CHOICE else 1 for one in questions]
        form = self.model.answer(
            stream(self.seed, _READINGS, self.number, reading.position),
            form_truths(self.seed, case_key(reading.item), counts),
            position=reading.position,
        )
        given = {
            one.key: form_answer(one, levels) for one, levels in zip(questions, form.levels, strict=True)
        }
        asked = asked_questions(questions, given)
        answers = {one.key: given[one.key] for one in asked if given[one.key] is not None}
        body: dict[str, Any] = {"answers": answers, "reason_code": None, "comment": ""}
        if form.cannot_assess:
            body = {"answers": None, "reason_code": task.cannot_assess[0].code, "comment": ""}
        return SimulatedAnswer(body=body, steps=_steps(form, questions, answers))


def form_answer(question: Question, levels: NDArray[np.float64]) -> Any:
    """Return the answer that fits the impressions, each from 0 to 1; None to words that are not required."""
    level = float(levels[0])
    if question.kind is QuestionKind.YES_NO:
        return level >= 0.5
    if question.kind in (QuestionKind.CHOICE, QuestionKind.LIKERT):
        return question.options[min(int(level * len(question.options)), len(question.options) - 1)].value
    if question.kind is QuestionKind.MULTIPLE_CHOICE:
        chosen = [one.value for one, seen in zip(question.options, levels, strict=True) if seen >= 0.5]
        return chosen or ([question.options[int(levels.argmax())].value] if question.required else None)
    if question.kind is QuestionKind.TEXT:
        return WORDS if question.required else None
    low = 0.0 if question.minimum is None else float(question.minimum)
    high = HIGHEST_NUMBER if question.maximum is None else float(question.maximum)
    return round(low + level * (high - low))


def _steps(form: FormAnswer, questions: Sequence[FormQuestion], answers: dict[str, Any]) -> tuple[Step, ...]:
    """Return the events: the image first, then a question after the other."""
    steps: list[Step] = [("first_paint", 0.0, {}), ("pointer", form.look_s / 2, {})]
    now_s = form.look_s
    if not form.cannot_assess:
        for question, seconds in zip(questions, form.question_s, strict=True):
            if question.key in answers:
                now_s += float(seconds)
                steps.append(("answer_change", now_s, {"question": question.key}))
    return (*steps, ("submit", now_s + form.confirm_s, {}))
