"""Data that were collected elsewhere come in as a table: every cell checked, whole or not at all."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import rfc8785
from django.db import transaction
from django.utils import timezone

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.schemas import SCHEMAS
from equipoise.analysis.tables import Table, read_table
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, ValidationFailedError, VersionConflictError
from trials.domain.protocol.v1 import ExternalData
from trials.domain.state_acts import StateAct, is_open_to
from trials.domain.states import TrialState
from trials.domain.storable import storable, storable_text
from trials.models import CasePurpose, ExternalTable, Trial
from trials.selectors.external import OF_THE_TRIAL, external_current, external_terms
from trials.selectors.measurements import MEASURED_PREFIXES
from trials.selectors.protocol import protocol_frozen, protocol_locked, protocol_of_version
from trials.services.acts import Actor, record

NEEDED = {
    "readings": ("participant",),
    "segmentations": ("case", "first", "second", "kind"),
    "survival": ("case", "time", "event"),
}
"""Columns without which a table is none of its kind."""
TAKES_PLANNED = frozenset({TrialState.LOCKED, TrialState.OPEN, TrialState.PAUSED, TrialState.CLOSED})
"""What the plan analyses is named at protocol lock, and does not change after data lock."""
_MAX_NAME = 200


def external_table_import(
    trial: Trial,
    *,
    content: bytes,
    file_name: str,
    actor: Actor,
    key: str = "",
    kind: str = "readings",
    patients: str = "other",
    columns: Mapping[str, str] | None = None,
    rule: Mapping[str, str] | None = None,
) -> ExternalTable:
    """Keep a tidy table that was collected elsewhere, after checking every cell; the same table again changes nothing.

    Where the locked protocol declares data of that ``key``, it says which table they are, whose patients, and under
    which names the file keeps known columns; what is given here is then left aside. A table of a key that is there
    already replaces it as a new version; planned data until data lock alone.

    Rows that mark both candidates or neither are surfaced with their row number; what becomes of them is the rule's.

    Raises
    ------
    AnalysisInputError
        Naming file, row and column of everything that is wrong. Nothing is stored.
    StateConflictError
        If the trial's state does not take these data.
    """
    given_columns, rule = dict(columns or {}), dict(rule or {})
    declared = _declared(trial, key)
    if declared is not None:
        terms = external_terms(protocol_of_version(protocol_locked(trial)), declared)
        kind, patients, given_columns, rule = (
            terms[name] for name in ("kind", "patients", "columns", "rule")
        )
    table = _read(content, file_name, kind=kind, columns=given_columns)
    _require_cases(trial, table, patients=patients)
    body = table_body(table)
    sha256 = body_sha256(body)
    with transaction.atomic():
        held = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        if _declared(held, key) != declared:
            raise VersionConflictError(
                f"What the protocol says of the data '{key}' was amended while the table was read. Import it again."
            )
        _require_state(held, declared, key)
        before = (
            external_current(held, key)
            if key
            else held.external_tables.filter(key="", kind=kind, sha256=sha256).first()
        )
        facts = {"kind": kind, "patients": patients, "columns": given_columns, "rule": rule, "sha256": sha256}
        if before is not None and all(getattr(before, name) == value for name, value in facts.items()):
            return before
        if before is not None and not key:
            return before
        kept = ExternalTable.objects.create(
            trial=held,
            key=key,
            version=before.version + 1 if before is not None else 1,
            file_name=storable_text(PurePath(file_name).name)[:_MAX_NAME],
            file_sha256=hashlib.sha256(content).hexdigest(),
            rows=body,
            row_count=table.n_rows,
            surfaced=surfaced_rows(table, rule),
            imported_at=timezone.now(),
            **facts,
        )
        record(
            trial,
            AuditKind.RESULT_REPLACED if before is not None else AuditKind.RESULT_RECEIVED,
            actor=actor,
            subject=f"external_table:{kept.id}",
            before={"version": before.version, "sha256": before.sha256} if before is not None else None,
            after={
                "key": key,
                "table": kind,
                "version": kept.version,
                "rows": kept.row_count,
                "sha256": sha256,
                "file_sha256": kept.file_sha256,
                "rule": rule,
            },
        )
    return kept


def _declared(trial: Trial, key: str) -> ExternalData | None:
    protocol = protocol_frozen(trial)
    return protocol.external(key) if protocol is not None and key else None


def _require_state(trial: Trial, declared: ExternalData | None, key: str) -> None:
    if key and trial.state == TrialState.DRAFT:
        raise StateConflictError(
            "The trial is draft: data with a name are taken after protocol lock, which says what is planned.",
            data={"state": trial.state, "allowed": []},
        )
    if declared is not None and trial.state not in TAKES_PLANNED:
        raise StateConflictError(
            f"The trial is {trial.state}: the data '{declared.key}' enter the planned analyses and no longer change. "
            "Import the table under another name; analyses of it are exploratory.",
            data={"state": trial.state, "allowed": []},
        )
    if not is_open_to(trial.state, StateAct.IMPORT_TABLE):
        raise StateConflictError(
            f"The trial is {trial.state} and takes no data any more.",
            data={"state": trial.state, "allowed": []},
        )


def _read(content: bytes, file_name: str, *, kind: str, columns: Mapping[str, str]) -> Table:
    if kind not in NEEDED:
        raise ValidationFailedError.of_fields(
            {"/table": f"{kind!r} is not a table that can be imported: {', '.join(NEEDED)}."}
        )
    name = PurePath(file_name.replace("\\", "/")).name or "table.csv"
    if not PurePath(name).suffix:
        name += ".csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / storable_text(name)[-_MAX_NAME:]
        path.write_bytes(content)
        return read_table(path, SCHEMAS[kind], required=NEEDED[kind], columns=columns)


def _require_cases(trial: Trial, table: Table, *, patients: str) -> None:
    """Refuse codes that are none of the trial's, and columns that bear the name of what is measured here."""
    problems: list[str] = []
    if patients == OF_THE_TRIAL:
        known = set(trial.cases.filter(purpose=CasePurpose.TRIAL).values_list("code", flat=True))
        problems += [
            f"{table.name} row {number}, column case: there is no case '{case}' in the trial."
            for number, case in _cases(table)
            if case not in known
        ]
        problems += [
            f"{table.name}: column '{name}' has the name of what is measured here; give it another."
            for name in table
            if name.startswith(MEASURED_PREFIXES)
        ]
        if "case" not in table:
            problems.append(f"{table.name}: column 'case' is missing; it holds the trial's codes of cases.")
    if problems:
        raise AnalysisInputError(problems)


