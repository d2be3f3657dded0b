"""The public form of a bundle as an administrator makes it: none without a bundle, refused, made, taken away."""

import hashlib
import os
import re
import zipfile
from pathlib import Path

import pytest

from equipoise.jobs.inline import job_run_inline
from equipoise.jobs.models import Job
from tests.e2e import world as e2e
from tests.factories import trials as factory
from tests.trials.bundle.worlds import unblind
from trials.models import PublicBundle

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

LONG_MS = 60_000
PICTURES = os.environ.get("TEST_PICTURES")


def picture(page, name):
    """Keep what the page shows, where somebody asks for it."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def made(page, button):
    """Ask for a file, do what was asked for, and return how it ended."""
    with page.expect_response(lambda one: one.request.method == "POST") as asked:
        button.press("Enter")
    assert asked.value.status == 202
    return job_run_inline(Job.objects.latest("created_at").id).state


def commented_world():
    """Return an unblinded trial, one of whose readings has a comment that names its reader."""
    world = factory.open_world()
    reader = world.enrol()
    account = reader.membership.account
    for _ in range(reader.readings.filter(phase="practice").count() + 1):
        comment = f"Ask {account.email}"
        factory.answer(reader, factory.open_reading(reader), comment=comment)
    return unblind(world), account.email


def test_administrator_makes_the_public_form_and_is_told_what_names_somebody(visit, site, tmp_path):
    world, address = commented_world()
    browser = visit(color_scheme="dark", accept_downloads=True)
    browser.sign_in(world.administrator.email)
    page = browser.page(f"/trials/{world.trial.id}/analyses")
    page.get_by_text("make a bundle that is up to date first").wait_for()
    assert page.get_by_role("button", name="Make the public form").count() == 0
    e2e.check_accessible(page)
    picture(page, "1-no-bundle")

    page.get_by_label("Why it is made").fill("For the archive")
    assert made(page, page.get_by_role("button", name="Make the bundle")) == "succeeded"
    make = page.get_by_role("button", name="Make the public form")
    make.wait_for(timeout=LONG_MS)
    assert make.is_disabled()
    picture(page, "2-bundle")

    reviewed = page.get_by_label("All comments and free-text answers were read and may be public")
    reason = page.get_by_label("Why it is published")
    reviewed.check()
    reason.fill("Beside the article")
    assert made(page, make) == "failed"
    page.get_by_text(re.compile(r"readings\.csv line \d+ names a reader")).wait_for(timeout=LONG_MS)
    assert address not in page.locator("main").inner_text()
    assert not PublicBundle.objects.exists()
    page.get_by_text("No public form was made yet.").wait_for()
    e2e.check_accessible(page)
    picture(page, "3-refused")

    reviewed.uncheck()
    reason.fill("Beside the article, without comments")
    assert made(page, make) == "succeeded"
    page.get_by_text(re.compile("^Public form SHA-256 [0-9a-f]{64}$")).wait_for(timeout=LONG_MS)
    assert page.get_by_text(re.compile("names a reader")).count() == 0
    e2e.check_accessible(page)
    picture(page, "4-made")
    with page.expect_download() as taken:
        page.locator("a[href$='public-bundle.zip']").click()
    file = tmp_path / "public.zip"
    taken.value.save_as(file)
    kept = PublicBundle.objects.get()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == kept.file_sha256
    with zipfile.ZipFile(file) as archive:
        assert address not in archive.read("readings.csv").decode()
