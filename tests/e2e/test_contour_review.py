"""Contours under review in a real browser, by keys alone: judge, edit, accept, reject; from opening to the export."""

import csv
import io

import numpy as np
import pytest
from django.test import Client

from equipoise.archive.storage import default_store
from equipoise.imaging.mask import decode_mask
from tests.e2e import world as e2e
from tests.e2e.contouring import CLIPPED, Hand, image_share
from tests.factories.contouring import open_review_world
from trials.domain.states import TrialAction
from trials.models import Reading, Response
from trials.reading_tasks.contour_review.task import start_mask

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("site"),
]


@pytest.fixture
def reader(visit):
    """A reader in front of the first contour."""
    world = open_review_world(cases=3, **{"practice.count": 0})
    participant = world.enrol()

    def open_it(**options):
        browser = visit(**options)
        browser.sign_in(e2e.email_of(participant))
        page = browser.page(e2e.reading_path(world))
        e2e.wait_for_case(page, 1)
        return Hand(page, rows=48, columns=48)

    return world, participant, open_it


def stored(participant, position):
    """Return the reading at a position, its answer and the stored voxels, None where there are none."""
    reading = Reading.objects.get(participant=participant, position=position)
    response = Response.objects.get(reading=reading)
    file = response.files.filter(name="mask").first()
    return (
        reading,
        response.answer,
        None if file is None else decode_mask(default_store().read(file.key)).array,
    )


def draw_by_keys(hand):
    """Paint a run of pixels on the start slice and take a second one back, without a mouse."""
    keyboard = hand.page.keyboard
    hand.press("b", "[", "[", "[", "Shift+ArrowRight", "Shift+ArrowUp")
    keyboard.down("Space")
    for _ in range(4):
        keyboard.press("ArrowRight")
    keyboard.up("Space")
    hand.press("ArrowUp", "ArrowUp", "Space", "Control+z")


def asks(page, words):
    """Wait until a question stands in its place."""
    page.get_by_role("heading", name=words).wait_for()


def unblinded_rows(world):
    """Close the trial and return the rows of its exported table, by verdict."""
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    client = Client()
    client.force_login(world.administrator)
    answer = client.get(f"/api/v1/trials/{world.trial.id}/export/readings.csv")
    text = b"".join(answer).decode()
    return {row["verdict"]: row for row in csv.DictReader(io.StringIO(text))}


def test_contours_are_edited_accepted_and_rejected_by_keys_and_stand_in_the_export(reader):
    world, participant, open_it = reader
    hand = open_it()
    page = hand.page
    asks(page, "Is this contour acceptable")
    e2e.check_accessible(page)
    assert page.get_by_role("button", name="Brush").is_disabled()
    hand.press("2")
    asks(page, "Accept the contour, edit it, or reject it")
    e2e.check_accessible(page)
    hand.press("2")
    asks(page, "Who do you think made this contour")
    draw_by_keys(hand)
    e2e.check_accessible(page)
    drawn = hand.mask(acts=3).array
    hand.press("1", "Enter")
    e2e.wait_for_case(page, 2)
    hand.press("1", "1", "3")
    asks(page, "All is answered")
    hand.press("Enter")
    e2e.wait_for_case(page, 3)
    hand.press("4", "3", "2", "Enter")
    asks(page, "That was the last one")

    reading, answer, mask = stored(participant, 1)
    np.testing.assert_array_equal(mask, drawn)
    assert not np.array_equal(mask, start_mask(reading).array)
    assert (answer["verdict"], answer["acceptability"], answer["origin"]) == ("edit", 2, "person")
    assert (answer["acts"], answer["undos"]) == (3, 1)
    assert answer["editing_s"] > 0
    reading, answer, mask = stored(participant, 2)
    np.testing.assert_array_equal(mask, start_mask(reading).array)
    assert (answer["verdict"], answer["acceptability"], answer["origin"]) == ("accept", 1, "dont_know")
    _, answer, mask = stored(participant, 3)
    assert mask is None
    assert (answer["verdict"], answer["acceptability"], answer["origin"]) == ("reject", 4, "algorithm")

    rows = unblinded_rows(world)
    assert [rows[name]["acceptability"] for name in ("accept", "edit", "reject")] == ["1", "2", "4"]
    assert {row["left_source"] for row in rows.values()} <= {"expert", "algorithm"}
    assert float(rows["edit"]["added_path_length_mm"]) > 0
    assert float(rows["edit"]["surface_tolerance_mm"]) == 1.18
    assert 0 < float(rows["edit"]["editing_s"]) < float(rows["edit"]["wall_s"])
    assert float(rows["accept"]["surface_dice"]) == 1
    assert rows["reject"]["surface_dice"] == ""


def test_the_image_is_the_page_and_every_control_is_whole_at_every_question(reader):
    _, _, open_it = reader
    hand = open_it()
    page = hand.page
    assert image_share(page) >= 0.8
    assert page.evaluate(CLIPPED) == []
    finish = page.get_by_role("button", name="Finish")
    place = finish.bounding_box()
    for key, tool in (("2", ""), ("2", "b"), ("1", "g"), ("", "t")):
        hand.press(*(each for each in (key, tool) if each))
        e2e.until_painted(page)
        assert page.evaluate(CLIPPED) == []
        assert finish.bounding_box() == place, "what is pressed stays where it is"
    assert image_share(page) >= 0.8


def test_the_surface_turns_by_itself_and_by_keys_and_follows_an_edit(reader):
    _, _, open_it = reader
    hand = open_it(reduced_motion="reduce")
    page = hand.page
    surface = page.get_by_role("img", name="Surface of the contour")

    def shown():
        e2e.until_painted(page)
        return surface.evaluate("(canvas) => canvas.toDataURL()")

    page.wait_for_timeout(300)
    still = shown()
    page.wait_for_timeout(200)
    assert shown() == still, "nothing turns for those who want no motion"
    e2e.tab_to(page, surface)
    page.keyboard.press("ArrowRight")
    turned = shown()
    assert turned != still
    hand.press("2", "2")
    page.evaluate("document.activeElement.blur()")
    hand.press("Delete")
    hand.drawing(acts=1)
    page.wait_for_timeout(400)
    assert shown() != turned


def test_a_killed_tab_loses_neither_answers_nor_edits(reader):
    _, participant, open_it = reader
    hand = open_it()
    hand.press("2", "2", "3")
    draw_by_keys(hand)
    drawn = hand.mask(acts=3).array
    hand.page.wait_for_timeout(1500)
    address, context = hand.page.url, hand.page.context
    hand.page.close(run_before_unload=False)
    page = context.new_page()
    page.goto(address)
    e2e.wait_for_case(page, 1)
    page.get_by_role("button", name="Change the answer: verdict, Edit").wait_for()
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 2)
    _, answer, mask = stored(participant, 1)
    np.testing.assert_array_equal(mask, drawn)
    assert (answer["acceptability"], answer["origin"], answer["acts"]) == (2, "dont_know", 3)
