"""A repeated rehearsal that did not pass is seen, and protocol lock then asks for a written waiver."""

import pytest

import tests.e2e.world as e2e
from equipoise.jobs.inline import job_run_inline
from tests.factories.accounts import PASSWORD
from tests.factories.bone_scans import bone_scan_world
from tests.trials.rehearsal.test_repeated import readers_taken_as_fixed
from trials.domain.rehearsal import RehearsalKind, RehearsalPlan, plan_of_document
from trials.models import Trial
from trials.services.rehearsal import rehearsal_request

pytestmark = pytest.mark.e2e

DIFFERENT_READERS = plan_of_document(
    {"classification": {"var_reader_condition": 0.5, "auc_unaided": 0.8, "auc_aided": 0.86}}
)


def rehearsed(world, **options):
    rehearsal = rehearsal_request(world.trial, seed=1, actor=world.actor, **options)
    job_run_inline(rehearsal.job_id)


def test_failed_gate_is_shown_and_lock_asks_for_a_waiver(visit, monkeypatch):
    readers_taken_as_fixed(monkeypatch)
    world = bone_scan_world(cases=30)
    rehearsed(world, plan=RehearsalPlan())
    rehearsed(world, kind=RehearsalKind.REPEATED, repeats=20, plan=DIFFERENT_READERS)
    browser = visit()
    browser.sign_in(world.administrator.email)
    page = browser.page(f"/trials/{world.trial.id}/rehearsal")
    page.get_by_text("The last repeated rehearsal of this version", exact=False).first.wait_for()
    page.get_by_text("20 repeats, seeds from 1").wait_for()
    page.get_by_text("the test rejects too often", exact=False).first.wait_for()
    page.get_by_text("One run, seed 1").wait_for()
    e2e.check_accessible(page)

    page.get_by_role("button", name="Protocol lock").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("found its primary analysis wrong", exact=False).wait_for()
    dialog.get_by_role("link", name="Rehearse this version first").wait_for()
    e2e.check_accessible(page)
    dialog.get_by_label("Reason", exact=False).fill("as planned")
    dialog.locator("input[type=password]").fill(PASSWORD)
    confirm = dialog.get_by_role("button", name="Confirm: Protocol lock")
    assert confirm.is_disabled()
    dialog.get_by_label("Waiver of the rehearsal").fill("A pilot without inference.")
    confirm.click()
    dialog.wait_for(state="detached")
    assert Trial.objects.get().state == "locked"
