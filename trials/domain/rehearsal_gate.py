"""The gate: a primary analysis of many simulated trials is held to what was set, and to its own known behaviour.

Every rate has a Monte-Carlo error of its own, and a difference counts when it exceeds three of them. Methods that are
known to err on the safe side (Obuchowski-Rockette with few readers, or with areas above 0.95) are held to that side
alone, and this is said.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SE_ALLOWED = 3.0
"""Monte-Carlo standard errors within which a difference does not count."""
FEW_READERS = 5
HIGH_AUC = 0.95
FEW_ERRORS = 10
"""n (1 - AUC) per class below which the interval of a single area is too narrow, as for a proportion."""
_SMALLEST_SHARE = 1e-9
"""Nearer to 0 or 1 a logit says nothing but the last digit."""
MOST_UNDEFINED = 0.05
"""Share of simulated trials whose primary analysis may be undefined."""


@dataclass(frozen=True)
class RunOutcome:
    """The primary analysis of one simulated trial."""

    seed: int
    null: bool
    """Whether the effect was set to that of the null hypothesis."""
    estimate: float | None
    low: float | None
    high: float | None
    rejected: bool | None
    """None where the plan tests nothing."""

    @property
    def is_defined(self) -> bool:
        """Whether the analysis gave an estimate with its interval."""
        return None not in (self.estimate, self.low, self.high)

    def row(self) -> list[Any]:
        """Return the outcome as it is kept."""
        return [self.seed, self.null, self.estimate, self.low, self.high, self.rejected]

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> "RunOutcome":
        """Return an outcome that was kept."""
        seed, null, estimate, low, high, rejected = row
        return cls(seed, null, estimate, low, high, rejected)


@dataclass(frozen=True)
class Expected:
    """What the primary analysis is held to."""

    analysis: str
    quantity: str
    """What is estimated, in words with its unit."""
    set_to: float
    confidence_level: float
    alpha: float | None
    """The nominal type I error of the planned test; None where nothing is tested."""
    is_conservative: bool = False
    is_liberal: bool = False
    known_coverage: float | None = None
    """How often intervals of this method are known to cover at these numbers, where that is less than they say."""
    is_proportion: bool = False
    """Whether the estimate is a median of values between 0 and 1, simulated symmetric on the logit scale: bias is then
    measured there. On its own scale a right median is pulled to one half, the more the fewer cases."""
    notes: tuple[str, ...] = ()
    readers: int = 0
    cases: int = 0


@dataclass(frozen=True)
class Check:
    """One thing that the gate holds the analysis to."""

    name: str
    holds: bool
    sentence: str
    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class GateReport:
    """What a repeated rehearsal found."""

    protocol_sha256: str
    expected: Expected
    repeats: int
    first_seed: int
    computed: int
    mean: float | None
    bias: float | None
    bias_mcse: float | None
    coverage: float | None
    coverage_mcse: float | None
    type_one: float | None
    type_one_mcse: float | None
    power: float | None
    power_mcse: float | None
    checks: tuple[Check, ...]
    seconds: float = field(compare=False, default=0.0)

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    @property
    def problems(self) -> tuple[str, ...]:
        """The sentences of the checks that do not hold."""
        return tuple(check.sentence for check in self.checks if not check.holds)

    def document(self) -> dict[str, Any]:
        """Return the report as it is stored."""
        expected = self.expected
        return {
            "schema": "equipoise/rehearsal-gate/1",
            "protocol_sha256": self.protocol_sha256,
            "analysis": expected.analysis,
            "quantity": expected.quantity,
            "repeats": self.repeats,
            "computed": self.computed,
            "set_to": expected.set_to,
            "mean": self.mean,
            "bias": self.bias,
            "bias_mcse": self.bias_mcse,
            "coverage": self.coverage,
            "coverage_mcse": self.coverage_mcse,
            "type_one": self.type_one,
            "type_one_mcse": self.type_one_mcse,
            "power": self.power,
            "power_mcse": self.power_mcse,
            "readers": expected.readers,
            "cases": expected.cases,
            "checks": [vars(check) for check in self.checks],
            "notes": list(expected.notes),
            "seeds": self.seeds,
            "seconds": round(self.seconds, 1),
        }

    @property
    def seeds(self) -> str:
        """The seeds of the runs, in words; each was used with the effect that was set and without it."""
        return f"{self.first_seed} to {self.first_seed + self.repeats - 1}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The report for a terminal."""
        expected = self.expected
        power = (
            () if self.power is None else (f"Power at these numbers: {_rate(self.power, self.power_mcse)}.",)
        )
        twice = "" if expected.alpha is None else " with the effect and as many without it"
        set_up = (
            f"Protocol {self.protocol_sha256[:12]}, {expected.analysis}: {expected.quantity}; {expected.readers} "
            f"readers, {expected.cases} cases, {self.repeats} simulated trials{twice}, seeds {self.seeds}."
        )
        return (
            set_up,
            *(check.sentence for check in self.checks),
            *power,
            *expected.notes,
        )


