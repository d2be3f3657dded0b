"""From cases to items: slices with two contours by rule and seeded draw, or whole scans and volumes, one per case."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from django.db import transaction
from django.utils import timezone

from equipoise.analysis.wording import listing
from equipoise.archive.selectors import stored_mask_array
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.common.stable_random import StableRandom
from trials.domain.case_selection import REASON_TEXT as CASE_REASON_TEXT
from trials.domain.case_selection import CaseSelection, TooFewCasesError, select_cases, select_enriched
from trials.domain.codes import item_code
from trials.domain.item_selection import ReasonCount, SliceRecord, draw_items, practice_items
from trials.domain.protocol.document import check_document
from trials.domain.protocol.tasks import Candidates
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import TrialState
from trials.models import (
    Case,
    CaseImage,
    CasePurpose,
    Contour,
    Item,
    ItemDraw,
    ReferenceStatus,
    Trial,
    contours_with_masks,
    images_with_volumes,
)
from trials.selectors.protocol import protocol_current
from trials.selectors.reference import reference_of
from trials.services.acts import Actor, record


def _draft_protocol(trial: Trial) -> ProtocolV1:
    if trial.state != TrialState.DRAFT:
        raise StateConflictError(
            f"Items are drawn while the trial is a draft; this one is {trial.state}.",
            data={"state": trial.state, "allowed": []},
        )
    outcome = check_document(protocol_current(trial).document)
    if outcome.protocol is None:
        sentences = " ".join(problem.message for problem in outcome.problems)
        raise ValidationFailedError(f"The protocol must be mended before items are drawn. {sentences}")
    return outcome.protocol


def _candidates(protocol: ProtocolV1) -> Candidates:
    task = protocol.preference
    if task is None or task.candidates is None:
        raise ValidationFailedError.of_fields(
            {
                "/protocol/tasks": "Name the two candidate sources of the preference task before slices are drawn."
            }
        )
    return task.candidates


def slice_records(trial: Trial, protocol: ProtocolV1, *, purpose: str) -> Iterator[SliceRecord]:
    """Yield one record per axial slice of every case of that purpose: which candidates are there, how they overlap."""
    candidates = _candidates(protocol)
    cases = trial.cases.filter(purpose=purpose).prefetch_related(contours_with_masks(), images_with_volumes())
    for case in cases.order_by("code"):
        contours = {contour.source: contour for contour in case.contours.all()}
        a, b = contours.get(candidates.a.source), contours.get(candidates.b.source)
        stratum = protocol.items.selection.stratum
        for image in case.images.all():
            volume = image.volume
            masks = [_plane_counts(contour) for contour in (a, b)]
            both = _overlaps(a, b)
            for z in range(volume.frame_count):
                size_a, size_b = (0 if mask is None else int(mask[z]) for mask in masks)
                total = size_a + size_b
                yield SliceRecord(
                    case=case.code,
                    slice_index=z,
                    position_mm=z * volume.spacing_mm_z,
                    has_a=size_a > 0,
                    has_b=size_b > 0,
                    dice=2 * int(both[z]) / total if both is not None and size_a and size_b else None,
                    expert=candidates.a.source,
                    stratum=str(case.covariates.get(stratum, "")) if stratum else "",
                )


def _plane_counts(contour: Contour | None) -> np.ndarray | None:
    if contour is None:
        return None
    counts: np.ndarray = stored_mask_array(contour.mask).sum(axis=(1, 2))
    return counts


def _overlaps(a: Contour | None, b: Contour | None) -> np.ndarray | None:
    if a is None or b is None:
        return None
    common: np.ndarray = (stored_mask_array(a.mask) & stored_mask_array(b.mask)).sum(axis=(1, 2))
    return common


def _seed(protocol: ProtocolV1) -> int:
    seed = protocol.seeds.item_draw
    if seed is None:
        raise ValidationFailedError.of_fields({"/protocol/seeds/item_draw": "Give the item draw a seed."})
    return seed


@dataclass(frozen=True)
class _Planned:
    """One item as the draw gives it, before it is stored."""

    case: str
    slice_index: int
    practice: bool
    dice: float | None = None

    @property
    def key(self) -> tuple[str, int, bool]:
        """By what an item is known again."""
        return self.case, self.slice_index, self.practice


@dataclass(frozen=True)
class _Drawing:
    """The items of a draw, the trial's first, and what is told of it."""

    items: tuple[_Planned, ...]
    requested: int
    qualifying: int
    not_drawn: tuple[ReasonCount, ...]


