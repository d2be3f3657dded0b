"""What a trial's DICOMweb shows: what is expected, what waits, and the cases as studies."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from equipoise.archive.dicomweb.query import Search
from equipoise.archive.dicomweb.spool import is_uid
from equipoise.archive.dicomweb.study import Study, study_of
from equipoise.common.errors import NotFoundError
from trials.domain.blinding import Sight
from trials.models import CaseImage, Delivery, DicomInbox, Trial
from trials.selectors.access import Caller
from trials.selectors.allocation import caller_may_see

_EXACT_CODE = frozenset("*?\\")


def inbox_of(trial: Trial) -> DicomInbox:
    """Return how the trial takes what is sent, the defaults if nobody said anything."""
    return DicomInbox.objects.filter(trial=trial).first() or DicomInbox(trial=trial)


def inbox_document(trial: Trial) -> dict[str, Any]:
    """Return how the trial takes what is sent, and the deliveries that are not yet cases, oldest first."""
    inbox = inbox_of(trial)
    return {
        "rules": inbox.rules,
        "purpose": inbox.purpose,
        "quiet_s": inbox.quiet_s,
        "deliveries": list(
            Delivery.objects.filter(trial=trial, finished_at=None).order_by("opened_at", "id")
        ),
    }


def studies_of(
    trial: Trial, caller: Caller, *, search: Search | None = None, study_uid: str | None = None
) -> Iterator[Study]:
    """Yield the trial's cases as studies, in the order of their codes; contours for those who may see sources.

    A search's exact patient or study is asked of the database; the rest of it is for the caller.
    """
    images = CaseImage.objects.filter(case__trial=trial).select_related("case", "volume")
    if study_uid is not None:
        images = images.filter(volume__study_uid=study_uid)
    if search is not None:
        code, uid = search.value("PatientID"), search.value("StudyInstanceUID")
        if code and not _EXACT_CODE & set(code):
            images = images.filter(case__code__iexact=code.strip())
        if uid and is_uid(uid):
            images = images.filter(volume__study_uid=uid)
    if caller_may_see(trial, caller, Sight.SOURCES):
        images = images.prefetch_related("case__contours__mask__volume")
        return _studies(images.order_by("case__code", "id").iterator(chunk_size=200), sources=True)
    return _studies(images.order_by("case__code", "id").iterator(), sources=False)


def _studies(images: Iterator[CaseImage], *, sources: bool) -> Iterator[Study]:
    """Make one study of each image; several images of one case and study are one."""
    pending: Study | None = None
    for image in images:
        contours = image.case.contours.all() if sources else ()
        masks = {one.source: one.mask for one in contours if one.mask.volume_id == image.volume_id}
        study = study_of(image.volume, masks, code=image.case.code)
        if pending is not None and (pending.code, pending.uid) == (study.code, study.uid):
            pending = replace(pending, series=pending.series + study.series)
            continue
        if pending is not None:
            yield pending
        pending = study
    if pending is not None:
        yield pending


def study_named(trial: Trial, caller: Caller, study_uid: str) -> Study:
    """Return one study of the trial."""
    study = next(studies_of(trial, caller, study_uid=study_uid), None)
    if study is None:
        raise NotFoundError("There is no such study.")
    return study
