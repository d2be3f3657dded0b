"""Quality control of a series: its technical facts held against the limits that a caller gives. Pure rules.

What is not in the limits is not checked. What the header did not say cannot pass: it is told apart as not stated,
so that nobody reads a missing value as an accepted one. Holes, duplicate and uneven slices never come this far:
reading refuses them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from equipoise.imaging.volume import SeriesDescription

if TYPE_CHECKING:
    from equipoise.archive.models import StoredVolume
    from equipoise.imaging.series import DicomSeries

LENGTH_TOLERANCE_MM = 1e-3
"""Lengths of headers are rounded; a limit is met to within this."""


class CheckOutcome(StrEnum):
    """What came of one check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_STATED = "not-stated"


class QualityRule(StrEnum):
    """What can be checked."""

    MODALITY = "modality"
    VIEWS = "views"
    SLICES = "slices"
    SLICE_SPACING = "slice-spacing"
    SLICE_THICKNESS = "slice-thickness"
    SLICE_OVERLAP = "slice-overlap"
    IN_PLANE_SPACING = "in-plane-spacing"
    IN_PLANE_SIZE = "in-plane-size"
    KERNEL = "kernel"
    TUBE_VOLTAGE = "tube-voltage"
    EXPOSURE = "exposure"
    RESCALE = "rescale"


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends belong to it; an end that is None is open."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low must not exceed high, got {self.low} and {self.high}.")

    def holds(self, value: float, *, tolerance: float = 0.0) -> bool:
        """Say whether the value lies inside."""
        above = self.low is None or value >= self.low - tolerance
        return above and (self.high is None or value <= self.high + tolerance)

    def __str__(self) -> str:
        if self.low is None and self.high is None:
            return "anything"
        if self.low is None:
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a trial accepts; None or an empty tuple leaves a rule out.

    Parameters
    ----------
    modalities, views : tuple of str
        Accepted modalities; the views that a planar image must have, in any order.
    kernels : tuple of str
        Patterns (``*``, ``?``) of accepted reconstruction kernels; case does not matter.
    max_overlap, max_gap : float, optional
        Largest overlap of, or gap between, neighbouring slices, as fractions of the slice thickness.
    in_plane_size_mm : Range, optional
        Of the shorter side of the field of view.
    even_thickness : bool
        Refuse a series whose slices state different thicknesses.
    rescale_stated : bool
        Refuse a series whose header lacks rescale slope or intercept, where its kind of image should have them.
    """

    modalities: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    slices: Range | None = None
    slice_spacing_mm: Range | None = None
    slice_thickness_mm: Range | None = None
    max_overlap: float | None = None
    max_gap: float | None = None
    in_plane_spacing_mm: Range | None = None
    in_plane_size_mm: Range | None = None
    kernels: tuple[str, ...] = ()
    tube_voltage_kv: Range | None = None
    exposure_mas: Range | None = None
    even_thickness: bool = False
    rescale_stated: bool = False


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What is known of a series, stored or about to be."""

    modality: str
    shape_zyx: tuple[int, int, int]
    spacing_mm_zyx: tuple[float, float, float]
    description: SeriesDescription

    @property
    def planar(self) -> bool:
        """Whether the frames are views; rules about slices do not apply then."""
        return bool(self.description.views)


@dataclass(frozen=True, slots=True)
class QualityCheck:
    """One rule, what came of it, and a sentence with technical facts alone."""

    rule: QualityRule
    outcome: CheckOutcome
    sentence: str


def facts_of_volume(volume: "StoredVolume") -> SeriesFacts:
    """Return the facts of a stored volume."""
    return SeriesFacts(volume.modality, volume.shape_zyx, volume.spacing_mm_zyx, volume.series_description)


def facts_of_series(series: "DicomSeries") -> SeriesFacts:
    """Return the facts of a series whose headers were read."""
    return SeriesFacts(series.modality, series.grid.shape_zyx, series.grid.spacing_mm_zyx, series.description)


def quality_checks(facts: SeriesFacts, limits: QualityLimits) -> list[QualityCheck]:
    """Return one check per rule that the limits name and that applies, in the order of :class:`QualityRule`."""
    found = [check for rule in _RULES if (check := rule(facts, limits)) is not None]
    if not facts.planar:
        found += [check for rule in _STACK_RULES if (check := rule(facts, limits)) is not None]
    order = list(QualityRule)
    return sorted(found, key=lambda check: order.index(check.rule))


def is_accepted(checks: list[QualityCheck]) -> bool:
    """Say whether every check passed; what was not stated did not."""
    return all(check.outcome is CheckOutcome.PASSED for check in checks)


