"""What became of cases, readers and readings: flow diagram, balance, deviations."""

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from trials.domain.states import ReadingState
from trials.reports.flow_figure import Box, Flow, flow_svg
from trials.reports.report_page import paragraphs, section, table
from trials.selectors.allocation import (
    balance_allocated,
    balance_read,
    conditions_allocated,
    conditions_read,
    positions_allocated,
    positions_read,
    sets_allocated,
    sets_read,
)
from trials.selectors.monitor import FLAG_TEXT
from trials.selectors.report import CaseCounts, ReaderCounts, ReadingCounts, ReportFacts

REASONS = {
    "trial_closed": "the trial was closed",
    "trial_abandoned": "the trial was abandoned",
    "withdrawn": "the reader withdrew",
    "left_open": "left open for too long (blocked by the protocol)",
}


def flow_of(cases: CaseCounts, readers: ReaderCounts, readings: ReadingCounts) -> Flow:
    """Return the flow diagram; what leaves at a side and what goes on add up to what came."""
    without = cases.trial - cases.with_item
    left_out = Box("cases-without-item", without, "Cases with no item")
    withdrawn = readers.states.get("withdrawn", 0)
    states = readings.states
    unanswered = readings.allocated - readings.answered
    parts = tuple((count, f"not done: {_reason(code)}") for code, count in sorted(readings.not_done.items()))
    for state, words in (
        (ReadingState.VOIDED, "voided"),
        (ReadingState.OPEN, "open"),
        (ReadingState.PLANNED, "planned"),
    ):
        parts += ((states[state], words),) if states.get(state) else ()
    slots = readers.slots_planned + readers.slots_reserve + readers.slots_replacing
    free = slots - readers.slots_bound
    unplaced = readers.enrolled - readers.slots_bound
    kinds = readings.kinds
    last = tuple(
        Box(f"answered-{key}", kinds[key], words)
        for key, words in (
            ("first", "First readings"),
            ("repeat", "Hidden repeats (replicates)"),
            ("check", "Readings of the blinding check"),
        )
        if kinds.get(key)
    )
    if len(last) == 1:
        last = ()
    return Flow(
        cases=(
            (Box("cases", cases.trial, "Cases (patients)"), left_out if without else None),
            (Box("cases-with-item", cases.with_item, "Cases with an item"), None),
            *_slice_boxes(cases),
            (Box("items", cases.items, "Items"), None),
        ),
        readers=(
            (
                Box(
                    "slots",
                    slots,
                    "Places",
                    (
                        (readers.slots_planned, "planned"),
                        (readers.slots_reserve, "in reserve"),
                        *(
                            ((readers.slots_replacing, "replacing withdrawn readers"),)
                            if readers.slots_replacing
                            else ()
                        ),
                    ),
                ),
                Box("slots-free", free, "Places not taken") if free else None,
            ),
            (
                Box(
                    "readers",
                    readers.enrolled,
                    "Readers",
                    ((readers.slots_bound, "with a place"), (unplaced, "without a place yet"))
                    if unplaced
                    else (),
                ),
                Box(
                    "readers-withdrawn",
                    withdrawn,
                    "Readers withdrawn",
                    tuple(
                        (count, code.replace("_", " ")) for code, count in sorted(readers.withdrawals.items())
                    ),
                )
                if withdrawn
                else None,
            ),
            (
                Box(
                    "readers-kept",
                    readers.enrolled - withdrawn,
                    "Readers not withdrawn",
                    tuple(
                        (readers.states[state], words)
                        for state, words in (
                            ("done", "read everything"),
                            ("reading", "read a part"),
                            ("enrolled", "read nothing"),
                        )
                        if readers.states.get(state)
                    ),
                ),
                None,
            ),
        ),
        readings=(
            (
                Box("readings", readings.allocated, "Readings allocated to enrolled readers"),
                Box("readings-unanswered", unanswered, "Without an answer", parts) if unanswered else None,
            ),
            (
                Box(
                    "readings-answered",
                    readings.answered,
                    "Readings answered",
                    tuple(
                        (states[state], words)
                        for state, words in (
                            (ReadingState.SUBMITTED, "with an answer that can be analysed"),
                            (ReadingState.NOT_ASSESSABLE, "could not be assessed"),
                        )
                        if states.get(state)
                    ),
                ),
                None,
            ),
        ),
        last=last,
    )


def _slice_boxes(cases: CaseCounts) -> tuple[tuple[Box, Box | None], ...]:
    """Return the draw of slices: all of the cases, those that meet the rule, and what each step leaves out."""
    if cases.slices_qualifying is None:
        return ()
    failed = sum(count for count, _ in cases.slices_not_qualifying)
    passed_over = sum(count for count, _ in cases.slices_not_drawn)
    return (
        (
            Box("slices", cases.slices_qualifying + failed, "Slices of all cases"),
            Box("slices-failed", failed, "Do not meet the rule", cases.slices_not_qualifying)
            if failed
            else None,
        ),
        (
            Box("slices-qualifying", cases.slices_qualifying, "Slices that meet the rule"),
            Box("slices-not-drawn", passed_over, "Not drawn", cases.slices_not_drawn)
            if passed_over
            else None,
        ),
    )


def _reason(code: str) -> str:
    return REASONS.get(code, code.replace("_", " "))


