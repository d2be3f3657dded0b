"""One question of a form: the questionnaire before the first reading, and rating forms."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from trials.domain.protocol.parts import DecimalNumber, Key, Part, ShortText


class QuestionKind(StrEnum):
    """How a question is answered."""

    CHOICE = "choice"
    MULTIPLE_CHOICE = "multiple_choice"
    INTEGER = "integer"
    NUMBER = "number"
    YES_NO = "yes_no"
    TEXT = "text"
    LIKERT = "likert"


class Option(Part):
    """One answer of a choice."""

    value: Key
    label: ShortText


class Question(Part):
    """One question of a questionnaire."""

    key: Key
    kind: QuestionKind
    label: ShortText
    help: ShortText | None = None
    required: bool = True
    options: tuple[Option, ...] = ()
    """For ``choice`` and ``multiple_choice``; for ``likert`` from the lowest to the highest."""
    minimum: DecimalNumber | None = None
    maximum: DecimalNumber | None = None
    unit: ShortText | None = None
    max_length: Annotated[int, Field(ge=1, le=5000)] = 1000
