"""Run analyses on the frozen data of a trial, or on data that were collected elsewhere, as jobs."""

import csv
import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from django.db import transaction
from django.utils import timezone

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.plan import ALL_SUBMITTED, PER_PROTOCOL, AnalysisPlan, build_options
from equipoise.analysis.registry import ANALYSIS_NAMES, analysis_method
from equipoise.analysis.restriction import deviations_of
from equipoise.analysis.results import AnalysisResult
from equipoise.analysis.run import run_analysis
from equipoise.analysis.schemas import READINGS, SCHEMAS
from equipoise.analysis.tables import Table, read_table, table_from_frame
from equipoise.analysis.write import POINTS, write_result
from equipoise.archive.storage import StoreKind, default_store
from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.common.collector import collector_slowed
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.jobs.services import job_create
from trials.domain.planned import (
    PlannedAnalysis,
    parameters_planned,
    planned_of,
    role_planned,
    set_planned,
)
from trials.domain.protocol.amendment import AMENDABLE_STATES
from trials.domain.protocol.questions import QuestionKind
from trials.domain.protocol.tasks import ContourReviewTask, Task
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import TrialState
from trials.models import Analysis, AnalysisState, ExternalTable, StoredBundle, Trial
from trials.selectors.bundle import bundle_excludes, bundle_tables_into, imported_bundle
from trials.selectors.external import (
    OF_THE_TRIAL,
    external_current,
    external_frame,
    external_sentence,
    is_concealed,
)
from trials.selectors.parts import parts_of
from trials.selectors.protocol import protocol_frozen, protocol_locked, protocol_of_version
from trials.selectors.reference import truth_for_analysis
from trials.selectors.segmentations import (
    SEGMENTATIONS_COLUMNS,
    algorithm_sources,
    has_segmentations,
    segmentations_rows,
)
from trials.selectors.tables import ANALYSIS_SET, EXTERNAL, WHERE, is_as_frozen, is_blinded, readings_rows
from trials.services.acts import Actor, record

OF_CONTOURS = ("observer-variability", "segmentation-performance")
"""Analyses of pairs of contours."""
FIGURE_FORMATS = ("svg", "png", "pdf")

LOOKED_STATES = (TrialState.DRAFT, *AMENDABLE_STATES)
"""In which reading a result is a look: before data lock."""
_COUNTED = (
    QuestionKind.CHOICE,
    QuestionKind.LIKERT,
    QuestionKind.YES_NO,
    QuestionKind.INTEGER,
    QuestionKind.NUMBER,
)
"""Kinds of questions whose answers the survey counts: not words, and not several choices at once."""


class FrozenReadings:
    """A trial's readings as data lock froze them: read once, and held against the frozen hash once.

    Whoever makes several analyses or tables of one trial hands the same object to each.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._rows: list[dict[str, Any]] | None = None
        self._table: Table | None = None
        self._is_checked = not trial.data_sha256

    def require_unchanged(self) -> None:
        """Refuse where the readings differ from those that were frozen; before data lock there is nothing to hold."""
        if self._is_checked:
            return
        if not is_as_frozen(self._trial, self.rows()):
            raise StateConflictError(
                "The readings differ from those frozen at data lock. Verify the audit trail before anything is "
                "analysed.",
                data={"state": self._trial.state, "allowed": []},
            )
        self._is_checked = True

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of :func:`~trials.selectors.tables.readings_rows`, unblinded."""
        if self._rows is None:
            with collector_slowed():
                self._rows = list(readings_rows(self._trial, unblinded=True))
        return self._rows

    def tables(self, name: str) -> dict[str, Table]:
        """Return what an analysis of the trial's own readings takes: contours in pairs, or the readings."""
        if name in OF_CONTOURS and has_segmentations(self._trial):
            self.require_unchanged()
            pairs = [
                [row[column] for column in SEGMENTATIONS_COLUMNS] for row in segmentations_rows(self._trial)
            ]
            return {"segmentations": Table.of_rows("segmentations", list(SEGMENTATIONS_COLUMNS), pairs)}
        self.require_unchanged()
        if self._table is None:
            rows = self.rows()
            columns = list(rows[0]) if rows else [column.name for column in READINGS.columns]
            table = Table.of("readings", {name: [row[name] for row in rows] for name in columns})
            self._table = table_from_frame(table, READINGS)
        return {"readings": self._table}


