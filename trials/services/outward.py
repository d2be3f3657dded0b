"""What a site sends out by itself: to programs and, by e-mail, to readers."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from equipoise.jobs.models import ACTIVE_STATES, Job, JobState
from equipoise.jobs.services import job_cancel
from trials.models import ReminderPlan, Webhook
from trials.selectors.reminders import REMIND_JOB


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was stopped, by count."""

    webhooks: int
    plans: int
    jobs: int


@transaction.atomic
def outward_stop() -> Stopped:
    """End every webhook and plan of reminders, and cancel reminders that wait: for a site that came of a backup.

    Such a site may stand beside the one that was backed up, or come long after it. Whoever wants it to speak again
    sets the webhooks and plans up anew.
    """
    webhooks = Webhook.objects.filter(ended_at=None).update(ended_at=timezone.now())
    plans, _ = ReminderPlan.objects.all().delete()
    waiting = Job.objects.filter(kind=REMIND_JOB, state__in=ACTIVE_STATES).exclude(state=JobState.CANCELLING)
    jobs = [job_cancel(job_id) for job_id in waiting.values_list("id", flat=True)]
    return Stopped(webhooks, plans, len(jobs))
