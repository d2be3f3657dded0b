"""Instances on their way in: written down, looked into as far as needed, and answered as STOW-RS answers.

Nothing is trusted and nothing kept: a file has a name of ours, and its header is read only for what the answer must
repeat and for whose it is. Whether it becomes part of a case is decided by the ingest that follows.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from equipoise.archive.dicomweb.related import PartFiles, boundary_of
from equipoise.archive.storage import incoming_folder
from equipoise.common.errors import TooLargeError
from equipoise.common.ids import new_id
from equipoise.imaging.dicom_header import DicomHeader, read_header
from equipoise.imaging.errors import IngestError
from equipoise.imaging.image_form import image_form

MAX_INSTANCES = 20_000
"""Of one request, and of one patient's delivery."""
MAX_INSTANCE_BYTES = 1 << 30
MAX_REQUEST_BYTES = 4 << 30

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_CHARACTERS = 64
_CONTOUR_MODALITIES = ("RTSTRUCT", "SEG")


class Reason(IntEnum):
    """Why an instance was refused, or with what reserve it was taken (PS3.18 table I.2-2, PS3.4 B.2.3)."""

    OTHER_STUDY = 0xA901
    """It belongs to another study than the address names."""
    CANNOT_UNDERSTAND = 0xC000
    ELEMENTS_DISCARDED = 0xB006
    """A warning: objects of this class are received, and nothing of them is kept."""


@dataclass(frozen=True, slots=True)
class SentInstance:
    """One part of a request: what the answer repeats of it, and why it was refused if it was."""

    sop_class_uid: str = field(repr=False)
    sop_instance_uid: str = field(repr=False)
    owner: str = field(repr=False)
    """The patient's id, or the study's UID where there is none. It stays in memory."""
    size_bytes: int
    failure: Reason | None = None
    warning: Reason | None = None

    @property
    def is_named(self) -> bool:
        """Whether it says what it is, so that the answer can."""
        return bool(self.sop_class_uid and self.sop_instance_uid)


@dataclass(slots=True)
class Batch:
    """A folder with the instances of one patient that came in one request."""

    id: UUID
    owner: str = field(repr=False)
    instance_count: int = 0
    byte_count: int = 0


@dataclass(frozen=True, slots=True)
class Spooled:
    """A request, written down."""

    instances: tuple[SentInstance, ...]
    batches: tuple[Batch, ...]


def batch_folder(batch_id: UUID) -> Path:
    """Return where a batch's files wait; it is swept like everything in ``incoming``."""
    return incoming_folder() / f"batch-{batch_id}"


def batches_delete(batches: Iterable[UUID]) -> None:
    """Delete what waits in these batches."""
    for batch_id in batches:
        shutil.rmtree(batch_folder(batch_id), ignore_errors=True)


def instances_spool(
    chunks: Iterable[bytes],
    *,
    content_type: str,
    study_uid: str | None = None,
    max_instances: int = MAX_INSTANCES,
    max_instance_bytes: int = MAX_INSTANCE_BYTES,
    max_request_bytes: int = MAX_REQUEST_BYTES,
    check: Callable[[], None] = lambda: None,
) -> Spooled:
    """Write a request's instances into batches by patient; all of it, or (if it cannot be read) nothing.

    Parameters
    ----------
    chunks : iterable of bytes
        The body as it comes.
    content_type : str
        Of the body: ``multipart/related; type="application/dicom"; boundary=...``.
    study_uid : str, optional
        The study that the address names: instances of another are refused one by one.
    check : callable
        Called after every instance; raises to stop.

    Raises
    ------
    DicomwebSyntaxError, UnsupportedMediaTypeError
        If the body is not what it must be.
    TooLargeError
        If it is too long, has too many instances, or one that is too long.
    """
    boundary = boundary_of(content_type)
    landing = incoming_folder() / f"landing-{new_id()}"
    landing.mkdir(mode=0o750)
    batches: dict[str, Batch] = {}
    instances: list[SentInstance] = []
    parts = PartFiles(landing, boundary, max_parts=max_instances, max_part_bytes=max_instance_bytes)
    try:
        for path in parts.read(_counted(chunks, max_request_bytes)):
            instance = look_at(path, study_uid=study_uid)
            if instance.failure is None:
                batch = batches.setdefault(instance.owner, Batch(new_id(), instance.owner))
                folder = batch_folder(batch.id)
                folder.mkdir(mode=0o750, exist_ok=True)
                path.rename(folder / path.name)
                batch.instance_count += 1
                batch.byte_count += instance.size_bytes
            else:
                path.unlink()
            instances.append(instance)
            check()
    except BaseException:
        batches_delete(batch.id for batch in batches.values())
        raise
    finally:
        shutil.rmtree(landing, ignore_errors=True)
    return Spooled(tuple(instances), tuple(batches.values()))


