"""Takes the pictures of ``docs/images`` from a demonstration site that it builds: one small PNG per screen.

    make build && .venv/bin/python tests/e2e/screenshots.py [--only reading ...]

Look at every picture before it is committed: the contours lie on the tumour, the patient is the right way up and the
same on both sides, nothing is clipped.
"""

import argparse
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
TARGET = REPOSITORY / "docs" / "images"
SETTINGS = "equipoise.config.settings.production"
MOST_BYTES = 150_000
SHRINKING = ((1.0, 200), (1.0, 64), (1.0, 40), (0.8, 48), (0.7, 40), (0.6, 32))
"""Scale and number of greys, tried in this order until the picture is small enough."""
HUES = 56
"""Colours kept beside the greys: the outlines and the accents are few pixels, but they are what is looked at."""
COLOURED = 5
"""A pixel is coloured when its channels differ by more than this."""
SECTIONS = ("overview", "cases", "participants", "allocation", "monitor", "analyses")

KEPT = (
    *("sign-in", "inbox", "consent", "questionnaire", "instructions", "practice", "keys"),
    *("reading", "reading-mediastinum", "blinding-check", "closing", "done", "admin-trials"),
    *(f"admin-{section}" for section in SECTIONS),
    *("admin-preference", "admin-protocol-form", "admin-protocol-text"),
)


def small_png(picture: bytes) -> bytes:
    """Return the picture with as much of its size and greys as fit."""
    full = Image.open(io.BytesIO(picture)).convert("RGB")
    for scale, greys in SHRINKING:
        size = (round(full.width * scale), round(full.height * scale))
        shrunk = full if scale == 1.0 else full.resize(size, Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        reduced = shrunk.quantize(palette=palette_of(shrunk, greys), dither=Image.Dither.NONE)
        reduced.save(stream, "PNG", optimize=True)
        if stream.tell() < MOST_BYTES:
            break
    return stream.getvalue()


def palette_of(picture: Image.Image, greys: int) -> Image.Image:
    """Return so many greys and the picture's own colours as a palette."""
    pixels = np.asarray(picture).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels.astype(int), axis=1) > COLOURED]
    levels = np.linspace(0, 255, greys).round().astype(np.uint8)
    entries = np.repeat(levels[:, None], 3, axis=1)
    if len(coloured):
        row = Image.fromarray(coloured[None])
        hues = np.array(row.quantize(HUES, method=Image.Quantize.MAXCOVERAGE).getpalette()).reshape(-1, 3)
        entries = np.vstack([entries, hues[:HUES]])
    holder = Image.new("P", (1, 1))
    holder.putpalette(entries.astype(np.uint8).tobytes())
    return holder


@dataclass
class Photographer:
    """Keeps the wanted pictures."""

    only: tuple[str, ...]
    full: Path | None
    taken: list[str] = field(default_factory=list)

    def take(self, page, name: str) -> None:
        """Take a picture of the page as it stands."""
        from tests.e2e.world import settled

        settled(page)
        page.mouse.move(2, 400)
        picture = page.screenshot()
        if self.full is not None:
            (self.full / f"{name}.png").write_bytes(picture)
        if name in (self.only or KEPT):
            kept = small_png(picture)
            (TARGET / f"{name}.png").write_bytes(kept)
            self.taken.append(name)
            sys.stdout.write(f"{name:24} {len(kept) / 1000:6.0f} kB\n")


