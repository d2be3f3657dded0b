"""A site that came of a backup sends nothing by itself."""

import pytest
from django.utils import timezone

from equipoise.jobs.models import Job, JobItem
from equipoise.jobs.services import job_create
from tests.factories import trials as factory
from trials.models import ReminderPlan, Webhook
from trials.selectors.reminders import REMIND_JOB
from trials.services.outward import outward_stop

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_webhooks_plans_and_waiting_reminders_are_stopped_and_other_work_is_not():
    world = factory.open_world()
    webhook = Webhook.objects.create(
        trial=world.trial,
        url="https://example.org/hook",
        kinds=[],
        secret=b"0" * 32,
        queued_through=0,
        created_by=world.administrator,
        created_at=timezone.now(),
    )
    ReminderPlan.objects.create(trial=world.trial, after_days=3)
    kept = {"trial_id": world.trial.id, "created_by_id": None, "unit": "readers"}
    waiting = job_create(kind=REMIND_JOB, items=[("R-01", {})], **kept)
    other = job_create(kind="trials.analyse", items=[("a", {})], **kept)

    stopped = outward_stop()
    assert (stopped.webhooks, stopped.plans, stopped.jobs) == (1, 1, 1)
    webhook.refresh_from_db()
    assert webhook.ended_at is not None
    assert not ReminderPlan.objects.exists()
    assert Job.objects.get(id=waiting.id).state == "cancelled"
    assert JobItem.objects.get(job=waiting).state == "cancelled"
    assert Job.objects.get(id=other.id).state == "queued"

    again = outward_stop()
    assert (again.webhooks, again.plans, again.jobs) == (0, 0, 0)
