"""Whose contour a region or mask file is: rules that the trial's administrator writes, never a guess.

Conventions of a sent folder
----------------------------
- Structure sets: ``RoiRule(source="expert", pattern="GTV-1")`` takes the region of that name, or the one that
  matches a pattern with ``*`` or ``?``. Case does not matter; none or several is a refusal that lists the
  names.
- Mask files (NRRD, NIfTI, MetaImage): ``RoiRule(source="expert", pattern="*_expert.nrrd",
  applies_to="file")``. A volume file that no file rule matches is an image.
- One subfolder per patient, named by the patient's id; or all files in one folder, named ``<patient>.nrrd``
  for the image and ``<patient>_<anything>.nrrd`` for its masks. Mask files beside a DICOM series belong to
  that series' patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from equipoise.imaging.plain_text import is_structure_name


class RuleScope(StrEnum):
    """What a rule's pattern is held against."""

    REGION = "region"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class RoiRule:
    """Contours of ``source`` are the regions, or files, that answer to ``pattern``.

    A patient for whom a required rule finds nothing is refused as a whole.
    """

    source: str
    pattern: str
    applies_to: RuleScope = RuleScope.REGION
    required: bool = True

    def __post_init__(self) -> None:
        if not self.source.strip() or not self.pattern.strip():
            raise ValueError("A rule needs a source and a pattern.")

    def matches_file(self, name: str) -> bool:
        """Say whether a mask file's name answers to the pattern."""
        return self.applies_to is RuleScope.FILE and fnmatchcase(name.casefold(), self.pattern.casefold())


def names_region(name: str, rules: Sequence[RoiRule]) -> bool:
    """Say whether a region's name may be kept: it is made of words for structures, or a rule spells it out."""
    spelled = {
        rule.pattern.strip().casefold()
        for rule in rules
        if rule.applies_to is RuleScope.REGION and not set(rule.pattern) & set("*?[")
    }
    return is_structure_name(name) or name.strip().casefold() in spelled


def file_patterns(rules: Sequence[RoiRule]) -> list[str]:
    """Return the patterns by which mask files are told from images."""
    return [rule.pattern for rule in rules if rule.applies_to is RuleScope.FILE]
