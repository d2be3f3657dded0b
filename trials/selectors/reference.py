"""The reference standard of a trial's cases, for those who may see it; never for a reader."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from trials.models import Case, CasePurpose, ReferenceStandard, ReferenceStatus, Trial

TRUTH_COLUMNS = ("case", "item", "truth", "status", "version", "source", "date", "labellers")


def _cases(trial: Trial, purpose: str | None) -> list[Case]:
    cases = trial.cases.prefetch_related("reference_standards").order_by("code")
    return list(cases if purpose is None else cases.filter(purpose=purpose))


def reference_of(case: Case) -> ReferenceStandard | None:
    """Return the version that counts: the last one."""
    known = list(case.reference_standards.all())
    return known[-1] if known else None


def covariate_names(trial: Trial) -> tuple[str, ...]:
    """Return the names of every covariate that any case has, in alphabetical order."""
    names = {name for covariates in trial.cases.values_list("covariates", flat=True) for name in covariates}
    return tuple(sorted(names - set(TRUTH_COLUMNS)))


def truth_rows(trial: Trial, *, purpose: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``truth.csv``: one per case, its reference standard and its covariates."""
    names = covariate_names(trial)
    for case in _cases(trial, purpose):
        known = reference_of(case)
        row: dict[str, Any] = dict.fromkeys(TRUTH_COLUMNS)
        row["case"] = case.code
        if known is not None:
            row |= {
                "truth": known.truth,
                "status": known.status,
                "version": known.version,
                "source": known.source,
                "date": known.established_on.isoformat(),
                "labellers": known.labellers,
            }
        yield row | {name: case.covariates.get(name) for name in names}


def truth_for_analysis(trial: Trial) -> list[dict[str, Any]]:
    """Return ``case, item, truth`` and covariates of every trial case; ``truth`` is empty unless it is final."""
    names = covariate_names(trial)
    return [
        {
            "case": row["case"],
            "item": row["item"],
            "truth": row["truth"] if row["status"] == ReferenceStatus.FINAL else None,
            **{name: row[name] for name in names},
        }
        for row in truth_rows(trial, purpose=CasePurpose.TRIAL)
    ]


def references_document(trial: Trial) -> dict[str, Any]:
    """Return how many cases have which status, and the rows."""
    rows = list(truth_rows(trial))
    counts = Counter(row["status"] or "none" for row in rows)
    return {
        "counts": [
            {"status": status, "cases": counts[status]} for status in (*ReferenceStatus.values, "none")
        ],
        "covariates": list(covariate_names(trial)),
        "rows": [
            {
                "case": row["case"],
                "truth": row["truth"],
                "status": row["status"],
                "version": row["version"],
                "source": row["source"],
                "date": row["date"],
                "labellers": row["labellers"],
            }
            for row in rows
        ],
    }
