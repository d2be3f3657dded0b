"""Results by programs: sent for one case or many, each with its own report."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.api.errors import BadShapeError, field_errors
from equipoise.api.pagination import CursorPagination
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import DomainError, TooLargeError
from equipoise.common.permissions import Permission
from trials.api.serializers import results as shapes
from trials.api.views.acting import actor_of
from trials.api.views.trial_view import TrialView
from trials.domain.results import (
    Failure,
    FailureCode,
    HeatFile,
    HeatFormat,
    HeatMapIn,
    MaskFile,
    MaskFormat,
    ModelVersion,
    Polygons,
    ResultIn,
    ResultTask,
    ResultUnreadableHeatMapError,
    ResultUnreadableMaskError,
    RunTime,
    UsedInTraining,
)
from trials.selectors.results import result_document, results_of
from trials.services.results import REFUSED, STORED, UNCHANGED, Sent, results_receive

MAX_REQUEST_BYTES = 256 * 1024 * 1024
MAX_JSON_BYTES = 64 * 1024 * 1024
_SHOWN_KEY_CHARACTERS = 128
Files: TypeAlias = "Mapping[str, UploadedFile[Any]]"


class NumberedJsonParser(JSONParser):
    """JSON in which NaN and Infinity may stand, as programs write them: each item then is refused by its own code."""

    strict = False

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Read the body, unless it is nested beyond what the decoder bears."""
        try:
            return super().parse(stream, media_type=media_type, parser_context=parser_context)
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error


class ResultListView(TrialView):
    """Results of algorithms."""

    shows = (AuditKind.RESULT_VIEWED, "results")
    required_permission = {"GET": Permission.CASE_VIEW_SOURCES, "POST": Permission.RESULT_SUBMIT}
    parser_classes = [NumberedJsonParser, MultiPartParser]

    @extend_schema(
        operation_id="result_list",
        parameters=[
            OpenApiParameter("cursor", OpenApiTypes.STR),
            OpenApiParameter("page_size", OpenApiTypes.INT),
            OpenApiParameter("case", OpenApiTypes.STR, description="A case's code."),
            OpenApiParameter("participant", OpenApiTypes.STR, description="An algorithm's code."),
            OpenApiParameter("task", str, enum=[task.value for task in ResultTask]),
        ],
        responses=shapes.ReceivedResultListSerializer,
    )
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the results and failures, or those of a case, a participant or a task, oldest first."""
        asked = request.query_params
        task = asked.get("task", "")
        if task and task not in set(ResultTask):
            raise BadShapeError(f"task must be one of {', '.join(ResultTask)}.")
        found = results_of(
            self.trial, case=asked.get("case", ""), participant=asked.get("participant", ""), task=task
        )
        paginator = CursorPagination()
        page = paginator.paginate_queryset(found, request, view=self) or []
        rows = [result_document(result) for result in page]
        return paginator.get_paginated_response(shapes.ReceivedResultSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="result_submit",
        request={
            "application/json": shapes.ResultsSubmitSerializer,
            "multipart/form-data": shapes.ResultsMultipartSerializer,
        },
        responses=shapes.ResultsReportSerializer,
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Send results. The answer is 200 with a report per item; an item sent again by its key is stored once."""
        _check_length(request)
        files: Files = request.FILES if _is_form(request) else {}
        items = [_sent(document, files) for document in _documents(request)]
        reports = results_receive(self.trial, items, actor=actor_of(request))
        outcomes = [report.outcome for report in reports]
        body = {
            "stored": outcomes.count(STORED),
            "unchanged": outcomes.count(UNCHANGED),
            "refused": outcomes.count(REFUSED),
            "results": reports,
        }
        return HttpResponse(shapes.ResultsReportSerializer(body).data)


def _is_form(request: Request) -> bool:
    return str(request.content_type or "").lower().startswith("multipart/")


def _check_length(request: Request) -> None:
    """Refuse what is too large before a byte of it is parsed."""
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    limit = MAX_REQUEST_BYTES if _is_form(request) else MAX_JSON_BYTES
    if length > limit:
        raise TooLargeError(
            f"The request has {length} bytes; at most {limit} fit in one. Send fewer results at a time.",
            data={"limit": limit},
        )


