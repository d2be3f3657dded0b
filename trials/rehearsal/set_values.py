"""What the simulation was set to, in the units of the planned analyses."""

from collections.abc import Iterator, Mapping

from equipoise.analysis.results import AnalysisResult, Number
from trials.domain.rehearsal import SetEstimate
from trials.rehearsal.populations import preference_population, rating_model
from trials.rehearsal.readers.crew import Crew

_PERCENT = 100.0


def set_estimates(crew: Crew, results: Mapping[str, AnalysisResult]) -> Iterator[SetEstimate]:
    """Yield the numbers of the analyses whose value was set. Analyses of contours and forms have none in their unit."""
    for name, result in results.items():
        for number, value in _set_values(crew, name, result):
            yield SetEstimate(
                analysis=name,
                label=_label(number),
                unit=" %" if number.unit == "%" else "",
                value=number.value,
                low=number.low,
                high=number.high,
                set_to=value,
            )


def _set_values(crew: Crew, name: str, result: AnalysisResult) -> Iterator[tuple[Number, float]]:
    if name == "preference":
        population = preference_population(crew.plan.preference)
        for number in result.numbers:
            if number.quantity == "preference_probability":
                yield number, _PERCENT * population.marginal_probability
    elif name == "mrmc":
        conditions, model = rating_model(crew.protocol, crew.plan.classification)
        aucs = dict(zip(conditions, model.aucs, strict=True))
        aucs["all"] = aucs.get("", next(iter(aucs.values())))
        for number in result.numbers:
            subject = number.subject
            if number.quantity == "condition_mean" and subject["condition"] in aucs:
                yield number, aucs[subject["condition"]]
            if number.quantity == "difference" and {subject["first"], subject["second"]} <= aucs.keys():
                yield number, aucs[subject["first"]] - aucs[subject["second"]]


def _label(number: Number) -> str:
    where = ", ".join(number.subject.values()) if number.quantity == "condition_mean" else ""
    return f"{number.label}{f' ({where})' if where else ''}"
