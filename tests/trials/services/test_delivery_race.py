"""Requests that come at once, and an end that comes between them, lose and double nothing."""

import threading
from pathlib import Path

import pytest
from django.db import connections

from equipoise.archive.dicomweb.spool import batch_folder
from tests.trials.dicomweb_world import BOUNDARY, empty_world, patient_files, related
from trials.models import Delivery, DeliveryBatch
from trials.services.delivery import deliveries_complete, instances_receive

pytestmark = [pytest.mark.usefixtures("flushing_db"), pytest.mark.db]


def test_everything_sent_is_in_exactly_one_delivery(tmp_path: Path, settings):
    settings.DATA_DIR = tmp_path / "var"
    world = empty_world()
    files = patient_files(tmp_path / "sent", "Doe^Jane")
    content_type = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
    errors: list[BaseException] = []

    def send(parts: list[bytes]) -> None:
        try:
            for part in parts:
                instances_receive(
                    world.trial,
                    [related([part])],
                    content_type=content_type,
                    study_uid=None,
                    actor=world.actor,
                )
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=(files[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    jobs = []
    while any(thread.is_alive() for thread in threads):
        jobs += deliveries_complete(world.trial, actor=world.actor)
        threads[0].join(timeout=0.05)
    jobs += deliveries_complete(world.trial, actor=world.actor)
    assert errors == []
    deliveries = list(Delivery.objects.all())
    assert sum(delivery.instance_count for delivery in deliveries) == len(files)
    assert {delivery.job_id for delivery in deliveries} == {job.id for job in jobs}
    assert len(jobs) == len(deliveries)
    batches = list(DeliveryBatch.objects.values_list("id", flat=True))
    stored = [path.read_bytes() for batch in batches for path in batch_folder(batch).iterdir()]
    assert sorted(stored) == sorted(files)
