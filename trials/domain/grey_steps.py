"""The grey-step test of a display: which patches a reader found, and whether that is enough.

The screen shows an 18-step ramp and, several times, a black field with one 5 % patch and a white field with one 95 %
patch, as in TG18-QC: E. Samei et al., Assessment of Display Performance for Medical Imaging Systems, AAPM On-Line
Report No. 3 (2005) (13 in 0 and 242 in 255 of 8 bits, 16 steps from 8 to 248 beside the two
ends), after SMPTE RP 133-1991. There the observer states that the patches are visible. Here the patch lies in one of
four quarters, drawn anew each time, and the reader says in which: whoever does not see it finds all three of a field
by chance in 1 of 64 tries, and both fields in 1 of 4096.

The test says that the ends of the grey scale are not lost (a display too dark, too bright, or in a bright room). It
measures no luminance and does not replace a calibration (DICOM PS3.14).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from equipoise.common.errors import ValidationFailedError

FIELDS = ("dark", "bright")
"""5 % in 0 %, and 95 % in 100 %."""
TIMES = 3
"""How often each field is shown."""
QUARTERS = (1, 2, 3, 4)
"""Upper left, upper right, lower left, lower right."""


class GreySteps(StrEnum):
    """What came of the test. Stored; values are only ever added."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class GreyStepsResult:
    """How many patches were found in each field."""

    dark_found: int
    bright_found: int

    @property
    def outcome(self) -> GreySteps:
        """Whether all were found."""
        found_all = self.dark_found == TIMES and self.bright_found == TIMES
        return GreySteps.PASSED if found_all else GreySteps.FAILED


def grey_steps_result(answers: Sequence[Mapping[str, Any]]) -> GreyStepsResult:
    """Return what was found of the patches shown: an entry each with ``field``, ``shown`` and ``chosen``.

    ``chosen`` is a quarter, or None where the reader saw none.

    Raises
    ------
    ValidationFailedError
        Unless every field was shown as often as the test has it, in quarters that there are.
    """
    problems = {}
    for index, one in enumerate(answers):
        if one.get("field") not in FIELDS:
            problems[f"/answers/{index}/field"] = f"The field must be one of {', '.join(FIELDS)}."
        if one.get("shown") not in QUARTERS:
            problems[f"/answers/{index}/shown"] = "The quarter must be 1, 2, 3 or 4."
        if one.get("chosen") not in (*QUARTERS, None):
            problems[f"/answers/{index}/chosen"] = (
                "The quarter must be 1, 2, 3 or 4, or null where none was seen."
            )
    shown = {field: [one for one in answers if one.get("field") == field] for field in FIELDS}
    if not problems and any(len(shown[field]) != TIMES for field in FIELDS):
        problems["/answers"] = f"Each field is shown {TIMES} times; got {len(answers)} answers."
    if problems:
        raise ValidationFailedError.of_fields(problems)
    found = {field: sum(one["shown"] == one["chosen"] for one in shown[field]) for field in FIELDS}
    return GreyStepsResult(dark_found=found["dark"], bright_found=found["bright"])


def display_is_fit(outcomes: Sequence[str], *, asked: str, failing: str) -> bool:
    """Say whether a display with these outcomes in this session needs no (further) test.

    ``asked`` and ``failing`` are the protocol's ``grey_steps`` and ``grey_steps_failing``.
    """
    if asked == "none" or GreySteps.PASSED in outcomes:
        return True
    if asked == "offered":
        return bool(outcomes)
    return failing == "warn" and GreySteps.FAILED in outcomes
