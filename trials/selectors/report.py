"""What a report says of a trial besides its results: counts that add up, characteristics, deviations."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Q

from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from trials.domain.item_selection import RULE_REASONS
from trials.domain.protocol.v1 import Algorithm, ProtocolV1
from trials.domain.results import UsedInTraining
from trials.domain.review import TOPICS, ReviewKind
from trials.domain.states import DATA_EXCLUDED, ReadingState
from trials.models import (
    AlgorithmCaseUse,
    AlgorithmHeatMap,
    AlgorithmVersion,
    AnalysisState,
    CasePurpose,
    ItemDraw,
    LateSubmission,
    Participant,
    ParticipantKind,
    ParticipantState,
    Reading,
    ReferenceStatus,
    Response,
    Trial,
)
from trials.reading_tasks.contract import REASON_CODE
from trials.selectors.algorithm_tables import algorithm_rows, results_current
from trials.selectors.per_protocol import Exclusions, exclusions_of
from trials.selectors.protocol import amendments, protocol_locked, protocol_of_version
from trials.selectors.reading import ANSWERED, BLINDING_CHECK, PRACTICE
from trials.selectors.reference import covariate_names, reference_of
from trials.selectors.review import review_records, standing_of
from trials.selectors.tables import WHERE, readings_columns

APPARENT = "apparent performance"
"""The mark of results on cases that a model may have seen."""
SMALLEST_GROUP = 5
"""Groups of fewer readers are told together where readers are described; tables of results hold them as they are."""
EXPERIENCE_BANDS = ((2, "0-2"), (5, "3-5"), (10, "6-10"))
OVER_ALL_BANDS = "over 10"


@dataclass(frozen=True)
class ReadingCounts:
    """Readings of the main task and the blinding check, practice left out: what was allocated, and its fate."""

    states: Mapping[str, int]
    not_done: Mapping[str, int]
    """By reason."""
    cannot_assess: Mapping[str, int]
    """By reason code of the answer."""
    kinds: Mapping[str, int]
    """Answered ones: first readings, hidden repeats, blinding check."""
    by_condition: Mapping[str, Mapping[str, int]]
    """Condition -> state -> count, of the main task."""
    voided_on_request: int = 0
    """Of the voided ones, those whose reader asked that they not be used."""
    readers_excluded: int = 0
    """The readers who asked for it."""

    @property
    def allocated(self) -> int:
        """Every reading of an enrolled reader."""
        return sum(self.states.values())

    @property
    def answered(self) -> int:
        """Submitted, or answered that it cannot be assessed."""
        return sum(self.states.get(state, 0) for state in ANSWERED)


@dataclass(frozen=True)
class CaseCounts:
    """Cases and items."""

    trial: int
    with_item: int
    practice: int
    items: int
    reference: Mapping[str, int]
    """Of the trial's cases, by status of the reference standard."""
    reference_sources: tuple[tuple[str, str], ...]
    """What the reference standards rest on, and who gave them."""
    slices_qualifying: int | None
    """Of the slices of a draw; None where items are scans or volumes."""
    slices_not_qualifying: tuple[tuple[int, str], ...]
    slices_not_drawn: tuple[tuple[int, str], ...]
    """Of those that qualify."""
    covariates: tuple[str, ...]


@dataclass(frozen=True)
class ReaderCounts:
    """Slots and readers."""

    slots_planned: int
    slots_reserve: int
    slots_replacing: int
    """Made later, for those who take the place of a withdrawn reader."""
    slots_bound: int
    """Each holds one reader; a reader who has not answered the questionnaire has none yet."""
    states: Mapping[str, int]
    withdrawals: Mapping[str, int]
    groups: Mapping[str, int]
    experience: Mapping[str, int]
    """By band of years."""

    @property
    def enrolled(self) -> int:
        """Every reader of the trial, with a place or without."""
        return sum(self.states.values())