def _drawing(trial: Trial, protocol: ProtocolV1) -> _Drawing:
    """Draw the trial's items and the practice items as the protocol says now; nothing is written."""
    if protocol.items.unit == "slice":
        return _slices_drawn(trial, protocol)
    return _cases_drawn(trial, protocol)


def _slices_drawn(trial: Trial, protocol: ProtocolV1) -> _Drawing:
    seed, selection = _seed(protocol), protocol.items.selection
    outcome = draw_items(
        list(slice_records(trial, protocol, purpose=CasePurpose.TRIAL)), selection=selection, seed=seed
    )
    practice = practice_items(
        list(slice_records(trial, protocol, purpose=CasePurpose.PRACTICE)),
        selection=selection,
        count=protocol.practice.count,
        seed=seed,
    )
    return _Drawing(
        items=tuple(
            _Planned(one.case, one.slice_index, is_practice, one.dice)
            for drawn, is_practice in ((outcome.drawn, False), (practice.drawn, True))
            for one in drawn
        ),
        requested=selection.count,
        qualifying=outcome.qualifying_count,
        not_drawn=(*outcome.not_qualifying, *outcome.not_drawn),
    )


def _cases_drawn(trial: Trial, protocol: ProtocolV1) -> _Drawing:
    """One item per case: the trial's by the protocol's count or list, practice cases as many as it plans."""
    seed, items = _seed(protocol), protocol.items
    starts = {
        purpose: _start_frames(trial, purpose=purpose, unit=items.unit)
        for purpose in (CasePurpose.TRIAL, CasePurpose.PRACTICE)
    }
    main, practice = starts[CasePurpose.TRIAL], starts[CasePurpose.PRACTICE]
    with_image = [code for code, start in main.items() if start is not None]
    percent, strata = items.prevalence.sample_percent, _strata_of_cases(trial, items.strata)
    if percent is None or items.count is None:
        chosen = select_cases(
            with_image,
            without_image=len(main) - len(with_image),
            count=items.count,
            named=items.cases,
            seed=seed,
            strata=strata,
        )
    else:
        chosen = _enriched(
            trial,
            with_image,
            without_image=len(main) - len(with_image),
            count=items.count,
            percent=percent,
            seed=seed,
            strata=strata,
        )
    if chosen.unknown:
        raise ValidationFailedError.of_fields(
            {
                "/protocol/items/cases": f"The trial has no case {', '.join(chosen.unknown)} with an image that "
                f"can be read as a {items.unit}."
            }
        )
    practised = select_cases(
        [code for code, start in practice.items() if start is not None],
        without_image=0,
        count=protocol.practice.count,
        named=(),
        seed=StableRandom(seed, "eq-cases/1:practice").word(),
    )
    return _Drawing(
        items=tuple(
            _Planned(code, start or 0, is_practice)
            for known, drawn, is_practice in ((main, chosen.drawn, False), (practice, practised.drawn, True))
            for code in drawn
            for start in (known[code],)
        ),
        requested=chosen.requested,
        qualifying=chosen.qualifying,
        not_drawn=tuple(
            ReasonCount(reason=reason, message=CASE_REASON_TEXT[reason], count=count)
            for reason, count in chosen.not_drawn
        ),
    )


def _strata_of_cases(trial: Trial, covariates: Sequence[str]) -> dict[str, str] | None:
    """Return the stratum of every case by its code; None where the draw has none.

    Raises
    ------
    ValidationFailedError
        If a case lacks a covariate: it would be drawn in a stratum of its own making.
    """
    if not covariates:
        return None
    strata, lacking = {}, []
    for code, known in trial.cases.filter(purpose=CasePurpose.TRIAL).values_list("code", "covariates"):
        values = [known.get(name) for name in covariates]
        lacking += [code] if any(value in (None, "") for value in values) else []
        strata[code] = "|".join(f"{name}={value}" for name, value in zip(covariates, values, strict=True))
    if lacking:
        raise ValidationFailedError.of_fields(
            {"/protocol/items/strata": f"No value of a covariate for case {listing(sorted(lacking))}."}
        )
    return strata


def _enriched(
    trial: Trial,
    codes: list[str],
    *,
    without_image: int,
    count: int,
    percent: int,
    seed: int,
    strata: Mapping[str, str] | None,
) -> CaseSelection:
    """Draw a set share of diseased cases, by the reference standard that counts now."""
    known = {
        case.code: one.truth == 1 if one is not None and one.status == ReferenceStatus.FINAL else None
        for case in trial.cases.prefetch_related("reference_standards")
        for one in [reference_of(case)]
    }
    try:
        return select_enriched(
            {code: known[code] for code in codes},
            without_image=without_image,
            count=count,
            percent=percent,
            seed=seed,
            strata=strata,
        )
    except TooFewCasesError as error:
        raise ValidationFailedError.of_fields(
            {"/protocol/items/prevalence/sample_percent": str(error)}
        ) from None


