"""What browser tests share: a page that is watched for faults, ways to work it by keyboard, and pictures to compare."""

import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    Response,
)

from equipoise.common.permissions import Role
from tests.factories.accounts import PASSWORD
from tests.factories.trials import PreferenceWorld
from trials.models import Participant
from trials.services.invitation import invitation_create

REPOSITORY = Path(__file__).resolve().parents[2]
AXE = REPOSITORY / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SIZE = {"width": 1280, "height": 800}
LAUNCH_ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WITHOUT_3D = "--disable-3d-apis"
"""As on a hospital's virtual desktop; a headless browser otherwise brings a software renderer of its own."""
HARMLESS = (re.compile(r"Download the React DevTools"),)


@dataclass
class Watch:
    """Everything that went wrong in a page, less what its test expects."""

    faults: list[str] = field(default_factory=list)
    expected: list[re.Pattern[str]] = field(default_factory=list)

    def expect(self, *patterns: str) -> None:
        """Say what may go wrong from the beginning to the end of the test."""
        self.expected += [re.compile(pattern) for pattern in patterns]

    def follow(self, page: Page) -> None:
        """Listen to a page."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def unexpected(self) -> list[str]:
        """Return the faults that nobody expected."""
        patterns = (*HARMLESS, *self.expected)
        return [fault for fault in self.faults if not any(pattern.search(fault) for pattern in patterns)]

    def _console(self, message: ConsoleMessage) -> None:
        # A refused request writes a line of its own; the request itself is listened to below.
        of_request = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not of_request:
            self.faults.append(f"console {message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.method} {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.request.method} {response.url}")


@dataclass
class Visit:
    """One person's browser: an own context, watched pages."""

    context: BrowserContext
    url: str
    watch: Watch

    def page(self, path: str = "/") -> Page:
        """Open a page of the site."""
        page = self.context.new_page()
        self.watch.follow(page)
        page.goto(self.url + path)
        return page

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Begin a session by the interface that the sign-in page uses."""
        session = self.context.request.get(f"{self.url}/api/v1/session").json()
        answer = self.context.request.post(
            f"{self.url}/api/v1/session",
            data=json.dumps({"email": email, "password": password}),
            headers={"Content-Type": "application/json", "X-CSRFToken": session["csrf_token"]},
        )
        assert answer.status == 200, answer.text()


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """Give a fresh browser context of the usual size."""
    context = browser.new_context(viewport=options.pop("viewport", SIZE), **options)
    context.set_default_timeout(15_000)
    visit = Visit(context=context, url=url, watch=Watch())
    try:
        yield visit
    finally:
        context.close()


def shown_by(visit: Visit) -> str:
    """Return what the pages of a visit show and what went wrong in them, for the report of a failed test."""
    folder = Path(tempfile.mkdtemp(prefix="equipoise-e2e-"))
    lines = []
    for number, page in enumerate(visit.context.pages):
        path = folder / f"page-{number}.png"
        with contextlib.suppress(Error):
            page.screenshot(path=path)
        lines.append(f"{page.url} as in {path}")
    return "\n".join([*lines, *visit.watch.unexpected()])


_SETTLED = """() => new Promise((done) => {
  const busy = () => document.querySelector(".mantine-Loader-root") !== null
    || [...document.querySelectorAll("p")].some((each) => each.textContent === "Loading")
    || [...document.images].some((image) => image.getBoundingClientRect().top < innerHeight && !image.complete);
  let still = 0;
  const timer = setInterval(() => {
    still = busy() ? 0 : still + 1;
    if (still < 6) return;
    clearInterval(timer);
    done();
  }, 50);
})"""


def settled(page: Page) -> None:
    """Wait until nothing on the page has been loading for a moment: a page follows links without being left."""
    page.evaluate(_SETTLED)


# --- accessibility ------------------------------------------------------------------------------------------------


def check_accessible(page: Page) -> None:
    """Let axe look at the page as it stands now; it may find nothing."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        """async () => {
          const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
          return violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
        }"""
    )
    assert not found, f"{page.url}: " + "; ".join(found)


# --- by keyboard --------------------------------------------------------------------------------------------------

_MOST_STOPS = 80


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus, as somebody without a mouse does."""
    target.wait_for()
    for _ in range(_MOST_STOPS):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached with the Tab key.")


def press_on(page: Page, target: Locator, key: str = "Enter") -> None:
    """Go to a control by Tab and press a key on it."""
    tab_to(page, target)
    page.keyboard.press(key)


def pick(page: Page, target: Locator) -> None:
    """Go to a group of radio buttons by Tab and to one of them by arrows."""
    target.wait_for()
    for _ in range(_MOST_STOPS):
        if target.evaluate("(element) => element.name === document.activeElement?.name"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    for _ in range(_MOST_STOPS):
        if target.is_checked():
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"{target} cannot be chosen with the arrow keys.")


def type_into(page: Page, target: Locator, text: str) -> None:
    """Go to a field by Tab and write."""
    tab_to(page, target)
    page.keyboard.type(text)


