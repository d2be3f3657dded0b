"""Run analyses on the frozen data of a trial, as jobs; import readings that were collected elsewhere."""

import hashlib
import tempfile
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import rfc8785
from django.db import transaction
from django.utils import timezone

from equipoise.analysis.plan import AnalysisPlan, build_options
from equipoise.analysis.registry import ANALYSIS_NAMES, analysis_method
from equipoise.analysis.results import AnalysisResult
from equipoise.analysis.run import run_analysis
from equipoise.analysis.schemas import READINGS
from equipoise.analysis.tables import Table, read_table
from equipoise.analysis.write import write_result
from equipoise.archive.storage import StoreKind, default_store
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.jobs.services import job_create
from trials.domain.protocol.questions import QuestionKind
from trials.domain.protocol.tasks import ContourReviewTask, Task
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.storable import storable
from trials.models import Analysis, AnalysisState, ExternalTable, StoredBundle, Trial
from trials.selectors.bundle import bundle_tables_into, imported_bundle
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reference import truth_for_analysis
from trials.selectors.segmentations import (
    SEGMENTATIONS_COLUMNS,
    algorithm_sources,
    has_segmentations,
    segmentations_rows,
)
from trials.selectors.tables import EXTERNAL, is_blinded, readings_rows, snapshot_sha256
from trials.services.acts import Actor, record

OF_CONTOURS = ("observer-variability", "segmentation-performance")
"""Analyses of pairs of contours."""
FIGURE_FORMATS = ("svg", "png", "pdf")

_COUNTED = (
    QuestionKind.CHOICE,
    QuestionKind.LIKERT,
    QuestionKind.YES_NO,
    QuestionKind.INTEGER,
    QuestionKind.NUMBER,
)
"""Kinds of questions whose answers the survey counts: not words, and not several choices at once."""


def analysis_request(
    trial: Trial, *, name: str, options: Mapping[str, Any], external_table: ExternalTable | None, actor: Actor
) -> Analysis:
    """Queue an analysis. The trial's own readings are analysed after unblinding only; imported tables at any time."""
    if name not in ANALYSIS_NAMES:
        raise ValidationFailedError.of_fields(
            {"/name": f"There is no analysis {name!r}; there are {', '.join(ANALYSIS_NAMES)}."}
        )
    if external_table is None and is_blinded(trial):
        raise StateConflictError(
            f"The trial is {trial.state}: results by arm are computed after unblinding.",
            data={"state": trial.state, "allowed": []},
        )
    # With options of one's own it is another analysis than the one that was planned.
    planned = external_table is None and not options and name in planned_analyses(trial)
    with transaction.atomic():
        analysis = Analysis.objects.create(
            trial=trial,
            name=name,
            exploratory=not planned,
            options={**options, **({EXTERNAL: str(external_table.id)} if external_table is not None else {})},
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
            after={"name": name, "exploratory": not planned},
        )
    return analysis


def planned_analyses(trial: Trial) -> set[str]:
    """Return the names of the analyses that the locked plan names."""
    plan = protocol_of_version(protocol_locked(trial)).analysis_plan
    named = {endpoint.analysis for endpoint in plan.secondary}
    if plan.primary is not None:
        named.add(plan.primary.analysis)
    return {name.replace("_", "-") for name in named}


def analysis_compute(analysis: Analysis) -> dict[str, Any]:
    """Compute one analysis into a new file of the trial's store; return what its row will hold."""
    trial = analysis.trial
    result = analysis_result(analysis)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_result(result, Path(folder), formats=FIGURE_FORMATS)
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


def analysis_result(analysis: Analysis) -> AnalysisResult:
    """Run one analysis on the trial's frozen readings, or on the imported table that its options name."""
    trial = analysis.trial
    external = analysis.options.get(EXTERNAL)
    parameters = {key: value for key, value in analysis.options.items() if key != EXTERNAL}
    if external is not None:
        kept = ExternalTable.objects.get(id=uuid.UUID(external), trial=trial)
        table = external_frame(kept)
        parameters = {**(kept.rule if analysis.name == "preference" else {}), **parameters}
        protocol = None
        tables = {"readings": table}
    elif (bundle := imported_bundle(trial)) is not None:
        return _imported_result(analysis, bundle, parameters)
    else:
        _require_frozen(trial)
        tables = _own_tables(trial, analysis.name)
        protocol = protocol_of_version(protocol_locked(trial))
    plan = _plan(analysis, protocol, parameters)
    has_truth = trial.cases.exclude(reference_standards=None).exists()
    if external is None and has_truth and _takes_truth(analysis.name, plan):
        tables["truth"] = _truth(trial)
    return run_analysis(analysis.name, tables, plan=plan, rng_seed=_seed(protocol))


def _imported_result(
    analysis: Analysis, bundle: StoredBundle, parameters: Mapping[str, Any]
) -> AnalysisResult:
    """Run one analysis on the tables of the bundle that the trial was brought here as."""
    protocol = protocol_of_version(protocol_locked(analysis.trial))
    plan = _plan(analysis, protocol, parameters)
    with tempfile.TemporaryDirectory() as folder:
        tables = bundle_tables_into(bundle, Path(folder))
        method = analysis_method(analysis.name)
        taken = set(method.needs(build_options(method.options, plan.parameters)))
        if analysis.name in OF_CONTOURS and "segmentations" in tables:
            taken.discard("readings")
        return run_analysis(
            analysis.name,
            {name: path for name, path in tables.items() if name in taken},
            plan=plan,
            rng_seed=_seed(protocol),
        )


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


