"""Outlining in a real browser: draw, interpolate, undo, leave, come back, finish; the stored mask is the drawn one."""

import numpy as np
import pytest

from equipoise.archive.storage import default_store
from equipoise.imaging.mask import decode_mask
from equipoise.metrics import dice
from tests.e2e import world as e2e
from tests.e2e.contouring import CLIPPED, Hand, circle, image_share
from tests.factories.contouring import expert_mask, open_contouring_world
from trials.models import Draft, Reading, Response

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("site"),
]

CENTRE = (24.0, 24.0)
START = 6


@pytest.fixture
def reader(visit):
    """A reader in front of an empty volume."""
    world = open_contouring_world(cases=2, repeats=0, **{"practice.count": 0})
    participant = world.enrol()

    def open_it(*, expect=(), **options):
        browser = visit(**options)
        browser.watch.expect(*expect)
        browser.sign_in(e2e.email_of(participant))
        page = browser.page(e2e.reading_path(world))
        if not participant.display_checks.exists():  # once in a session on a display
            e2e.pass_grey_steps(page)
        e2e.wait_for_case(page, 1)
        return Hand(page, rows=48, columns=48)

    return world, participant, open_it


def saved_acts(page, count: int) -> None:
    """Wait until the server has a draft of so many acts."""
    for _ in range(100):
        draft = Draft.objects.filter(body__has_key="drawing").first()
        if draft is not None and len(draft.body["drawing"]["acts"]) >= count:
            return
        page.wait_for_timeout(100)
    raise AssertionError("The draft did not come.")


def stored_mask():
    """Return the voxels of the one stored answer."""
    response = Response.objects.get()
    return decode_mask(default_store().read(response.files.get(name="mask").key))


def draw_five_slices(hand: Hand) -> None:
    """Freehand on two slices and by other tools on three, interpolated between, edited, undone and done again."""
    hand.press("f")
    hand.draw(circle(*CENTRE, 9))
    hand.press("PageUp", "PageUp", "PageUp")
    hand.draw(circle(*CENTRE, 6))
    hand.press("PageDown", "PageDown", "PageDown", "PageDown", "PageDown", "p")
    for x, y in circle(*CENTRE, 7, n=8)[:-1]:
        hand.click(x, y)
    hand.press("Enter", "PageUp", "l")
    for x, y in circle(*CENTRE, 9, n=6)[:-1]:
        hand.click(x, y)
    hand.press("Enter", "n", "PageUp", "b")
    hand.draw([(24, 16), (28, 17)])
    hand.press("e")
    hand.draw([(34, 24), (34, 28)])
    hand.press("Control+z", "Control+z", "Control+Shift+Z")


def test_a_reader_draws_interpolates_edits_undoes_and_the_stored_mask_is_the_drawn_one(reader):
    _, participant, open_it = reader
    hand = open_it()
    draw_five_slices(hand)
    e2e.check_accessible(hand.page)
    drawing = hand.drawing(acts=10)
    drawn = hand.mask()
    hand.press("Enter")
    e2e.wait_for_case(hand.page, 2)
    mask = stored_mask()
    np.testing.assert_array_equal(mask.array, drawn.array)
    assert np.flatnonzero(mask.array.any(axis=(1, 2))).tolist() == [3, 4, 5, 6, 7, 8]
    response = Response.objects.get()
    tools = [act["tool"] for act in drawing["acts"]]
    assert tools == [
        *(
            "freehand",
            "freehand",
            "polygon",
            "livewire",
            "interpolate",
            "brush",
            "eraser",
            "undo",
            "undo",
            "redo",
        )
    ]
    assert response.answer["origins"] == {
        "3": "drawn", "4": "interpolated", "5": "interpolated", "6": "drawn", "7": "drawn", "8": "drawn",
    }  # fmt: skip
    assert response.answer["undos"] == 2
    reading = Reading.objects.get(participant=participant, position=1)
    assert dice(mask.array, expert_mask(reading).array) > 0.5
    assert 0 < response.timing["decision_s"] <= response.timing["wall_s"]
    seconds = sum(response.answer["slice_ms"].values()) / 1000
    assert 0.5 * response.timing["visible_s"] < seconds < response.timing["visible_s"] + 1


def test_the_image_is_the_page_and_every_control_is_whole(reader):
    _, _, open_it = reader
    page = open_it().page
    assert image_share(page) >= 0.8
    assert page.evaluate(CLIPPED) == []