def analysis_request(
    trial: Trial,
    *,
    name: str,
    options: Mapping[str, Any],
    external_table: ExternalTable | None,
    actor: Actor,
    analysis_set: str | None = None,
    where: Mapping[str, str] | None = None,
) -> Analysis:
    """Queue an analysis of the planned set of readings, or of another one; with ``where`` of a part of it.

    An analysis of a part is exploratory, whatever the plan names.

    The trial's own readings are analysed after unblinding only, and so are external data that the plan names or that
    what is measured here is set beside; other imported tables at any time. Whoever reads the result of one before
    data lock takes a look, see :func:`analyses_looked_at`.
    """
    if name not in ANALYSIS_NAMES:
        raise ValidationFailedError.of_fields(
            {"/name": f"There is no analysis {name!r}; there are {', '.join(ANALYSIS_NAMES)}."}
        )
    if taken := sorted({EXTERNAL, ANALYSIS_SET, WHERE} & options.keys()):
        raise ValidationFailedError.of_fields(
            {f"/options/{one}": "This is no parameter of the method; it is said by itself." for one in taken}
        )
    if analysis_set is not None and external_table is not None:
        raise ValidationFailedError.of_fields(
            {
                "/analysis_set": "Deviations are recorded of readings given here; of imported tables all rows enter."
            }
        )
    if where and external_table is not None:
        raise ValidationFailedError.of_fields(
            {"/where": "Parts are of readings given here; an imported table is analysed whole."}
        )
    data = external_table.key if external_table is not None else ""
    with transaction.atomic():
        # An amendment holds the trial too: it sees this analysis, or this sees what it declares.
        trial = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        if data and external_table != external_current(trial, data):
            raise StateConflictError(
                f"The data '{data}' were imported anew since; analyse the newest version.",
                data={"state": trial.state, "allowed": []},
            )
        if is_blinded(trial) if external_table is None else is_concealed(trial, external_table):
            raise StateConflictError(
                f"The trial is {trial.state}: results by arm are computed after unblinding.",
                data={"state": trial.state, "allowed": []},
            )
        _require_parts(trial, where or {})
        protocol = protocol_frozen(trial)
        wanted = PlannedAnalysis(name, data)
        other_set = analysis_set is not None and analysis_set != _set_of(protocol, wanted)
        wanted = replace(wanted, full_set=other_set and analysis_set == ALL_SUBMITTED)
        # With options of one's own, or of another set, it is another analysis than the one that was planned.
        is_named = wanted in planned_analyses(trial) and (wanted.full_set or not other_set)
        planned = not options and not where and is_named and (external_table is None or bool(data))
        analysis = Analysis.objects.create(
            trial=trial,
            name=name,
            data_key=data,
            exploratory=not planned,
            options={
                **options,
                **({EXTERNAL: str(external_table.id)} if external_table is not None else {}),
                **({ANALYSIS_SET: analysis_set} if other_set else {}),
                **({WHERE: dict(where)} if where else {}),
            },
            created_at=timezone.now(),
        )
        job = job_create(
            kind="trials.analyse",
            trial_id=trial.id,
            created_by_id=actor.account_id,
            items=[(str(analysis.id), {"analysis_id": str(analysis.id)})],
            unit="analysis",
        )
        Analysis.objects.filter(id=analysis.id).update(job_id=job.id)
        analysis.job_id = job.id
        record(
            trial,
            AuditKind.ANALYSIS_RUN,
            actor=actor,
            subject=f"analysis:{analysis.id}",
            after={"name": name, "exploratory": not planned}
            | ({"data": data} if data else {})
            | ({"analysis_set": analysis_set} if other_set else {})
            | ({"where": dict(where)} if where else {}),
        )
    return analysis


def analyses_looked_at(trial: Trial, analyses: Iterable[Analysis], *, actor: Actor) -> None:
    """Record that somebody reads results before data lock: one look per person and analysis, whenever it was asked for.

    Called before the results are handed out. A look after protocol lock ends amendments of the plan; one at a draft
    is told with the others, but the plan was locked with that knowledge.
    """
    read = {f"analysis:{one.id}": one for one in analyses if one.state == AnalysisState.SUCCEEDED}
    if not read or trial.state not in LOOKED_STATES:
        return
    looks = AuditEntry.objects.filter(
        chain=str(trial.id), kind=AuditKind.ANALYSIS_LOOKED, actor_id=actor.account_id
    )
    if read.keys() <= set(looks.values_list("subject", flat=True)):
        return
    with transaction.atomic():
        # An amendment holds the trial too: it sees this look, or was made before it.
        held = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        if held.state not in LOOKED_STATES:
            return
        known = set(looks.values_list("subject", flat=True))
        for subject, one in read.items():
            if subject not in known:
                record(
                    held,
                    AuditKind.ANALYSIS_LOOKED,
                    actor=actor,
                    subject=subject,
                    after={
                        "name": one.name,
                        "external_table": one.options.get(EXTERNAL),
                        "state": held.state,
                    },
                )


