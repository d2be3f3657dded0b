"""A folder arrives in requests of many files."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.factories import trials as factory
from trials.models import Upload

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_one_request_takes_the_files_of_a_whole_series():
    world = factory.preference_world(cases=6)
    client = Client()
    client.force_login(world.administrator)
    address = f"/api/v1/trials/{world.trial.id}/uploads"
    upload_id = client.post(address, content_type="application/json").json()["id"]
    files = [SimpleUploadedFile(f"{number}.dcm", b"slice") for number in range(500)]
    paths = [f"patient/{number}.dcm" for number in range(500)]
    answer = client.post(f"{address}/{upload_id}/files", {"file": files, "path": paths})
    assert answer.status_code == 200, answer.content
    upload = Upload.objects.get(id=upload_id)
    assert (upload.file_count, upload.byte_count) == (500, 2500)