@dataclass(frozen=True)
class AlgorithmFacts:
    """One model version: what it is, what it gave, and whether it had seen the cases."""

    code: str
    source: str
    name: str
    version: str
    weights_sha256: str
    threshold: str | None
    threshold_from: str | None
    results: int
    failures: Mapping[str, int]
    used_in_training: Mapping[str, int]
    """Cases of results by their use."""
    heat_maps: int

    @property
    def is_apparent(self) -> bool:
        """Whether its performance here is apparent: a case was used to make it, or nobody says that none was."""
        return any(count for use, count in self.used_in_training.items() if use != UsedInTraining.NO)


@dataclass(frozen=True)
class Amendment:
    """A version of the protocol after the first that was locked."""

    version: int
    made_on: date
    reason: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class DeviationCount:
    """Recorded protocol deviations of one topic and severity."""

    topic: str
    severity: str
    """Empty while that is not decided."""
    count: int
    excluding: int
    """Of them those that leave the per-protocol set."""


@dataclass(frozen=True)
class Conduct:
    """What happened beside the plan."""

    flags: Mapping[str, int]
    corrections: int
    late_submissions: int
    pauses: int
    looks: int
    amendments: tuple[Amendment, ...]
    queries: Mapping[str, int]
    """By state."""
    deviations: tuple[DeviationCount, ...]
    analyses_of_parts: tuple[str, ...]
    """Exploratory ones of a part of the readings, each in words."""
    outside_per_protocol: Mapping[str, int]
    """Answered readings that deviations exclude, by what these are about."""
    results_outside_per_protocol: Mapping[str, int]
    """Results of algorithms that deviations exclude, likewise."""
    practice_readings: int
    rehearsals: tuple[str, ...]
    """Of the protocol that was locked, finished by then, each in words."""
    waivers: tuple[str, ...]
    """Of a rehearsal, at protocol lock, each in words with its place in the audit trail, where the reason stands."""


@dataclass(frozen=True)
class ReportFacts:
    """Everything that a report says but the results."""

    trial: Trial
    protocol: ProtocolV1
    protocol_version: int
    protocol_sha256: str
    cases: CaseCounts
    readers: ReaderCounts
    readings: ReadingCounts
    algorithms: Sequence[AlgorithmFacts]
    conduct: Conduct


def report_facts(trial: Trial) -> ReportFacts:
    """Gather the facts of a trial whose protocol is locked."""
    version = protocol_locked(trial)
    protocol = protocol_of_version(version)
    return ReportFacts(
        trial=trial,
        protocol=protocol,
        protocol_version=version.version,
        protocol_sha256=version.sha256,
        cases=case_counts(trial),
        readers=reader_counts(trial),
        readings=reading_counts(trial),
        algorithms=algorithm_facts(trial, protocol),
        conduct=conduct(trial),
    )


def reading_counts(trial: Trial) -> ReadingCounts:
    """Count the readings in one pass."""
    states: Counter[str] = Counter()
    not_done: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    by_condition: dict[str, Counter[str]] = {}
    rows = (
        Reading.objects.filter(trial=trial)
        .exclude(phase=PRACTICE)
        .values_list("state", "flags", "phase", "repeat", "condition", "participant_id")
    )
    on_request: Counter[UUID] = Counter()
    for state, flags, phase, repeat, condition, participant in rows.iterator(chunk_size=2000):
        states[state] += 1
        if state == ReadingState.NOT_DONE:
            not_done[_why_not_done(flags)] += 1
        if state == ReadingState.VOIDED and DATA_EXCLUDED in flags:
            on_request[participant] += 1
        if state in ANSWERED:
            kinds["check" if phase == BLINDING_CHECK else "first" if repeat == 1 else "repeat"] += 1
        if condition and phase != BLINDING_CHECK:
            by_condition.setdefault(condition, Counter())[state] += 1
    reasons = Counter(
        str(answer[REASON_CODE])
        for answer in Response.objects.filter(
            reading__trial=trial, reading__state=ReadingState.NOT_ASSESSABLE, number=1
        )
        .exclude(reading__phase=PRACTICE)
        .values_list("answer", flat=True)
        if answer.get(REASON_CODE) is not None
    )
    return ReadingCounts(states, not_done, reasons, kinds, by_condition, on_request.total(), len(on_request))


