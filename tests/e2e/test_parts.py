"""The results page under a filter: what was computed of that part, and nothing of the whole."""

import pytest

from equipoise.jobs.inline import job_run_inline
from tests.e2e import world as e2e
from tests.trials.bundle.worlds import preference_finished

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

LONG_MS = 60_000


def work_off(page, world, *, queued):
    """Do what was asked for, once it was."""
    page.locator("[role=progressbar]").first.wait_for()
    jobs = list(world.trial.analyses.order_by("created_at").values_list("job_id", flat=True))
    assert len(jobs) == queued
    assert job_run_inline(jobs[-1]).state == "succeeded"


def test_a_filter_hides_what_is_of_the_whole_and_computes_what_is_of_the_part(visit, site):
    world = preference_finished()
    browser = visit()
    browser.sign_in(world.administrator.email)
    page = browser.page(f"/trials/{world.trial.id}/analyses")
    page.get_by_role("button", name="Run an analysis").click()
    work_off(page, world, queued=1)
    figures = page.locator("figure img")
    figures.first.wait_for(timeout=LONG_MS)
    whole = figures.first.get_attribute("src")
    chosen = page.get_by_label("Group of readers")
    chosen.select_option(index=1)
    page.get_by_text("Not computed of this part: preference.").wait_for()
    assert figures.count() == 0
    e2e.check_accessible(page)
    page.get_by_role("button", name="Compute of this part").press("Enter")
    work_off(page, world, queued=2)
    figures.first.wait_for(timeout=LONG_MS)
    assert figures.first.get_attribute("src") != whole
    page.get_by_text("Exploratory", exact=True).wait_for()
    page.get_by_text("Computed from a part of the readings alone", exact=False).wait_for()
    e2e.check_accessible(page)
    chosen.select_option("")
    page.locator(f"figure img[src='{whole}']").wait_for()
