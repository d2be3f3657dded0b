"""The test of the display and the minimum of the window, as a reader meets them: by keyboard alone, nothing for axe."""

import os
from pathlib import Path

import pytest

from tests.e2e import world as e2e
from tests.factories import trials as factory
from trials.models import DisplayCheck, Reading, ReadingEvent

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("site")]

SMALL = {"items.selection.count": 4, "practice.count": 0}
MINIMUM = {"reading_environment.minimum_window": {"width_px": 1200, "height_px": 720}}
PICTURES = os.environ.get("TEST_PICTURES")


def picture(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def begin(visit, **changes):
    world = factory.open_world(cases=4, practice=0, **SMALL, **changes)
    reader = world.enrol()
    browser = visit()
    browser.sign_in(e2e.email_of(reader))
    return world, reader, browser, browser.page(e2e.reading_path(world))


def opened(reader):
    return Reading.objects.filter(participant=reader).exclude(state="planned")


def test_patches_are_found_by_keyboard_and_a_blocked_display_opens_once_they_are(visit):
    _, reader, _, page = begin(
        visit,
        **{"reading_environment.grey_steps": "required", "reading_environment.grey_steps_failing": "block"},
    )
    page.get_by_role("heading", name="Test of the display").wait_for()
    e2e.check_accessible(page)
    picture(page, "grey-steps-begin")
    assert page.get_by_role("button", name="Leave it out").count() == 0
    page.keyboard.press("Enter")
    for n in range(1, 7):
        page.get_by_text(f"{n} of 6").wait_for()
        if n <= 2:
            e2e.check_accessible(page)
            picture(page, f"grey-steps-{n}")
            assert page.evaluate("() => document.documentElement.scrollHeight <= innerHeight")
        page.keyboard.press("0" if n == 3 else str(e2e.patch_quarter(page)))
    page.get_by_role("heading", name="Not every patch was found").wait_for()
    assert "1 of 3 patches of 5 % in the black field" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("button", name="Go on reading").count() == 0
    e2e.check_accessible(page)
    picture(page, "grey-steps-failed")
    assert not opened(reader).exists()
    page.keyboard.press("Enter")
    e2e.find_patches(page)
    e2e.wait_for_case(page, 1)
    assert list(DisplayCheck.objects.values_list("outcome", flat=True)) == ["failed", "passed"]
    missed = DisplayCheck.objects.get(outcome="failed").answers[2]
    assert (missed["field"], missed["chosen"]) == ("dark", None)
    account = opened(reader).get().environment
    assert (account["window_width_px"], account["window_height_px"]) == (1280, 800)
    assert account["renderer"] in ("hardware", "software", "none")
    assert account["display"] == DisplayCheck.objects.last().display
    page.reload()
    e2e.wait_for_case(page, 1)
    assert DisplayCheck.objects.count() == 2, "once in a session on a display"


def test_patches_of_5_and_95_percent_lie_in_fields_of_0_and_100_under_18_steps(visit):
    _, _, _, page = begin(visit, **{"reading_environment.grey_steps": "offered"})
    page.get_by_role("heading", name="Test of the display").wait_for()
    [ramp] = e2e.grey_levels(page)
    steps = sorted({int(value) for value in ramp.ravel()})
    assert steps == [0, *range(8, 256, 16), 255]
    page.keyboard.press("Enter")
    seen = []
    for n in range(1, 7):
        page.get_by_text(f"{n} of 6").wait_for()
        _, field = e2e.grey_levels(page)
        seen.append(sorted({int(value) for value in field.ravel()}))
        page.keyboard.press("0")
    assert seen == [[0, 13], [242, 255]] * 3


def test_an_offered_test_that_fails_warns_and_one_left_out_is_noted(visit):
    world, _, _, page = begin(visit, **{"reading_environment.grey_steps": "offered"})
    e2e.press_on(page, page.get_by_role("button", name="Begin"))
    for n in range(1, 7):
        page.get_by_text(f"{n} of 6").wait_for()
        page.keyboard.press("n")
    e2e.press_on(page, page.get_by_role("button", name="Go on reading"))
    e2e.wait_for_case(page, 1)
    assert DisplayCheck.objects.get().outcome == "failed"
    page.close()
    other = world.enrol()
    elsewhere = visit()
    elsewhere.sign_in(e2e.email_of(other))
    page = elsewhere.page(e2e.reading_path(world))
    e2e.press_on(page, page.get_by_role("button", name="Leave it out"))
    e2e.wait_for_case(page, 1)
    assert DisplayCheck.objects.get(participant=other).outcome == "skipped"


def test_the_monitor_shows_what_readers_sat_at(visit):
    world, _, _, page = begin(visit, **{"reading_environment.grey_steps": "offered"})
    e2e.pass_grey_steps(page)
    e2e.wait_for_case(page, 1)
    e2e.answer_by_keyboard(page)
    e2e.wait_for_case(page, 2)
    administrator = visit()
    administrator.sign_in(world.administrator.email)
    page = administrator.page(f"/trials/{world.trial.id}/monitor")
    page.get_by_role("heading", name="Reading environments").wait_for()
    e2e.settled(page)
    row = page.get_by_role("row").filter(has_text="1280 x 800").inner_text()
    assert row.split()[:3] == ["R-01", "1", "1"]
    assert "passed" in row
    assert "100 %" in row
    e2e.check_accessible(page)
    picture(page, "monitor-environments")


def test_too_small_a_window_is_refused_in_words_and_goes_on_by_itself(visit):
    _, reader, _, page = begin(visit, **MINIMUM)
    e2e.wait_for_case(page, 1)
    page.set_viewport_size({"width": 900, "height": 700})
    for _ in range(100):
        if ReadingEvent.objects.filter(kind="environment_change").exists():
            break
        page.wait_for_timeout(100)
    change = ReadingEvent.objects.get(kind="environment_change")
    assert (change.data["window_width_px"], change.data["window_height_px"]) == (900, 700)
    assert page.get_by_role("alert").count() == 0, "an open reading is not interrupted"
    e2e.answer_by_keyboard(page)
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "The window is 900 x 700 CSS pixels; this trial needs at least 1200 x 720." in alert.inner_text()
    e2e.check_accessible(page)
    picture(page, "window-too-small")
    states = list(opened(reader).values_list("state", flat=True))
    assert states == ["submitted"], "the answer was taken, and nothing more was opened"
    page.set_viewport_size(e2e.SIZE)
    e2e.wait_for_case(page, 2)
    e2e.answer_by_keyboard(page)
    e2e.wait_for_case(page, 3)