def _why_not_done(flags: Sequence[str]) -> str:
    """Return the reason, the last flag; of a reading that was still blocked when it ended, why it was blocked."""
    if flags[-2:-1] == ["left_open"]:
        return "left_open"
    return flags[-1] if flags else "no reason"


def case_counts(trial: Trial) -> CaseCounts:
    """Count cases, items, and what did not qualify."""
    cases = trial.cases.filter(purpose=CasePurpose.TRIAL).prefetch_related("reference_standards")
    with_item = trial.items.filter(practice=False).values("case").distinct().count()
    reference: Counter[str] = Counter()
    sources: set[tuple[str, str]] = set()
    for case in cases:
        known = reference_of(case)
        reference[known.status if known is not None else "none"] += 1
        if known is not None:
            sources.add((known.source, known.labellers))
    draw = getattr(trial, "item_draw", None)
    slices = draw if draw is not None and trial.items.filter(unit="slice").exists() else None
    return CaseCounts(
        trial=sum(reference.values()),
        with_item=with_item,
        practice=trial.cases.filter(purpose=CasePurpose.PRACTICE).count(),
        items=trial.items.filter(practice=False).count(),
        reference={one: reference[one] for one in (*ReferenceStatus.values, "none") if reference[one]},
        reference_sources=tuple(sorted(sources)),
        slices_qualifying=slices.qualifying if slices is not None else None,
        slices_not_qualifying=_slices(slices, of_rule=True),
        slices_not_drawn=_slices(slices, of_rule=False),
        covariates=covariate_names(trial),
    )


def _slices(draw: ItemDraw | None, *, of_rule: bool) -> tuple[tuple[int, str], ...]:
    """Return the slices that are no items: those that fail the rule, or those that meet it and were not drawn."""
    rows = draw.not_qualifying if draw is not None else ()
    return tuple(
        (int(row["count"]), str(row["message"])) for row in rows if (row["reason"] in RULE_REASONS) is of_rule
    )


def reader_counts(trial: Trial) -> ReaderCounts:
    """Count slots and readers; small groups are told together, experience in bands."""
    readers = list(trial.participants.filter(kind=ParticipantKind.READER))
    slots = list(trial.slots.all())
    first = [slot for slot in slots if slot.replaces_id is None]
    return ReaderCounts(
        slots_planned=sum(not slot.reserve for slot in first),
        slots_reserve=sum(slot.reserve for slot in first),
        slots_replacing=len(slots) - len(first),
        slots_bound=sum(slot.participant_id is not None for slot in slots),
        states=Counter(reader.state for reader in readers),
        withdrawals=Counter(
            reader.withdrawal_reason_code or "no reason"
            for reader in readers
            if reader.state == ParticipantState.WITHDRAWN
        ),
        groups=_groups(readers),
        experience=_experience(readers),
    )


def _groups(readers: list[Participant]) -> dict[str, int]:
    counts = Counter(reader.group or "not stated" for reader in readers)
    told = {group: count for group, count in sorted(counts.items()) if count >= SMALLEST_GROUP}
    others = sum(counts.values()) - sum(told.values())
    return told | ({f"in groups of fewer than {SMALLEST_GROUP}": others} if others else {})


def _experience(readers: list[Participant]) -> dict[str, int]:
    bands: Counter[str] = Counter()
    for reader in readers:
        years = reader.experience_years
        if years is not None:
            bands[next((band for top, band in EXPERIENCE_BANDS if years <= top), OVER_ALL_BANDS)] += 1
    return {
        band: bands[band] for band in (*(one for _, one in EXPERIENCE_BANDS), OVER_ALL_BANDS) if bands[band]
    }