def gate_report(
    outcomes: Sequence[RunOutcome],
    expected: Expected,
    *,
    protocol_sha256: str,
    repeats: int,
    first_seed: int,
    seconds: float = 0.0,
) -> GateReport:
    """Hold the outcomes of all simulated trials against what is expected of the analysis."""
    defined = [one for one in outcomes if one.is_defined]
    effect = [one for one in defined if not one.null]
    null = [one for one in defined if one.null]
    checks = [_computed_check(len(defined), len(outcomes))]
    mean = bias = bias_mcse = coverage = coverage_mcse = None
    if len(effect) > 1:
        values = [float(one.estimate or 0.0) for one in effect]
        mean = math.fsum(values) / len(values)
        bias, bias_mcse = _bias(values, expected)
        covered = sum(_covers(one, expected.set_to) for one in effect)
        coverage, coverage_mcse = _share(covered, len(effect))
        checks += [_bias_check(bias, bias_mcse, expected), _coverage_check(coverage, len(effect), expected)]
    type_one = type_one_mcse = power = power_mcse = None
    if expected.alpha is not None and effect and null:
        type_one, type_one_mcse = _share(sum(bool(one.rejected) for one in null), len(null))
        power, power_mcse = _share(sum(bool(one.rejected) for one in effect), len(effect))
        checks.append(_type_one_check(type_one, len(null), expected.alpha, expected))
    return GateReport(
        protocol_sha256=protocol_sha256,
        expected=expected,
        repeats=repeats,
        first_seed=first_seed,
        computed=len(defined),
        mean=mean,
        bias=bias,
        bias_mcse=bias_mcse,
        coverage=coverage,
        coverage_mcse=coverage_mcse,
        type_one=type_one,
        type_one_mcse=type_one_mcse,
        power=power,
        power_mcse=power_mcse,
        checks=tuple(checks),
        seconds=seconds,
    )


def _bias(values: Sequence[float], expected: Expected) -> tuple[float, float]:
    """Return by how much the estimates differ from what was set, and the Monte-Carlo error of that."""
    differences = [_on_scale(value, expected) - _on_scale(expected.set_to, expected) for value in values]
    bias = math.fsum(differences) / len(differences)
    variance = math.fsum((one - bias) ** 2 for one in differences) / (len(differences) - 1)
    return bias, math.sqrt(variance / len(differences))


def _on_scale(value: float, expected: Expected) -> float:
    if not expected.is_proportion:
        return value
    inside = min(max(value, _SMALLEST_SHARE), 1 - _SMALLEST_SHARE)
    return math.log(inside / (1 - inside))


def _covers(one: RunOutcome, value: float) -> bool:
    return one.low is not None and one.high is not None and one.low <= value <= one.high


def _share(count: int, total: int) -> tuple[float, float]:
    share = count / total
    return share, _share_error(share, total)


def _share_error(share: float, total: int) -> float:
    return math.sqrt(share * (1 - share) / total)


def _rate(share: float, error: float | None) -> str:
    return f"{100 * share:.1f} % (Monte-Carlo error {100 * (error or 0.0):.1f} %)"


def monte_carlo_interval(nominal: float, total: int) -> tuple[float, float]:
    """Return between which shares a rate of so many trials lies if it is the nominal one: three standard errors."""
    reach = SE_ALLOWED * math.sqrt(nominal * (1 - nominal) / total)
    return max(0.0, nominal - reach), min(1.0, nominal + reach)


def _computed_check(defined: int, total: int) -> Check:
    share = defined / total if total else 0.0
    holds = total > 0 and share >= 1 - MOST_UNDEFINED
    return Check(
        "computed",
        holds,
        f"The primary analysis gave an estimate with its interval in {defined} of {total} simulated trials"
        + ("." if holds else "; a plan must not depend on luck."),
        share,
        1 - MOST_UNDEFINED,
        1.0,
    )


def _bias_check(bias: float, mcse: float, expected: Expected) -> Check:
    allowed = SE_ALLOWED * mcse
    holds = abs(bias) <= allowed
    verdict = "within" if holds else "beyond"
    scale = " on the logit scale" if expected.is_proportion else ""
    return Check(
        "bias",
        holds,
        f"Bias {bias:+.4g}{scale} (Monte-Carlo error {mcse:.2g}): {verdict} {SE_ALLOWED:g} of them.",
        bias,
        -allowed,
        allowed,
    )


def _coverage_check(coverage: float, total: int, expected: Expected) -> Check:
    low, _ = monte_carlo_interval(expected.known_coverage or expected.confidence_level, total)
    _, high = monte_carlo_interval(expected.confidence_level, total)
    low, high = (0.0 if expected.is_liberal else low), (1.0 if expected.is_conservative else high)
    holds = low <= coverage <= high
    verdict = _verdict(coverage, low, high, below="too narrow", above="too wide")
    return Check(
        "coverage",
        holds,
        f"Coverage {_rate(coverage, _share_error(coverage, total))} of {100 * expected.confidence_level:g} % "
        f"intervals: {verdict}.",
        coverage,
        low,
        high,
    )


def _type_one_check(rate: float, total: int, alpha: float, expected: Expected) -> Check:
    low, high = monte_carlo_interval(alpha, total)
    low, high = (0.0 if expected.is_conservative else low), (1.0 if expected.is_liberal else high)
    holds = low <= rate <= high
    return Check(
        "type_one",
        holds,
        f"Type I error {_rate(rate, _share_error(rate, total))} at a nominal {100 * alpha:g} %: "
        f"{_verdict(rate, low, high, below='the test rejects too rarely', above='the test rejects too often')}.",
        rate,
        low,
        high,
    )


def _verdict(value: float, low: float, high: float, *, below: str, above: str) -> str:
    return below if value < low else (above if value > high else "as it should be")