def _start_frames(trial: Trial, *, purpose: str, unit: str) -> dict[str, int | None]:
    """Return, by case code, the frame that a reading of the whole case starts on; None without an image for it."""
    starts: dict[str, int | None] = {}
    for case in trial.cases.filter(purpose=purpose).prefetch_related(images_with_volumes()).order_by("code"):
        image = whole_image(case, unit)
        count = image.volume.frame_count if image is not None else 0
        starts[case.code] = None if image is None else 0 if unit == "scan" else count // 2
    return starts


def whole_image(case: Case, unit: str) -> CaseImage | None:
    """Return the image that a scan or volume shows first: the planar one, or the CT before other volumes."""
    images = sorted(case.images.all(), key=lambda image: str(image.id))
    planar = [image for image in images if image.volume.series_description.views]
    if unit == "scan":
        return planar[0] if planar else None
    volumes = [image for image in images if image not in planar]
    return min(volumes, key=lambda image: image.volume.modality != "CT", default=None)


def items_are_as_drawn(trial: Trial) -> bool:
    """Say whether the stored items are those that protocol, seed and cases give now.

    A protocol edited, or a case brought in, after the draw would otherwise be locked with another draw's items.
    """
    protocol = _draft_protocol(trial)
    drawn = sorted(one.key for one in _drawing(trial, protocol).items)
    stored = trial.items.select_related("case", "candidate_a", "candidate_b")
    if any(item.unit != protocol.items.unit for item in stored):
        return False
    if protocol.preference is not None:
        candidates = _candidates(protocol)
        sources = (candidates.a.source, candidates.b.source)
        if any(_sources(item) != sources for item in stored):
            return False
    return drawn == sorted((item.case.code, item.slice_index, item.practice) for item in stored)


def _sources(item: Item) -> tuple[str | None, str | None]:
    a, b = item.candidate_a, item.candidate_b
    return (None if a is None else a.source, None if b is None else b.source)


def items_draw(trial: Trial, *, actor: Actor) -> ItemDraw:
    """Draw the trial's items and its practice items anew, by the protocol's rule and seed; the old draw goes."""
    protocol = _draft_protocol(trial)
    drawing = _drawing(trial, protocol)
    cases = {
        case.code: case
        for case in trial.cases.prefetch_related("contours", images_with_volumes()).order_by("code")
    }
    with transaction.atomic():
        # Held until the new items stand: protocol lock freezes one draw whole, never half of two.
        now = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        if now.state != TrialState.DRAFT:
            raise StateConflictError(
                f"The trial became {now.state} meanwhile.", data={"state": now.state, "allowed": []}
            )
        trial.items.all().delete()
        Item.objects.bulk_create(
            [
                _item(trial, protocol, cases[one.case], one, number=number)
                for number, one in enumerate(drawing.items, start=1)
            ],
            batch_size=500,
        )
        kept, _ = ItemDraw.objects.update_or_create(
            trial=trial,
            defaults={
                "seed": _seed(protocol),
                "requested": drawing.requested,
                "qualifying": drawing.qualifying,
                "not_qualifying": [asdict(reason) for reason in drawing.not_drawn],
                "drawn_at": timezone.now(),
            },
        )
        practice = sum(one.practice for one in drawing.items)
        record(
            trial,
            AuditKind.ITEM_DRAWN,
            actor=actor,
            subject=f"trial:{trial.id}",
            after={
                "seed": _seed(protocol),
                "drawn": len(drawing.items) - practice,
                "practice": practice,
                "qualifying": drawing.qualifying,
            },
        )
    return kept


def _item(trial: Trial, protocol: ProtocolV1, case: Case, planned: _Planned, *, number: int) -> Item:
    unit = protocol.items.unit
    contours = {contour.source: contour for contour in case.contours.all()}
    a = b = None
    if protocol.preference is not None:
        candidates = _candidates(protocol)
        a, b = contours[candidates.a.source], contours[candidates.b.source]
    image = case.images.all()[0] if unit == "slice" else whole_image(case, unit)
    if image is None:
        raise LookupError(f"Case {case.code} was drawn and has no image.")
    whole = unit != "slice"
    return Item(
        trial=trial,
        case=case,
        image=image,
        code=item_code(number),
        practice=planned.practice,
        unit=unit,
        slice_index=planned.slice_index,
        first_frame=0 if whole else planned.slice_index,
        last_frame=image.volume.frame_count - 1 if whole else planned.slice_index,
        dice=planned.dice,
        candidate_a=a,
        candidate_b=b,
    )
