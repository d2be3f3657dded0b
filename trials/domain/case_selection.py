"""Which cases are read whole: all of them, some by their codes, or a seeded draw of so many, enriched or not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from equipoise.common.stable_random import StableRandom

ALGORITHM = "eq-cases/1"
"""What it means never changes."""
ENRICHED_ALGORITHM = "eq-cases/2"
"""Of draws with a set share of diseased cases."""
STRATIFIED_ALGORITHM = "eq-cases/3"
"""Of draws from every stratum of covariates; with a set share of diseased cases too, within each of both."""
NOT_NAMED, ENOUGH_DRAWN, NO_IMAGE = "not_named", "enough_drawn", "no_image"
NO_REFERENCE = "no_reference"
REASON_TEXT = {
    NOT_NAMED: "not among the cases that the protocol names",
    ENOUGH_DRAWN: "enough cases were drawn",
    NO_IMAGE: "the case has no image of the kind that is read",
    NO_REFERENCE: "the case has no final reference standard, by which its share is drawn",
}


class TooFewCasesError(ValueError):
    """There are not as many diseased or other cases as the share asks for."""


@dataclass(frozen=True)
class CaseSelection:
    """The cases that become items, in order of their codes, and why the others do not."""

    drawn: tuple[str, ...]
    requested: int
    qualifying: int
    not_drawn: tuple[tuple[str, int], ...]
    """Reason and number of cases."""
    unknown: tuple[str, ...] = ()
    """Codes that the protocol names and no case has."""


def select_cases(
    codes: Sequence[str],
    *,
    without_image: int,
    count: int | None,
    named: Sequence[str],
    seed: int,
    strata: Mapping[str, str] | None = None,
) -> CaseSelection:
    """Return the cases to read.

    ``codes`` are the cases that have an image of the right kind. ``named`` wins over ``count``; without either every
    case is read. The draw uses the stable random stream: same codes, same seed, same cases. With ``strata``, the
    stratum by code, every stratum has its share of the drawn cases.
    """
    if named:
        drawn = [code for code in codes if code in set(named)]
        reasons = {NOT_NAMED: len(codes) - len(drawn)}
        unknown = tuple(code for code in named if code not in set(codes))
        requested = len(named)
    else:
        wanted = len(codes) if count is None else count
        drawn = list(codes)
        if wanted < len(codes):
            drawn = (
                StableRandom(seed, f"{ALGORITHM}:draw").sample(sorted(codes), wanted)
                if strata is None
                else _in_strata(
                    codes, strata, wanted, random=StableRandom(seed, f"{STRATIFIED_ALGORITHM}:draw")
                )
            )
        reasons, unknown, requested = {ENOUGH_DRAWN: len(codes) - len(drawn)}, (), wanted
    reasons[NO_IMAGE] = without_image
    return CaseSelection(
        drawn=tuple(sorted(drawn)),
        requested=requested,
        qualifying=len(codes),
        not_drawn=tuple((reason, number) for reason, number in reasons.items() if number),
        unknown=unknown,
    )


def _in_strata(
    codes: Sequence[str], strata: Mapping[str, str], count: int, *, random: StableRandom
) -> list[str]:
    """Draw so many cases, from every stratum in proportion to its cases: to within one, the largest remainders first.

    Equal remainders are taken in random order.
    """
    by_stratum: dict[str, list[str]] = defaultdict(list)
    for code in sorted(codes):
        by_stratum[strata[code]].append(code)
    names = random.shuffled(sorted(by_stratum))
    shares = {name: Fraction(count * len(by_stratum[name]), len(codes)) for name in names}
    numbers = {name: int(share) for name, share in shares.items()}
    by_remainder = sorted(names, key=lambda name: shares[name] - numbers[name], reverse=True)
    for name in by_remainder[: count - sum(numbers.values())]:
        numbers[name] += 1
    return [code for name in names for code in random.sample(by_stratum[name], numbers[name])]


def select_enriched(
    diseased: Mapping[str, bool | None],
    *,
    without_image: int,
    count: int,
    percent: int,
    seed: int,
    strata: Mapping[str, str] | None = None,
) -> CaseSelection:
    """Draw so many cases, of which a percentage, rounded down, is diseased.

    ``diseased`` says it of every case that has an image of the right kind; None without a final reference standard.
    Diseased and other cases are drawn by streams of their own, with ``strata`` each from every stratum.

    Raises
    ------
    TooFewCasesError
        If there are fewer of either kind than that.
    """
    wanted = {True: count * percent // 100}
    wanted[False] = count - wanted[True]
    drawn: list[str] = []
    for kind, number in wanted.items():
        codes = sorted(code for code, one in diseased.items() if one is kind)
        name = "diseased" if kind else "not diseased"
        if len(codes) < number:
            raise TooFewCasesError(f"{number} cases that are {name} are wanted; there are {len(codes)}.")
        if strata is None:
            drawn += StableRandom(seed, f"{ENRICHED_ALGORITHM}:{name}").sample(codes, number)
        elif codes:
            random = StableRandom(seed, f"{STRATIFIED_ALGORITHM}:{name}")
            drawn += _in_strata(codes, strata, number, random=random)
    unknown = sum(1 for one in diseased.values() if one is None)
    reasons = {
        ENOUGH_DRAWN: len(diseased) - unknown - count,
        NO_REFERENCE: unknown,
        NO_IMAGE: without_image,
    }
    return CaseSelection(
        drawn=tuple(sorted(drawn)),
        requested=count,
        qualifying=len(diseased) - unknown,
        not_drawn=tuple((reason, number) for reason, number in reasons.items() if number),
    )
