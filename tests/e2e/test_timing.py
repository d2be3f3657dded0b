"""The times that the server derives from a reading's events, against what an onlooker in the page saw happen."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

from tests.e2e import world as e2e
from tests.e2e.contouring import Hand, circle
from tests.e2e.test_bone_scan import aided_world
from tests.factories import trials as factory
from tests.factories.contouring import open_contouring_world
from trials.models import ReadingEvent, Response

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("site")]

TOLERANCE_S = 0.05
ONLOOKER = """() => {
  // Marks of what really happened, by both clocks, kept across reloads. The platform's own code knows nothing of it.
  const marks = JSON.parse(sessionStorage.getItem("marks") ?? "[]");
  const mark = (kind, t) => {
    marks.push({ kind, t, wall: performance.timeOrigin + t });
    sessionStorage.setItem("marks", JSON.stringify(marks));
  };
  window.marks = marks;
  let was = false;
  const look = (frame) => {
    const canvas = document.querySelector("canvas");
    const middle = canvas?.width > 0 && canvas.getContext("2d", { willReadFrequently: true })
      ?.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
    const is = Boolean(middle && middle[0] > 0);
    if (is && !was) mark("painted", frame);
    was = is;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  addEventListener("keydown", (event) => mark(event.key, event.timeStamp), true);
  addEventListener("pointerup", (event) => mark("pointerup", event.timeStamp), true);
  addEventListener("pagehide", (event) => mark("pagehide", event.timeStamp));
  addEventListener("offline", (event) => mark("offline", event.timeStamp));
  window.hide = (hidden) => {
    const state = hidden ? "hidden" : "visible";
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    const event = new Event("visibilitychange");
    mark(state, event.timeStamp);
    document.dispatchEvent(event);
  };
}"""


@dataclass(frozen=True)
class Script:
    """How a task is answered, and by which of the onlooker's marks the answer was decided."""

    world: Callable[[], factory.PreferenceWorld]
    answer: Callable[[Page, int], None]
    """Gives the n-th answer of a test; without what confirms it."""
    decided: tuple[str, ...]


def preference_world():
    return factory.open_world(
        cases=4,
        **{
            "items.selection.count": 4,
            "practice.count": 0,
            "allocation.hidden_repeats": {"count": 0},
            "allocation.blinding_check.pairs": 0,
        },
    )


def prefer(page, n):
    page.keyboard.press("ArrowLeft" if n % 2 else "ArrowRight")


def decide_and_rate(page, n):
    page.keyboard.press("y" if n % 2 else "n")
    page.wait_for_timeout(150)  # rating comes after the decision and is none
    page.keyboard.press("8" if n % 2 else "1")


def outline(page, n):
    Hand(page, rows=48, columns=48).draw(circle(24, 24, 6 + n))


NO_TEST = {"reading_environment.grey_steps": "none"}
SCRIPTS = {
    "preference": Script(preference_world, prefer, ("ArrowLeft", "ArrowRight")),
    "classification": Script(
        lambda: aided_world(cases=4, practice=0, **NO_TEST), decide_and_rate, ("y", "n")
    ),
    "contouring": Script(
        lambda: open_contouring_world(cases=4, repeats=0, **{"practice.count": 0, **NO_TEST}),
        outline,
        ("pointerup",),
    ),
}


@pytest.fixture
def script(request):
    return SCRIPTS[getattr(request, "param", "preference")]


@pytest.fixture
def world(script):
    return script.world()


@pytest.fixture
def browser_of_reader(visit, world):
    browser = visit()
    browser.sign_in(e2e.email_of(world.enrol()))
    browser.context.add_init_script(f"({ONLOOKER})()")
    return browser


@pytest.fixture
def page(browser_of_reader, world):
    browser_of_reader.watch.expect("ERR_INTERNET_DISCONNECTED")
    page = browser_of_reader.page(e2e.reading_path(world))
    e2e.wait_for_case(page, 1)
    return page


def marks_of_case(page):
    """Take the marks up to the last confirmation; those of the next case stay."""
    return page.evaluate(
        """() => {
          const seen = marks.splice(0, marks.findLastIndex((mark) => mark.kind === "Enter") + 1);
          sessionStorage.setItem("marks", JSON.stringify(marks));
          return seen;
        }"""
    )


def finish(page, n):
    """Confirm the n-th case, wait for the next one, and return what was seen of it with its stored answer."""
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, n + 1)
    return marks_of_case(page), last_response()


def last_response():
    return Response.objects.select_related("reading").order_by("-submitted_at").first()


def at(seen, kind, clock="t", *, last=False):
    """Return when something was seen, in seconds; ``kind`` may be several."""
    kinds = (kind,) if isinstance(kind, str) else kind
    times = [mark[clock] / 1000 for mark in seen if mark["kind"] in kinds]
    assert times, f"{kind} was never seen in {seen}"
    return times[-1 if last else 0]


def events_of(reading, *, lease):
    return list(ReadingEvent.objects.filter(reading=reading, lease=lease).order_by("sequence"))


def close_to(seconds):
    return pytest.approx(seconds, abs=TOLERANCE_S)


def check_overlay(response):
    """An overlay that was never switched off stood there whenever the page did."""
    if response.reading.condition == "aided":
        assert response.timing["overlay_s"] == close_to(response.timing["visible_s"])