def _require_parts(trial: Trial, where: Mapping[str, str]) -> None:
    known = {one.column: one.values for one in parts_of(trial)} if where else {}
    problems = {
        f"/where/{column}": f"The readings have no part where {column} is {value!r}."
        for column, value in where.items()
        if value not in known.get(column, ())
    }
    if problems:
        raise ValidationFailedError.of_fields(problems)


def _set_of(protocol: ProtocolV1 | None, planned: PlannedAnalysis) -> str:
    return set_planned(protocol, planned) if protocol is not None else ALL_SUBMITTED


def planned_analyses(trial: Trial) -> tuple[PlannedAnalysis, ...]:
    """Return the analyses that the locked plan names."""
    protocol = protocol_frozen(trial)
    return planned_of(protocol) if protocol is not None else ()


def analysis_compute(analysis: Analysis) -> dict[str, Any]:
    """Compute one analysis into a new file of the trial's store; return what its row will hold."""
    trial = analysis.trial
    result = analysis_result(analysis)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_result(result, Path(folder), formats=(*FIGURE_FORMATS, POINTS))
        stored = default_store().write(
            lambda sink: _zip_into(sink, Path(folder), paths),
            institute_id=trial.institute_id,
            trial_id=trial.id,
            kind=StoreKind.EXPORTS,
        )
    results = result.to_json()
    # A database may keep an object's keys in an order of its own; people read tables in the method's.
    results["order"] = {"tables": list(result.tables), "figures": list(result.figures)}
    return {"results": results, "files_key": stored.key, "data_sha256": result.data_sha256}


def analysis_result(analysis: Analysis, frozen: FrozenReadings | None = None) -> AnalysisResult:
    """Run one analysis on the trial's frozen readings, or on the imported table that it is of."""
    trial = analysis.trial
    frozen = frozen or FrozenReadings(trial)
    external = analysis.options.get(EXTERNAL)
    parameters = {
        key: value for key, value in analysis.options.items() if key not in (EXTERNAL, ANALYSIS_SET, WHERE)
    }
    if external is not None:
        table = ExternalTable.objects.get(id=uuid.UUID(external), trial=trial)
        return _external_result(analysis, table, parameters, frozen)
    if (bundle := imported_bundle(trial)) is not None:
        return _imported_result(analysis, bundle, parameters)
    if analysis.data_key:
        current = external_current(trial, analysis.data_key)
        if current is None:
            raise StateConflictError(
                f"The external data '{analysis.data_key}' were not imported.",
                data={"state": trial.state, "allowed": []},
            )
        return _external_result(analysis, current, parameters, frozen)
    tables = frozen.tables(analysis.name)
    protocol = protocol_of_version(protocol_locked(trial))
    plan = _plan_of(protocol, analysis, parameters)
    has_truth = trial.cases.exclude(reference_standards=None).exists()
    of_covariate = not plan.where.keys() <= tables.get("readings", {}).keys()
    if of_covariate or (has_truth and _takes_truth(analysis.name, plan)):
        tables["truth"] = _truth(trial)
    return run_analysis(analysis.name, tables, plan=plan, rng_seed=protocol.seeds.analysis)


def _plan_of(protocol: ProtocolV1, analysis: Analysis, parameters: Mapping[str, Any]) -> AnalysisPlan:
    return plan_of_protocol(
        protocol,
        analysis.name,
        parameters,
        exploratory=analysis.exploratory,
        analysis_set=analysis.options.get(ANALYSIS_SET),
        where=analysis.options.get(WHERE),
    )


def _external_result(
    analysis: Analysis, table: ExternalTable, parameters: Mapping[str, Any], frozen: FrozenReadings
) -> AnalysisResult:
    """Run one analysis on a table that was collected elsewhere; the result says so before anything else."""
    trial = analysis.trial
    if not is_blinded(trial) and imported_bundle(trial) is None:
        frozen.require_unchanged()
    protocol = protocol_frozen(trial)
    if protocol is None or not table.key:
        plan = AnalysisPlan(
            parameters={**(table.rule if analysis.name == "preference" else {}), **parameters}
        )
    else:
        plan = _plan_of_external(protocol, analysis, table, parameters)
    tables = {table.kind: external_frame(table)}
    beside = table.patients == OF_THE_TRIAL and trial.cases.exclude(reference_standards=None).exists()
    if beside and _takes_truth(analysis.name, plan):
        tables["truth"] = _truth(trial)
    seed = protocol.seeds.analysis if protocol is not None else None
    found = run_analysis(analysis.name, tables, plan=plan, rng_seed=seed)
    return replace(found, notes=(external_sentence(table), *found.notes))


