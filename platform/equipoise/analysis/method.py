"""What an analysis method is to the rest: its names, the tables it takes, its options and the function that runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.tables import Table
from equipoise.common.stable_random import purpose_words


@dataclass(frozen=True)
class TableNeed:
    """A table that a method takes and the columns that it cannot do without."""

    columns: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Inputs:
    """Checked tables and options of one run."""

    tables: Mapping[str, Table]
    options: Any
    confidence_level: float
    seed: int
    role: str = "exploratory"

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]

    def get(self, name: str) -> Table | None:
        """Return a table that may be absent."""
        return self.tables.get(name)

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the stream of random numbers for one purpose; streams do not depend on what else runs."""
        return np.random.default_rng(np.random.SeedSequence([self.seed, *purpose_words(purpose)]))


@dataclass(frozen=True)
class Method:
    """One analysis as the registry knows it."""

    name: str
    title: str
    statement: str
    """The method in a sentence or two, as it would stand in a paper."""
    version: str
    needs: Callable[[Any], Mapping[str, TableNeed]]
    options: type
    run: Callable[[Inputs, ResultBuilder], None]
