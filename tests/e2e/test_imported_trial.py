"""A bundle is brought in the browser: the trial is listed as imported, with its results and its report."""

import re

import pytest

from tests.e2e import world as e2e
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, AccountFactory, InstituteFactory
from tests.trials.bundle.worlds import unblind
from trials.domain.bundle import manifest_sha256
from trials.reports.bundle import write_bundle, zip_bundle

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

LONG_MS = 60_000


def test_site_administrator_imports_a_bundle_and_looks_at_it(visit, site, tmp_path):
    world = factory.open_world()
    factory.read_everything(world.enrol())
    unblind(world)
    write_bundle(world.trial, tmp_path / "bundle")
    zip_bundle(tmp_path / "bundle", tmp_path / "bundle.zip")
    person = AccountFactory.create(institute=InstituteFactory.create(), is_site_administrator=True)

    browser = visit()
    browser.watch.expect(r"^401: ")
    page = browser.page("/sign-in")
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/trials$"))
    page.get_by_text("Import a bundle").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "bundle.zip")
    page.get_by_label("Short name here").fill("from-elsewhere")
    page.get_by_role("button", name="Import").click()
    page.wait_for_url(re.compile(r"/trials/[0-9a-f-]+"), timeout=LONG_MS)

    page.get_by_text(f"This trial was run elsewhere as {world.trial.slug}").wait_for()
    page.get_by_text(manifest_sha256(tmp_path / "bundle")).wait_for()
    e2e.check_accessible(page)
    rail = page.get_by_role("navigation").get_by_role("link")
    assert rail.all_inner_texts() == ["Overview", "Protocol", "Analyses", "Audit"]
    rail.filter(has_text="Analyses").click()
    page.locator("figure img").first.wait_for(timeout=LONG_MS)
    page.wait_for_function("() => document.querySelector('figure img').naturalWidth > 0")
    e2e.check_accessible(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="report.html").click()
    opened.value.get_by_role("heading", name="Reporting checklists").wait_for()
    page.get_by_role("link", name="Equipoise").click()
    page.get_by_text(re.compile(r"^imported from a bundle of \d{4}-\d{2}-\d{2}, [0-9a-f]{12}$")).wait_for()
    e2e.check_accessible(page)
