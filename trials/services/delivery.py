"""What comes by STOW-RS: spooled by patient, and ingested once a patient's delivery is complete.

STOW sends instances in requests of any size and order, an ingest takes a patient whole. So instances wait per sender
and patient until nothing came for the trial's quiet time, or the sender says that it is done; then they go the way of
every folder.
"""

import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from equipoise.archive.dicomweb.spool import (
    MAX_INSTANCES,
    Batch,
    Spooled,
    batch_folder,
    batches_delete,
    instances_spool,
)
from equipoise.archive.roi_rules import RoiRule
from equipoise.archive.storage import INCOMING_KEPT, incoming_folder
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.common.errors import DomainError, ErrorCode, NotFoundError, TooLargeError
from equipoise.jobs.models import Job
from equipoise.jobs.registry import JobContext
from equipoise.jobs.services import job_create
from trials.models import CasePurpose, Delivery, DeliveryBatch, DicomInbox, Trial
from trials.selectors.dicomweb import inbox_of
from trials.services.acts import Actor, record
from trials.services.ingest import (
    MAX_UPLOAD_BYTES,
    report_document,
    require_draft,
    require_taken,
    rule_of,
    trial_ingest_folder,
    trial_policy,
)

JOB_KIND = "trials.delivery"
MAX_WAITING_BYTES = 5 * MAX_UPLOAD_BYTES
"""What may wait of one trial at once."""


class DeliveryGoneError(DomainError):
    """A delivery whose files were swept before they could be ingested."""

    code = ErrorCode.NOT_FOUND


@transaction.atomic
def inbox_update(
    trial: Trial, *, rules: Sequence[RoiRule], purpose: CasePurpose, quiet_s: int, actor: Actor
) -> DicomInbox:
    """Say how the trial takes what is sent from now on; deliveries that are open follow it too."""
    require_draft(trial)
    inbox, _ = DicomInbox.objects.update_or_create(
        trial=trial,
        defaults={"rules": [asdict(rule) for rule in rules], "purpose": purpose, "quiet_s": quiet_s},
    )
    record(
        trial,
        AuditKind.INBOX_UPDATED,
        actor=actor,
        subject=f"trial:{trial.id}",
        after={"rules": len(rules), "purpose": str(purpose), "quiet_s": quiet_s},
    )
    return inbox


def instances_receive(
    trial: Trial, chunks: Iterable[bytes], *, content_type: str, study_uid: str | None, actor: Actor
) -> Spooled:
    """Take the instances of one request into the sender's deliveries: all that could be read, or nothing."""
    require_draft(trial)
    _require_room(trial)
    spooled = instances_spool(chunks, content_type=content_type, study_uid=study_uid)
    try:
        _deliver(trial, spooled.batches, actor=actor)
    except BaseException:
        batches_delete(batch.id for batch in spooled.batches)
        raise
    return spooled


def _sender_of(actor: Actor) -> uuid.UUID:
    if actor.account_id is None:
        raise NotFoundError("Only somebody signed in can send.")
    return actor.account_id


def _require_room(trial: Trial) -> None:
    waiting = (
        Delivery.objects.filter(trial=trial, finished_at=None).aggregate(total=Sum("byte_count"))["total"]
        or 0
    )
    if waiting >= MAX_WAITING_BYTES:
        raise TooLargeError(
            f"{waiting // 1024**3} GiB wait to be ingested; send more once these have become cases."
        )


@transaction.atomic
def _deliver(trial: Trial, batches: Sequence[Batch], *, actor: Actor) -> None:
    sender_id = _sender_of(actor)
    # A trial may have been locked while the request came in. The row also orders requests of one trial.
    require_draft(Trial.objects.select_for_update(no_key=True).get(id=trial.id))
    policy, now = trial_policy(trial), timezone.now()
    for batch in batches:
        delivery, _ = Delivery.objects.get_or_create(
            trial=trial,
            sender_id=sender_id,
            patient_key=policy.patient_key(batch.owner),
            closed_at=None,
            defaults={"opened_at": now, "received_at": now},
        )
        count, size = (
            delivery.instance_count + batch.instance_count,
            delivery.byte_count + batch.byte_count,
        )
        if count > MAX_INSTANCES or size > MAX_UPLOAD_BYTES:
            raise TooLargeError(
                f"A patient's delivery holds at most {MAX_INSTANCES} instances and "
                f"{MAX_UPLOAD_BYTES // 1024**3} GiB."
            )
        DeliveryBatch.objects.create(id=batch.id, delivery=delivery)
        Delivery.objects.filter(id=delivery.id).update(instance_count=count, byte_count=size, received_at=now)


