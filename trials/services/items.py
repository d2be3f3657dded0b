"""From cases with two contours to items: which slices qualify, why the rest do not, and the seeded draw."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from django.db import transaction
from django.utils import timezone

from equipoise.archive.selectors import stored_mask_array
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, ValidationFailedError
from trials.domain.codes import item_code
from trials.domain.item_selection import SelectionOutcome, SliceRecord, draw_items, practice_items
from trials.domain.protocol.document import check_document
from trials.domain.protocol.v1 import Candidates, ProtocolV1
from trials.domain.states import TrialState
from trials.models import Case, CasePurpose, Contour, Item, ItemDraw, Trial
from trials.selectors.protocol import protocol_current
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
                "/protocol/tasks": "Name the two candidate sources of the preference task before items are drawn."
            }
        )
    return task.candidates


def slice_records(trial: Trial, protocol: ProtocolV1, *, purpose: str) -> Iterator[SliceRecord]:
    """Yield one record per axial slice of every case of that purpose: which candidates are there, how they overlap."""
    candidates = _candidates(protocol)
    cases = trial.cases.filter(purpose=purpose).prefetch_related("contours__mask__volume", "images__volume")
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


def _outcomes(trial: Trial, protocol: ProtocolV1) -> tuple[SelectionOutcome, SelectionOutcome]:
    """Draw the trial's items and the practice items as the protocol says now; nothing is written."""
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
    return outcome, practice


def items_are_as_drawn(trial: Trial) -> bool:
    """Say whether the stored items are those that protocol, seed and cases give now.

    A protocol edited, or a case brought in, after the draw would otherwise be locked with another draw's items.
    """
    protocol = _draft_protocol(trial)
    candidates = _candidates(protocol)
    sources = (candidates.a.source, candidates.b.source)
    outcome, practice = _outcomes(trial, protocol)
    drawn = [(one.case, one.slice_index, False, *sources) for one in outcome.drawn]
    drawn += [(one.case, one.slice_index, True, *sources) for one in practice.drawn]
    stored = trial.items.values_list(
        "case__code", "slice_index", "practice", "candidate_a__source", "candidate_b__source"
    )
    return sorted(drawn) == sorted(stored)


def items_draw(trial: Trial, *, actor: Actor) -> ItemDraw:
    """Draw the trial's items and its practice items anew, by the protocol's rule and seed; the old draw goes."""
    protocol = _draft_protocol(trial)
    outcome, practice = _outcomes(trial, protocol)
    candidates = _candidates(protocol)
    cases = {case.code: case for case in trial.cases.prefetch_related("contours", "images").order_by("code")}
    drawn = [(record, False) for record in outcome.drawn] + [(record, True) for record in practice.drawn]
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
                _item(trial, cases[one.case], one, candidates, number=number, practice=is_practice)
                for number, (one, is_practice) in enumerate(drawn, start=1)
            ],
            batch_size=500,
        )
        kept, _ = ItemDraw.objects.update_or_create(
            trial=trial,
            defaults={
                "seed": _seed(protocol),
                "requested": protocol.items.selection.count,
                "qualifying": outcome.qualifying_count,
                "not_qualifying": [
                    asdict(reason) for reason in (*outcome.not_qualifying, *outcome.not_drawn)
                ],
                "drawn_at": timezone.now(),
            },
        )
        record(
            trial,
            AuditKind.ITEM_DRAWN,
            actor=actor,
            subject=f"trial:{trial.id}",
            after={
                "seed": _seed(protocol),
                "drawn": len(outcome.drawn),
                "practice": len(practice.drawn),
                "qualifying": outcome.qualifying_count,
            },
        )
    return kept


def _item(
    trial: Trial, case: Case, record_: SliceRecord, candidates: Candidates, *, number: int, practice: bool
) -> Item:
    contours = {contour.source: contour for contour in case.contours.all()}
    return Item(
        trial=trial,
        case=case,
        image=case.images.all()[0],
        code=item_code(number),
        practice=practice,
        slice_index=record_.slice_index,
        first_frame=record_.slice_index,
        last_frame=record_.slice_index,
        dice=record_.dice,
        candidate_a=contours[candidates.a.source],
        candidate_b=contours[candidates.b.source],
    )
