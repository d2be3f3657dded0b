"""What can keep an algorithm from an answer: one class per reason, each with a sentence that says it.

A reason is stored with the reading; it names no patient. What does not keep the algorithm from an answer, but
should be known beside it, is an :class:`InferenceWarning` among the result's warnings, not a Python warning.
"""

from dataclasses import dataclass
from enum import StrEnum

from equipoise.common.errors import DomainError


class InferenceError(DomainError):
    """The algorithm gives no answer for this input."""


class UnusableScanError(InferenceError):
    """The image is not what the pipeline takes: its shape, values or modality."""


class LungsNotFoundError(InferenceError):
    """The published pipeline's lung isolation leaves nothing; the code it follows stops here too."""


class WeightsError(InferenceError):
    """A weights file is not what its card or the network says."""


class RuntimeMissingError(InferenceError):
    """An optional package that the call needs is not installed."""


class WarningCode(StrEnum):
    """Every remark a result can carry."""

    LUNGS_NOT_FOUND = "lungs_not_found"
    ONE_LUNG = "one_lung"
    LUNGS_CUT = "lungs_cut"
    OUT_OF_RANGE = "out_of_range"
    FEW_SLICES = "few_slices"
    NO_SPINE = "no_spine"
    NOTHING_FOUND = "nothing_found"
    DEMONSTRATION_MODEL = "demonstration_model"


@dataclass(frozen=True, slots=True)
class InferenceWarning:
    """A remark on a result: a code and a sentence."""

    code: WarningCode
    sentence: str

    def as_json(self) -> dict[str, str]:
        """Return the remark as plain values."""
        return {"code": self.code.value, "sentence": self.sentence}