def deliveries_complete(trial: Trial, *, actor: Actor) -> list[Job]:
    """Ingest what the sender has sent so far, patient by patient, without waiting for the quiet time."""
    require_draft(trial)
    sender_id = _sender_of(actor)
    waiting = Delivery.objects.filter(trial=trial, sender_id=sender_id, closed_at=None)
    return [
        job for delivery in waiting.order_by("opened_at") if (job := delivery_close(delivery)) is not None
    ]


def deliveries_close_quiet() -> int:
    """Ingest the deliveries to which nothing came for their trial's quiet time; return how many. Done by the tick."""
    now, closed = timezone.now(), 0
    for delivery in Delivery.objects.filter(closed_at=None).select_related("trial").order_by("received_at"):
        if delivery.received_at + timedelta(seconds=inbox_of(delivery.trial).quiet_s) <= now:
            closed += delivery_close(delivery) is not None
    return closed


@transaction.atomic
def delivery_close(delivery: Delivery) -> Job | None:
    """Take nothing more into a delivery and queue its ingest; None if somebody else has done so."""
    Trial.objects.select_for_update(no_key=True).get(id=delivery.trial_id)
    taken = Delivery.objects.filter(id=delivery.id, closed_at=None).update(closed_at=timezone.now())
    if not taken:
        return None
    job = job_create(
        kind=JOB_KIND,
        trial_id=delivery.trial_id,
        created_by_id=delivery.sender_id,
        items=[(str(delivery.id), {"delivery_id": str(delivery.id)})],
        unit="patients",
    )
    Delivery.objects.filter(id=delivery.id).update(job_id=job.id)
    return job


def delivery_ingest(payload: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
    """Do the ingest of a closed delivery and delete its files. Doing it twice finds everything there already."""
    delivery = Delivery.objects.select_related("trial").get(id=payload["delivery_id"])
    folder = _gather(delivery)
    inbox = inbox_of(delivery.trial)

    def progress(done: int, total: int) -> None:
        context.progress(done, total)
        context.check_cancelled()

    report = trial_ingest_folder(
        delivery.trial,
        folder,
        rules=[rule_of(rule) for rule in inbox.rules],
        purpose=CasePurpose(inbox.purpose),
        actor=Actor(account_id=delivery.sender_id, origin=Origin.WORKER),
        progress=progress,
    )
    delivery_forget(delivery)
    require_taken(report)
    return report_document(report)


def _gather(delivery: Delivery) -> Path:
    """Move the batches into the delivery's own folder; what was moved by an earlier try is there."""
    folder = delivery_folder(delivery.id)
    folder.mkdir(mode=0o750, exist_ok=True)
    for batch_id in delivery.batches.values_list("id", flat=True):
        source = batch_folder(batch_id)
        if source.is_dir():
            source.rename(folder / str(batch_id))
    if not any(folder.iterdir()):
        raise DeliveryGoneError("The delivery's files waited too long and were deleted; send them again.")
    return folder


def delivery_folder(delivery_id: uuid.UUID) -> Path:
    """Return where a delivery lies while it is ingested."""
    return incoming_folder() / f"delivery-{delivery_id}"


def delivery_forget(delivery: Delivery) -> None:
    """Delete a delivery's files and the rows that name them; its counts stay."""
    batches = list(delivery.batches.values_list("id", flat=True))
    shutil.rmtree(delivery_folder(delivery.id), ignore_errors=True)
    batches_delete(batches)
    with transaction.atomic():
        delivery.batches.all().delete()
        Delivery.objects.filter(id=delivery.id).update(finished_at=timezone.now())


def deliveries_sweep() -> int:
    """Forget deliveries that were closed a day ago and never ingested: their job failed or was cancelled."""
    before = timezone.now() - INCOMING_KEPT
    old = Delivery.objects.filter(finished_at=None, closed_at__lt=before)
    for delivery in old:
        delivery_forget(delivery)
    return len(old)