def _modality(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    if not limits.modalities:
        return None
    accepted = ", ".join(limits.modalities)
    sentence = f"The modality is {facts.modality}; accepted: {accepted}."
    return _check(QualityRule.MODALITY, facts.modality in limits.modalities, sentence)


def _views(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    if not limits.views:
        return None
    there = ", ".join(facts.description.views) or "none"
    sentence = f"The views are {there}; wanted: {', '.join(limits.views)}."
    return _check(QualityRule.VIEWS, sorted(facts.description.views) == sorted(limits.views), sentence)


def _kernel(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    if not limits.kernels:
        return None
    kernel, accepted = facts.description.kernel, ", ".join(limits.kernels)
    if kernel is None:
        return _not_stated(QualityRule.KERNEL, "The reconstruction kernel", accepted)
    matches = any(fnmatchcase(kernel.casefold(), pattern.casefold()) for pattern in limits.kernels)
    return _check(
        QualityRule.KERNEL, matches, f"The reconstruction kernel is {kernel}; accepted: {accepted}."
    )


def _tube_voltage(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    return _within(
        QualityRule.TUBE_VOLTAGE,
        "The tube voltage",
        facts.description.tube_voltage_kv,
        limits.tube_voltage_kv,
        "kV",
    )


def _exposure(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    return _within(
        QualityRule.EXPOSURE, "The exposure", facts.description.exposure_mas, limits.exposure_mas, "mAs"
    )


def _rescale(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    stated = facts.description.rescale_stated
    if not limits.rescale_stated or stated is None:
        return None
    word = "states" if stated else "lacks"
    return _check(QualityRule.RESCALE, stated, f"The header {word} rescale slope and intercept.")


def _in_plane_spacing(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    worst = _farthest(facts.spacing_mm_zyx[1:], limits.in_plane_spacing_mm)
    return _within(QualityRule.IN_PLANE_SPACING, "The pixel spacing", worst, limits.in_plane_spacing_mm, "mm")


def _in_plane_size(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    sides_mm = [n * mm for n, mm in zip(facts.shape_zyx[1:], facts.spacing_mm_zyx[1:], strict=True)]
    return _within(
        QualityRule.IN_PLANE_SIZE,
        "The shorter side of the image",
        min(sides_mm),
        limits.in_plane_size_mm,
        "mm",
    )


def _slices(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    return _within(QualityRule.SLICES, "The number of slices", float(facts.shape_zyx[0]), limits.slices, "")


def _slice_spacing(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    spacing_mm = facts.spacing_mm_zyx[0]
    return _within(QualityRule.SLICE_SPACING, "The slice spacing", spacing_mm, limits.slice_spacing_mm, "mm")


def _slice_thickness(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    if limits.slice_thickness_mm is None and not limits.even_thickness:
        return None
    if limits.even_thickness and facts.description.uneven_thickness:
        sentence = "The slices of the series state different thicknesses; accepted: one thickness."
        return QualityCheck(QualityRule.SLICE_THICKNESS, CheckOutcome.FAILED, sentence)
    wanted = limits.slice_thickness_mm or Range()
    thickness_mm = facts.description.slice_thickness_mm
    return _within(QualityRule.SLICE_THICKNESS, "The slice thickness", thickness_mm, wanted, "mm")


def _slice_overlap(facts: SeriesFacts, limits: QualityLimits) -> QualityCheck | None:
    """Compare the spacing with the thickness: smaller is an overlap, larger a gap."""
    if limits.max_overlap is None and limits.max_gap is None:
        return None
    thickness_mm, spacing_mm = facts.description.slice_thickness_mm, facts.spacing_mm_zyx[0]
    wanted = Range(
        None if limits.max_overlap is None else -limits.max_overlap,
        None if limits.max_gap is None else limits.max_gap,
    )
    if thickness_mm is None or thickness_mm <= 0:
        return _not_stated(QualityRule.SLICE_OVERLAP, "The slice thickness, and so any overlap,", str(wanted))
    gap = (spacing_mm - thickness_mm) / thickness_mm
    word = "overlap by" if gap < 0 else "leave gaps of"
    sentence = (
        f"Slices of {thickness_mm:g} mm every {spacing_mm:g} mm {word} {abs(gap):.0%} of their thickness; "
        f"accepted (gap as a fraction, overlap negative): {wanted}."
    )
    return _check(
        QualityRule.SLICE_OVERLAP, wanted.holds(gap, tolerance=LENGTH_TOLERANCE_MM / thickness_mm), sentence
    )


_Rule = Callable[[SeriesFacts, QualityLimits], QualityCheck | None]
_RULES: tuple[_Rule, ...] = (
    _modality,
    _views,
    _kernel,
    _tube_voltage,
    _exposure,
    _rescale,
    _in_plane_spacing,
    _in_plane_size,
)
_STACK_RULES: tuple[_Rule, ...] = (_slices, _slice_spacing, _slice_thickness, _slice_overlap)


def _within(
    rule: QualityRule, what: str, value: float | None, wanted: Range | None, unit: str
) -> QualityCheck | None:
    if wanted is None:
        return None
    space = f" {unit}" if unit else ""
    accepted = f"{wanted}{space}" if wanted != Range() else f"{wanted}, if it is stated"
    if value is None:
        return _not_stated(rule, what, accepted)
    tolerance = LENGTH_TOLERANCE_MM if unit == "mm" else 0.0
    sentence = f"{what} is {value:g}{space}; accepted: {accepted}."
    return _check(rule, wanted.holds(value, tolerance=tolerance), sentence)


def _farthest(values: tuple[float, ...], wanted: Range | None) -> float:
    """Return the value that breaks the range, if one does."""
    outside = [v for v in values if wanted is not None and not wanted.holds(v, tolerance=LENGTH_TOLERANCE_MM)]
    return outside[0] if outside else values[0]


def _check(rule: QualityRule, holds: bool, sentence: str) -> QualityCheck:  # noqa: FBT001 - the answer itself
    return QualityCheck(rule, CheckOutcome.PASSED if holds else CheckOutcome.FAILED, sentence)


def _not_stated(rule: QualityRule, what: str, accepted: str) -> QualityCheck:
    return QualityCheck(rule, CheckOutcome.NOT_STATED, f"{what} is not stated; accepted: {accepted}.")
