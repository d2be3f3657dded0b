"""Which analyses the plan names, each by its name and the data it is computed from."""

from dataclasses import dataclass, replace

from equipoise.analysis.plan import ALL_SUBMITTED, PER_PROTOCOL
from trials.domain.protocol.v1 import Endpoint, ProtocolV1


@dataclass(frozen=True)
class PlannedAnalysis:
    """An analysis of the readings given here, or of external data."""

    name: str
    data: str = ""
    """The key of the external data; empty for readings given here."""
    full_set: bool = False
    """Of all submitted readings, beside the primary analysis of the per-protocol set."""


def result_key(
    name: str, data: str = "", *, beside_the_plan: bool = False, full_set: bool = False, part: int = 0
) -> str:
    """Return the folder and name of an analysis in a bundle.

    ``beside_the_plan`` marks an exploratory run of an analysis that the plan names, ``full_set`` the run of all
    submitted readings beside the planned one of the per-protocol set, ``part`` (a number from 1) one of a part of the
    readings.
    """
    stem = f"{name}.{data}" if data else name
    if part:
        return f"{stem}-part-{part}"
    if full_set:
        return f"{stem}-all-submitted"
    return f"{stem}-exploratory" if beside_the_plan else stem


def planned_of(protocol: ProtocolV1) -> tuple[PlannedAnalysis, ...]:
    """Return the analyses of the plan, the primary one first, each once."""
    named = [planned_of_endpoint(one) for one in protocol.endpoints]
    beside = [replace(one, full_set=True) for one in named[:1] if set_planned(protocol, one) == PER_PROTOCOL]
    return tuple(dict.fromkeys([*named[:1], *beside, *named]))


def planned_of_endpoint(endpoint: Endpoint) -> PlannedAnalysis:
    """Return the analysis that an endpoint rests on."""
    return PlannedAnalysis(endpoint.analysis, endpoint.data or "")


def parameters_planned(protocol: ProtocolV1, name: str, data: str = "") -> dict[str, str]:
    """Return the parameters that the plan gives an analysis, with any of the endpoints that share it."""
    wanted = PlannedAnalysis(name, data)
    return {
        one.name: one.value
        for endpoint in protocol.endpoints
        if planned_of_endpoint(endpoint) == wanted
        for one in endpoint.parameters
    }


def set_planned(protocol: ProtocolV1, planned: PlannedAnalysis) -> str:
    """Return which readings enter: the primary endpoint's set for its own analysis, all submitted for any other."""
    primary = protocol.analysis_plan.primary
    if primary is None or planned.data or planned_of_endpoint(primary) != planned:
        return ALL_SUBMITTED
    return primary.analysis_set


def role_planned(protocol: ProtocolV1, name: str, data: str = "") -> str:
    """Return ``primary`` for the analysis of the primary endpoint, ``secondary`` for any other."""
    primary = protocol.analysis_plan.primary
    is_primary = primary is not None and planned_of_endpoint(primary) == PlannedAnalysis(name, data)
    return "primary" if is_primary else "secondary"
