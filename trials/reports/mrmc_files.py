"""Scored readings as iMRMC and RJafroc read them: first readings by readers of cases with a final reference standard.

Both programs want cases by number; readers and conditions are numbered too, and ``codes.csv`` says which is which.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trials.models import ParticipantKind, Trial
from trials.reports.exports import Rows, csv_line
from trials.reports.workbook import Workbook
from trials.selectors.reference import truth_for_analysis


@dataclass(frozen=True)
class ScoredReadings:
    """Scores by reader, condition and case, each by number from 1, and the codes that the numbers stand for."""

    scores: dict[tuple[int, int, int], float]
    truth: dict[int, int]
    readers: tuple[str, ...]
    conditions: tuple[str, ...]
    cases: tuple[str, ...]

    def complete_cases(self) -> list[int]:
        """Return the cases that every reader has scored under every condition."""
        places = [
            (reader, condition)
            for reader in _numbers(self.readers)
            for condition in _numbers(self.conditions)
        ]
        return [case for case in self.truth if all((*place, case) in self.scores for place in places)]


def write_mrmc_files(trial: Trial, rows: Rows, folder: Path) -> bool:
    """Write the files and say so; nothing where there are no scores, no truth, or several items of a case.

    ``rows`` are those of :func:`~trials.selectors.tables.readings_rows`, unblinded.

    ``readings.imrmc`` holds every score [1]_; ``readings-rjafroc.xlsx`` those of the cases that every reader has scored
    under every condition, because RJafroc takes a ROC study only complete [2]_.

    References
    ----------
    .. [1] Gallas BD. iMRMC, input file: after ``BEGIN DATA:`` one line ``reader,case,modality,score``, and the truth
       of a case as ``-1,case,0,truth``.
    .. [2] Chakraborty DP. RJafroc, ``DfReadDataFile``: the sheets Truth, TP and FP.
    """
    readings = _scored(trial, rows)
    if readings is None:
        return False
    folder.mkdir(parents=True)
    _write(folder / "readings.imrmc", _imrmc_lines(trial.slug, readings))
    with (folder / "readings-rjafroc.xlsx").open("wb") as sink, Workbook(sink) as book:
        _rjafroc_sheets(book, readings)
    _write(folder / "codes.csv", _code_lines(readings))
    return True


def _scored(trial: Trial, told: Rows) -> ScoredReadings | None:
    truth = {row["case"]: row["truth"] for row in truth_for_analysis(trial) if row["truth"] is not None}
    rows = [
        row
        for row in told
        if row["participant_kind"] == ParticipantKind.READER
        and row["repeat"] == 1
        and row["score"] is not None
        and row["case"] in truth
    ]
    if not rows or len({row["item"] for row in rows}) > len({row["case"] for row in rows}):
        return None
    readers, conditions, cases = (
        tuple(sorted({str(row[name] or "") for row in rows})) for name in ("participant", "condition", "case")
    )
    number_of_reader, number_of_condition, number_of_case = (
        {code: number for number, code in enumerate(codes, start=1)} for codes in (readers, conditions, cases)
    )
    return ScoredReadings(
        {
            (
                number_of_reader[row["participant"]],
                number_of_condition[row["condition"] or ""],
                number_of_case[row["case"]],
            ): row["score"]
            for row in rows
        },
        {number: truth[case] for number, case in enumerate(cases, start=1)},
        readers,
        conditions,
        cases,
    )


def _numbers(codes: tuple[str, ...]) -> range:
    return range(1, len(codes) + 1)


def _imrmc_lines(title: str, readings: ScoredReadings) -> Iterable[str]:
    diseased = sum(readings.truth.values())
    yield f"{title}\n\nNR: {len(readings.readers)}\nN0: {len(readings.cases) - diseased}\nN1: {diseased}\n"
    yield f"NM: {len(readings.conditions)}\n\nBEGIN DATA:\n"
    for case, truth in readings.truth.items():
        yield f"-1,{case},0,{truth}\n"
    for (reader, condition, case), score in sorted(readings.scores.items()):
        yield f"{reader},{case},{condition},{score!r}\n"


def _rjafroc_sheets(book: Workbook, readings: ScoredReadings) -> None:
    everyone = [", ".join(map(str, _numbers(codes))) for codes in (readings.readers, readings.conditions)]
    cases = readings.complete_cases()
    truth = [[case, readings.truth[case], readings.truth[case], *everyone] for case in cases]
    for row, paradigm in zip(truth, ("ROC", "FCTRL"), strict=False):
        row.append(paradigm)
    book.sheet("Truth", ("CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"), truth)
    is_complete = frozenset(cases)
    held = [
        (str(reader), str(condition), case, score)
        for (reader, condition, case), score in sorted(readings.scores.items())
        if case in is_complete
    ]
    diseased = (
        (reader, condition, case, 1, score) for reader, condition, case, score in held if readings.truth[case]
    )
    healthy = (one for one in held if not readings.truth[one[2]])
    book.sheet("TP", ("ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"), diseased)
    book.sheet("FP", ("ReaderID", "ModalityID", "CaseID", "FP_Rating"), healthy)


def _code_lines(readings: ScoredReadings) -> Iterable[str]:
    yield csv_line(("what", "number", "code", "in_rjafroc"))
    for what, codes in (("reader", readings.readers), ("condition", readings.conditions)):
        for number, code in enumerate(codes, start=1):
            yield csv_line((what, number, code, "yes"))
    complete = frozenset(readings.complete_cases())
    for number, code in enumerate(readings.cases, start=1):
        yield csv_line(("case", number, code, "yes" if number in complete else "no"))


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as sink:
        sink.writelines(lines)
