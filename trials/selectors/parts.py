"""Which parts of the readings can be analysed by themselves: a group, a condition, the cases with one covariate."""

from dataclasses import dataclass

from trials.models import CasePurpose, ParticipantKind, Trial
from trials.selectors.bundle import imported_bundle
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
    """Return the columns with more than one value; none before unblinding, and none of a trial brought as a bundle.

    A covariate that is called as a column of the readings, an answer's too, is none: the name would mean that column.
    """
    protocol = protocol_frozen(trial)
    if protocol is None or is_blinded(trial) or imported_bundle(trial) is not None:
        return []
    readers = trial.participants.filter(kind=ParticipantKind.READER).exclude(group="")
    found = {
        "group": sorted(set(readers.values_list("group", flat=True))),
        "condition": [one.key for one in protocol.conditions],
    }
    taken = readings_columns(trial)
    for covariates in trial.cases.filter(purpose=CasePurpose.TRIAL).values_list("covariates", flat=True):
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
