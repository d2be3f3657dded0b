"""A trial's material held against the protocol's limits: checks case by case, and the facts they rest on."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from equipoise.archive.quality import (
    CheckOutcome,
    QualityCheck,
    QualityLimits,
    Range,
    SeriesFacts,
    facts_of_volume,
    quality_checks,
)
from trials.domain.protocol.document import check_document
from trials.domain.protocol.v1 import Limits, ProtocolV1, Quality
from trials.models import Case, CasePurpose, Trial, images_with_volumes
from trials.selectors.cases import thumbnail_url
from trials.selectors.protocol import protocol_current


@dataclass(frozen=True)
class Fact:
    """One number of every image: its name, its unit, the field of the protocol that limits it."""

    name: str
    label: str
    unit: str
    limit: str


FACTS = (
    Fact("slices", "Slices", "", "slices"),
    Fact("slice_spacing_mm", "Slice spacing", "mm", "slice_spacing_mm"),
    Fact("slice_thickness_mm", "Slice thickness", "mm", "slice_thickness_mm"),
    Fact("in_plane_spacing_mm", "Pixel spacing", "mm", "in_plane_spacing_mm"),
    Fact("in_plane_size_mm", "Shorter side of the image", "mm", "in_plane_size_mm"),
    Fact("tube_voltage_kv", "Tube voltage", "kV", "tube_voltage_kv"),
    Fact("exposure_mas", "Exposure", "mAs", "exposure_mas"),
)


def quality_limits(quality: Quality) -> QualityLimits:
    """Return the protocol's limits as the archive checks them."""
    return QualityLimits(
        modalities=quality.modalities,
        views=quality.views,
        slices=_range(quality.slices),
        slice_spacing_mm=_range(quality.slice_spacing_mm),
        slice_thickness_mm=_range(quality.slice_thickness_mm),
        even_thickness=quality.even_thickness,
        max_overlap=_number(quality.max_overlap),
        max_gap=_number(quality.max_gap),
        in_plane_spacing_mm=_range(quality.in_plane_spacing_mm),
        in_plane_size_mm=_range(quality.in_plane_size_mm),
        kernels=quality.kernels,
        tube_voltage_kv=_range(quality.tube_voltage_kv),
        exposure_mas=_range(quality.exposure_mas),
        rescale_stated=quality.rescale_stated,
    )


def _range(limits: Limits | None) -> Range | None:
    return None if limits is None else Range(_number(limits.low), _number(limits.high))


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def protocol_quality(trial: Trial) -> Quality:
    """Return the limits of the trial's newest protocol; none while it cannot be read."""
    protocol: ProtocolV1 | None = check_document(protocol_current(trial).document).protocol
    return Quality() if protocol is None else protocol.quality


def cases_are_accepted(trial: Trial) -> bool:
    """Say whether protocol lock may go on: no case of the trial fails, or the protocol only lists those that do."""
    quality = protocol_quality(trial)
    if quality.failing_cases == "list":
        return True
    limits = quality_limits(quality)
    cases = trial.cases.filter(purpose=CasePurpose.TRIAL).prefetch_related(images_with_volumes())
    return not any(_objections(checks) for case in cases for _, checks in _checked(case, limits))


def quality_document(trial: Trial) -> dict[str, Any]:
    """Return every case's facts and checks, counts per rule, and for each fact its values and limits."""
    quality = protocol_quality(trial)
    limits = quality_limits(quality)
    rows: list[dict[str, Any]] = []
    counts: dict[str, Counter[str]] = {}
    values: dict[str, list[dict[str, Any]]] = {fact.name: [] for fact in FACTS}
    for case in trial.cases.prefetch_related(images_with_volumes()).order_by("code"):
        for facts, checks in _checked(case, limits):
            numbers = _numbers(facts)
            failed = {check.rule for check in _objections(checks)}
            for name, value in numbers.items():
                values[name].append({"case": case.code, "value": value})
            for check in checks:
                counts.setdefault(check.rule, Counter())[check.outcome] += 1
            rows.append(_row(case, facts, checks, accepted=not failed))
    return {
        "limited": limits != QualityLimits(),
        "failing_cases": quality.failing_cases,
        "accepted": sum(row["accepted"] for row in rows),
        "cases": rows,
        "rules": [
            {
                "rule": rule,
                "passed": count[CheckOutcome.PASSED],
                "failed": count[CheckOutcome.FAILED],
                "not_stated": count[CheckOutcome.NOT_STATED],
            }
            for rule, count in counts.items()
        ],
        "distributions": [
            {
                "name": fact.name,
                "label": fact.label,
                "unit": fact.unit,
                "low": limit.low if (limit := getattr(limits, fact.limit)) is not None else None,
                "high": limit.high if limit is not None else None,
                "values": values[fact.name],
            }
            for fact in FACTS
            if values[fact.name]
        ],
    }


def _checked(case: Case, limits: QualityLimits) -> Iterable[tuple[SeriesFacts, list[QualityCheck]]]:
    for image in case.images.all():
        facts = facts_of_volume(image.volume)
        yield facts, quality_checks(facts, limits)


def _objections(checks: list[QualityCheck]) -> list[QualityCheck]:
    return [check for check in checks if check.outcome is not CheckOutcome.PASSED]


def _numbers(facts: SeriesFacts) -> dict[str, float]:
    frames, rows, columns = facts.shape_zyx
    z_mm, y_mm, x_mm = facts.spacing_mm_zyx
    told = facts.description
    numbers: dict[str, float | None] = {
        "in_plane_spacing_mm": max(y_mm, x_mm),
        "in_plane_size_mm": min(rows * y_mm, columns * x_mm),
        "tube_voltage_kv": told.tube_voltage_kv,
        "exposure_mas": told.exposure_mas,
    }
    if not facts.planar:
        numbers |= {
            "slices": float(frames),
            "slice_spacing_mm": z_mm,
            "slice_thickness_mm": told.slice_thickness_mm,
        }
    return {name: value for name, value in numbers.items() if value is not None}


def _row(case: Case, facts: SeriesFacts, checks: list[QualityCheck], *, accepted: bool) -> dict[str, Any]:
    told = facts.description
    return {
        "case": case.code,
        "purpose": case.purpose,
        "accepted": accepted,
        "modality": facts.modality,
        "views": list(told.views),
        "kernel": told.kernel,
        "manufacturer": told.manufacturer,
        "shape": list(facts.shape_zyx),
        "spacing_mm": list(facts.spacing_mm_zyx),
        "numbers": _numbers(facts),
        "checks": [
            {"rule": check.rule, "outcome": check.outcome, "sentence": check.sentence} for check in checks
        ],
        "thumbnail_url": thumbnail_url(case),
    }