def algorithm_facts(trial: Trial, protocol: ProtocolV1) -> list[AlgorithmFacts]:
    """Return every model version that sent results or that the protocol names."""
    entries = {one.source: one for one in protocol.algorithms}
    rows = list(algorithm_rows(trial, protocol, columns=readings_columns(trial), unblinded=True))
    facts = []
    for version in (
        AlgorithmVersion.objects.filter(trial=trial)
        .select_related("participant")
        .order_by("participant__code")
    ):
        code, entry = version.participant.code, entries.get(version.source)
        own = [row for row in rows if row["participant"] == code]
        facts.append(
            AlgorithmFacts(
                code=code,
                source=version.source,
                name=version.name,
                version=version.version,
                weights_sha256=version.weights_sha256,
                threshold=str(entry.operating_threshold) if entry and entry.operating_threshold else None,
                threshold_from=entry.operating_threshold_from if entry else None,
                results=results_current(trial)
                .filter(participant=version.participant, failure_code="", case__purpose=CasePurpose.TRIAL)
                .count(),
                failures=Counter(row["failure_code"] for row in own if row["failure_code"]),
                used_in_training=_uses(version, own, entry.used_in_training if entry else "unknown"),
                heat_maps=AlgorithmHeatMap.objects.filter(result__participant=version.participant).count(),
            )
        )
    known = {fact.source for fact in facts}
    return facts + [_declared(entry) for entry in protocol.algorithms if entry.source not in known]


def _declared(entry: Algorithm) -> AlgorithmFacts:
    """Return a model version that the protocol names and that sent nothing itself: its contours came as files."""
    return AlgorithmFacts(
        code="",
        source=entry.source,
        name=entry.name,
        version=entry.version,
        weights_sha256=entry.weights_sha256 or "",
        threshold=str(entry.operating_threshold) if entry.operating_threshold else None,
        threshold_from=entry.operating_threshold_from,
        results=0,
        failures={},
        used_in_training={_use_in_words(entry.used_in_training): 1},
        heat_maps=0,
    )


def _uses(version: AlgorithmVersion, rows: list[dict[str, Any]], declared: str) -> Mapping[str, int]:
    by_case = {row["case"]: row["used_in_training"] for row in rows}
    if by_case:
        return Counter(by_case.values())
    noted = Counter(
        AlgorithmCaseUse.objects.filter(participant=version.participant).values_list(
            "used_in_training", flat=True
        )
    )
    return noted or {_use_in_words(declared): 1}


def _use_in_words(declared: str) -> str:
    return UsedInTraining.NO if declared == "no" else UsedInTraining.UNKNOWN


def conduct(trial: Trial) -> Conduct:
    """Count what happened beside the plan."""
    answers = Response.objects.filter(reading__trial=trial).exclude(
        Q(reading__phase=PRACTICE) | Q(reading__state=ReadingState.VOIDED)
    )
    flags: Counter[str] = Counter()
    for told in answers.filter(number=1).values_list("flags", flat=True):
        flags.update(told)
    entries = AuditEntry.objects.filter(chain=str(trial.id))
    exclusions = exclusions_of(trial)
    return Conduct(
        flags=flags,
        corrections=answers.filter(number__gt=1).count(),
        late_submissions=LateSubmission.objects.filter(reading__trial=trial).count(),
        pauses=entries.filter(kind=AuditKind.TRIAL_PAUSED).count(),
        looks=entries.filter(kind=AuditKind.ANALYSIS_LOOKED).count(),
        amendments=_amendments(trial),
        queries=Counter(str(standing_of(one).state) for one in review_records(trial, kind=ReviewKind.QUERY)),
        deviations=_deviations(trial),
        analyses_of_parts=_analyses_of_parts(trial),
        outside_per_protocol=_readings_outside(trial, exclusions),
        results_outside_per_protocol=_results_outside(trial, exclusions),
        rehearsals=_rehearsals(trial),
        waivers=_waivers(trial),
        practice_readings=Reading.objects.filter(trial=trial, phase=PRACTICE, state__in=ANSWERED).count(),
    )


