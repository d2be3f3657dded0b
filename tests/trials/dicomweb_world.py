"""Patients as DICOM, a trial to send them to, and bodies as DICOMweb clients make them."""

import uuid
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import pydicom
from django.test import Client

from equipoise.common.permissions import Role
from equipoise.imaging.dicom_header import quiet_pydicom
from tests.archive.conftest import write_patient
from tests.factories.accounts import create_token
from tests.factories.trials import PreferenceWorld, preference_world
from trials.models import Trial

BOUNDARY = "0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1"
RULES = [{"source": "expert", "pattern": "GTV-1", "applies_to": "region", "required": False}]


def empty_world(slug: str = "contours") -> PreferenceWorld:
    """Return a draft trial without cases."""
    return preference_world(slug=slug, cases=0, practice=0)


def base_of(trial: Trial) -> str:
    """Return the trial's DICOMweb address."""
    return f"/api/v1/trials/{trial.id}/dicomweb"


def token_client(trial: Trial, role: Role = Role.DATA_MANAGER) -> Client:
    """Return a client with a service token of the trial."""
    _, secret = create_token(trial_id=trial.id, role=role.value)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def patient_files(folder: Path, code: str, seed: int = 1, **masks) -> list[bytes]:
    """Return the files of a small CT with its structure set."""
    write_patient(folder / uuid.uuid4().hex, code, seed, **masks)
    return [path.read_bytes() for path in sorted(folder.rglob("*.dcm"))]


def related(parts: Iterable[bytes], boundary: str = BOUNDARY) -> bytes:
    """Return a body as dicomweb-client makes it."""
    body = b"".join(
        b"\r\n--%s\r\nContent-Type: application/dicom\r\n\r\n%s" % (boundary.encode(), part) for part in parts
    )
    return body + b"\r\n--%s--" % boundary.encode()


def send(client: Client, address: str, parts: Iterable[bytes]):
    """Store instances."""
    return client.post(
        address,
        data=related(parts),
        content_type=f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"',
    )


def changed(content: bytes, **attributes) -> bytes:
    """Return a DICOM file with other values."""
    sink = BytesIO()
    with quiet_pydicom():
        dataset = pydicom.dcmread(BytesIO(content))
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(sink)
    return sink.getvalue()