def flow_section(facts: ReportFacts) -> SafeString:
    flow = flow_of(facts.cases, facts.readers, facts.readings)
    rows: list[tuple[Any, ...]] = []
    by_condition = facts.readings.by_condition
    states = [state for state in ReadingState if any(counts.get(state) for counts in by_condition.values())]
    for condition, counts in sorted(by_condition.items()):
        rows.append((condition, *(counts.get(state, 0) for state in states), sum(counts.values())))
    names = [state.value.replace("-", " ") for state in states]
    parts = [
        format_html('<figure class="wide">{}<figcaption>{}</figcaption></figure>', mark_safe(flow_svg(flow)), (  # noqa: S308
            "Readings are counted without practice. Every box is the sum of what goes on and what leaves at its side; "
            "readers without a place yet come to those of the places that were taken."
        )),
    ]  # fmt: skip
    if rows:
        parts.append(
            table(("Reading condition", *names, "allocated"), rows, "Readings of the main task by condition")
        )
    return section("flow", "Flow of cases, readers and readings", *parts)


def balance_section(facts: ReportFacts) -> SafeString:
    trial = facts.trial
    parts: list[SafeString] = []
    if not trial.items.filter(candidate_b=None).exists():
        allocated, read = balance_allocated(trial), balance_read(trial)
        rows = [
            ("as allocated", allocated.left, allocated.right, *_worst(allocated)),
            ("as read", read.left, read.right, *_worst(read)),
        ]
        parts.append(
            table(
                (
                    "Sides of candidate b",
                    "left",
                    "right",
                    "largest difference, reader",
                    "largest difference, item",
                ),
                rows,
            )
        )
        parts.append(paragraphs([f"As allocated: {one}" for one in allocated.sentences]))
        parts.append(paragraphs([f"As read: {one}" for one in read.sentences]))
    for words, report in (
        ("As allocated", conditions_allocated(trial)),
        ("As read", conditions_read(trial)),
        ("As allocated", sets_allocated(trial)),
        ("As read", sets_read(trial)),
    ):
        if report is not None:
            parts.append(paragraphs([f"{words}: {one}" for one in report.sentences]))
    positions = (*positions_allocated(trial).sentences, *positions_read(trial).sentences)
    if not parts:
        parts.append(paragraphs(["There is one condition and no side: order alone is drawn."]))
    parts.append(paragraphs(positions))
    return section("balance", "Balance", *parts)


def _worst(report: Any) -> tuple[int, int]:
    return tuple(
        abs(worst.difference) if worst is not None else 0
        for worst in (report.worst_reader, report.worst_item)
    )  # type: ignore[return-value]  # two of them


def _results_outside(counts: Mapping[str, int]) -> list[tuple[str, Any]]:
    if not counts:
        return []
    return [
        ("Results of algorithms outside the per-protocol set", sum(counts.values())),
        *((f"... {words}", count) for words, count in sorted(counts.items())),
    ]


def deviations_section(facts: ReportFacts) -> SafeString:
    readings, happened = facts.readings, facts.conduct
    flags = {
        FLAG_TEXT.get(code, code.replace("_", " ")): count for code, count in sorted(happened.flags.items())
    }
    rows: list[tuple[str, Any]] = [
        ("Readings not done", readings.states.get(ReadingState.NOT_DONE, 0)),
        *((f"... because {_reason(code)}", count) for code, count in sorted(readings.not_done.items())),
        ("Readings that could not be assessed", readings.states.get(ReadingState.NOT_ASSESSABLE, 0)),
        *((f"... {code.replace('_', ' ')}", count) for code, count in sorted(readings.cannot_assess.items())),
        ("Readings voided", readings.states.get(ReadingState.VOIDED, 0)),
        ("... because the reader asked that they not be used", readings.voided_on_request),
        ("Readers who asked that their readings not be used", readings.readers_excluded),
        ("Corrections of answers by readers", happened.corrections),
        ("Answers that came after the reading was answered", happened.late_submissions),
        *((f"Flag: {words}", count) for words, count in flags.items()),
        ("Readers withdrawn", facts.readers.states.get("withdrawn", 0)),
        ("Pauses of the trial", happened.pauses),
        ("Amendments of the protocol", len(happened.amendments)),
        ("Looks by arm or at external data before data lock", happened.looks),
        ("Protocol deviations recorded", sum(one.count for one in happened.deviations)),
        ("Answered readings outside the per-protocol set", sum(happened.outside_per_protocol.values())),
        *((f"... {words}", count) for words, count in sorted(happened.outside_per_protocol.items())),
        *_results_outside(happened.results_outside_per_protocol),
        ("Queries", sum(happened.queries.values())),
        *((f"... {state}", count) for state, count in sorted(happened.queries.items())),
    ]
    parts = [table(("What", "count"), rows)]
    if happened.deviations:
        parts.append(
            table(
                ("Deviation", "severity", "count", "out of the per-protocol set"),
                [
                    (one.topic, one.severity or "not decided", one.count, one.excluding)
                    for one in happened.deviations
                ],
                "Protocol deviations, decided blind before data lock",
            )
        )
    if happened.amendments:
        parts.append(
            table(
                ("Version", "locked on", "why", "what changed"),
                [
                    (one.version, one.made_on.isoformat(), one.reason, " ".join(one.changes))
                    for one in happened.amendments
                ],
                "Amendments of the protocol",
            )
        )
    return section("deviations", "Deviations and readings without an answer", *parts)