def _plan_of_external(
    protocol: ProtocolV1, analysis: Analysis, table: ExternalTable, parameters: Mapping[str, Any]
) -> AnalysisPlan:
    """Return how the protocol has external data analysed: its settings for readings given here do not apply."""
    planned = parameters_planned(protocol, analysis.name, table.key)
    own = {**(planned or (table.rule if analysis.name == "preference" else {})), **parameters}
    if "n_resamples" in analysis_method(analysis.name).options.__dataclass_fields__:  # type: ignore[attr-defined]  # always a dataclass
        own.setdefault("n_resamples", protocol.analysis_plan.bootstrap_resamples)
    role = "exploratory" if analysis.exploratory else role_planned(protocol, analysis.name, table.key)
    return AnalysisPlan(
        role=role,
        confidence_level=float(protocol.analysis_plan.confidence_level),
        seed=protocol.seeds.analysis,
        parameters=own,
    )


def _imported_result(
    analysis: Analysis, bundle: StoredBundle, parameters: Mapping[str, Any]
) -> AnalysisResult:
    """Run one analysis on the tables of the bundle that the trial was brought here as."""
    protocol = protocol_of_version(protocol_locked(analysis.trial))
    plan = _plan_of(protocol, analysis, parameters)
    with tempfile.TemporaryDirectory() as folder:
        tables = bundle_tables_into(bundle, Path(folder))
        method = analysis_method(analysis.name)
        taken = set(method.needs(build_options(method.options, plan.parameters)))
        if analysis.name in OF_CONTOURS and "segmentations" in tables:
            taken.discard("readings")
        if plan.where and not plan.where.keys() <= _columns_of(tables["readings"]):
            taken.add("truth")  # a covariate stands with the reference standard
        tables = {name: path for name, path in tables.items() if name in taken}
        if plan.analysis_set == PER_PROTOCOL and bundle_excludes(bundle):
            _require_flags(tables)
        return run_analysis(
            analysis.name,
            tables,
            plan=plan,
            rng_seed=protocol.seeds.analysis,
        )


def _columns_of(path: Path) -> set[str]:
    with path.open(encoding="utf-8", newline="") as source:
        return set(next(csv.reader(source), ()))


def _require_flags(tables: Mapping[str, Path]) -> None:
    """Refuse tables without one flag of the per-protocol set: older bundles do not say in them who is outside it."""
    read = [
        read_table(tables[name], SCHEMAS[name]) for name in ("readings", "segmentations") if name in tables
    ]
    flags = (one for table in read if "flags" in table for one in table.text("flags").tolist())
    if not any(deviations_of(one) for one in flags):
        reason = (
            "A deviation takes readings out of the per-protocol set, and no row of this bundle's tables says so: "
            "it was made before they did. The per-protocol set cannot be told from it."
        )
        raise AnalysisInputError([reason])


def _zip_into(sink: BinaryIO, folder: Path, paths: Sequence[Path]) -> None:
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted(paths):
            bundle.write(path, path.relative_to(folder).as_posix())


def analysis_store(analysis_id: uuid.UUID, computed: Mapping[str, Any]) -> None:
    """Name a computed analysis by its row; called in the transaction that marks its job item done."""
    Analysis.objects.filter(id=analysis_id).update(
        state=AnalysisState.SUCCEEDED, finished_at=timezone.now(), message="", **computed
    )


def analysis_fail(analysis_id: uuid.UUID, message: str) -> None:
    """Note why an analysis could not be computed."""
    Analysis.objects.filter(id=analysis_id).update(
        state=AnalysisState.FAILED, finished_at=timezone.now(), message=message
    )


def _takes_truth(name: str, plan: AnalysisPlan) -> bool:
    method = analysis_method(name)
    return "truth" in method.needs(build_options(method.options, plan.parameters))


def _truth(trial: Trial) -> Table:
    rows = truth_for_analysis(trial)
    columns = list(rows[0]) if rows else ["case", "item", "truth"]
    return Table.of_rows("truth", columns, [[row[name] for name in columns] for row in rows])


