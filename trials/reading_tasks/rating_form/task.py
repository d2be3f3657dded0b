"""The rating form's answer, presentation and tidy columns: one column per question.

What a reader writes in words is kept apart from the answer, like a comment, so that it can be erased.
"""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol.questions import QuestionKind
from trials.domain.protocol.tasks import RatingFormTask as RatingFormProtocol
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.questionnaire import asked_questions, check_answers
from trials.models import Reading, Response
from trials.reading_tasks.contract import (
    REASON_CODE,
    CheckedAnswer,
    Feedback,
    Presented,
    check_common,
    refuse,
)
from trials.reading_tasks.rating_form.setup import RatingFormSetupSerializer
from trials.reading_tasks.windows import image_windows, value_range

ANSWERS = "answers"


def _form(protocol: ProtocolV1) -> RatingFormProtocol:
    task = protocol.task
    if not isinstance(task, RatingFormProtocol):
        raise LookupError("The protocol has no rating form, yet a reading asks for one.")
    return task


class RatingFormTask:
    """See the module."""

    name: str = "rating-form"
    setup_serializer: type[serializers.Serializer[Any]] = RatingFormSetupSerializer
    columns: tuple[str, ...] = ()

    def check_answer(
        self, answer: Mapping[str, Any], *, reading: Reading, protocol: ProtocolV1
    ) -> CheckedAnswer:
        """Return the answers in their stored form, or raise naming each wrong one. What is not asked is refused."""
        form = _form(protocol)
        problems, comment = check_common(answer, keys=(ANSWERS,), part=form)
        given = answer.get(ANSWERS)
        cannot = answer.get(REASON_CODE) is not None
        checked: dict[str, Any] = {}
        if given is not None and not isinstance(given, Mapping):
            problems["/answer/answers"] = (
                f"The answers must be an object, question by question; got {given!r}."
            )
        elif cannot and given:
            problems["/answer/answers"] = "An image that cannot be assessed has no answer but the reason."
        elif not cannot:
            asked = asked_questions(form.questions, given or {})
            try:
                checked = check_answers(asked, given or {}, pointer="/answer/answers")
            except ValidationFailedError as error:
                problems |= {place: told[0]["message"] for place, told in error.data["fields"].items()}
        refuse(problems)
        texts = {one.key for one in form.questions if one.kind is QuestionKind.TEXT}
        return CheckedAnswer(
            stored={
                ANSWERS: {key: value for key, value in checked.items() if key not in texts},
                REASON_CODE: answer.get(REASON_CODE),
            },
            comment=comment,
            not_assessable=cannot,
            texts={key: value for key, value in checked.items() if key in texts},
        )

    def present(self, reading: Reading, *, protocol: ProtocolV1) -> Presented:
        """Return the form and the windows that fit the image."""
        form = _form(protocol)
        windows = image_windows(reading, form.display)
        return Presented(
            question=form.questions[0].label if form.questions else "",
            windows=windows,
            inverted=form.display.inverted and reading.item.image.volume.modality == "NM",
            scroll=reading.item.unit == "volume",
            value_range=value_range(reading, windows),
            setup={
                "kind": self.name,
                "introduction": form.introduction,
                "questions": [question.model_dump(mode="json") for question in form.questions],
            },
        )

    def tidy_columns(
        self, reading: Reading, response: Response | None, *, protocol: ProtocolV1, unblinded: bool
    ) -> dict[str, Any]:
        """Return one column per question: options by their value, yes and no as 1 and 0, several joined by ``;``."""
        answer = response.answer if response is not None else {}
        words = getattr(response, "comment", None)
        given = {**(answer.get(ANSWERS) or {}), **(words.answers if words is not None else {})}
        cells = {one.key: _cell(given.get(one.key)) for one in _form(protocol).questions}
        return {**cells, "reason_code": answer.get(REASON_CODE)}

    def judged(self, answer: Mapping[str, Any], *, protocol: ProtocolV1) -> Mapping[str, str]:
        """Return the answers that are an option, a step of a scale, or yes and no."""
        given = answer.get(ANSWERS) or {}
        kinds = (QuestionKind.CHOICE, QuestionKind.LIKERT, QuestionKind.YES_NO)
        judged = {one.key for one in _form(protocol).questions if one.kind in kinds}
        return {key: str(value) for key, value in given.items() if key in judged and value is not None}

    def feedback(self, reading: Reading, checked: CheckedAnswer, *, protocol: ProtocolV1) -> Feedback | None:
        """A form has no reference standard."""
        return None


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return ";".join(map(str, value)) if isinstance(value, list) else value
