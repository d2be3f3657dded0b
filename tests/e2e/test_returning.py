"""A reader leaves a case open and comes back: told before, told after, and an administrator may release the case."""

from datetime import timedelta

import pytest

from equipoise.audit.guards import guards_lifted
from tests.e2e import world as e2e
from tests.factories import trials as factory
from trials.models import Draft, Reading, ReadingAttempt, ReadingEvent, Response

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("site")]

AWAY = timedelta(hours=3)
MOVABLE_CLOCK = """(() => {
  const now = Date.now.bind(Date);
  window.aheadMs = 0;
  Date.now = () => now() + window.aheadMs;
})();"""


def world_where(what):
    return factory.open_world(
        practice=0,
        **{
            "practice.count": 0,
            "items.selection.count": 3,
            "allocation.hidden_repeats": {"count": 0},
            "allocation.blinding_check.pairs": 0,
            "sessions.on_return": what,
            "sessions.resume_within_hours": 2,
        },
    )


def let_time_pass(reading):
    """Put what is known of the open reading so far back: the server runs by its own clock."""
    with guards_lifted():
        Reading.objects.filter(id=reading.id).update(
            opened_at=reading.opened_at - AWAY, first_opened_at=reading.first_opened_at - AWAY
        )
        for event in ReadingEvent.objects.filter(reading=reading):
            ReadingEvent.objects.filter(id=event.id).update(
                received_at=event.received_at - AWAY, wall_ms=event.wall_ms - AWAY.total_seconds() * 1000
            )


def left_with_a_choice(page, reader):
    """Choose, take a break, and wait until the server has it; return the open reading."""
    e2e.wait_for_case(page, 1)
    with page.expect_response(lambda answer: answer.url.endswith("/current/draft")):
        page.keyboard.press("ArrowLeft")
    with page.expect_response(lambda answer: answer.url.endswith("/break")):  # told after the events
        page.keyboard.press("b")
    page.get_by_role("heading", name="Break").wait_for()
    reading = Reading.objects.get(participant=reader, state="open")
    assert reading.painted_at is not None
    return reading


def choice_of(page):
    """Return which side is marked; the answers come first among what can be pressed below the images."""
    buttons = page.locator("footer button[aria-pressed]")
    pressed = [buttons.nth(index).get_attribute("aria-pressed") == "true" for index in range(2)]
    return dict(zip(pressed, ("left", "right"), strict=False)).get(True)


def test_a_case_that_is_blocked_is_announced_skipped_and_released(visit):
    world = world_where("block")
    reader = world.enrol()
    path = f"/read/{world.trial.slug}"
    browser = visit()
    browser.sign_in(factory.account_of(reader).email)
    page = browser.page(path)
    reading = left_with_a_choice(page, reader)
    assert "come back within 2 hours" in page.get_by_role("region", name="Break").inner_text()
    page.close()
    let_time_pass(reading)

    page = browser.page("/")
    page.get_by_role("link", name="Contours").click()
    page.get_by_role("heading", name="Break").wait_for()
    assert "come back within 2 hours" in page.locator("main").inner_text()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The case you left is not shown again").wait_for()
    assert Reading.objects.get(id=reading.id).state == "open"
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 2)
    assert Reading.objects.get(id=reading.id).state == "blocked"

    office = visit()
    office.sign_in(world.administrator.email)
    desk = office.page(f"/trials/{world.trial.id}/monitor")
    desk.get_by_role("heading", name="Left open").wait_for()
    desk.get_by_role("button", name="Release").click()
    desk.get_by_label("Reason").fill("Called to an emergency")
    desk.get_by_role("dialog").get_by_role("button", name="Release").click()
    desk.get_by_role("cell", name="Released").wait_for()

    e2e.answer_by_keyboard(page)
    e2e.wait_for_case(page, 1)
    assert choice_of(page) == "left"
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 3)
    assert {"left_open", "released", "interrupted"} <= set(Response.objects.get(reading=reading).flags)


def test_a_page_that_stood_open_begins_its_case_anew(visit):
    world = world_where("restart")
    reader = world.enrol()
    browser = visit()
    browser.context.add_init_script(MOVABLE_CLOCK)
    browser.sign_in(factory.account_of(reader).email)
    page = browser.page(f"/read/{world.trial.slug}")
    reading = left_with_a_choice(page, reader)
    let_time_pass(reading)
    page.evaluate(f"window.aheadMs = {AWAY.total_seconds() * 1000}")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The case you left begins anew").wait_for()
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 1)
    assert choice_of(page) is None
    e2e.answer_by_keyboard(page, "ArrowRight")
    e2e.wait_for_case(page, 2)
    attempt = ReadingAttempt.objects.get(reading=reading)
    assert attempt.draft.body["choice"] == "left"
    assert not Draft.objects.filter(reading=reading).exists()
    response = Response.objects.get(reading=reading)
    assert response.answer["choice"] == "right"
    assert "restarted" in response.flags
    assert response.timing["wall_s"] < 60
    assert response.timing["earlier_visible_s"] == attempt.timing["visible_s"] > 0