def _amendments(trial: Trial) -> tuple[Amendment, ...]:
    return tuple(
        Amendment(
            version.version, version.locked_at.date(), version.reason, tuple(one.words for one in changes)
        )
        for version, changes in amendments(trial)
        if version.locked_at is not None
    )


def _deviations(trial: Trial) -> tuple[DeviationCount, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    excluding: Counter[tuple[str, str]] = Counter()
    for one in review_records(trial, kind=ReviewKind.DEVIATION):
        standing = standing_of(one)
        key = (TOPICS[ReviewKind.DEVIATION].get(one.topic, one.topic), str(standing.severity or ""))
        counts[key] += 1
        excluding[key] += standing.excludes is True
    return tuple(DeviationCount(*key, counts[key], excluding[key]) for key in sorted(counts))


def _analyses_of_parts(trial: Trial) -> tuple[str, ...]:
    of_parts = trial.analyses.filter(state=AnalysisState.SUCCEEDED, options__has_key=WHERE)
    return tuple(
        f"{one.name} where {_part_in_words(one.options[WHERE])} ({one.created_at.date().isoformat()})"
        for one in of_parts.order_by("created_at")
    )


def _part_in_words(where: Mapping[str, str]) -> str:
    return " and ".join(f"{column} is {value}" for column, value in sorted(where.items()))


def _readings_outside(trial: Trial, exclusions: Exclusions) -> Mapping[str, int]:
    if not exclusions:
        return {}
    answered = Reading.objects.filter(trial=trial, state__in=ANSWERED).exclude(phase=PRACTICE)
    readings = answered.select_related("item").defer("environment", "item__outlines_a", "item__outlines_b")
    return _by_deviation(exclusions.flags(reading, reading.item) for reading in readings)


def _results_outside(trial: Trial, exclusions: Exclusions) -> Mapping[str, int]:
    results = results_current(trial).filter(case__purpose=CasePurpose.TRIAL)
    return _by_deviation(exclusions.result_flags(one.participant_id, one.case_id) for one in results)


def _by_deviation(flags: Iterable[Sequence[str]]) -> Mapping[str, int]:
    """Count what is excluded by the deviations that exclude it, in words."""
    words = TOPICS[ReviewKind.DEVIATION]
    topics = ([flag.partition(":")[2] for flag in own] for own in flags if own)
    return Counter(" and ".join(words.get(topic, topic) for topic in own) for own in topics)


def _rehearsals(trial: Trial) -> tuple[str, ...]:
    """Return what each lock could lean on: what was rehearsed later says nothing of it."""
    locks = trial.protocol_versions.filter(locked_at__isnull=False).values_list("sha256", "locked_at")
    by_lock = Q(pk__in=())
    for sha256, locked_at in locks:
        by_lock |= Q(protocol_sha256=sha256, finished_at__lte=locked_at)
    return tuple(
        f"{row.kind}, {row.repeats} run{'' if row.repeats == 1 else 's'} from seed {row.seed}, {row.state} on "
        f"{row.finished_at.date().isoformat()}"
        for row in trial.rehearsals.filter(by_lock).order_by("finished_at")
        if row.finished_at is not None
    )


def _waivers(trial: Trial) -> tuple[str, ...]:
    # Reasons can be erased, a report that was archived cannot be changed: it names the entry, not the words.
    entries = AuditEntry.objects.filter(chain=str(trial.id), kind=AuditKind.PROTOCOL_WAIVED)
    return tuple(
        f"waived in writing on {one.created_at.date().isoformat()} (entry {one.sequence} of the audit trail)"
        for one in entries.order_by("sequence")
    )
