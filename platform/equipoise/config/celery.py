"""The Celery application. Celery carries doorbells only; what is to be done stands in the database (equipoise.jobs)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "equipoise.config.settings.production")

from django.conf import settings

from equipoise.jobs.broker import broker_options

app = Celery("equipoise")
app.conf.update(
    **broker_options(settings.BROKER_URL, settings.BROKER_DIR),
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=5,
    enable_utc=True,
    imports=["equipoise.jobs.tasks"],
    result_backend=None,
    task_create_missing_queues=True,
    task_default_queue="default",
    task_ignore_result=True,
    task_publish_retry_policy={"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2},
    timezone="UTC",
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
)
app.set_default()
