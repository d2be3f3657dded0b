"""The kinds of trial that can be planned: what is assumed, its power by formula, and its simulated counterpart."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.planning.simulated import Study
from equipoise.analysis.planning.studies import (
    TWO_SIDED,
    TWO_SIDED_LOWER,
    DifferenceStudy,
    PlannedTest,
    PreferenceStudy,
    TimeStudy,
)
from equipoise.simulation.preference_reader import PreferencePopulation
from equipoise.stats import Power, VarianceComponents, difference_power, mrmc_power, preference_power


class Plan(Protocol):
    """One planned comparison, whatever its numbers of readers and cases."""

    @property
    def test(self) -> PlannedTest:
        """The planned test."""
        ...

    @property
    def readers(self) -> str:
        """Return ``random`` or ``fixed``."""
        ...

    @property
    def cases(self) -> str:
        """Return ``random`` or ``fixed``."""
        ...

    @property
    def aim(self) -> str:
        """What is to be shown, to stand after "power to"."""
        ...

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What is assumed, by the names of the command's options."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know, one sentence each."""
        ...

    def power_at(self, n_readers: int, n_cases: int) -> Power:
        """Return the power by formula."""
        ...

    def study(self, n_readers: int, n_cases: int, *, null: bool = False) -> Study | None:
        """Return the simulated trial, under the assumptions or under the null hypothesis; None if there is none."""
        ...


@dataclass(frozen=True)
class AUCPlan:
    """Two conditions compared by Obuchowski-Rockette, from a pilot's components."""

    difference: float
    components: VarianceComponents
    pilot_cases: int
    metric: str = "auc"
    readers: str = "random"
    cases: str = "random"
    test: PlannedTest = TWO_SIDED

    @property
    def aim(self) -> str:
        """What is to be shown."""
        name = "AUC" if self.metric == "auc" else self.metric.replace("_", " ")
        return _aim(f"{name}", self.difference, self.test)

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What is assumed."""
        names = ("var_interaction", "var_error", "cov1", "cov2", "cov3")
        return {
            "difference": self.difference,
            "metric": self.metric,
            **{name: getattr(self.components, name) for name in names},
            "pilot_cases": self.pilot_cases,
            "readers_are": self.readers,
            "cases_are": self.cases,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known."""
        entering = {"sensitivity": "diseased cases", "specificity": "cases without disease"}.get(self.metric)
        if entering is not None:
            return (f"Cases are {entering}: those that enter the {self.metric}.",)
        return ("The share of diseased cases is taken to be the pilot's.",)

    def power_at(self, n_readers: int, n_cases: int) -> Power:
        """Return the power by formula."""
        readers: Any = self.readers
        cases: Any = self.cases
        return mrmc_power(
            self.components,
            self.difference,
            n_readers=n_readers,
            n_cases=n_cases,
            pilot_cases=self.pilot_cases,
            readers=readers,
            cases=cases,
            **_test_options(self.test),
        )

    def study(self, n_readers: int, n_cases: int, *, null: bool = False) -> Study | None:  # noqa: ARG002 - as all plans
        """Return None: components alone do not say how ratings are distributed."""
        return None


@dataclass(frozen=True)
class PreferencePlan:
    """A share preferring the algorithm's candidate, tested against one half."""

    readers: ClassVar[str] = "random"
    cases: ClassVar[str] = "random"
    share: float
    reader_sd: float
    case_sd: float
    item_sd: float = 0.0
    items_per_case: int = 1
    side_logit: float = 0.0
    test: PlannedTest = TWO_SIDED

    @property
    def aim(self) -> str:
        """What is to be shown."""
        words = "is not" if self.test.sides == 2 else "exceeds"
        return f"show that the share preferring the algorithm {words} 50 %, if it is {100 * self.share:g} %"

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What is assumed."""
        names = ("share", "reader_sd", "case_sd", "item_sd", "items_per_case", "side_logit")
        return {name: getattr(self, name) for name in names}

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known."""
        return ()

    def power_at(self, n_readers: int, n_cases: int) -> Power:
        """Return the quick normal approximation."""
        sides: Any = self.test.sides
        return preference_power(
            **self.inputs, n_readers=n_readers, n_cases=n_cases, alpha=self.test.alpha, sides=sides
        )

    def study(self, n_readers: int, n_cases: int, *, null: bool = False) -> Study | None:
        """Return the trial of simulated preference readers."""
        planned = preference_power(**self.inputs, n_readers=n_readers, n_cases=n_cases)
        population = PreferencePopulation(
            0.0 if null else planned.mean_logit,
            self.reader_sd,
            self.case_sd,
            self.item_sd,
            side_logit=self.side_logit,
            side_sd=0.0,
        )
        return PreferenceStudy(population, n_readers, n_cases, self.items_per_case, self.test)


