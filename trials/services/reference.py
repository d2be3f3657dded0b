"""The reference standard and covariates of cases come in as a table: whole or not at all."""

from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone

from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError
from trials.domain.reference_table import ReferenceRow, read_reference_table
from trials.domain.state_acts import StateAct, is_open_to
from trials.models import Case, ReferenceStandard, Trial
from trials.services.acts import Actor, record


@dataclass(frozen=True)
class ReferencesImported:
    """What an import changed. A row that says what is known already changes nothing."""

    references: int
    covariates: int
    unchanged: int


def references_import(trial: Trial, *, content: bytes, actor: Actor) -> ReferencesImported:
    """Bring a table in: a new version of the reference standard for each case whose row says something new.

    The strata of an allocation are frozen with its items at protocol lock and do not change with it.
    """
    cases = {case.code: case for case in trial.cases.all()}
    rows = read_reference_table(content, cases=cases)
    now = timezone.now()
    with transaction.atomic():
        held = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        if not is_open_to(held.state, StateAct.REFERENCE):
            raise StateConflictError(
                f"The trial is {held.state}: its reference standard no longer changes.",
                data={"state": held.state, "allowed": []},
            )
        last: dict[object, ReferenceStandard] = {}
        for known in ReferenceStandard.objects.filter(case__trial=trial).order_by("version"):
            last[known.case_id] = known
        added = [
            ReferenceStandard(
                case=cases[row.case],
                version=before.version + 1 if before is not None else 1,
                truth=row.truth,
                status=row.status,
                source=row.source,
                established_on=row.established_on or date.min,
                labellers=row.labellers,
                imported_at=now,
            )
            for row in rows
            for before in (last.get(cases[row.case].id),)
            if row.has_reference and not _same(before, row)
        ]
        ReferenceStandard.objects.bulk_create(added, batch_size=500)
        changed = []
        for row in rows:
            case = cases[row.case]
            if row.covariates and {**case.covariates, **row.covariates} != case.covariates:
                case.covariates = {**case.covariates, **row.covariates}
                changed.append(case)
        Case.objects.bulk_update(changed, ["covariates"], batch_size=500)
        if added or changed:
            record(
                trial,
                AuditKind.CASE_REFERENCE_CHANGED,
                actor=actor,
                subject=f"trial:{trial.id}",
                after={"references": len(added), "covariates": len(changed)},
            )
    touched = {one.case_id for one in added} | {case.id for case in changed}
    return ReferencesImported(
        references=len(added), covariates=len(changed), unchanged=len(rows) - len(touched)
    )


def _same(known: ReferenceStandard | None, row: ReferenceRow) -> bool:
    return known is not None and (
        known.truth, known.status, known.source, known.established_on, known.labellers
    ) == (row.truth, row.status, row.source, row.established_on, row.labellers)  # fmt: skip