def look_at(path: Path, *, study_uid: str | None = None) -> SentInstance:
    """Say what a file is, whose it is, and whether it can be taken."""
    size = path.stat().st_size
    try:
        header = read_header(path)
        sop_class, sop_instance, study = (
            _uid(header, keyword) for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")
        )
        owner = header.text("PatientID") or study
        known = _is_read(header)
    except IngestError:
        return SentInstance("", "", "", size, failure=Reason.CANNOT_UNDERSTAND)
    failure = None
    if not (sop_class and sop_instance and study):
        failure = Reason.CANNOT_UNDERSTAND
    elif study_uid is not None and study != study_uid:
        failure = Reason.OTHER_STUDY
    warning = None if known else Reason.ELEMENTS_DISCARDED
    return SentInstance(sop_class, sop_instance, owner, size, failure, None if failure else warning)


def _is_read(header: DicomHeader) -> bool:
    """Say whether the ingest reads objects of this kind; why it may still refuse one is for its report."""
    if header.is_index:
        return False
    if header.text("Modality") in _CONTOUR_MODALITIES:
        return True
    try:
        return image_form(header) is not None
    except IngestError:
        return True


def is_uid(text: str) -> bool:
    """Say whether a text is a UID: digits and dots, at most 64."""
    return len(text) <= _UID_CHARACTERS and _UID.fullmatch(text) is not None


def _uid(header: DicomHeader, keyword: str) -> str:
    text = header.text(keyword).strip("\0 ")
    return text if is_uid(text) else ""


def _counted(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise TooLargeError(f"One request may have {limit:,} bytes; send fewer instances at a time.")
        yield chunk


# ---------------------------------------------------------------- the answer

Json = dict[str, Any]


def store_response(instances: Sequence[SentInstance]) -> tuple[int, Json]:
    """Return status and body of the Store Instances Response (PS3.18 I.2, as DICOM JSON).

    200 if all were taken, 202 if some were refused or taken with a reserve, 409 if all were refused. The body
    repeats the UIDs that were sent and says nothing else.
    """
    taken = [one for one in instances if one.failure is None]
    refused = [one for one in instances if one.failure is not None and one.is_named]
    nameless = [one for one in instances if one.failure is not None and not one.is_named]
    body: Json = {"00081190": {"vr": "UR"}}
    if refused:
        body["00081198"] = _sequence([_item(one, "00081197", one.failure) for one in refused])
    if taken:
        body["00081199"] = _sequence([_item(one, "00081196", one.warning) | _NO_URL for one in taken])
    if nameless:
        body["0008119A"] = _sequence([{"00081197": _number(one.failure)} for one in nameless if one.failure])
    if not taken:
        return 409, body
    is_plain = len(taken) == len(instances) and not any(one.warning for one in taken)
    return (200 if is_plain else 202), body


_NO_URL: Json = {"00081190": {"vr": "UR"}}
"""Under what came in nothing can be fetched: it becomes a case under other UIDs, or none."""


def _item(instance: SentInstance, tag: str, reason: Reason | None) -> Json:
    item: Json = {
        "00081150": {"vr": "UI", "Value": [instance.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [instance.sop_instance_uid]},
    }
    if reason is not None:
        item[tag] = _number(reason)
    return item


def _number(reason: Reason) -> Json:
    return {"vr": "US", "Value": [int(reason)]}


def _sequence(items: list[Json]) -> Json:
    return {"vr": "SQ", "Value": items}
