"""The times that the server derives from a reading's events, against what an onlooker in the page saw happen."""

import pytest

from tests.e2e import world as e2e
from tests.factories import trials as factory
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
    const middle = canvas?.getContext("2d", { willReadFrequently: true })
      ?.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
    const is = Boolean(middle && middle[0] > 0);
    if (is && !was) mark("painted", frame);
    was = is;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  addEventListener("keydown", (event) => mark(event.key, event.timeStamp), true);
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


@pytest.fixture
def page(visit):
    world = factory.open_world(
        cases=4,
        **{
            "items.selection.count": 4,
            "practice.count": 0,
            "allocation.hidden_repeats": {"count": 0},
            "allocation.blinding_check.pairs": 0,
        },
    )
    browser = visit()
    browser.watch.expect("ERR_INTERNET_DISCONNECTED")
    browser.sign_in(e2e.email_of(world.enrol()))
    browser.context.add_init_script(f"({ONLOOKER})()")
    page = browser.page(e2e.reading_path(world))
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
    return marks_of_case(page), Response.objects.get(reading__position=n)


def at(seen, kind, clock="t", *, last=False):
    """Return when something was seen, in seconds."""
    times = [mark[clock] / 1000 for mark in seen if mark["kind"] == kind]
    assert times, f"{kind} was never seen in {seen}"
    return times[-1 if last else 0]


def last_heard_of(reading, farewell):
    """Return when the first page load of a reading was heard of last, in its own seconds.

    A page that goes away sends its farewell without waiting for an answer, so it may never arrive; then the load ends
    with the last event that did, and the rest is not guessed.
    """
    events = list(ReadingEvent.objects.filter(reading=reading).order_by("lease", "sequence"))
    load = [event for event in events if event.clock_id == events[0].clock_id]
    heard = max(event.t_ms for event in load) / 1000
    assert at_most(heard, farewell)
    if any(event.kind == "page_hide" for event in load):
        assert heard == close_to(farewell)
    return heard


def at_most(seconds, limit):
    """Say whether a time is not later than the limit, within the tolerance."""
    return seconds <= limit + TOLERANCE_S


def close_to(seconds):
    return pytest.approx(seconds, abs=TOLERANCE_S)


def test_thinking_hiding_reload_and_offline_are_measured_once(page):
    # 1: thinking, then the page is hidden for a while
    page.wait_for_timeout(600)
    page.keyboard.press("ArrowLeft")
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
    assert response.timing["decision_s"] == close_to(at(seen, "ArrowLeft") - start)
    assert response.timing["comment_s"] == 0
    assert response.flags == ["hidden"]

    # 2: the page is loaded anew in the middle; the time between counts as wall time alone
    page.wait_for_timeout(400)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    page.reload()
    e2e.wait_for_case(page, 2)
    page.wait_for_timeout(300)
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    seen, response = finish(page, 2)
    first, second = at(seen, "painted"), at(seen, "painted", last=True)
    left, end = last_heard_of(response.reading, at(seen, "pagehide")), at(seen, "Enter")
    assert response.timing["wall_s"] == close_to(at(seen, "Enter", "wall") - at(seen, "painted", "wall"))
    assert response.timing["visible_s"] == close_to((left - first) + (end - second))
    assert response.timing["decision_s"] == close_to(
        (left - first) + at(seen, "ArrowLeft", last=True) - second
    )
    assert "interrupted" in response.flags

    # 3: offline from before the answer until after its confirmation; waiting for the network is nobody's time
    page.wait_for_timeout(200)
    page.context.set_offline(True)
    page.wait_for_timeout(300)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    page.get_by_text("waiting for network").wait_for()
    page.wait_for_timeout(500)
    page.context.set_offline(False)
    e2e.wait_for_case(page, 4)
    seen = marks_of_case(page)
    response = Response.objects.get(reading__position=3)
    start, end = at(seen, "painted"), at(seen, "Enter")
    assert response.timing["wall_s"] == close_to(end - start)
    assert response.timing["visible_s"] == close_to(end - start)
    assert response.timing["decision_s"] == close_to(at(seen, "ArrowRight") - start)
    assert response.flags == ["offline"]
