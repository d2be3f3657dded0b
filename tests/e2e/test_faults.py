"""Tab, network and server fail at random moments; another window and an ended session come in between."""

import random
import re
import time

import pytest
from django.contrib.sessions.models import Session

from equipoise.audit.selectors import chain_verify
from tests.e2e import world as e2e
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD
from trials.models import LateSubmission, Reading, ReadingEvent, Response

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

SEED = 20260611
SUBMITS = 33
NO_FAULT = "none"
FAULTS = (
    "tab closed before the answer is confirmed",
    "tab closed after it",
    "tab killed before the answer is confirmed",
    "tab killed after it",
    "offline before the answer is confirmed",
    "offline after it",
    "server killed before the answer is confirmed",
    "server killed after it",
)
NETWORK_FAULTS = (r"^failed: ", r"^5\d\d: ", r"^console error: .*(network|fetch)")


def world_of(count):
    return factory.open_world(
        cases=count,
        practice=1,
        **{
            "items.selection.count": count,
            "practice.count": 0,
            "allocation.hidden_repeats": {"count": 0},
            "allocation.blinding_check.pairs": 0,
            "sessions.break_after_readings": None,
        },
    )


class Tab:
    """The reader's one tab, and everything that can happen to it."""

    def __init__(self, browser, site, participant, path):
        self.browser, self.site, self.participant, self.path = browser, site, participant, path
        self.page = browser.page(path)

    def standing(self):
        """Wait for a case that can be answered, and return its number; None when there is none left."""
        self.page.wait_for_function(
            """() => {
              if (document.body.innerText.includes("Your last answer is saved.")) return true;
              if (document.body.innerText.includes("Last questions")) return true;
              const button = document.querySelector("footer button[aria-pressed]");
              return Boolean(button && !button.disabled);
            }""",
            timeout=30_000,
        )
        found = re.search(r"(\d+) of \d+", self.page.locator("header").inner_text())
        if found is None or not self.page.locator("footer button[aria-pressed]").first.is_enabled():
            return None
        return int(found[1])

    def again(self):
        """Come back after the tab is gone."""
        self.page = self.browser.page(self.path)

    def close(self):
        self.page.close()
        self.again()

    def kill(self):
        e2e.kill_pages(self.browser.context.browser)
        self.close()

    def offline(self):
        self.browser.context.set_offline(True)

    def online(self):
        self.browser.context.set_offline(False)

    def kill_server(self):
        self.site.kill()

    def restart_server(self):
        self.site.start()
        self.site.wait()


def answer_under(fault, tab, key, moments):
    """Choose and confirm while a fault strikes, then mend it."""
    page = tab.page
    before = "before" in fault
    strike = {"closed": tab.close, "killed": tab.kill}
    page.keyboard.press(key)
    if fault.startswith("tab"):
        if not before:
            page.keyboard.press("Enter")
        page.wait_for_timeout(moments.uniform(0, 60))
        strike[fault.split()[1]]()
        return
    begin, end = (
        (tab.offline, tab.online) if fault.startswith("offline") else (tab.kill_server, tab.restart_server)
    )
    if before:
        begin()
        page.keyboard.press("Enter")
    else:
        page.keyboard.press("Enter")
        page.wait_for_timeout(moments.uniform(0, 40))
        begin()
    page.wait_for_timeout(moments.uniform(0, 150))
    end()


def test_nothing_is_lost_or_doubled_whatever_fails(visit, site):
    world = world_of(SUBMITS)
    participant = world.enrol()
    browser = visit()
    browser.watch.expect(*NETWORK_FAULTS)
    browser.sign_in(e2e.email_of(participant))
    moments = random.Random(SEED)
    faults = [*FAULTS, *FAULTS, *moments.choices((*FAULTS[:6], NO_FAULT), k=SUBMITS - 2 * len(FAULTS))]
    moments.shuffle(faults)
    tab = Tab(browser, site, participant, e2e.reading_path(world))
    chosen = {}
    for number in range(3 * SUBMITS):
        n = tab.standing()
        if n is None:
            break
        chosen[n] = "left" if n % 3 else "right"
        fault = faults[number] if number < len(faults) else NO_FAULT
        key = "ArrowLeft" if chosen[n] == "left" else "ArrowRight"
        if fault == NO_FAULT:
            e2e.answer_by_keyboard(tab.page, key)
        else:
            answer_under(fault, tab, key, moments)
    assert len(chosen) == SUBMITS
    assert Reading.objects.filter(participant=participant, state="submitted").count() == SUBMITS
    stored = {
        response.reading.position: response.answer["choice"]
        for response in Response.objects.select_related("reading")
    }
    assert Response.objects.count() == SUBMITS
    assert stored == chosen
    assert LateSubmission.objects.count() == 0
    # Who presses in the moment in which the tab is killed presses again on a page with another clock: both are told,
    # none twice.
    pressed = list(ReadingEvent.objects.filter(kind="submit").values_list("reading_id", "clock_id"))
    assert len({reading for reading, _ in pressed}) == SUBMITS
    assert len(pressed) == len(set(pressed))
    assert chain_verify(str(world.trial.id)).problems == ()


