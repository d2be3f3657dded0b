"""Refusals of the analyses: everything that is wrong with the input, in one go, one sentence each."""

from collections.abc import Iterable

from equipoise.common.errors import ValidationFailedError


class AnalysisInputError(ValidationFailedError):
    """The tables, the plan or the options cannot be analysed as given. ``problems`` has one sentence per fault."""

    def __init__(self, problems: Iterable[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__(" ".join(self.problems), data={"problems": list(self.problems)})


class UnknownAnalysisError(AnalysisInputError):
    """There is no analysis of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__([f"There is no analysis '{name}'. Choose one of: {', '.join(known)}."])
