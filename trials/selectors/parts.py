"""Which parts of the readings can be analysed by themselves: a group, a condition, the cases with one covariate."""

from collections.abc import Sequence
from dataclasses import dataclass

from trials.domain.bundle_contents import TABLES
from trials.models import CasePurpose, ParticipantKind, StoredBundle, Trial
from trials.selectors.bundle import bundle_has, bundle_table_lines, imported_bundle
from trials.selectors.protocol import protocol_frozen
from trials.selectors.tables import is_blinded, readings_columns

MOST_VALUES = 12
"""A covariate with more of them is a measurement, not a stratum."""


@dataclass(frozen=True)
class Part:
    """A column of the readings, or a covariate of the cases, and the values that part them."""

    column: str
    values: tuple[str, ...]


def parts_of(trial: Trial) -> list[Part]:
    """Return the columns with more than one value; none before unblinding. Of an imported trial its tables say it.

    A covariate that is called as a column of the readings, an answer's too, is none: the name would mean that column.
    """
    protocol = protocol_frozen(trial)
    if protocol is None or is_blinded(trial):
        return []
    bundle = imported_bundle(trial)
    if bundle is not None:
        groups, taken, cases = _of_bundle(bundle)
    else:
        readers = trial.participants.filter(kind=ParticipantKind.READER).exclude(group="")
        groups, taken = set(readers.values_list("group", flat=True)), readings_columns(trial)
        cases = list(trial.cases.filter(purpose=CasePurpose.TRIAL).values_list("covariates", flat=True))
    found = {"group": sorted(groups), "condition": [one.key for one in protocol.conditions]}
    for covariates in cases:
        for name, value in covariates.items():
            if name not in taken and value not in (None, ""):
                values = found.setdefault(name, [])
                if str(value) not in values:
                    values.append(str(value))
    ordered = {name: found[name] for name in ("group", "condition", *sorted(found))}
    return [
        Part(name, tuple(values if name == "condition" else sorted(values)))
        for name, values in ordered.items()
        if 1 < len(values) <= MOST_VALUES
    ]


def _of_bundle(bundle: StoredBundle) -> tuple[set[str], Sequence[str], list[dict[str, str]]]:
    """Return the readers' groups, the columns of the readings, and the covariates case by case."""
    lines = bundle_table_lines(bundle, TABLES["readings"])
    header = next(lines, [])
    rows = (dict(zip(header, line, strict=False)) for line in lines)
    groups = {
        row.get("group", "") for row in rows if row.get("participant_kind") != ParticipantKind.ALGORITHM
    }
    if not bundle_has(bundle, TABLES["truth"]):
        return groups - {""}, header, []
    lines = bundle_table_lines(bundle, TABLES["truth"])
    columns = next(lines, [])
    fixed = {"case", "item", "truth"}
    cases = [
        {name: value for name, value in zip(columns, line, strict=False) if name not in fixed}
        for line in lines
    ]
    return groups - {""}, header, cases
