"""Data collected elsewhere, and the endpoints that are computed from them or with parameters of their own."""

from collections.abc import Iterator
from typing import Any

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.plan import PER_PROTOCOL, build_options
from equipoise.analysis.registry import ANALYSIS_NAMES, analysis_method
from trials.domain.protocol.problems import Problem, inconsistent, missing, repeated
from trials.domain.protocol.v1 import Endpoint, ProtocolV1


def external_problems(protocol: ProtocolV1) -> Iterator[Problem]:
    """Yield what the external data and the endpoints' use of them lack or contradict."""
    yield from repeated("/external_data", (one.key for one in protocol.external_data), "The external data")
    used = {endpoint.data for endpoint in protocol.endpoints}
    for index, one in enumerate(protocol.external_data):
        pointer = f"/external_data/{index}"
        if one.collected is None:
            yield missing(
                f"{pointer}/collected", "Say where, when, by whom and how these data are collected."
            )
        yield from repeated(f"{pointer}/columns", (name.column for name in one.columns), "The column")
        if one.key not in used:
            yield inconsistent(f"{pointer}/key", f"No endpoint is computed from '{one.key}'.")
    primary = protocol.analysis_plan.primary
    for number, endpoint in enumerate(protocol.analysis_plan.secondary):
        yield from _endpoint(f"/analysis_plan/secondary/{number}", endpoint, protocol)
    if primary is not None:
        yield from _endpoint("/analysis_plan/primary", primary, protocol)
    yield from _same_parameters(protocol)
    yield from _analysis_set(protocol)


def parameters_of(endpoint: Endpoint) -> dict[str, str]:
    """Return the parameters of an endpoint by name."""
    return {one.name: one.value for one in endpoint.parameters}


def _endpoint(pointer: str, endpoint: Endpoint, protocol: ProtocolV1) -> Iterator[Problem]:
    if endpoint.analysis not in ANALYSIS_NAMES:
        if endpoint.data is not None or endpoint.parameters:
            yield inconsistent(
                f"{pointer}/analysis", f"'{endpoint.analysis}' takes neither external data nor parameters."
            )
        return
    if endpoint.data is None and endpoint.analysis == "survival":
        yield missing(
            f"{pointer}/data",
            "Name the external data that hold the follow-up: readings given here have none.",
        )
    yield from repeated(f"{pointer}/parameters", (one.name for one in endpoint.parameters), "The parameter")
    if endpoint.data is None and not endpoint.parameters:
        return
    method = analysis_method(endpoint.analysis)
    try:
        options: Any = build_options(method.options, parameters_of(endpoint))
    except AnalysisInputError as error:
        yield inconsistent(f"{pointer}/parameters", " ".join(error.problems))
        return
    if endpoint.data is None:
        return
    external = protocol.external(endpoint.data)
    if external is None:
        known = ", ".join(one.key for one in protocol.external_data) or "none"
        yield inconsistent(
            f"{pointer}/data", f"There are no external data '{endpoint.data}'; there are: {known}."
        )
    elif external.table not in method.needs(options):
        yield inconsistent(
            f"{pointer}/data",
            f"The analysis '{endpoint.analysis}' takes {', '.join(method.needs(options))}, but '{external.key}' is a "
            f"table of {external.table}.",
        )


def _analysis_set(protocol: ProtocolV1) -> Iterator[Problem]:
    primary = protocol.analysis_plan.primary
    if primary is not None and primary.data is not None and primary.analysis_set == PER_PROTOCOL:
        yield inconsistent(
            "/analysis_plan/primary/analysis_set",
            "Deviations are recorded of readings given here: of external data all rows enter.",
        )


def _same_parameters(protocol: ProtocolV1) -> Iterator[Problem]:
    """An analysis of the same data is run once: endpoints that share it cannot give one parameter two values."""
    first: dict[tuple[str, str | None, str], tuple[Endpoint, str]] = {}
    for endpoint in protocol.endpoints:
        for name, value in parameters_of(endpoint).items():
            known, said = first.setdefault((endpoint.analysis, endpoint.data, name), (endpoint, value))
            if said != value:
                yield inconsistent(
                    "/analysis_plan/secondary",
                    f"The endpoints '{known.key}' and '{endpoint.key}' share the analysis '{endpoint.analysis}' of the "
                    f"same data, but give '{name}' two values.",
                )