@pytest.mark.parametrize("script", SCRIPTS, indirect=True)
def test_thinking_hiding_reload_and_offline_are_measured_once(page, script):
    # 1: thinking, then the page is hidden for a while
    page.wait_for_timeout(600)
    script.answer(page, 1)
    page.wait_for_timeout(200)
    page.evaluate("() => hide(true)")
    page.wait_for_timeout(700)
    page.evaluate("() => hide(false)")
    page.wait_for_timeout(200)
    seen, response = finish(page, 1)
    start, end = at(seen, "painted"), at(seen, "Enter")
    hidden_s = at(seen, "visible") - at(seen, "hidden")
    assert hidden_s > 0.6
    assert response.timing["wall_s"] == close_to(end - start)
    assert response.timing["visible_s"] == close_to(end - start - hidden_s)
    assert response.timing["active_s"] == close_to(end - start - hidden_s)
    assert response.timing["decision_s"] == close_to(at(seen, script.decided, last=True) - start)
    assert response.timing["comment_s"] == 0
    assert response.flags == ["hidden"]
    check_overlay(response)

    # 2: the page is loaded anew in the middle; the time between counts as wall time alone
    page.wait_for_timeout(400)
    script.answer(page, 1)
    page.wait_for_timeout(300)
    page.reload()
    e2e.wait_for_case(page, 2)
    page.wait_for_timeout(300)
    script.answer(page, 2)
    page.wait_for_timeout(200)
    seen, response = finish(page, 2)
    first, second = at(seen, "painted"), at(seen, "painted", last=True)
    left, end = at(seen, "pagehide"), at(seen, "Enter")
    heard = {event.kind: event.t_ms / 1000 for event in events_of(response.reading, lease=1)}
    assert heard["page_hide"] == close_to(left), "a page's farewell outlives the page"
    assert response.timing["wall_s"] == close_to(at(seen, "Enter", "wall") - at(seen, "painted", "wall"))
    assert response.timing["visible_s"] == close_to((left - first) + (end - second))
    assert response.timing["decision_s"] == close_to(
        (left - first) + at(seen, script.decided, last=True) - second
    )
    assert "interrupted" in response.flags
    check_overlay(response)

    # 3: offline from before the answer until after its confirmation; waiting for the network is nobody's time
    page.wait_for_timeout(200)
    page.context.set_offline(True)
    page.wait_for_timeout(300)
    script.answer(page, 3)
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    page.get_by_text("waiting for network").wait_for()
    page.wait_for_timeout(500)
    page.context.set_offline(False)
    e2e.wait_for_case(page, 4)
    seen, response = marks_of_case(page), last_response()
    start, end = at(seen, "painted"), at(seen, "Enter")
    assert response.timing["wall_s"] == close_to(end - start)
    assert response.timing["visible_s"] == close_to(end - start)
    assert response.timing["decision_s"] == close_to(at(seen, script.decided, last=True) - start)
    assert response.flags == ["offline"]
    check_overlay(response)
    assert Response.objects.count() == 3
    assert Response.objects.filter(reading__condition="aided").exists() == (
        script is SCRIPTS["classification"]
    )


DENIED = """() => {
  IDBFactory.prototype.open = () => { throw new DOMException("denied", "SecurityError"); };
}"""


@pytest.mark.parametrize(
    ("ends", "indexed_store"),
    [("closed", True), ("killed", True), ("killed", False)],
    ids=["closed", "killed", "killed-without-indexed-store"],
)
def test_what_a_page_recorded_before_it_was_killed_is_in_the_record_once(
    browser_of_reader, world, ends, indexed_store
):
    browser = browser_of_reader
    browser.watch.expect(r"^failed: POST .*/current/(events|open)")
    if not indexed_store:
        browser.context.add_init_script(f"({DENIED})()")
    page = browser.page(e2e.reading_path(world))
    # The server hears nothing of what happens in this page.
    page.route("**/current/events", lambda route: route.abort())
    e2e.wait_for_case(page, 1)
    page.wait_for_timeout(400)
    for key in ("ArrowLeft", "h", "ArrowRight"):
        page.keyboard.press(key)
        page.wait_for_timeout(50)
    before = page.evaluate("() => marks")
    if ends == "killed":
        e2e.kill_pages(browser.context.browser)
    page.close()
    reading = world.trial.readings.get(state="open")
    assert not reading.events.exclude(kind="page_load").exists()

    page = browser.page(e2e.reading_path(world))
    e2e.wait_for_case(page, 1)
    assert page.evaluate("() => Object.keys(localStorage).filter((key) => key.includes(':1:'))") == []
    page.wait_for_timeout(300)
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    seen, response = finish(page, 1)
    events = events_of(reading, lease=1)
    assert [event.data["key"] for event in events if event.kind == "key"] == ["ArrowLeft", "h", "ArrowRight"]
    assert [event.sequence for event in events] == list(range(len(events)))
    assert sum(event.kind == "first_paint" for event in events) == 1
    every = list(reading.events.values_list("clock_id", "kind", "t_ms", "data"))
    assert len(every) == len({repr(event) for event in every})
    heard = events[-1].t_ms / 1000
    assert heard >= at(before, "ArrowRight") - TOLERANCE_S
    start, end = at(seen, "painted"), at(seen, "Enter")
    assert response.timing["wall_s"] == close_to(at(seen, "Enter", "wall") - at(before, "painted", "wall"))
    assert response.timing["visible_s"] == close_to((heard - at(before, "painted")) + (end - start))
    # A page that is closed, not killed, is hidden and loses the focus on its way out, if it still comes to say so.
    assert set(response.flags) - {"hidden", "lost_focus"} == {"interrupted"}
    assert ends == "closed" or response.flags == ["interrupted"]
