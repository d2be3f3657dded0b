"""Conditions and designs: how a case is shown, and which reader sees it so in which period."""

from typing import Annotated, Literal

from pydantic import Field

from trials.domain.protocol.parts import Key, Part, ShortText, SourceName

MIN_CROSSOVER_WASHOUT_DAYS = 28
"""Between a reader's last exposure to a case and the second period's reading of it."""


class Aid(Part):
    """What of an algorithm's result stands beside the image."""

    source: SourceName
    """The algorithm, as the protocol names it. Readers never see the name."""
    probability: bool = True
    heat_map: bool = False
    sham: Literal["none", "other_scan", "shuffled"] = "none"
    """Instead of the case's own result: that of another scan drawn by the allocation, or its own map with its parts
    in random places. Concealed from readers; a condition of its own in every analysis."""


class Condition(Part):
    """One way of showing a case (an arm; "modality" in the language of reader studies)."""

    key: Key
    label: ShortText
    """Shown to readers where the condition is open."""
    factor: Literal["open", "concealed"] = "open"
    """Whether readers may know, once the reading is open, which condition it is."""
    aid: Aid | None = None
    candidate: SourceName | None = None
    """For a review: whose contour is shown in this condition."""


DesignKind = Literal["single", "split", "crossover", "sequential", "fully-crossed", "parallel"]


class CaseSets(Part):
    """Which cases a reader reads, where not every reader reads all of them.

    ``blocks`` (split-plot): the cases are shared out to blocks once, and every block is read by a block of readers.
    ``subsets`` (incomplete, with an overlap): every case is read by a set number of readers, the cases of the overlap
    by everybody; who reads a case with whom changes from reader to reader.
    """

    kind: Literal["blocks", "subsets"]
    blocks: Annotated[int, Field(ge=2, le=50)] | None = None
    """Of ``blocks``: how many."""
    readers_per_case: Annotated[int, Field(ge=1, le=500)] | None = None
    """Of ``subsets``: how many of the planned readers of every stratum read a case outside the overlap."""
    overlap_cases: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Of ``subsets``: how many cases everybody reads."""


class Design(Part):
    """Which conditions a reader reads a case in, and in which order.

    ``single``: every item once, in the one condition there is. ``split``: every item once, in one of the conditions,
    balanced over readers. ``crossover``: two periods; a random half of the cases in the first condition in period 1
    and in the second in period 2, the other half the reverse. ``sequential``: within one reading, the first
    condition's answer is committed before the second is shown. ``fully-crossed``: every item in every condition, one
    condition per period, their order balanced over readers. ``parallel``: every item once, every reader in one
    condition alone; readers are shared out to the conditions within every stratum of readers.
    """

    kind: DesignKind = "single"
    conditions: tuple[Condition, ...] = ()
    condition_order: Literal["latin-square", "balanced-latin-square"] = "latin-square"
    """Of ``fully-crossed``: both give every condition every place equally often over readers; in the balanced square
    (Williams) every condition also follows every other equally often."""
    case_sets: CaseSets | None = None
    """Without it every reader reads every case."""
    washout_days: Annotated[int, Field(ge=0, le=3650)] = MIN_CROSSOVER_WASHOUT_DAYS
    """Days from a reader's last exposure to a case, aborted ones included, to its reading in a later period."""
    stratify_by_reference: bool = True
    """Whether halves, blocks and subsets of cases are drawn within the diseased and within the others."""
    stratify_by: tuple[Key, ...] = ()
    """Covariates of the case (site) within whose values they are drawn too, and the sides of pairs are halved."""

    @property
    def draws_cases(self) -> bool:
        """Whether the allocation draws among cases, so that their strata matter."""
        return self.case_sets is not None or (len(self.conditions) > 1 and self.kind != "parallel")