def test_one_window_reads_at_a_time(visit, site):
    world = world_of(2)
    participant = world.enrol()
    browser = visit()
    browser.sign_in(e2e.email_of(participant))
    first = browser.page(e2e.reading_path(world))
    e2e.wait_for_case(first, 1)
    taken = "This reading was opened in another window"
    second = browser.page(e2e.reading_path(world))
    second.get_by_role("heading", name=taken).wait_for()
    e2e.check_accessible(second)
    second.get_by_role("button", name="Continue in this window").click()
    first.get_by_role("heading", name=taken).wait_for()
    e2e.wait_for_case(second, 1)
    e2e.answer_by_keyboard(second)
    e2e.wait_for_case(second, 2)

    elsewhere = visit()  # another machine: no lock is shared, the lease alone decides
    elsewhere.sign_in(e2e.email_of(participant))
    browser.watch.expect(r"^409: (PUT|POST) .*/current/(draft|events)$")
    third = elsewhere.page(e2e.reading_path(world))
    e2e.wait_for_case(third, 2)
    second.keyboard.press("ArrowLeft")
    second.get_by_role("heading", name=taken).wait_for()
    e2e.answer_by_keyboard(third, "ArrowRight")
    third.get_by_text("Your last answer is saved.").wait_for()
    assert [response.answer["choice"] for response in Response.objects.order_by("submitted_at")] == [
        "left",
        "right",
    ]


def test_an_ended_session_asks_for_the_password_in_place(visit, site):
    world = world_of(2)
    participant = world.enrol()
    browser = visit()
    browser.watch.expect(r"^401: ", r"^422: POST .*/session$")
    browser.sign_in(e2e.email_of(participant))
    page = browser.page(e2e.reading_path(world))
    e2e.wait_for_case(page, 1)
    Session.objects.all().delete()
    e2e.answer_by_keyboard(page, "ArrowRight")
    password = page.get_by_label("Password")
    password.wait_for()
    e2e.check_accessible(page)
    e2e.type_into(page, password, "not the password")
    page.keyboard.press("Enter")
    page.get_by_text("E-mail address or password is wrong.").wait_for()
    assert Response.objects.count() == 0
    e2e.type_into(page, password, PASSWORD)
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 2)
    assert [response.answer["choice"] for response in Response.objects.all()] == ["right"]


RETRY_AFTER_S = 2
DATABASE_AWAY = {
    "code": "internal_error",
    "detail": "The database cannot be reached at the moment. Try again shortly.",
    "data": {},
}


def answers_badly(route, *, how):
    """Answer a submit as a server in trouble does; ``lost`` ones were taken, and the answer is cut off."""
    if how == "lost":
        assert route.fetch().ok
        route.abort("connectionreset")
    elif how == "cut":
        route.fulfill(status=200, content_type="application/json", body='{"reading": {"tok')
    else:
        status, headers = (503, {"Retry-After": str(RETRY_AFTER_S)}) if how == "away" else (500, {})
        body = {**DATABASE_AWAY, "detail": "Something went wrong."} if how == "broken" else DATABASE_AWAY
        route.fulfill(status=status, headers=headers, json=body)


@pytest.mark.parametrize(
    "troubles",
    [("away", "away"), ("broken",), ("lost",), ("cut",), ("away", "lost", "broken")],
    ids="-".join,
)
def test_answer_given_to_a_server_in_trouble_is_delivered_once_and_reading_goes_on(visit, site, troubles):
    world = world_of(2)
    participant = world.enrol()
    browser = visit()
    browser.watch.expect(*NETWORK_FAULTS, r"^console error: .*(status of 50|ERR_CONNECTION_RESET)")
    browser.sign_in(e2e.email_of(participant))
    page = browser.page(e2e.reading_path(world))
    e2e.wait_for_case(page, 1)
    left, sent, moments = list(troubles), [], []

    def serve(route):
        sent.append(route.request.post_data_json["key"])
        moments.append(time.monotonic())
        if left:
            answers_badly(route, how=left.pop(0))
        else:
            route.continue_()

    page.route("**/current/submit", serve)
    e2e.answer_by_keyboard(page, "ArrowRight")
    page.get_by_text("Your answer is kept in this browser").wait_for()
    assert page.locator("header").get_by_text("waiting for network").is_visible()
    e2e.check_accessible(page)

    # No key is pressed and nothing is clicked from here on.
    e2e.wait_for_case(page, 2)

    assert page.get_by_text("Your answer is kept in this browser").count() == 0
    assert len(sent) == len(troubles) + 1
    assert len(set(sent)) == 1, "every try carries the key of the first: the server takes it once"
    if troubles[0] == "away":
        assert moments[1] - moments[0] >= RETRY_AFTER_S, "earlier than the server asked for"
    assert [(one.reading.position, one.answer["choice"]) for one in Response.objects.all()] == [(1, "right")]
    assert ReadingEvent.objects.filter(kind="submit").count() == 1
    assert LateSubmission.objects.count() == 0
    e2e.answer_by_keyboard(page, "ArrowLeft")
    page.get_by_text("Your last answer is saved.").wait_for()
    assert chain_verify(str(world.trial.id)).problems == ()
