"""The contract of a job with real workers: killed at any moment, every item takes effect once, on every broker."""

import os
import socket
import uuid
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import transaction

from equipoise.jobs import services
from equipoise.jobs.models import Job, JobItem, JobItemState, JobState, Lease
from tests.jobs.real_worker import RealWorker, broker_app, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushing_db")]

FILESYSTEM = "filesystem://"
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
RABBITMQ = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")

BROKERS = [
    FILESYSTEM,
    pytest.param(REDIS, marks=pytest.mark.production, id="redis"),
    pytest.param(RABBITMQ, marks=pytest.mark.production, id="rabbitmq"),
]


def answers(url):
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=2).close()
    except OSError:
        return False
    return True


@pytest.fixture(params=BROKERS)
def site(request, monkeypatch, tmp_path):
    """A broker, a queue of this test's own, and a way to start workers that are gone at the end."""
    url = request.param
    if not url.startswith("filesystem:") and not answers(url):
        pytest.skip(f"No broker answers at {urlsplit(url).hostname}:{urlsplit(url).port}.")
    app = broker_app(url)
    monkeypatch.setattr(services, "current_app", app)
    started = []

    class Site:
        queue = f"test-{uuid.uuid4().hex[:12]}"
        starts = tmp_path / "starts"

        def worker(self):
            started.append(RealWorker(broker_url=url, queue=self.queue, log=tmp_path / "worker.log"))
            return started[-1]

        def job(self, kind, count, **payload):
            items = [(f"item-{n}", {"log": str(self.starts), **payload}) for n in range(count)]
            with transaction.atomic():
                job = services.job_create(
                    kind=kind, trial_id=None, created_by_id=None, items=items, unit="item"
                )
                job.queue = self.queue
                job.save(update_fields=["queue"])
            return job

        def started_items(self):
            return self.starts.read_text().split()[::2] if self.starts.exists() else []

    yield Site()
    for worker in started:
        worker.kill()
    with app.connection_for_write() as broker:
        broker.default_channel.queue_delete(Site.queue)
    app.close()


def state_of(job):
    return Job.objects.get(pk=job.pk).state


def effects_of(job):
    return Lease.objects.filter(name__startswith=f"{job.pk}:").count()


def test_every_item_takes_effect_once_though_the_worker_is_killed_twice(site):
    job = site.job("tests.effect", 20, sleep_s=0.15)
    worker = site.worker()
    for kills, stop_after in enumerate((4, 9), 1):
        wait_for(
            lambda stop=stop_after: len(site.started_items()) >= stop, seconds=40, what="work", worker=worker
        )
        worker.kill()
        running = JobItem.objects.filter(job=job, state=JobItemState.RUNNING).count()
        assert running <= kills
        assert state_of(job) == JobState.RUNNING
        worker = site.worker()

    wait_for(lambda: state_of(job) == JobState.SUCCEEDED, seconds=60, what="success", worker=worker)

    assert effects_of(job) == 20
    assert Job.objects.get(pk=job.pk).done == 20
    assert set(JobItem.objects.filter(job=job).values_list("state", flat=True)) == {JobItemState.SUCCEEDED}
    starts = site.started_items()
    assert sorted(set(starts)) == sorted(f"item-{n}" for n in range(20))
    assert 20 <= len(starts) <= 22  # each kill may make one item start again, and no more


def test_item_that_does_not_listen_to_a_cancel_is_ended_and_the_worker_goes_on(site):
    deaf = site.job("tests.deaf", 1)
    worker = site.worker()
    wait_for(lambda: state_of(deaf) == JobState.RUNNING, seconds=40, what="a start", worker=worker)

    services.job_cancel(deaf.pk)
    wait_for(lambda: state_of(deaf) == JobState.CANCELLED, seconds=20, what="the cancel", worker=worker)
    next_job = site.job("tests.effect", 2)
    wait_for(lambda: state_of(next_job) == JobState.SUCCEEDED, seconds=40, what="the next job", worker=worker)

    assert effects_of(next_job) == 2
    assert worker.terminate() == 0


@pytest.mark.parametrize("site", [FILESYSTEM], indirect=True)
def test_half_written_and_empty_messages_do_not_stop_the_worker(site):
    messages = settings.BROKER_DIR / "messages"
    messages.mkdir(parents=True, exist_ok=True)
    spoilt = {"empty": "", "half": '{"body": "W1tdLCB7fSwg', "other": "[1, 2]", "bare": "{}"}
    for name, text in spoilt.items():
        (messages / f"00000000000000000000-{name}.{site.queue}.msg").write_text(text)
    (messages / f"00000000000000000000-part.{site.queue}.msg.1.part").write_text('{"body"')

    worker = site.worker()
    job = site.job("tests.effect", 3)
    wait_for(lambda: state_of(job) == JobState.SUCCEEDED, seconds=40, what="success", worker=worker)

    assert effects_of(job) == 3
    assert worker.process.poll() is None
    wait_for(
        lambda: not list(messages.glob(f"*.{site.queue}.msg")), seconds=20, what="silence", worker=worker
    )
    assert worker.log.read_text().count("A message that could not be read was dropped.") == 4


@pytest.mark.parametrize("site", [FILESYSTEM], indirect=True)
def test_lost_bell_is_rung_again(site):
    job = site.job("tests.effect", 2)
    for message in (settings.BROKER_DIR / "messages").glob(f"*.{site.queue}.msg"):
        message.unlink()
    worker = site.worker()
    wait_for(lambda: state_of(job) == JobState.SUCCEEDED, seconds=40, what="success", worker=worker)
    assert effects_of(job) == 2
