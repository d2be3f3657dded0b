"""What the reading screen shows: the image and nothing brighter, the same pixels everywhere, both panes together."""

import numpy as np
import pytest

from equipoise.archive.selectors import stored_volume_slice
from tests.e2e import world as e2e
from tests.factories import trials as factory
from trials.models import Reading

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("site")]

LARGE = (12, 512, 512)
WINDOWS = {"1": (1500, -600), "2": (400, 40), "3": (1800, 400)}


def window_grey(values, *, width, level):
    """Return the grey levels of the linear window of DICOM PS3.3 C.11.2.1.2.1, black 0 and white 255."""
    share = (values - (level - 0.5)) / (width - 1) + 0.5
    return np.rint(np.clip(share, 0.0, 1.0) * 255)


@pytest.fixture
def large_images(monkeypatch):
    monkeypatch.setattr(factory, "SHAPE", LARGE)


@pytest.fixture
def reader():
    """A trial whose slices may be scrolled, and a reader in front of its first case."""
    world = factory.open_world(
        cases=6, practice=1, **{"practice.count": 0, "tasks.0.display.scroll": {"mode": "range", "slices": 2}}
    )
    return world, world.enrol()


def open_first_case(visit, reader, **options):
    world, participant = reader
    browser = visit(**options)
    browser.sign_in(e2e.email_of(participant))
    page = browser.page(e2e.reading_path(world))
    e2e.wait_for_case(page, 1)
    return page


def test_the_image_is_the_page(visit, reader):
    page = open_first_case(visit, reader)
    share, scrolls = page.evaluate(
        """() => [
          [...document.querySelectorAll("canvas")].reduce((sum, each) => sum + each.clientWidth * each.clientHeight, 0)
            / (innerWidth * innerHeight),
          document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth,
        ]"""
    )
    assert share >= 0.8
    assert scrolls is False


def test_panes_are_equal_but_for_the_outlines(visit, reader):
    page = open_first_case(visit, reader)
    left, right = e2e.pane_pixels(page)
    assert (left != right).any()
    page.keyboard.down("h")
    left, right = e2e.pane_pixels(page)
    assert (left == right).all()
    assert (left[..., 0] == left[..., 1]).all(), "grey only: no outline is left"
    page.keyboard.up("h")
    shown_again, _ = e2e.pane_pixels(page)
    assert (shown_again != left).any()


def test_keys_and_mouse_work_both_panes_together(visit, reader):
    page = open_first_case(visit, reader)
    page.keyboard.down("h")
    seen = [e2e.pane_hashes(page)[0]]

    def note():
        left, right = e2e.pane_hashes(page)
        assert left == right
        seen.append(left)

    for key in ("2", "3", "i", "PageDown"):
        page.keyboard.press(key)
        note()
    for button, dx, dy in (("left", 60, 20), ("middle", 40, 10), ("right", 0, -80)):
        page.mouse.move(300, 400)
        page.mouse.down(button=button)
        page.mouse.move(300 + dx, 400 + dy, steps=3)
        page.mouse.up(button=button)
        note()
    assert len(set(seen)) == len(seen), "every key and every gesture changes the picture"
    page.keyboard.press("i")
    page.keyboard.press("r")
    note()
    assert seen[-1] == seen[0]
    page.keyboard.up("h")


@pytest.mark.usefixtures("large_images")
def test_pixels_are_the_windows_formula_with_and_without_3d(visit, request):
    world = factory.open_world(cases=2, **{"items.selection.count": 2, "practice.count": 0})
    participant = world.enrol()
    shown = {}
    for name, in_browser in (
        ("with", None),
        ("without", request.getfixturevalue("browser_without_3d")),
    ):
        browser = visit(in_browser=in_browser)
        browser.sign_in(e2e.email_of(participant))
        page = browser.page(e2e.reading_path(world))
        e2e.wait_for_case(page, 1)
        width, height = page.evaluate(
            "() => { const c = document.querySelector('canvas'); return [c.clientWidth, c.clientHeight]; }"
        )
        page.set_viewport_size(
            {
                "width": e2e.SIZE["width"] + 2 * (LARGE[2] - width),
                "height": e2e.SIZE["height"] + LARGE[1] - height,
            }
        )
        page.wait_for_function(
            "(rows) => document.querySelector('canvas').clientHeight === rows", arg=LARGE[1]
        )
        page.keyboard.press("r")  # a draft brings the last window back; both begin with the protocol's
        outlined = e2e.pane_hashes(page)
        page.keyboard.down("h")
        bare = {}
        for key in WINDOWS:
            page.keyboard.press(key)
            bare[key] = e2e.pane_pixels(page)
        page.keyboard.up("h")
        shown[name] = (outlined, bare)
        page.close()
    item = Reading.objects.get(participant=participant, position=1).item
    values = stored_volume_slice(item.image.volume, item.slice_index).astype(float)
    for key, (width, level) in WINDOWS.items():
        expected = window_grey(values, width=width, level=level)
        for name in shown:
            for pane in shown[name][1][key]:
                assert pane.shape == (*LARGE[1:], 4)
                assert (pane[..., :3] == expected[..., None]).all(), (key, name)
    assert shown["with"][0] == shown["without"][0], "outlines too are the same, pixel for pixel"