@dataclass(frozen=True)
class DifferencePlan:
    """A mean paired difference of a measurement, such as Dice."""

    name: str
    difference: float
    reader_sd: float
    case_sd: float
    residual_sd: float
    readers: str = "random"
    cases: str = "random"
    test: PlannedTest = TWO_SIDED

    @property
    def aim(self) -> str:
        """What is to be shown."""
        return _aim(self.name, self.difference, self.test)

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What is assumed."""
        names = ("difference", "reader_sd", "case_sd", "residual_sd")
        return {
            **{name: getattr(self, name) for name in names},
            "readers_are": self.readers,
            "cases_are": self.cases,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known."""
        return ()

    def power_at(self, n_readers: int, n_cases: int) -> Power:
        """Return the power by formula."""
        readers: Any = self.readers
        cases: Any = self.cases
        return difference_power(
            self.difference,
            n_readers=n_readers,
            n_cases=n_cases,
            reader_sd=self.reader_sd,
            case_sd=self.case_sd,
            residual_sd=self.residual_sd,
            readers=readers,
            cases=cases,
            **_test_options(self.test),
        )

    def study(self, n_readers: int, n_cases: int, *, null: bool = False) -> Study | None:
        """Return the trial whose differences are analysed by a mixed model."""
        true = _null_difference(self.test) if null else self.difference
        return DifferenceStudy(
            true,
            n_readers,
            n_cases,
            self.reader_sd,
            self.case_sd,
            self.residual_sd,
            self.readers,
            self.cases,
            self.test,
        )


@dataclass(frozen=True)
class TimePlan:
    """A ratio of reading times, on the log scale; a margin is a ratio too (1.1: at most 10 % slower)."""

    readers: ClassVar[str] = "random"
    cases: ClassVar[str] = "random"
    ratio: float
    reader_sd: float
    case_sd: float
    residual_sd: float
    test: PlannedTest = TWO_SIDED_LOWER

    @property
    def aim(self) -> str:
        """What is to be shown."""
        if self.test.margin is None:
            way = "differs from 1" if self.test.sides == 2 else "is below 1"
            return f"show that the ratio of reading times {way}, if it is {self.ratio:g}"
        return f"show that the ratio of reading times is below {math.exp(self.test.margin):g}, if it is {self.ratio:g}"

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What is assumed."""
        return {name: getattr(self, name) for name in ("ratio", "reader_sd", "case_sd", "residual_sd")}

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known."""
        if self.reader_sd == self.case_sd == 0.0:
            return ()
        return (
            (
                "The planned model of log time has no term for readers or cases that differ in the ratio, the formula "
                "has: expect more simulated power, and a type I error above alpha (--type-1)."
            ),
        )

    def power_at(self, n_readers: int, n_cases: int) -> Power:
        """Return the power by formula."""
        return difference_power(
            math.log(self.ratio),
            n_readers=n_readers,
            n_cases=n_cases,
            reader_sd=self.reader_sd,
            case_sd=self.case_sd,
            residual_sd=self.residual_sd,
            **_test_options(self.test),
        )

    def study(self, n_readers: int, n_cases: int, *, null: bool = False) -> Study | None:
        """Return the trial analysed by the model of reading time that protocols name."""
        true = _null_difference(self.test) if null else math.log(self.ratio)
        return TimeStudy(true, n_readers, n_cases, self.reader_sd, self.case_sd, self.residual_sd, self.test)


def read_pilot(path: Path) -> tuple[VarianceComponents, int, str]:
    """Return components, cases that enter the metric, and metric, from the results of the analysis `mrmc`.

    Raises
    ------
    AnalysisInputError
        If the file is no result of that analysis or of a pilot that is not fully crossed.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        tables = document["tables"]
        values = dict(tables["components"]["rows"])
        estimates = [dict(zip(tables["reader-estimates"]["columns"], row, strict=True)) for row in
                     tables["reader-estimates"]["rows"]]  # fmt: skip
        counts = {int(row["n"]) for row in estimates}
        metric = str(document["parameters"].get("metric", "auc"))
        methods = [
            number["method"] for number in document["numbers"] if number["quantity"] == "condition_mean"
        ]
    except OSError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AnalysisInputError(f"{path} is not the results.json of `equipoise analyse mrmc`.") from None
    crossed = all("cases crossed, readers crossed" in method for method in methods)
    if not methods or not crossed or len(counts) != 1:
        raise AnalysisInputError(
            f"{path}: a pilot to plan from must be fully crossed: every reader every case in every condition."
        )
    components = {
        name: math.nan if values.get(name) is None else float(values[name])
        for name in VarianceComponents.__dataclass_fields__
    }
    return VarianceComponents(**components), counts.pop(), metric


def _aim(what: str, difference: float, test: PlannedTest) -> str:
    if test.margin is not None:
        return (
            f"show non-inferiority in {what} with margin {test.margin:g}, if the difference is {difference:g}"
        )
    return f"show a difference of {difference:g} in {what}"


def _null_difference(test: PlannedTest) -> float:
    if test.margin is None:
        return 0.0
    return -test.margin if test.higher_is_better else test.margin


def _test_options(test: PlannedTest) -> dict[str, Any]:
    return {
        "alpha": test.alpha,
        "sides": test.sides,
        "margin": test.margin,
        "higher_is_better": test.higher_is_better,
    }