def _documents(request: Request) -> list[Any]:
    """Return the items of the request, not yet looked into."""
    data: Any = request.data
    if _is_form(request):
        try:
            documents = json.loads(str(data.get("results", "")))
        except (ValueError, RecursionError) as error:
            raise BadShapeError("The part 'results' must be a JSON list.") from error
        if isinstance(documents, dict):
            documents = documents.get("results")
    else:
        documents = data.get("results") if isinstance(data, dict) else None
    if not isinstance(documents, list) or not 1 <= len(documents) <= shapes.MAX_ITEMS:
        raise BadShapeError(f"'results' must be a list of 1 to {shapes.MAX_ITEMS} items.")
    return documents


def _sent(document: Any, files: Files) -> Sent:
    """Return one item; what is wrong with its shape becomes its own refusal."""
    is_object = isinstance(document, dict)
    key = _shown(document.get("key")) if is_object else None
    case = _shown(document.get("case")) if is_object else None
    serializer = shapes.ResultItemSerializer(data=document)
    if not serializer.is_valid():
        return Sent(key, case, _shape_error(serializer))
    try:
        return Sent(key, case, _result(cast("dict[str, Any]", serializer.validated_data), files))
    except DomainError as error:
        return Sent(key, case, error)


def _shown(value: Any) -> str | None:
    return _printable(value[:_SHOWN_KEY_CHARACTERS]) if isinstance(value, str) else None


def _printable(text: str) -> str:
    """Return text that can be encoded: JSON lets halves of characters in."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _shape_error(serializer: shapes.ResultItemSerializer) -> BadShapeError:
    found = field_errors(ValidationError(serializer.errors).get_full_details())
    fields = {
        _printable(pointer): [{**one, "message": _printable(one["message"])} for one in errors]
        for pointer, errors in found.items()
    }
    text = " ".join(
        f"{pointer or '/'}: {one['message']}" for pointer, errors in fields.items() for one in errors
    )
    return BadShapeError(text, data={"fields": fields})


def _result(data: dict[str, Any], files: Files) -> ResultIn:
    run, failure = data.get("run"), data.get("failure")
    return ResultIn(
        key=data["key"],
        case=data["case"],
        model=ModelVersion(**data["model"]),
        task=ResultTask(data["task"]),
        repeat=data["repeat"],
        contour=_contour(data["contour"], files) if data.get("contour") is not None else None,
        probability=data.get("probability"),
        rating=data.get("rating"),
        heat_map=_heat_map(data["heat_map"], files) if data.get("heat_map") is not None else None,
        used_in_training=UsedInTraining(data["used_in_training"]) if data.get("used_in_training") else None,
        run=RunTime(**run) if run is not None else None,
        failure=Failure(FailureCode(failure["code"]), failure["detail"]) if failure is not None else None,
    )


def _contour(data: dict[str, Any], files: Files) -> MaskFile | Polygons:
    if data.get("polygons") is not None:
        return Polygons(data["polygons"])
    return MaskFile(
        MaskFormat(data["format"]),
        _content(data, files, "contour", ResultUnreadableMaskError),
        data.get("label"),
    )


def _heat_map(data: dict[str, Any], files: Files) -> HeatMapIn:
    file = HeatFile(
        HeatFormat(data["format"]),
        _content(data, files, "heat_map", ResultUnreadableHeatMapError),
        shape=tuple(data.get("shape") or ()),
        dtype=data.get("dtype") or "",
    )
    return HeatMapIn(file, data["method"], data["layer"], data["target_class"])


def _content(
    data: dict[str, Any], files: Files, what: str, unreadable: type[DomainError]
) -> Callable[[], bytes]:
    """Return how to read a file that was sent as a part of the form or as base64."""
    if data.get("part") is None:
        return _decoder(data["content"], what, unreadable)
    file = files.get(data["part"])
    if file is None:
        raise BadShapeError(
            f"The request has no file part {data['part']!r}.",
            data={"fields": {f"/{what}/part": [{"code": "missing", "message": "There is no such part."}]}},
        )
    return _reader(file)


def _reader(file: "UploadedFile[Any]") -> Callable[[], bytes]:
    def read() -> bytes:
        file.seek(0)
        return bytes(file.read())

    return read


def _decoder(text: str, what: str, unreadable: type[DomainError]) -> Callable[[], bytes]:
    def decode() -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise unreadable(f"The content of {what} is not base64.") from error

    return decode
