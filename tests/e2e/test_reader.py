"""A reader from the invitation to the end, by keyboard alone; with and without 3D interfaces."""

import re

import pytest

from tests.e2e import world as e2e
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD
from trials.models import Participant, Reading, Response

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("site")]

SMALL = {"items.selection.count": 4}


def onboard(page, *, looked_at=lambda page: None, card_name="Contours", speciality="Radiology"):
    """Go from the invitation to the first practice case with nothing but keys."""
    button = lambda name: page.get_by_role("button", name=name)  # noqa: E731 - short names for a long way
    page.get_by_role("heading", name="You are invited").wait_for()
    looked_at(page)
    e2e.type_into(page, page.get_by_label("Name"), "Dr Reader")
    e2e.type_into(page, page.get_by_label("Password"), PASSWORD)
    page.keyboard.press("Enter")
    card = page.get_by_role("link", name=re.compile(card_name))
    card.wait_for()
    looked_at(page)
    e2e.press_on(page, card)
    agree = page.get_by_role("checkbox", name="I have read this and agree to take part")
    page.locator(".eq-prose").wait_for()
    page.get_by_text(
        re.compile(r"^Step 1 of 3 before you read; then \d+ readings, about \d+ min in all$")
    ).wait_for()
    looked_at(page)
    e2e.press_on(page, agree, "Space")
    e2e.press_on(page, button("Continue"))
    page.get_by_text("Step 2 of 3 before you read").wait_for()
    e2e.pick(page, page.get_by_role("radio", name=speciality, exact=True))
    looked_at(page)
    numbers = page.get_by_role("spinbutton").all()
    for number, words in zip(numbers, ("7.5", "3")[: len(numbers)], strict=True):
        e2e.type_into(page, number, words)
    if page.get_by_role("radio", name="Laptop").count() > 0:
        e2e.pick(page, page.get_by_role("radio", name="Laptop"))
    e2e.press_on(page, button("Continue"))
    page.get_by_role("heading", name="Instructions").wait_for()
    page.get_by_text("Step 3 of 3 before you read").wait_for()
    page.locator(".eq-prose").wait_for()
    looked_at(page)
    e2e.press_on(page, button("I have read the instructions"))


def read_to_the_end(page, *, looked_at=lambda page: None):
    """Practice, readings, blinding check, closing question, done: with nothing but keys."""
    e2e.wait_for_case(page, 1, phase="practice")
    looked_at(page)
    e2e.answer_by_keyboard(page)
    e2e.wait_for_case(page, 1)
    page.keyboard.press("ArrowLeft")
    looked_at(page)
    page.keyboard.press("Backspace")
    page.keyboard.press("c")
    page.keyboard.type("left edge is blurred")
    looked_at(page)
    page.keyboard.press("Enter")
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keys and mouse").wait_for()
    looked_at(page)
    page.keyboard.press("Escape")
    e2e.answer_by_keyboard(page, "ArrowRight")
    e2e.wait_for_case(page, 2)
    page.keyboard.press("x")
    looked_at(page)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 3)
    page.keyboard.press("b")
    page.get_by_role("heading", name="Break").wait_for()
    looked_at(page)
    page.keyboard.press("Enter")
    for n in (3, 4, 5):
        e2e.wait_for_case(page, n)
        e2e.answer_by_keyboard(page)
    for n in (1, 2):
        e2e.wait_for_case(page, n, phase="blinding-check")
        looked_at(page)
        e2e.answer_by_keyboard(page, "ArrowDown" if n == 1 else "ArrowRight")
    page.get_by_role("heading", name="Last questions").wait_for()
    looked_at(page)
    e2e.type_into(page, page.get_by_role("textbox"), "No, I could not tell.")
    e2e.press_on(page, page.get_by_role("button", name="Continue"))
    page.get_by_role("heading", name="You have finished").wait_for()
    looked_at(page)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_3d", [True, False], ids=["with-3d", "without-3d"])
def test_reader_goes_from_the_link_to_done_by_keyboard(visit, request, with_3d):
    world = factory.open_world(cases=4, **SMALL)
    browser = None if with_3d else request.getfixturevalue("browser_without_3d")
    page = visit(in_browser=browser).page(e2e.invitation_path(world))
    looked_at = e2e.check_accessible if with_3d else (lambda page: None)
    has_3d = page.evaluate("() => document.createElement('canvas').getContext('webgl2') !== null")
    assert has_3d is with_3d
    onboard(page, looked_at=looked_at)
    read_to_the_end(page, looked_at=looked_at)
    reader = Participant.objects.get()
    assert reader.state == "done"
    assert reader.group == "Radiology"
    assert str(reader.experience_years) == "7.5"
    assert reader.closing_answers == {"general": "No, I could not tell."}
    readings = Reading.objects.filter(participant=reader).order_by("position")
    assert [reading.phase for reading in readings] == ["practice"] + ["reading"] * 5 + ["blinding-check"] * 2
    assert Response.objects.count() == 8
    answers = [reading.responses.get().answer for reading in readings]
    assert [answer["choice"] for answer in answers] == [
        *("left", "right", "cannot_assess", "left", "left", "left"),
        *("dont_know", "right"),
    ]
    assert answers[2]["reason_code"] == "image_quality"
    assert readings[1].responses.get().comment.text == "left edge is blurred"
    assert "paused" in readings[3].responses.get().flags
    for reading in readings:
        timing = reading.responses.get().timing
        assert 0 < timing["visible_s"] <= timing["wall_s"] < 60