def _of_conditions(protocol: ProtocolV1, own: dict[str, Any]) -> None:
    """Say which conditions a multi-reader analysis compares: the aided one against the unaided one."""
    design = protocol.allocation.design
    unaided = next((one.key for one in design.conditions if one.aid is None), None)
    aided = next(
        (one.key for one in design.conditions if one.aid is not None and one.aid.sham == "none"), None
    )
    if unaided is not None and aided is not None:
        own.setdefault("first", aided)
        own.setdefault("second", unaided)
        own.setdefault("aided", aided)
        own.setdefault("unaided", unaided)
    own.setdefault("sequential", design.kind == "sequential")
    primary = protocol.analysis_plan.primary
    if primary is not None and primary.hypothesis is not None and primary.hypothesis.margin is not None:
        own.setdefault("margin", float(primary.hypothesis.margin))
    if primary is not None and primary.analysis == "mrmc":
        # To whom the result shall apply: these readers and cases, or others like them.
        own |= {
            name: value
            for name, value in (("readers", primary.readers), ("cases", primary.cases))
            if value is not None and name not in own
        }


def plan_of_protocol(
    protocol: ProtocolV1,
    name: str,
    parameters: Mapping[str, Any],
    *,
    exploratory: bool = False,
    analysis_set: str | None = None,
    where: Mapping[str, str] | None = None,
) -> AnalysisPlan:
    """Return how the protocol has an analysis done; ``parameters`` and ``analysis_set`` go before what it says."""
    plan = protocol.analysis_plan
    planned_set = set_planned(protocol, PlannedAnalysis(name))
    analysis_set = analysis_set or planned_set
    role = "exploratory" if exploratory else role_planned(protocol, name)
    if role == "primary" and analysis_set != planned_set:
        role = "secondary"  # what stands beside the primary analysis is never a second one
    own: dict[str, Any] = {**parameters_planned(protocol, name), **parameters}
    if name == "preference":
        task = protocol.preference
        if task is not None and task.candidates is not None:
            own.setdefault("algorithm", task.candidates.b.source)
        own.setdefault("primary_time", protocol.timing.primary_time)
        own.setdefault("n_resamples", plan.bootstrap_resamples)
    if name == "agreement" and protocol.preference is not None:
        # Of pairs, what is agreed upon is whose contour was preferred; the blinding check asks another question.
        own.setdefault("column", "preferred")
        own.setdefault("task", protocol.preference.kind)
    if name == "observer-variability":
        own.setdefault("algorithms", list(algorithm_sources(protocol)))
    kind = protocol.task.kind if protocol.task is not None else None
    if name in ("mrmc", "roc", "operating-point"):
        own.setdefault("task", kind)
        own.setdefault("n_resamples", plan.bootstrap_resamples)
    if name == "mrmc":
        _of_conditions(protocol, own)
    if name in ("roc", "operating-point"):
        thresholds = [one.operating_threshold for one in protocol.algorithms if one.operating_threshold]
        if len(thresholds) == 1:
            own.setdefault("threshold", float(thresholds[0]))
    target = protocol.items.prevalence.target_percent
    if name == "operating-point" and target is not None:
        own.setdefault("prevalence", float(target) / 100)
    if name == "reading-time":
        own.setdefault("time", protocol.timing.primary_time)
        # The blinding check asks another question; its times never enter the trial's.
        own.setdefault("task", kind)
    if name == "survey" and protocol.task is not None:
        for parameter, value in _survey_parameters(protocol.task).items():
            own.setdefault(parameter, value)
    return AnalysisPlan(
        role=role,
        confidence_level=float(plan.confidence_level),
        seed=protocol.seeds.analysis,
        parameters=own,
        analysis_set=analysis_set,
        where=dict(where or {}),
    )


def _survey_parameters(task: Task) -> dict[str, Any]:
    """Return which columns are questions with an answer to count, and the order of those that have one."""
    if isinstance(task, ContourReviewTask):
        steps = ",".join(str(step) for step in range(1, len(task.acceptability) + 1))
        asked = ["acceptability", "verdict", *(["origin_guess"] if task.origin_question is not None else [])]
        return {"questions": asked, "levels_of": {"acceptability": steps}, "task": task.kind}
    counted = [one for one in task.form_questions if one.kind in _COUNTED]
    return {
        "questions": [one.key for one in counted],
        "levels_of": {
            one.key: ",".join(option.value for option in one.options)
            for one in counted
            if one.kind is QuestionKind.LIKERT
        },
        "task": task.kind,
    }