def reader_pictures(photographer: Photographer, page, email: str, password: str) -> None:
    """Go through a whole trial as a reader."""
    from tests.e2e.world import answer_by_keyboard, wait_for_case

    page.goto(page.url)
    photographer.take(page, "sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.locator("a[href='/read/contours-to-read']").wait_for()
    photographer.take(page, "inbox")
    page.locator("a[href='/read/contours-to-read']").click()
    page.locator(".eq-prose").wait_for()
    photographer.take(page, "consent")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Radiation oncology").check()
    page.get_by_role("spinbutton").nth(0).fill("7")
    photographer.take(page, "questionnaire")
    page.get_by_role("spinbutton").nth(1).fill("4")
    page.get_by_label("Desktop monitor").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Instructions").wait_for()
    page.locator(".eq-prose").wait_for()
    photographer.take(page, "instructions")
    page.get_by_role("button", name="I have read the instructions").click()
    for n in (1, 2):
        wait_for_case(page, n, phase="practice")
        if n == 2:
            photographer.take(page, "practice")
        answer_by_keyboard(page)
    for n in range(1, 10):
        wait_for_case(page, n)
        if n == 1:
            page.keyboard.press("?")
            photographer.take(page, "keys")
            page.keyboard.press("Escape")
        photographer.take(page, f"reading-{n}" if n != 2 else "reading")
        if n == 3:
            page.keyboard.press("2")
            page.keyboard.press("ArrowLeft")
            photographer.take(page, "reading-mediastinum")
            page.keyboard.press("1")
        answer_by_keyboard(page, "ArrowLeft" if n % 2 else "ArrowRight")
    for n in (1, 2, 3):
        wait_for_case(page, n, phase="blinding-check")
        if n == 1:
            photographer.take(page, "blinding-check")
        answer_by_keyboard(page, "ArrowDown")
    page.get_by_role("heading", name="Last questions").wait_for()
    photographer.take(page, "closing")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="You have finished").wait_for()
    photographer.take(page, "done")


def administrator_pictures(photographer: Photographer, page, email: str, password: str) -> None:
    """Look at every section of the finished trial, and at the protocol in both views."""
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=re.compile("a finished trial")).wait_for()
    photographer.take(page, "admin-trials")
    page.get_by_role("link", name=re.compile("a finished trial")).click()
    for section in SECTIONS:
        link = page.get_by_role("navigation").get_by_role("link", name=section.capitalize())
        link.click()
        page.wait_for_url(re.compile(f"/{section}$"))
        photographer.take(page, f"admin-{section}")
    page.get_by_role("navigation").get_by_role("link", name="Analyses").click()
    heading = page.get_by_role("heading", name=re.compile("Preference|prefer")).first
    heading.evaluate("(element) => element.scrollIntoView({ block: 'start' })")
    photographer.take(page, "admin-preference")
    page.get_by_role("navigation").get_by_role("link", name="Protocol").click()
    page.get_by_role("radiogroup").wait_for()
    photographer.take(page, "admin-protocol-form")
    page.get_by_role("radiogroup").locator("label").filter(has_text="Text").click()
    photographer.take(page, "admin-protocol-text")


def main() -> int:
    """Build the site, start it, take the pictures."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--only", nargs="*", default=[], help="names of the pictures to keep")
    arguments.add_argument("--full", type=Path, help="a folder for all pictures in full size")
    arguments.add_argument("--site", help="data folder of a demonstration that nobody has read in yet")
    options = arguments.parse_args()
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="equipoise-screenshots-") as folder:
        os.environ |= {
            "EQUIPOISE_DATA_DIR": options.site or folder,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",  # Playwright's loop waits in this thread
        }
        from equipoise.config.start import database_prepare, django_start

        django_start()
        database_prepare()
        from trials.rehearsal.demo import demo_build

        accounts = {account.email.split("@")[0]: account for account in demo_build(say=lambda text: None)}
        photographer = Photographer(only=tuple(options.only), full=options.full)
        visits: tuple[tuple[Callable[..., None], str], ...] = (
            (reader_pictures, "reader"),
            (administrator_pictures, "admin"),
        )
        take_all(photographer, Path(folder), [(take, accounts[name]) for take, name in visits])
    return 0


def take_all(photographer: Photographer, folder: Path, visits) -> None:
    """Serve the site and visit it as each person."""
    from playwright.sync_api import sync_playwright

    from tests.e2e.conftest import browser_path
    from tests.e2e.world import LAUNCH_ARGUMENTS, visiting
    from tests.faults.real_server import RealServer

    server = RealServer(log=folder / "server.log", settings=SETTINGS)
    try:
        server.wait()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path(), args=[*LAUNCH_ARGUMENTS])
            for take, account in visits:
                with visiting(browser, server.url, color_scheme="dark") as visit:
                    take(photographer, visit.page("/"), account.email, account.password)
            browser.close()
    finally:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
