"""Reminders by e-mail: who gets one, how often, what it says, how its reader stops them; what the monitor tells."""

import smtplib
from datetime import timedelta
from urllib.parse import unquote

import pytest
from django.core import mail
from django.core.mail.backends import locmem
from django.utils import timezone

from equipoise.audit.models import AuditEntry
from equipoise.jobs.inline import jobs_run_inline
from equipoise.jobs.models import JobItem
from equipoise.jobs.services import job_retry
from tests.factories import bone_scans as bones
from tests.factories import trials as factory
from tests.trials.api.test_administration import API, send, signed_in
from trials.domain.reminders import ReaderStanding, is_due, no_reminder
from trials.domain.states import TrialAction
from trials.models import Case, Item, Participant, Reading, Reminder, Trial
from trials.selectors.monitor import monitor_document
from trials.selectors.reminders import reader_standing
from trials.services.acts import Actor
from trials.services.participant import participant_break, participant_withdraw
from trials.services.reminders import reminder_plan_set, reminders_due_send

pytestmark = [pytest.mark.django_db, pytest.mark.db]

NOW = timezone.now()


def standing(**changes):
    base = {
        "trial_open": True,
        "stopped": False,
        "has_something_to_do": True,
        "opens_at": None,
        "last_reminder_at": None,
        "last_activity_at": NOW - timedelta(days=5),
    }
    return ReaderStanding(**(base | changes))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"trial_open": False}, "trial_not_open"),
        ({"stopped": True}, "stopped"),
        ({"has_something_to_do": False}, "nothing_to_do"),
        ({"opens_at": NOW + timedelta(hours=1)}, "not_yet"),
        ({"opens_at": NOW - timedelta(hours=1)}, None),
        ({"last_reminder_at": NOW - timedelta(hours=47)}, "reminded_lately"),
        ({"last_reminder_at": NOW - timedelta(hours=49)}, None),
    ],
)
def test_what_speaks_against_a_reminder(changes, why):
    assert no_reminder(standing(**changes), now=NOW) == why


def test_plan_counts_from_the_last_sign_the_last_reminder_and_the_end_of_a_washout():
    def due(**changes):
        return is_due(standing(**changes), after_days=5, now=NOW)

    assert due()
    assert not due(last_activity_at=NOW - timedelta(days=4))
    assert not due(last_reminder_at=NOW - timedelta(days=4))
    assert not due(opens_at=NOW - timedelta(days=4))


def asked(world, *codes, status=202):
    path = f"/trials/{world.trial.id}/reminders"
    return send(signed_in(world.administrator), "post", path, {"participants": list(codes)}, status=status)


def test_reminder_is_sent_once_says_nothing_of_cases_and_is_stopped_by_its_link(client):
    world = bones.open_world(practice=1, cases=4)
    reader = world.enrol()
    told = asked(world, reader.code, reader.code)
    assert told == {"reminded": [reader.code], "not_reminded": {}}
    again = asked(world, reader.code)
    assert again["reminded"] == []
    assert "less than two days" in again["not_reminded"][reader.code]
    jobs_run_inline()
    [message] = mail.outbox
    assert message.to == [factory.account_of(reader).email]
    link = message.extra_headers["List-Unsubscribe"].strip("<>")
    words = (message.subject + message.body.replace(link, "")).lower()
    forbidden = {*Case.objects.values_list("code", flat=True), *Item.objects.values_list("code", flat=True)}
    forbidden |= set(Reading.objects.values_list("condition", flat=True)) - {""}
    forbidden |= {reader.code, str(reader.id), "aided", "unaided", "metastas"}
    assert [word for word in forbidden if word.lower() in words] == []
    assert not any(letter.isdigit() for letter in words.replace("localhost:8000", ""))
    assert Reminder.objects.get().sent_at is not None
    token = unquote(link.rpartition("/")[2])
    stopped = client.post(f"{API}/reminders/stop", {"token": token}, content_type="application/json")
    assert stopped.json() == {"trial_title": world.trial.title}
    wrong = client.post(f"{API}/reminders/stop", {"token": token[:-2]}, content_type="application/json")
    assert wrong.status_code == 404
    Reminder.objects.update(asked_at=NOW - timedelta(days=9))
    assert asked(world, reader.code)["not_reminded"] == {reader.code: "The reader wants no reminders."}
    kinds = AuditEntry.objects.filter(chain=str(world.trial.id), kind__startswith="reminders:")
    assert list(kinds.order_by("sequence").values_list("kind", flat=True)) == [
        "reminders:asked", "reminders:stopped",
    ]  # fmt: skip