# --- the reading screen -------------------------------------------------------------------------------------------

_ANSWERABLE = """([phase, n]) => {
  const button = document.querySelector("footer button[aria-pressed]");
  if (!button || button.disabled) return false;
  const words = document.querySelector("header").innerText;
  return words.includes(`${n} of `) && words.includes(phase);
}"""
PHASE_WORDS = {"practice": "Practice", "reading": "", "blinding-check": "Last part"}


def wait_for_case(page: Page, n: int, *, phase: str = "reading") -> None:
    """Wait until the n-th case of a phase stands there, complete and open to an answer."""
    page.wait_for_function(_ANSWERABLE, arg=[PHASE_WORDS[phase], n])


def answer_by_keyboard(page: Page, key: str = "ArrowLeft") -> None:
    """Choose and confirm."""
    page.keyboard.press(key)
    page.keyboard.press("Enter")


def until_painted(page: Page) -> None:
    """Wait for two animation frames: what was asked for has been drawn."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
    )


_PIXELS = """() => [...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let bytes = "";
  for (let at = 0; at < data.length; at += 32768) bytes += String.fromCharCode(...data.subarray(at, at + 32768));
  return [canvas.width, canvas.height, btoa(bytes)];
})"""


def pane_pixels(page: Page) -> list[np.ndarray[Any, Any]]:
    """Return what both panes show now, as (rows, columns, RGBA)."""
    until_painted(page)
    return [
        np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)
        for width, height, data in page.evaluate(_PIXELS)
    ]


def pane_hashes(page: Page) -> list[str]:
    """Return a hash of what each pane shows now."""
    return [hashlib.sha256(pixels.tobytes()).hexdigest() for pixels in pane_pixels(page)]


def kill_pages(browser: Browser) -> None:
    """Kill the processes that draw pages, as a crash would; no page hears of it.

    Returns when the browser has noticed: the process that it keeps ready for the next page is among the killed ones,
    and a page opened into that one before would never answer.
    """
    session = browser.new_browser_cdp_session()

    def drawing() -> set[int]:
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return {process["id"] for process in processes if process["type"] == "renderer"}

    killed = drawing()
    for process in killed:
        os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while killed & drawing():
        assert time.monotonic() < deadline, "the browser does not notice that its pages are gone"
        time.sleep(0.005)
    session.detach()


# --- the test of the display --------------------------------------------------------------------------------------


_GREYS = """() => [...document.querySelectorAll("canvas")].map((canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let bytes = "";
  for (let at = 0; at < data.length; at += 4) bytes += String.fromCharCode(data[at]);
  return [canvas.width, canvas.height, btoa(bytes)];
})"""


def grey_levels(page: Page) -> list[np.ndarray[Any, Any]]:
    """Return the greys of the ramp and, where one is shown, of the field, as (rows, columns)."""
    until_painted(page)
    return [
        np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width)
        for width, height, data in page.evaluate(_GREYS)
    ]


def patch_quarter(page: Page) -> int:
    """Return the quarter of the field in which the patch lies, by its pixels: what eyes are for."""
    field = grey_levels(page)[-1]
    rows, columns = np.nonzero(field != field[0, 0])
    assert len(rows) > 0, "there is a patch in every field"
    lower, right = rows.mean() > field.shape[0] / 2, columns.mean() > field.shape[1] / 2
    return 1 + int(right) + 2 * int(lower)


def find_patches(page: Page) -> None:
    """Find the six patches of the grey-step test by keyboard."""
    for n in range(1, 7):
        page.get_by_text(f"{n} of 6").wait_for()
        page.keyboard.press(str(patch_quarter(page)))


def pass_grey_steps(page: Page) -> None:
    """Begin the grey-step test of the display and pass it, by keyboard alone."""
    page.get_by_role("heading", name="Test of the display").wait_for()
    press_on(page, page.get_by_role("button", name="Begin"))
    find_patches(page)


# --- people -------------------------------------------------------------------------------------------------------


def reading_path(world: PreferenceWorld) -> str:
    """Return the address of the reader's part of a trial."""
    return f"/read/{world.trial.slug}"


def email_of(participant: Participant) -> str:
    """Return the address under which a reader signs in."""
    assert participant.membership is not None
    return participant.membership.account.email


def invitation_path(world: PreferenceWorld, *, email: str = "reader@example.org") -> str:
    """Invite a reader and return the address of the link."""
    made = invitation_create(
        world.trial, email=email, role=Role.READER, inviter=world.administrator, actor=world.actor
    )
    return f"/invitations/{made.token}"


def read_cases(
    page: Page, total: int, *, phase: str = "reading", key: Callable[[int], str] | None = None
) -> None:
    """Answer every case of a phase by keyboard."""
    for n in range(1, total + 1):
        wait_for_case(page, n, phase=phase)
        answer_by_keyboard(page, key(n) if key else ("ArrowLeft" if n % 2 else "ArrowRight"))