def _cases(table: Table) -> list[tuple[int, str]]:
    if "case" not in table:
        return []
    return list(zip(table.row_numbers.tolist(), table.text("case").tolist(), strict=True))


def table_body(table: Table) -> dict[str, Any]:
    """Return a table as it is kept: names of columns, and rows of numbers, texts and ``None``."""
    names = list(table)
    listed = [table[name].tolist() for name in names]
    rows = [
        [None if value != value or value == "" else storable(value) for value in row]
        for row in zip(*listed, strict=True)
    ]
    return {"columns": names, "rows": rows}


def body_sha256(body: Mapping[str, Any]) -> str:
    """Return the hash of a table as it is kept."""
    return hashlib.sha256(rfc8785.dumps(dict(body))).hexdigest()


def surfaced_rows(table: Table, rule: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows that mark both candidates or neither, by the two mark columns the rule names."""
    ours, theirs = rule.get("algorithm_mark"), rule.get("other_mark")
    if not ours or not theirs:
        return []
    absent = [name for name in (ours, theirs) if name not in table]
    if absent:
        raise AnalysisInputError(
            f"{table.name}: there is no column '{name}' that marks a contour." for name in absent
        )
    a, b = table.numbers(ours), table.numbers(theirs)
    rows = []
    for index, number in enumerate(table.row_numbers.tolist()):
        if a[index] == 1 and b[index] == 1:
            rows.append({"row": number, "problem": "both"})
        elif a[index] != 1 and b[index] != 1:
            rows.append({"row": number, "problem": "neither"})
    return rows
