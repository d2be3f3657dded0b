"""Contours of a copy: who drew them in the trial, and how well, is an outcome that a rehearsal must not show."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from equipoise.archive.selectors import stored_mask
from equipoise.archive.services import mask_store
from equipoise.imaging.mask import Mask
from equipoise.simulation import simulated_observer, stream
from trials.domain.protocol.tasks import CandidateSource, ContouringTask, ContourReviewTask, PreferenceTask
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import Case, Contour, contours_with_masks
from trials.rehearsal.sandbox import Sandbox
from trials.selectors.segmentations import algorithm_sources

SKILL = 0.9
"""Of simulated algorithms and of other simulated sources of contours."""
_CONTOURS = 13
"""Key of the streams under the seed."""


def contours_simulate(box: Sandbox, protocol: ProtocolV1, *, seed: int) -> None:
    """Leave one expert's contour of every image; let simulated observers draw all others after it.

    Else the copy, which is unblinded, would tell how well the trial's algorithms do before data lock. A contour of an
    algorithm alone is redrawn too. Where readers draw, an algorithm that has contours has one of every image: how
    often it failed is an outcome as well. Call it after the items were drawn.
    """
    experts, machines = _experts(protocol), _machines(protocol)
    cases = list(box.trial.cases.prefetch_related(contours_with_masks()).order_by("code"))
    sources = sorted({contour.source for case in cases for contour in case.contours.all()})
    everywhere = [one for one in sources if one in machines] if _is_drawn(protocol) else []
    for place, case in enumerate(cases):
        for on_image in _by_image(case):
            base = _base(on_image, experts, machines)
            after = stored_mask(base.mask)
            by_source = {contour.source: contour for contour in on_image}
            here = {one.source for one in case.contours.all()}
            for source in [*by_source, *(one for one in everywhere if one not in here)]:
                if source == base.source and source not in machines:
                    continue
                rng = stream(seed, _CONTOURS, place, sources.index(source))
                mask = mask_store(base.mask.volume, drawn_after(after, rng), source=source)
                Contour.objects.update_or_create(
                    case=case,
                    source=source,
                    defaults={"mask": mask, "voxel_count": mask.voxel_count},
                    create_defaults={
                        "mask": mask,
                        "voxel_count": mask.voxel_count,
                        "created_at": timezone.now(),
                    },
                )


def drawn_after(mask: Mask, rng: np.random.Generator) -> Mask:
    """Return a contour as another observer would have drawn it; one that would be lost is kept."""
    drawn: NDArray[np.bool_] = simulated_observer(mask.array, mask.grid.spacing_mm_zyx, rng, skill=SKILL)
    return Mask(drawn if drawn.any() else mask.array, mask.grid)


def _is_drawn(protocol: ProtocolV1) -> bool:
    return isinstance(protocol.task, ContouringTask)


def _candidates(protocol: ProtocolV1) -> Sequence[CandidateSource]:
    task = protocol.task
    if isinstance(task, PreferenceTask) and task.candidates is not None:
        return [task.candidates.a, task.candidates.b]
    return task.candidates if isinstance(task, ContourReviewTask) else []


def _experts(protocol: ProtocolV1) -> list[str]:
    """Return whose contour stays, the first that is there."""
    task = protocol.task
    if isinstance(task, ContouringTask) and task.reference is not None:
        return [task.reference]
    return [one.source for one in _candidates(protocol) if one.kind == "expert"]


def _machines(protocol: ProtocolV1) -> frozenset[str]:
    named = [one.source for one in _candidates(protocol) if one.kind == "algorithm"]
    return frozenset([*named, *algorithm_sources(protocol)])


def _by_image(case: Case) -> Iterator[list[Contour]]:
    contours = sorted(case.contours.all(), key=lambda one: (one.mask.volume_id, one.source))
    for _, on_image in groupby(contours, key=lambda one: one.mask.volume_id):
        yield list(on_image)


def _base(contours: Sequence[Contour], experts: Sequence[str], machines: frozenset[str]) -> Contour:
    by_source = {one.source: one for one in contours}
    by_people = [one for one in contours if one.source not in machines]
    return next((by_source[one] for one in experts if one in by_source), [*by_people, *contours][0])
