"""A rating form in the browser: by keyboard alone, conditions shown and hidden, stack and views, nothing for axe."""

import pytest

from tests.e2e import world as e2e
from tests.factories.forms import form_world, labeller
from trials.models import Reading, ReadingEvent, Response

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("site")]


def begin(visit, world):
    participant = labeller(world)
    browser = visit()
    browser.sign_in(e2e.email_of(participant))
    return participant, browser.page(e2e.reading_path(world))


def test_cases_are_labelled_by_keyboard_alone(visit):
    world = form_world(cases=2)
    participant, page = begin(visit, world)
    e2e.wait_for_case(page, 1)
    e2e.check_accessible(page)
    assert page.get_by_role("heading", name="0 of 2 questions answered").is_visible()
    before = e2e.pane_hashes(page)
    page.keyboard.press("PageDown")
    assert e2e.pane_hashes(page) != before, "the stack scrolls"
    page.keyboard.press("1")
    page.get_by_role("group", name="Why?").wait_for()
    page.keyboard.press("2")
    page.keyboard.press("1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("2")
    assert page.get_by_role("heading", name="3 of 3 questions answered").is_visible()
    e2e.check_accessible(page)
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 2)
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("2")
    assert page.get_by_role("group", name="Why?").count() == 0
    page.keyboard.press("1")
    assert page.get_by_role("heading", name="2 of 2 questions answered").is_visible()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="That was the last one").wait_for()
    e2e.check_accessible(page)
    e2e.press_on(page, page.get_by_role("button", name="Continue"))
    page.get_by_text("You have done every reading").wait_for()
    answers = Response.objects.order_by("submitted_at").values_list("answer", flat=True)
    assert list(answers) == [
        {
            "answers": {
                "pet_needed": True,
                "pet_reason": ["atelectasis", "mediastinum"],
                "location": "mediastinum",
            },
            "reason_code": None,
        },
        {"answers": {"pet_needed": False, "location": "parenchyma"}, "reason_code": None},
    ]
    assert Reading.objects.filter(participant=participant, state="submitted").count() == 2


def test_words_stand_in_the_answer_and_never_in_the_record(visit):
    questions = [
        {"key": "share", "kind": "integer", "label": "Share?", "minimum": "0", "maximum": "100", "unit": "%"},
        {"key": "remark", "kind": "text", "label": "Anything else?", "required": False},
    ]
    consensus = {"questions": [], "rule": "none"}
    world = form_world(cases=1, task={"questions": questions, "consensus": consensus})
    _, page = begin(visit, world)
    e2e.wait_for_case(page, 1)
    page.get_by_role("spinbutton", name="Share?").fill("101")
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Confirm").is_disabled(), "a number outside its range is no answer"
    page.get_by_role("spinbutton", name="Share?").fill("40")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.type("Ring on the hand")
    e2e.check_accessible(page)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="That was the last one").wait_for()
    response = Response.objects.get()
    assert response.answer == {"answers": {"share": 40}, "reason_code": None}
    assert response.comment.answers == {"remark": "Ring on the hand"}
    told = ReadingEvent.objects.filter(kind="answer_change").values_list("data", flat=True)
    assert "Ring" not in str(list(told))
