"""DICOMweb of one trial: instances in (STOW-RS), the cases as de-identified studies out (QIDO-RS, WADO-RS).

The base address is ``/api/v1/trials/<id>/dicomweb``. Answers are DICOM JSON, DICOM files in parts, or pixels.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse as PlainResponse
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.api.schema import ProblemSerializer
from equipoise.archive.dicomweb import media
from equipoise.archive.dicomweb.errors import DicomwebSyntaxError
from equipoise.archive.dicomweb.pacs import PullBy, pacs_names
from equipoise.archive.dicomweb.query import (
    MAX_RESULTS,
    Search,
    instances_found,
    search_of,
    series_found,
    studies_found,
)
from equipoise.archive.dicomweb.related import related_body
from equipoise.archive.dicomweb.spool import store_response
from equipoise.archive.dicomweb.study import (
    ImageSeries,
    InstanceRef,
    Series,
    Study,
    all_instances,
    instance_index,
)
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import NotFoundError
from equipoise.common.permissions import Permission
from equipoise.imaging.dicom_image import file_bytes
from trials.api.serializers import dicomweb as shapes
from trials.api.serializers.cases import JobStartedSerializer
from trials.api.views.acting import actor_of, caller_of, validated
from trials.api.views.trial_view import TrialView
from trials.models import CasePurpose
from trials.selectors.dicomweb import inbox_document, studies_of, study_named
from trials.services.acts import look_record
from trials.services.delivery import deliveries_complete, inbox_update, instances_receive
from trials.services.ingest import rule_of
from trials.services.pull import PullPlan, pull_request

DICOM_JSON = media.DICOM_JSON
_CHUNK_BYTES = 1 << 20
_MAX_FRAMES_ASKED = 1000

_STORE: dict[str, Any] = {
    "request": {"multipart/related": OpenApiTypes.BINARY},
    "responses": {
        (200, DICOM_JSON): OpenApiTypes.OBJECT,
        (202, DICOM_JSON): OpenApiTypes.OBJECT,
        (409, DICOM_JSON): OpenApiTypes.OBJECT,
        (409, "application/json"): ProblemSerializer,
    },
}
_LIST = {"type": "array", "items": {"type": "object", "additionalProperties": True}}
_SEARCH: dict[str, Any] = {
    "parameters": [
        OpenApiParameter("limit", OpenApiTypes.INT),
        OpenApiParameter("offset", OpenApiTypes.INT),
        OpenApiParameter("includefield", OpenApiTypes.STR),
        OpenApiParameter("PatientID", OpenApiTypes.STR),
        OpenApiParameter("StudyInstanceUID", OpenApiTypes.STR),
        OpenApiParameter("ModalitiesInStudy", OpenApiTypes.STR),
    ],
    "responses": {(200, DICOM_JSON): _LIST},
}
_METADATA: dict[str, Any] = {"responses": {(200, DICOM_JSON): _LIST}}
_PARTS: dict[str, Any] = {"responses": {(200, "multipart/related"): OpenApiTypes.BINARY}}
_PICTURE: dict[str, Any] = {"responses": {(200, media.PNG): OpenApiTypes.BINARY}}


def _body(request: Request) -> Iterator[bytes]:
    """Yield the request's body as it comes, whether its length was announced or it comes in chunks."""
    meta = request.META
    is_chunked = "chunked" in str(meta.get("HTTP_TRANSFER_ENCODING", "")).lower()
    ends_itself = is_chunked and meta.get("wsgi.input_terminated")
    source = meta["wsgi.input"] if ends_itself else request._request
    try:
        while chunk := source.read(_CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise DicomwebSyntaxError("The body ended before its announced length; send it again.") from error


def _accepted(request: Request, *offers: str) -> str:
    return media.chosen(str(request.META.get("HTTP_ACCEPT", "")), offers)


def dicom_json(body: Any, status_code: int = 200) -> PlainResponse:
    """Return an answer in DICOM JSON."""
    return PlainResponse(json.dumps(body), content_type=DICOM_JSON, status=status_code)


def _parts(parts: Iterable[bytes], form: str) -> HttpResponseBase:
    """Return an answer of many parts, each made when the one before has left."""
    boundary = f"equipoise-{secrets.token_hex(16)}"
    kind = form.partition("type=")[2].strip('"')
    if kind == media.DICOM_FILE:
        content_type = kind
    else:
        content_type = f"{kind}; transfer-syntax={media.EXPLICIT_LITTLE_ENDIAN}"
    body = related_body(parts, boundary=boundary, content_type=content_type)
    return StreamingHttpResponse(body, content_type=f'{form}; boundary="{boundary}"')


class DicomwebView(TrialView):
    """What the outgoing views share."""

    required_permission: ClassVar[Permission | Mapping[str, Permission]] = Permission.DICOM_RETRIEVE

    def search(
        self,
        request: Request,
        rows: Callable[[Iterable[Study], Search], Iterator[Any]],
        *,
        study_uid: str | None = None,
    ) -> HttpResponseBase:
        """Answer a search."""
        _accepted(request, DICOM_JSON, media.JSON)
        search = search_of((name, value) for name, values in request.GET.lists() for value in values)
        look_record(self.trial, AuditKind.CASE_VIEWED, subject="dicomweb", actor=actor_of(request))
        studies = studies_of(self.trial, caller_of(request), search=search, study_uid=study_uid)
        found = list(rows(studies, search))
        response = dicom_json(found)
        if len(found) == MAX_RESULTS:
            response["Warning"] = '299 equipoise "There may be more results; ask for them by offset."'
        return response

    def study(self, request: Request, study_uid: str) -> Study:
        """Return a study; that it left is written down."""
        study = study_named(self.trial, caller_of(request), study_uid)
        look_record(
            self.trial,
            AuditKind.EXPORT_DOWNLOADED,
            subject=f"export:dicomweb:{study.code}",
            actor=actor_of(request),
        )
        return study

    def series(self, request: Request, study_uid: str, series_uid: str) -> Series:
        """Return a series of a study."""
        series = self.study(request, study_uid).find(series_uid)
        if series is None:
            raise NotFoundError("There is no such series.")
        return series

    def instance(
        self, request: Request, study_uid: str, series_uid: str, instance_uid: str
    ) -> tuple[Series, InstanceRef]:
        """Return a series and which of its instances is meant."""
        series = self.series(request, study_uid, series_uid)
        ref = instance_index(series, instance_uid)
        if ref is None:
            raise NotFoundError("There is no such instance.")
        return series, ref

    def retrieve(self, request: Request, instances: Iterable[tuple[Series, InstanceRef]]) -> HttpResponseBase:
        """Answer with instances, one part each."""
        form = _accepted(request, media.PARTS_OF_DICOM)
        return _parts((file_bytes(series.instance(ref.index)) for series, ref in instances), form)

    def metadata(self, request: Request, instances: Iterable[tuple[Series, InstanceRef]]) -> HttpResponseBase:
        """Answer with headers, one object each, made when the one before has left."""
        _accepted(request, DICOM_JSON, media.JSON)

        def lines() -> Iterator[str]:
            before = "["
            for series, ref in instances:
                yield before + json.dumps(series.header(ref.index).to_json_dict())
                before = ","
            yield "]" if before == "," else "[]"

        return StreamingHttpResponse(lines(), content_type=DICOM_JSON)

    def image(
        self, request: Request, study_uid: str, series_uid: str, instance_uid: str, frames: str
    ) -> tuple[ImageSeries, InstanceRef, list[int]]:
        """Return an image and which of its frames (from 0) are meant."""
        series, ref = self.instance(request, study_uid, series_uid, instance_uid)
        if not isinstance(series, ImageSeries):
            raise NotFoundError("Frames are given of images; retrieve this instance whole.")
        return series, ref, _frame_numbers(frames, series.frame_count(ref.index))

    def picture(
        self, request: Request, series: ImageSeries, ref: InstanceRef, frame: int
    ) -> HttpResponseBase:
        """Answer with a picture of a frame, as a screen shows it."""
        form = _accepted(request, media.PNG, media.JPEG)
        content = series.picture(ref.index, frame)
        if form == media.JPEG:
            content = _as_jpeg(content)
        return PlainResponse(content, content_type=form)


def _frame_numbers(text: str, count: int) -> list[int]:
    numbers = text.split(",")
    if len(numbers) > _MAX_FRAMES_ASKED or not all(one.isdecimal() and len(one) < 8 for one in numbers):
        raise DicomwebSyntaxError("Frames are numbers from 1, with commas between them.")
    frames = [int(one) - 1 for one in numbers]
    if not all(0 <= frame < count for frame in frames):
        raise NotFoundError(f"The instance has {count} frame(s), numbered from 1.")
    return frames


def _as_jpeg(png: bytes) -> bytes:
    from PIL import Image

    sink = BytesIO()
    Image.open(BytesIO(png)).convert("L").save(sink, format="JPEG", quality=90)
    return sink.getvalue()


# ---------------------------------------------------------------- in


class _StoreView(DicomwebView):
    def store(self, request: Request, study_uid: str | None) -> HttpResponseBase:
        """Take a request's instances and answer for each."""
        spooled = instances_receive(
            self.trial,
            _body(request),
            content_type=request.META.get("CONTENT_TYPE", ""),
            study_uid=study_uid,
            actor=actor_of(request),
        )
        code, body = store_response(spooled.instances)
        return dicom_json(body, code)


class StudyListView(_StoreView):
    """Studies."""

    required_permission = {"GET": Permission.DICOM_RETRIEVE, "POST": Permission.CASE_INGEST}

    @extend_schema(operation_id="dicomweb_studies", **_SEARCH)
    def get(self, request: Request, trial_id: UUID) -> HttpResponseBase:
        """Search for studies (QIDO-RS): one per case, under its code."""
        return self.search(request, studies_found)

    @extend_schema(operation_id="dicomweb_store", **_STORE)
    def post(self, request: Request, trial_id: UUID) -> HttpResponseBase:
        """Store instances (STOW-RS). They wait until their patient is complete, and are then ingested."""
        return self.store(request, None)


class StudyView(_StoreView):
    """One study."""

    required_permission = {"GET": Permission.DICOM_RETRIEVE, "POST": Permission.CASE_INGEST}

    @extend_schema(operation_id="dicomweb_study", **_PARTS)
    def get(self, request: Request, trial_id: UUID, study_uid: str) -> HttpResponseBase:
        """Retrieve a study (WADO-RS): image and, for those who may see sources, contours and segmentations."""
        return self.retrieve(request, all_instances(self.study(request, study_uid).series))

    @extend_schema(operation_id="dicomweb_store_in_study", **_STORE)
    def post(self, request: Request, trial_id: UUID, study_uid: str) -> HttpResponseBase:
        """Store instances of this study; those of another are refused one by one."""
        return self.store(request, study_uid)


class InboxView(TrialView):
    """How the trial takes what is sent."""

    required_permission = Permission.CASE_INGEST

    @extend_schema(operation_id="dicomweb_inbox", responses=shapes.InboxSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Show it, and what waits."""
        return HttpResponse(shapes.InboxSerializer(inbox_document(self.trial)).data)

    @extend_schema(
        operation_id="dicomweb_inbox_update",
        request=shapes.InboxSettingsSerializer,
        responses=shapes.InboxSerializer,
    )
    def put(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Say whose contours regions are, what the cases are for, and how long a patient's silence means the end."""
        data = validated(shapes.InboxSettingsSerializer, request)
        inbox_update(
            self.trial,
            rules=[rule_of(rule) for rule in data["rules"]],
            purpose=CasePurpose(data["purpose"]),
            quiet_s=data["quiet_s"],
            actor=actor_of(request),
        )
        return HttpResponse(shapes.InboxSerializer(inbox_document(self.trial)).data)


class InboxCompleteView(TrialView):
    """The end of a sender's deliveries."""

    required_permission = Permission.CASE_INGEST

    @extend_schema(
        operation_id="dicomweb_complete", request=None, responses={202: shapes.DeliveryJobsSerializer}
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Ingest what the caller has sent so far without waiting; one job per patient."""
        jobs = deliveries_complete(self.trial, actor=actor_of(request))
        body = shapes.DeliveryJobsSerializer({"job_ids": [job.id for job in jobs]}).data
        return HttpResponse(body, status=status.HTTP_202_ACCEPTED)


class PacsListView(TrialView):
    """Archives that the site may fetch from."""

    required_permission = Permission.CASE_INGEST

    @extend_schema(operation_id="pacs_list", responses=shapes.PacsListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List their names; addresses and credentials are the site's."""
        rows = [{"name": name} for name in pacs_names()]
        return HttpResponse(shapes.PacsListSerializer({"results": rows}).data)


class PullListView(TrialView):
    """Fetching from an archive."""

    required_permission = Permission.CASE_INGEST

    # Not idempotent by header: a kept answer would keep a hash of the identifiers.
    @extend_schema(
        operation_id="pull_create",
        request=shapes.PullCreateSerializer,
        responses={202: JobStartedSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Fetch studies into the trial's cases; the job has an item per study, numbered as they were sent."""
        data = validated(shapes.PullCreateSerializer, request)
        plan = PullPlan(
            pacs=data["pacs"],
            by=PullBy(data["by"]),
            modalities=frozenset(data["modalities"]),
            rules=[rule_of(rule) for rule in data["rules"]],
            purpose=CasePurpose(data["purpose"]),
        )
        job = pull_request(self.trial, plan, data["values"], actor=actor_of(request))
        body = JobStartedSerializer({"job_id": job.id}).data
        return HttpResponse(body, status=status.HTTP_202_ACCEPTED)


# ---------------------------------------------------------------- searches below


class SeriesListView(DicomwebView):
    """All series of the trial."""

    @extend_schema(operation_id="dicomweb_series", **_SEARCH)
    def get(self, request: Request, trial_id: UUID) -> HttpResponseBase:
        """Search for series."""
        return self.search(request, series_found)


class InstanceListView(DicomwebView):
    """All instances of the trial."""

    @extend_schema(operation_id="dicomweb_instances", **_SEARCH)
    def get(self, request: Request, trial_id: UUID) -> HttpResponseBase:
        """Search for instances."""
        return self.search(request, instances_found)


class StudySeriesListView(DicomwebView):
    """Series of a study."""

    @extend_schema(operation_id="dicomweb_study_series", **_SEARCH)
    def get(self, request: Request, trial_id: UUID, study_uid: str) -> HttpResponseBase:
        """Search for series of a study."""
        return self.search(request, series_found, study_uid=study_uid)


class StudyInstanceListView(DicomwebView):
    """Instances of a study."""

    @extend_schema(operation_id="dicomweb_study_instances", **_SEARCH)
    def get(self, request: Request, trial_id: UUID, study_uid: str) -> HttpResponseBase:
        """Search for instances of a study."""
        return self.search(request, instances_found, study_uid=study_uid)


class SeriesInstanceListView(DicomwebView):
    """Instances of a series."""

    @extend_schema(operation_id="dicomweb_series_instances", **_SEARCH)
    def get(self, request: Request, trial_id: UUID, study_uid: str, series_uid: str) -> HttpResponseBase:
        """Search for instances of a series."""

        def rows(studies: Iterable[Study], search: Search) -> Iterator[Any]:
            return instances_found(studies, search, series_uid=series_uid)

        return self.search(request, rows, study_uid=study_uid)


# ---------------------------------------------------------------- retrieval below


class StudyMetadataView(DicomwebView):
    """Headers of a study."""

    @extend_schema(operation_id="dicomweb_study_metadata", **_METADATA)
    def get(self, request: Request, trial_id: UUID, study_uid: str) -> HttpResponseBase:
        """Retrieve the headers of a study's instances."""
        return self.metadata(request, all_instances(self.study(request, study_uid).series))


class SeriesView(DicomwebView):
    """One series."""

    @extend_schema(operation_id="dicomweb_one_series", **_PARTS)
    def get(self, request: Request, trial_id: UUID, study_uid: str, series_uid: str) -> HttpResponseBase:
        """Retrieve a series."""
        return self.retrieve(request, all_instances([self.series(request, study_uid, series_uid)]))


class SeriesMetadataView(DicomwebView):
    """Headers of a series."""

    @extend_schema(operation_id="dicomweb_series_metadata", **_METADATA)
    def get(self, request: Request, trial_id: UUID, study_uid: str, series_uid: str) -> HttpResponseBase:
        """Retrieve the headers of a series' instances."""
        return self.metadata(request, all_instances([self.series(request, study_uid, series_uid)]))


class InstanceView(DicomwebView):
    """One instance."""

    @extend_schema(operation_id="dicomweb_instance", **_PARTS)
    def get(
        self, request: Request, trial_id: UUID, study_uid: str, series_uid: str, instance_uid: str
    ) -> HttpResponseBase:
        """Retrieve an instance, in one part or (if asked so) as the file itself."""
        series, ref = self.instance(request, study_uid, series_uid, instance_uid)
        if _accepted(request, media.PARTS_OF_DICOM, media.DICOM_FILE) == media.DICOM_FILE:
            content = file_bytes(series.instance(ref.index))
            return PlainResponse(content, content_type=media.DICOM_FILE)
        return self.retrieve(request, [(series, ref)])


class InstanceMetadataView(DicomwebView):
    """Header of an instance."""

    @extend_schema(operation_id="dicomweb_instance_metadata", **_METADATA)
    def get(
        self, request: Request, trial_id: UUID, study_uid: str, series_uid: str, instance_uid: str
    ) -> HttpResponseBase:
        """Retrieve an instance's header."""
        return self.metadata(request, [self.instance(request, study_uid, series_uid, instance_uid)])


class FramesView(DicomwebView):
    """Pixels of an instance."""

    @extend_schema(operation_id="dicomweb_frames", **_PARTS)
    def get(
        self,
        request: Request,
        trial_id: UUID,
        study_uid: str,
        series_uid: str,
        instance_uid: str,
        frames: str,
    ) -> HttpResponseBase:
        """Retrieve frames as they are stored: 16 bits, little endian."""
        series, ref, numbers = self.image(request, study_uid, series_uid, instance_uid, frames)
        form = _accepted(request, media.PARTS_OF_BYTES, media.BYTES)
        if form == media.BYTES and len(numbers) == 1:
            return PlainResponse(series.stored_frame(ref.index, numbers[0]), content_type=media.BYTES)
        return _parts((series.stored_frame(ref.index, frame) for frame in numbers), media.PARTS_OF_BYTES)


class RenderedView(DicomwebView):
    """A picture of an instance."""

    @extend_schema(operation_id="dicomweb_rendered", **_PICTURE)
    def get(
        self, request: Request, trial_id: UUID, study_uid: str, series_uid: str, instance_uid: str
    ) -> HttpResponseBase:
        """Retrieve the instance's first frame as a picture."""
        series, ref, _ = self.image(request, study_uid, series_uid, instance_uid, "1")
        return self.picture(request, series, ref, 0)


class RenderedFrameView(DicomwebView):
    """A picture of a frame."""

    @extend_schema(operation_id="dicomweb_rendered_frame", **_PICTURE)
    def get(
        self,
        request: Request,
        trial_id: UUID,
        study_uid: str,
        series_uid: str,
        instance_uid: str,
        frames: str,
    ) -> HttpResponseBase:
        """Retrieve one frame as a picture."""
        series, ref, numbers = self.image(request, study_uid, series_uid, instance_uid, frames)
        if len(numbers) > 1:
            raise DicomwebSyntaxError("A picture is of one frame; name one.")
        return self.picture(request, series, ref, numbers[0])
