"""An administrator enrols a model version, presses run and reads what failed, with a real worker behind the page."""

import os
import re

import numpy as np
import pytest
from django.conf import settings

if not os.environ.get("CI"):
    pytest.importorskip("torch", reason="the extra `inference` is not installed")

from equipoise.jobs.models import Job
from tests.e2e import world as e2e
from tests.jobs.real_worker import RealWorker
from tests.trials.algorithms.conftest import (  # noqa: F401 - fixtures
    SHAPE,
    chest,
    chest_case,
    make_world,
    weights,
)
from trials.models import AlgorithmResult

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

LONG_MS = 90_000


@pytest.fixture
def worker(site, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_THREADS", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    running = RealWorker(broker_url=settings.BROKER_URL, queue="inference", log=tmp_path / "worker.log")
    yield running
    running.kill()


def test_administrator_enrols_runs_and_sees_what_failed(visit, site, worker, make_world, weights, chest):  # noqa: F811
    world = make_world(cases=3)
    chest_case(world.trial, chest, number=9, array=np.full(SHAPE, -1000))
    browser = visit()
    browser.sign_in(world.administrator.email)
    page = browser.page(f"/trials/{world.trial.id}/participants")
    page.get_by_role("heading", name="Enrol a model version").wait_for()
    page.get_by_text("No algorithm has given results yet.").wait_for()
    e2e.check_accessible(page)
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_role("heading", name="A-01 · Marker 1").wait_for()
    e2e.check_accessible(page)

    page.get_by_label("Task").select_option("contouring")
    page.get_by_role("button", name="Run over all cases").click()
    run = page.get_by_test_id("algorithm-run")
    run.first.get_by_role("progressbar").wait_for()
    assert page.get_by_role("button", name="Run over all cases").is_disabled()
    run.first.get_by_text("3 results, 1 failure").wait_for(timeout=LONG_MS)
    page.get_by_text("1 case without a result").click()
    page.get_by_text("Found nothing").wait_for()
    page.get_by_role("cell", name="C-004").wait_for()
    page.get_by_text(re.compile(r"^Median \d+\.\d s per case on .*1 threads")).wait_for()

    page.get_by_label("Repeat").fill("2")
    page.get_by_role("button", name="Run over all cases").click()
    page.get_by_text("Reproducible (repeat 2): yes, 3 of 3 identical, lowest Dice 1.000").wait_for(
        timeout=LONG_MS
    )
    e2e.check_accessible(page)
    if os.environ.get("TEST_PICTURES"):
        page.screenshot(path=os.environ["TEST_PICTURES"], full_page=True)
    assert AlgorithmResult.objects.filter(failure_code="").count() == 6
    assert set(Job.objects.values_list("state", flat=True)) == {"succeeded"}
