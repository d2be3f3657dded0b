"""Runs every reference case of a folder through the public functions and compares.

A folder holds one folder per family with ``cases*.json`` and ``data/``. The family's module here has

``run_case(case: Mapping[str, Any], folder: Path) -> Mapping[str, Any] | Superseded``
    computes the case; the answer has the shape of what is compared in ``case["expected"]``, counts as int;
``NOT_COMPARED: Mapping[str, str]``
    dotted path under ``expected`` (``*`` matches anything) -> why no public function answers for it.

A value under ``expected`` that is neither computed nor named there fails its case; so does any exception.
"""

import hashlib
import importlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from equipoise.analysis.verification.comparison import Comparison, tolerance_of
from equipoise.analysis.verification.outcomes import CaseOutcome, FamilyReport, Superseded, VerificationReport
from equipoise.common.warnings import DegenerateDataWarning

FAMILIES: dict[str, str] = {
    name: f"equipoise.analysis.verification.{name}"
    for name in ("segmentation", "roc", "mrmc", "agreement", "survival", "duneai")
}
"""Family -> the module that runs its cases, imported when the first of them is run."""

MAX_PROBLEMS = 20
"""Problems kept per case: enough to see the pattern."""

Progress = Callable[[Iterable[Mapping[str, Any]], str, int], Iterable[Mapping[str, Any]]]
"""Wraps the iteration over a family's cases: (cases, family, number of cases) -> the same cases."""


def own_cases_folder() -> Path:
    """Return the folder of the small set of cases that ships with the package."""
    return Path(__file__).parent / "own"


def verify_folder(folder: Path, *, progress: Progress | None = None) -> VerificationReport:
    """Run all families found in a folder.

    Raises
    ------
    ValueError
        If the folder holds no family, or a case file is not a JSON object with a list ``cases``.
    """
    files = sorted(folder.glob("*/cases*.json"))
    if not files:
        raise ValueError(f"{folder} holds no reference cases: a family is a folder with a cases.json.")
    order = {family: number for number, family in enumerate(FAMILIES)}
    names = sorted({path.parent.name for path in files}, key=lambda name: (order.get(name, len(order)), name))
    cases = {path: _load_cases(path) for path in files}
    reports = []
    for family in names:
        own: Iterable[Mapping[str, Any]]
        own = [case for path in files if path.parent.name == family for case in cases[path]]
        if progress is not None:
            own = progress(own, family, len(own))
        reports.append(FamilyReport(family, tuple(_run_family(family, own, folder / family))))
    hashes = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    return VerificationReport(tuple(reports), hashes)


def _load_cases(path: Path) -> list[Mapping[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}.") from error
    cases = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise ValueError(f"{path} must be a JSON object with a list 'cases' of objects.")
    return cases


def _run_family(family: str, cases: Iterable[Mapping[str, Any]], folder: Path) -> Iterator[CaseOutcome]:
    for number, case in enumerate(cases, start=1):
        case_id = str(case.get("id", f"number {number}"))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DegenerateDataWarning)  # degenerate cases are part of the set
                yield run_one(family, case, folder)
        except (
            Exception
        ) as error:  # whatever stops a case, the others still run and this one counts as failed
            yield CaseOutcome(
                case_id, "failed", problems=(f"could not be run: {type(error).__name__}: {error}",)
            )


def run_one(family: str, case: Mapping[str, Any], folder: Path) -> CaseOutcome:
    """Run and compare one case; `folder` is its family's folder, which its input paths start from."""
    if family not in FAMILIES:
        raise ValueError(f"there is no family {family!r}; the families are {', '.join(FAMILIES)}.")
    module = importlib.import_module(FAMILIES[family])
    answer = module.run_case(case, folder)
    superseded = answer if isinstance(answer, Superseded) else None
    got = answer.got if isinstance(answer, Superseded) else answer
    case_id = str(case["id"])
    if superseded is not None and got is None:
        return CaseOutcome(case_id, "superseded", rule=superseded.rule)
    left_out = (*module.NOT_COMPARED, *(superseded.keys if superseded is not None else ()))
    comparison = Comparison(left_out)
    comparison.compare(got, case["expected"], tolerance=tolerance_of(case["tolerance"]))
    problems = tuple(comparison.problems or ())[:MAX_PROBLEMS]
    if not problems and comparison.n_compared == 0 and superseded is None:
        problems = ("nothing was compared.",)
    if problems:
        return CaseOutcome(case_id, "failed", comparison.n_compared, problems)
    if superseded is not None:
        return CaseOutcome(case_id, "superseded", comparison.n_compared, rule=superseded.rule)
    return CaseOutcome(case_id, "passed", comparison.n_compared)
