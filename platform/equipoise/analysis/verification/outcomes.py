"""What running a reference case can lead to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CaseState = Literal["passed", "failed", "superseded"]


@dataclass(frozen=True)
class Superseded:
    """The case follows a convention that the platform's rules replace, so its values are not required.

    Attributes
    ----------
    rule
        One sentence: which convention is required instead, and where it is stated.
    got
        The values still required, shaped like ``expected``; None when the rule touches all of them.
    keys
        The dotted paths (with ``*``) under ``expected`` that the rule touches; needed beside `got`.
    """

    rule: str
    got: Mapping[str, Any] | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaseOutcome:
    """One case's verdict. ``problems`` is empty unless it failed; ``n_compared`` counts values."""

    case_id: str
    state: CaseState
    n_compared: int = 0
    problems: tuple[str, ...] = ()
    rule: str | None = None


@dataclass(frozen=True)
class FamilyReport:
    """The verdicts of one family, in the order of its files."""

    family: str
    outcomes: tuple[CaseOutcome, ...]

    def count(self, state: CaseState) -> int:
        """Return how many cases ended so."""
        return sum(outcome.state == state for outcome in self.outcomes)


@dataclass(frozen=True)
class VerificationReport:
    """The verdicts of all families of one folder. ``files``: case file (relative) -> SHA-256 of its bytes."""

    families: tuple[FamilyReport, ...]
    files: Mapping[str, str]

    def count(self, state: CaseState) -> int:
        """Return how many cases of all families ended so."""
        return sum(family.count(state) for family in self.families)