def _require_frozen(trial: Trial) -> None:
    if trial.data_sha256 and snapshot_sha256(trial) != trial.data_sha256:
        raise StateConflictError(
            "The readings differ from those frozen at data lock. Verify the audit trail before anything is analysed.",
            data={"state": trial.state, "allowed": []},
        )


def _own_tables(trial: Trial, name: str) -> dict[str, Table]:
    """Return what an analysis of the trial's own readings takes: contours in pairs, or the readings."""
    if name in OF_CONTOURS and has_segmentations(trial):
        rows = [[row[column] for column in SEGMENTATIONS_COLUMNS] for row in segmentations_rows(trial)]
        return {"segmentations": Table.of_rows("segmentations", list(SEGMENTATIONS_COLUMNS), rows)}
    columns, rows = _columns_and_rows(trial)
    return {"readings": Table.of_rows("readings", columns, rows)}


def _columns_and_rows(trial: Trial) -> tuple[list[str], list[list[Any]]]:
    rows = list(readings_rows(trial, unblinded=True))
    columns = list(rows[0]) if rows else [column.name for column in READINGS.columns]
    return columns, [[row[name] for name in columns] for row in rows]


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


def _plan(analysis: Analysis, protocol: ProtocolV1 | None, parameters: Mapping[str, Any]) -> AnalysisPlan:
    if protocol is None:
        return AnalysisPlan(parameters=parameters)
    return plan_of_protocol(protocol, analysis.name, parameters, exploratory=analysis.exploratory)


def plan_of_protocol(
    protocol: ProtocolV1, name: str, parameters: Mapping[str, Any], *, exploratory: bool = False
) -> AnalysisPlan:
    """Return how the protocol has an analysis done; ``parameters`` go before what it says."""
    plan = protocol.analysis_plan
    primary = plan.primary is not None and plan.primary.analysis.replace("_", "-") == name
    role = "exploratory" if exploratory else ("primary" if primary else "secondary")
    own = dict(parameters)
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
    if name == "reading-time":
        own.setdefault("time", protocol.timing.primary_time)
        # The blinding check asks another question; its times never enter the trial's.
        own.setdefault("task", kind)
    if name == "survey" and protocol.task is not None:
        for parameter, value in _survey_parameters(protocol.task).items():
            own.setdefault(parameter, value)
    return AnalysisPlan(
        role=role, confidence_level=float(plan.confidence_level), seed=protocol.seeds.analysis, parameters=own
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


def _seed(protocol: ProtocolV1 | None) -> int | None:
    return protocol.seeds.analysis if protocol is not None else None


def external_frame(table: ExternalTable) -> Table:
    """Return an imported table as the analyses take it."""
    columns = table.rows["columns"]
    return Table.of_rows("readings", columns, table.rows["rows"])


def external_table_import(
    trial: Trial,
    *,
    content: bytes,
    file_name: str,
    rule: Mapping[str, str],
    columns: Mapping[str, str],
    actor: Actor,
) -> ExternalTable:
    """Keep a tidy table of readings collected elsewhere, after checking every cell.

    Rows that mark both candidates or neither are surfaced with their row number; what becomes of them is the rule's.
    ``columns`` says under which names the file keeps columns that we know (``{"group": "speciality"}``).
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"readings{Path(file_name).suffix.lower() or '.csv'}"
        path.write_bytes(content)
        table = read_table(path, READINGS, columns=columns)
    names = list(table)
    listed = [table[name].tolist() for name in names]
    rows = [
        [None if value != value or value == "" else storable(value) for value in row]
        for row in zip(*listed, strict=True)
    ]
    body: dict[str, Any] = {"columns": names, "rows": rows}
    sha256 = hashlib.sha256(rfc8785.dumps(body)).hexdigest()
    with transaction.atomic():
        kept, created = ExternalTable.objects.get_or_create(
            trial=trial,
            kind="readings",
            sha256=sha256,
            defaults={
                "rows": body,
                "row_count": len(rows),
                "rule": dict(rule),
                "surfaced": surfaced_rows(table, rule),
                "imported_at": timezone.now(),
            },
        )
        if created:
            record(
                trial,
                AuditKind.RESULT_RECEIVED,
                actor=actor,
                subject=f"external_table:{kept.id}",
                after={"rows": len(rows), "sha256": sha256, "rule": dict(rule)},
            )
    return kept


def surfaced_rows(table: Table, rule: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows that mark both candidates or neither, by the two mark columns the rule names."""
    ours, theirs = rule.get("algorithm_mark"), rule.get("other_mark")
    if not ours or not theirs:
        return []
    a, b = table.numbers(ours), table.numbers(theirs)
    rows = []
    for index, number in enumerate(table.row_numbers.tolist()):
        if a[index] == 1 and b[index] == 1:
            rows.append({"row": number, "problem": "both"})
        elif a[index] != 1 and b[index] != 1:
            rows.append({"row": number, "problem": "neither"})
    return rows
