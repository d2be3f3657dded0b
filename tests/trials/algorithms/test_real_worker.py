"""Runs by real workers: killed at any moment every case is done once, and a run that is cancelled stops."""

import threading
import time
import uuid
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from django.db import connection

from equipoise.audit.models import AuditEntry
from equipoise.common.errors import StateConflictError
from equipoise.jobs import registry, services
from equipoise.jobs.models import Job, JobItem, JobState
from tests.jobs.real_worker import RealWorker, broker_app, wait_for
from tests.jobs.test_real_worker import FILESYSTEM, RABBITMQ, REDIS, answers
from trials.domain.results import ResultTask
from trials.models import AlgorithmResult, AlgorithmRun
from trials.services.algorithm import JOB_KIND, algorithm_enrol, algorithm_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushing_db")]

MANY, FEW = 50, 6
RUNS = [
    pytest.param((FILESYSTEM, FEW), id="few"),
    pytest.param((FILESYSTEM, MANY), id="many", marks=pytest.mark.slow),
    pytest.param((REDIS, MANY), id="redis", marks=[pytest.mark.production, pytest.mark.slow]),
    pytest.param((RABBITMQ, MANY), id="rabbitmq", marks=[pytest.mark.production, pytest.mark.slow]),
]


class Site:
    """A broker, a queue of this test's own, and workers that are gone at the end."""

    def __init__(self, url, cases, tmp_path):
        self.url, self.cases = url, cases
        self.queue = f"test-{uuid.uuid4().hex[:12]}"
        self.log = tmp_path / "worker.log"
        self.workers = []

    def worker(self):
        self.workers.append(RealWorker(broker_url=self.url, queue=self.queue, log=self.log))
        return self.workers[-1]


@pytest.fixture
def site(request, monkeypatch, tmp_path):
    url, cases = request.param
    if not url.startswith("filesystem:") and not answers(url):
        pytest.skip(f"No broker answers at {urlsplit(url).hostname}:{urlsplit(url).port}.")
    monkeypatch.setenv("EQUIPOISE_THREADS", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    app = broker_app(url)
    monkeypatch.setattr(services, "current_app", app)
    site = Site(url, cases, tmp_path)
    own_queue = replace(registry.handler_of(JOB_KIND), queue=site.queue)
    monkeypatch.setitem(registry._HANDLERS, JOB_KIND, own_queue)
    yield site
    for worker in site.workers:
        worker.kill()
    with app.connection_for_write() as broker:
        broker.default_channel.queue_delete(site.queue)
    app.close()


def enrolled(make_world, weights, cases):
    world = make_world(cases=cases)
    enrolment = algorithm_enrol(
        world.trial,
        source="algorithm",
        pipeline="nsclc",
        weights_sha256=weights.unet.sha256,
        actor=world.actor,
    )
    return world, enrolment.participant


def state_of(job_id):
    return Job.objects.get(pk=job_id).state


@pytest.mark.parametrize("site", RUNS, indirect=True)
def test_every_case_is_done_once_though_the_worker_is_killed(site, make_world, weights):
    world, participant = enrolled(make_world, weights, site.cases)
    run = algorithm_run(world.trial, participant, task=ResultTask.PREFERENCE, actor=world.actor)
    worker = site.worker()
    for stop_after in (site.cases // 3, 2 * site.cases // 3):
        wait_for(
            lambda stop=stop_after: AlgorithmResult.objects.count() >= stop,
            seconds=240,
            what=f"{stop_after} results",
            worker=worker,
        )
        worker.kill()
        assert state_of(run.job_id) == JobState.RUNNING
        worker = site.worker()
    wait_for(lambda: state_of(run.job_id) == JobState.SUCCEEDED, seconds=240, what="success", worker=worker)
    rows = AlgorithmResult.objects.all()
    assert sorted(rows.values_list("case__code", "attempt")) == [
        (f"C-{number:03d}", 1) for number in range(1, site.cases + 1)
    ]
    assert not rows.exclude(failure_code="").exists()
    assert AuditEntry.objects.filter(kind="result:received").count() == site.cases
    assert set(JobItem.objects.values_list("state", flat=True)) == {"succeeded"}
    assert JobItem.objects.filter(attempts__gt=1).count() <= 2  # what the kills interrupted


@pytest.mark.parametrize("site", [(FILESYSTEM, 12)], ids=["cancel"], indirect=True)
def test_cancelled_run_stops_and_keeps_what_was_done(site, make_world, weights):
    world, participant = enrolled(make_world, weights, site.cases)
    run = algorithm_run(world.trial, participant, task=ResultTask.CONTOURING, actor=world.actor)
    worker = site.worker()
    wait_for(lambda: AlgorithmResult.objects.exists(), seconds=120, what="a result", worker=worker)
    asked = time.monotonic()
    services.job_cancel(run.job_id)
    wait_for(lambda: state_of(run.job_id) == JobState.CANCELLED, seconds=30, what="the cancel", worker=worker)
    assert time.monotonic() - asked < 30
    done = JobItem.objects.filter(state="succeeded").count()
    assert 1 <= done < site.cases
    time.sleep(1.0)
    assert AlgorithmResult.objects.count() == done
    assert worker.terminate() == 0


@pytest.mark.parametrize("site", [(FILESYSTEM, 3)], ids=["press"], indirect=True)
def test_run_pressed_by_several_at_once_is_made_once(site, make_world, weights):
    world, participant = enrolled(make_world, weights, site.cases)
    outcomes, start = [], threading.Barrier(4)

    def press():
        try:
            start.wait()
            algorithm_run(world.trial, participant, task=ResultTask.CONTOURING, actor=world.actor)
            outcomes.append("queued")
        except StateConflictError:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["queued", "refused", "refused", "refused"]
    assert AlgorithmRun.objects.count() == Job.objects.count() == 1
    assert JobItem.objects.count() == 3