def test_plan_reminds_readers_who_are_quiet_and_nobody_else():
    world = factory.open_world()
    quiet, fresh, gone = world.enrol(), world.enrol(), world.enrol()
    Participant.objects.filter(id__in=[quiet.id, gone.id]).update(joined_at=NOW - timedelta(days=8))
    participant_withdraw(gone, reason_code="no_time", reason="On leave", actor=world.actor)
    assert reminders_due_send() == 0
    reminder_plan_set(world.trial, after_days=7, actor=world.actor)
    assert reminders_due_send() == 1
    assert reminders_due_send() == 0
    assert list(Reminder.objects.values_list("participant__code", "asked_by")) == [(quiet.code, None)]
    assert no_reminder(reader_standing(fresh), now=timezone.now()) is None
    world.act(TrialAction.CLOSE)
    jobs_run_inline()
    assert mail.outbox == []
    assert JobItem.objects.get(job__kind="trials.remind").result == {"outcome": "not_needed"}
    path = f"/trials/{world.trial.id}/reminders"
    client = signed_in(world.administrator)
    send(client, "put", path, {"after_days": 1}, status=400)
    assert send(client, "put", path, {"after_days": None})["after_days"] is None


def test_mail_server_that_is_away_is_tried_again(monkeypatch):
    world = factory.open_world()
    reader = world.enrol()
    asked(world, reader.code)
    tries = []
    deliver = locmem.EmailBackend.send_messages

    def away_at_first(self, messages):
        tries.append(len(messages))
        if len(tries) == 1:
            raise smtplib.SMTPServerDisconnected("gone")
        return deliver(self, messages)

    monkeypatch.setattr(locmem.EmailBackend, "send_messages", away_at_first)
    jobs_run_inline()
    item = JobItem.objects.get(job__kind="trials.remind")
    assert item.lease_until is not None
    JobItem.objects.update(lease_until=NOW - timedelta(days=1))
    jobs_run_inline()
    assert tries == [1, 1]
    assert len(mail.outbox) == 1


def test_reminder_that_failed_does_not_count_as_sent(monkeypatch):
    world = factory.open_world()
    reader = world.enrol()
    asked(world, reader.code)
    deliver = locmem.EmailBackend.send_messages

    def refusing(self, messages):
        raise smtplib.SMTPRecipientsRefused({})

    monkeypatch.setattr(locmem.EmailBackend, "send_messages", refusing)
    jobs_run_inline()
    failed = JobItem.objects.get(job__kind="trials.remind")
    assert failed.state == "failed"
    assert reader_standing(reader).last_reminder_at is None
    monkeypatch.setattr(locmem.EmailBackend, "send_messages", deliver)
    assert asked(world, reader.code)["reminded"] == [reader.code]
    job_retry(failed.job_id)
    jobs_run_inline()
    assert len(mail.outbox) == 1, "the newer of the two stands for both"
    assert asked(world, reader.code)["reminded"] == []


def test_monitor_tells_pace_breaks_missing_and_why_a_release_is_refused():
    world = factory.open_world()
    reader = world.enrol()
    for seconds in (2.0, 4.0, 6.0, 0.5):
        factory.answer(reader, factory.open_reading(reader), seconds=seconds)
    left = factory.open_reading(reader).reading
    Reading.objects.filter(id=left.id).update(state="blocked", flags=["left_open"])
    participant_break(reader, actor=Actor(account_id=factory.account_of(reader).id))
    document = monitor_document(world.trial)
    [row] = document["pace"]
    assert row["missing"] == 1
    assert row["median_wall_s"] == 4.0
    assert row["quartiles_wall_s"] == [2.25, 5.0]
    assert row["sessions"] == 1
    assert row["on_break_since"] is not None
    assert "too_fast" in {flag["code"] for flag in row["flags"]}
    [blocked] = document["left"]
    assert (blocked["releasable"], blocked["refusal"]) == (True, None)
    Trial.objects.filter(id=world.trial.id).update(state="closed")
    world.trial.refresh_from_db()
    [blocked] = monitor_document(world.trial)["left"]
    assert blocked["releasable"] is False
    assert blocked["refusal"] == "The trial is closed: readings are released while it is open or paused."