def test_a_killed_tab_loses_nothing_and_another_machine_goes_on_with_undo(reader):
    _, _, open_it = reader
    hand = open_it()
    draw_five_slices(hand)
    saved_acts(hand.page, 10)
    shown = hand.shown()
    hand.page.close(run_before_unload=False)
    elsewhere = open_it()
    elsewhere.press("PageUp")
    assert elsewhere.shown() != shown
    elsewhere.press("PageDown")
    assert elsewhere.shown()[:-1] == shown[:-1]
    for _ in range(6):
        elsewhere.press("Control+z")
    elsewhere.press("f")
    elsewhere.draw(circle(*CENTRE, 8))
    times = [act["endMs"] for act in elsewhere.drawing(acts=17)["acts"]]
    assert times == sorted(times)
    elsewhere.press("Enter")
    e2e.wait_for_case(elsewhere.page, 2)
    assert np.flatnonzero(stored_mask().array.any(axis=(1, 2))).tolist() == [6]


def test_a_tab_killed_before_the_draft_was_sent_loses_nothing_either(reader):
    _, _, open_it = reader
    hand = open_it(expect=[r"/draft net::ERR_FAILED"])
    hand.page.route("**/draft", lambda route: route.abort())
    hand.press("f")
    hand.draw(circle(*CENTRE, 9))
    hand.drawing()
    context = hand.page.context
    address = hand.page.url
    hand.page.close(run_before_unload=False)
    again = context.new_page()
    again.goto(address)
    e2e.wait_for_case(again, 1)
    hand = Hand(again, rows=48, columns=48)
    hand.press("Enter")
    e2e.wait_for_case(again, 2)
    assert stored_mask().array[START].sum() == pytest.approx(np.pi * 81, rel=0.1)


def test_gaps_are_asked_about_once_and_only_if_there_are_any(reader):
    _, _, open_it = reader
    hand = open_it()
    hand.press("Enter")
    assert not Response.objects.exists(), "nothing is drawn"
    hand.press("f")
    hand.draw(circle(*CENTRE, 9))
    hand.press("PageDown", "PageDown")
    hand.draw(circle(*CENTRE, 8))
    hand.press("Enter")
    hand.page.get_by_role("alert").filter(has_text="Slice 8 lies between drawn slices").wait_for()
    assert not Response.objects.exists()
    hand.page.get_by_role("button", name="Finish all the same").click()
    e2e.wait_for_case(hand.page, 2)
    assert np.flatnonzero(stored_mask().array.any(axis=(1, 2))).tolist() == [6, 8]


def test_a_contour_is_drawn_and_finished_by_keys_alone(reader):
    _, _, open_it = reader
    hand = open_it()
    keyboard = hand.page.keyboard
    hand.press("b", "]", "]")
    keyboard.down("Space")
    for _ in range(4):
        keyboard.press("Shift+ArrowRight") if _ == 0 else keyboard.press("ArrowDown")
    keyboard.up("Space")
    hand.press("Enter")
    e2e.wait_for_case(hand.page, 2)
    assert stored_mask().array[START, 24, 24:35].all()


def test_the_mask_is_the_same_without_any_3d_interface(reader, browser_without_3d):
    _, _, open_it = reader
    hand = open_it(in_browser=browser_without_3d)
    assert hand.page.evaluate("document.createElement('canvas').getContext('webgl2')") is None
    draw_five_slices(hand)
    drawn = hand.mask(acts=10)
    hand.press("Enter")
    e2e.wait_for_case(hand.page, 2)
    np.testing.assert_array_equal(stored_mask().array, drawn.array)


def test_neither_volume_nor_clock_is_shown_unless_the_protocol_says_so(visit):
    for shown in (False, True):
        world = open_contouring_world(
            cases=1,
            repeats=0,
            slug=f"shown-{shown}".lower(),
            **{
                "practice.count": 0,
                "tasks.0.display.show_volume": shown,
                "tasks.0.display.show_clock": shown,
            },
        )
        participant = world.enrol()
        browser = visit()
        browser.sign_in(e2e.email_of(participant))
        page = browser.page(e2e.reading_path(world))
        e2e.pass_grey_steps(page)
        e2e.wait_for_case(page, 1)
        hand = Hand(page, rows=48, columns=48)
        hand.press("f")
        hand.draw(circle(*CENTRE, 9))
        assert page.get_by_text("ml, longest").count() == shown
        assert page.get_by_text("0 min").count() == shown
