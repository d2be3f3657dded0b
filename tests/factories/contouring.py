"""A contouring trial for tests, made by services, and what a browser sends of a drawing."""

import base64
import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.archive.selectors import stored_mask
from equipoise.common.permissions import Role
from equipoise.imaging.mask import Mask, encode_mask
from tests.factories.accounts import AccountFactory
from tests.factories.trials import PreferenceWorld, account_of, events_of, open_reading, phantom_case
from trials.domain.protocol.document import check_text, to_yaml
from trials.domain.states import TrialAction
from trials.models import CasePurpose, Participant, Reading
from trials.selectors.templates import template
from trials.services.acts import Actor
from trials.services.invitation import membership_create
from trials.services.items import items_draw
from trials.services.reading import Opened, Submitted, reading_submit
from trials.services.trial import trial_create

ENGINE = {"name": "equipoise-canvas", "version": "1"}


def contouring_draft(
    *,
    cases: int = 3,
    repeats: int = 1,
    slug: str = "contouring",
    protocol: str = "contouring-variability",
    **changes: Any,
) -> PreferenceWorld:
    """Return a draft trial of a shipped protocol of volumes without a case; ``changes`` by dotted path."""
    document = check_text(template(protocol).text).document
    assert document is not None
    small = {
        "items.count": cases,
        "practice.count": 1,
        "allocation.strata": [{"key": "all", "label": "All readers", "participants": 3}],
        "allocation.hidden_repeats": {"count": repeats, "min_distance": 1},
        "allocation.min_case_distance": 1,
    }
    for path, value in {**small, **changes}.items():
        holder: Any = document
        *parents, last = path.split(".")
        for name in parents:
            holder = holder[int(name)] if isinstance(holder, list) else holder[name]
        holder[last] = value
    administrator = AccountFactory.create()
    assert administrator.institute is not None
    trial = trial_create(
        slug=slug,
        title="Contouring",
        protocol_text=to_yaml(document),
        institute=administrator.institute,
        creator=administrator,
        actor=Actor(account_id=administrator.id),
    )
    statistician = AccountFactory.create(institute=administrator.institute)
    world = PreferenceWorld(trial=trial, administrator=administrator, statistician=statistician)
    membership_create(trial, statistician, Role.UNBLINDED_STATISTICIAN, actor=world.actor)
    return world


def contouring_world(
    *, cases: int = 3, sources: tuple[str, str] = ("expert", "algorithm"), **options: Any
) -> PreferenceWorld:
    """Return a draft trial with a few phantom cases and their items drawn."""
    world = contouring_draft(cases=cases, **options)
    for number in range(cases):
        phantom_case(world.trial, number=number, sources=sources)
    phantom_case(world.trial, number=1000, purpose=CasePurpose.PRACTICE, sources=sources)
    items_draw(world.trial, actor=world.actor)
    return world


def open_contouring_world(**options: Any) -> PreferenceWorld:
    """Return a contouring trial that is locked and open for readers."""
    world = contouring_world(**options)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world


def open_review_world(**options: Any) -> PreferenceWorld:
    """Return a contour review that is locked and open for readers."""
    return open_contouring_world(protocol="contour-review", slug="review", **{"repeats": 0, **options})


def expert_mask(reading: Reading) -> Mask:
    """Return the stored expert contour of a reading's case."""
    return stored_mask(reading.item.case.contours.get(source="expert").mask)


def drawn_answer(mask: Mask, /, **changes: Any) -> dict[str, Any]:
    """Return the answer of a browser in which the mask was drawn slice by slice."""
    slices = [int(z) for z in np.flatnonzero(mask.array.any(axis=(1, 2)))]
    acts = [
        {
            "tool": "freehand",
            "z": z,
            "mode": "add",
            "points": [1, 1, 9, 1, 9, 9],
            "startMs": 100 * z,
            "endMs": 100 * z + 50,
        }
        for z in slices
    ]
    return {
        "mask": base64.b64encode(encode_mask(mask)).decode(),
        "engine": ENGINE,
        "acts": acts or [{"tool": "brush", "startMs": 0, "endMs": 1}],
        "slice_ms": {str(z): 1500 for z in slices},
        "origins": dict.fromkeys((str(z) for z in slices), "drawn"),
        "reason_code": None,
        "comment": "",
        **changes,
    }


def shifted(mask: Mask, pixels: int) -> Mask:
    """Return the mask moved along the columns."""
    array: NDArray[np.bool_] = np.roll(mask.array, pixels, axis=2)
    return Mask(array, mask.grid)


def submit_drawing(
    participant: Participant, opened: Opened, answer: dict[str, Any], **more: Any
) -> Submitted:
    """Submit a drawing to an opened reading."""
    return reading_submit(
        participant,
        token=str(opened.reading.token),
        lease=opened.reading.lease,
        key=more.pop("key", uuid.uuid4()),
        answer=answer,
        events=events_of(seconds=5.0, choice="drawn"),
        actor=Actor(account_id=account_of(participant).id),
    )


def draw_everything(participant: Participant, *, pixels: int) -> int:
    """Draw every case as the expert's contour moved by some pixels, one pixel further the second time."""
    count = 0
    while participant.readings.filter(state__in=["planned", "open"]).exists():
        opened = open_reading(participant)
        mask = shifted(expert_mask(opened.reading), pixels + opened.reading.repeat - 1)
        submit_drawing(participant, opened, drawn_answer(mask))
        count += 1
    return count
