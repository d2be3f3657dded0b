"""A real patient outlined in a real browser: five slices by hand, the rest interpolated, edited, undone, submitted."""

import logging
import re

import numpy as np
import pytest

from equipoise.archive.roi_rules import RoiRule
from equipoise.archive.storage import default_store
from equipoise.imaging.mask import decode_mask
from equipoise.imaging.outline import boundary_loops
from equipoise.metrics import segmentation_metrics
from tests.e2e import world as e2e
from tests.e2e.contouring import Hand
from tests.factories.contouring import contouring_draft, expert_mask
from trials.domain.states import TrialAction
from trials.models import CasePurpose, Reading, Response
from trials.services.ingest import trial_ingest_folder
from trials.services.items import items_draw

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.django_db(transaction=True),
]

LOGGER = logging.getLogger(__name__)
VERTEX_EVERY = 6
"""Of the reference outline's vertices the scripted hand goes through each so-manyth: it cuts corners, as hands do."""


def five_slices(mask):
    """Return the first and last slice of a structure and three between."""
    levels = np.flatnonzero(mask.any(axis=(1, 2)))
    return [int(z) for z in levels[np.linspace(0, len(levels) - 1, 5).round().astype(int)]]


def go_to(hand: Hand, start: int, wanted: int) -> None:
    """Scroll from one slice to another."""
    hand.press(*["PageDown" if wanted > start else "PageUp"] * abs(wanted - start))


def test_a_real_tumour_is_outlined_and_the_stored_mask_is_the_drawn_one(
    patients_folder, site, visit, record_property
):
    world = contouring_draft(cases=1, repeats=0, **{"practice.count": 0})
    report = trial_ingest_folder(
        world.trial,
        patients_folder,
        rules=[RoiRule(source="expert", pattern="GTV-1")],
        purpose=CasePurpose.TRIAL,
        actor=world.actor,
    )
    assert report.problems == ()
    items_draw(world.trial, actor=world.actor)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    participant = world.enrol()
    browser = visit()
    browser.sign_in(e2e.email_of(participant))
    page = browser.page(e2e.reading_path(world))
    e2e.pass_grey_steps(page)
    page.set_default_timeout(60_000)
    e2e.wait_for_case(page, 1)

    reading = Reading.objects.get(participant=participant)
    reference = expert_mask(reading)
    _, rows, columns = reference.grid.shape_zyx
    _, row_mm, column_mm = reference.grid.spacing_mm_zyx
    hand = Hand(page, rows=rows, columns=columns, row_mm=row_mm, column_mm=column_mm)
    slices = five_slices(reference.array)
    shown = reading.item.slice_index
    hand.press("f")
    for z in slices:
        go_to(hand, shown, z)
        shown = z
        loop = max(boundary_loops(reference.array[z]), key=len)
        hand.draw(np.vstack([loop[::VERTEX_EVERY], loop[:1]]))
    hand.press("n", "b")
    x, y = loop.mean(axis=0)
    hand.draw([(x, y), (x + 30, y)])
    hand.press("Control+z")
    drawing = hand.drawing(acts=8)
    assert [act["tool"] for act in drawing["acts"]] == [*["freehand"] * 5, "interpolate", "brush", "undo"]
    drawn = hand.mask()
    hand.press("Enter")
    page.get_by_role("heading", name=re.compile("Last questions|You have finished")).wait_for()

    response = Response.objects.get()
    stored = decode_mask(default_store().read(response.files.get(name="mask").key))
    np.testing.assert_array_equal(stored.array, drawn.array)
    measured = segmentation_metrics(reference.array, stored.array, reference.grid.spacing_mm_zyx)
    record_property("dice_against_gtv_1", measured.dice)
    LOGGER.info("DSC against GTV-1 %.3f, HD95 %.1f mm", measured.dice, measured.hausdorff_95_mm)
    assert measured.dice > 0.7
    assert response.answer["slices"] == slices[-1] - slices[0] + 1
    assert response.answer["slices_interpolated"] == response.answer["slices"] - 5
