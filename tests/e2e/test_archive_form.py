"""A data manager fetches studies from an archive on the page of cases, and sees what became of each."""

import re

import pytest

from equipoise.common.permissions import Role
from equipoise.jobs.inline import job_run_inline
from equipoise.jobs.models import Job, JobItem
from tests.e2e import world as e2e
from tests.factories.accounts import AccountFactory
from tests.faults.real_server import RealServer
from tests.trials.dicomweb_world import empty_world
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

SECRET_IDS = ("QUETZAL-1", "QUETZAL-2")


@pytest.fixture
def server(flushing_db, tmp_path, monkeypatch):
    """A server whose site names an archive that nobody answers for."""
    monkeypatch.setenv("EQUIPOISE_PACS", "hospital=http://127.0.0.1:9/dicom-web")
    running = RealServer(log=tmp_path / "server.log")
    running.wait()
    yield running
    running.kill()


def test_list_is_sent_and_forgotten_and_each_study_is_reported(visit, server, settings):
    settings.PACS = {}
    world = empty_world()
    manager = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, manager, Role.DATA_MANAGER, actor=world.actor)
    browser = visit()
    browser.sign_in(manager.email)
    page = browser.page(f"/trials/{world.trial.id}/cases")
    page.get_by_role("heading", name="Fetch from an archive").wait_for()
    page.get_by_label("Studies are named by").select_option("PatientID")
    button = page.get_by_role("button", name=re.compile("^Fetch "))
    assert button.is_disabled()
    page.get_by_label("Studies", exact=True).fill("\n".join(SECRET_IDS) + "\n")
    for field in page.get_by_label("Name of the contour").all():
        field.fill("GTV-1")
    e2e.check_accessible(page)
    page.get_by_role("button", name="Fetch 2 studies").click()
    page.get_by_text("0 of 2").wait_for()
    assert page.get_by_label("Studies", exact=True).input_value() == ""
    job = Job.objects.get()
    assert job.created_by_id == manager.id
    assert not any(one in str(list(JobItem.objects.values())) for one in SECRET_IDS)
    job_run_inline(job.id)  # this process names no such archive: each study is refused for that
    page.get_by_text("2 of 2").wait_for()
    page.get_by_text("2 entries failed").wait_for()
    page.get_by_text("1: The site names no archive 'hospital'; it names: none.").wait_for()
