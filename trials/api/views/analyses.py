"""Analyses, imported tables and exports."""

import mimetypes
import zipfile
from uuid import UUID

from django.http import HttpResponse as PlainResponse
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.archive.storage import default_store
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import NotFoundError, StateConflictError, TooLargeError, ValidationFailedError
from equipoise.common.permissions import Permission
from trials.api.serializers import analysis as shapes
from trials.api.views.acting import actor_of, caller_of, validated
from trials.api.views.trial_view import TrialView
from trials.domain.blinding import Sight
from trials.models import Analysis, Trial
from trials.reports.exports import readings_csv, readings_json, tables_workbook
from trials.selectors.access import Caller
from trials.selectors.allocation import caller_may_see
from trials.selectors.analysis import (
    analyses_document,
    analysis_document,
    external_table_document,
    external_tables_document,
)
from trials.selectors.tables import EXTERNAL
from trials.services.acts import export_record
from trials.services.analysis import analysis_request, external_table_import

MAX_TABLE_BYTES = 64 * 1024 * 1024
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _shown(trial: Trial, caller: Caller, analysis: Analysis) -> bool:
    """Results on the trial's own readings are shown to whoever may see results by arm; imported ones at any time."""
    return EXTERNAL in analysis.options or caller_may_see(trial, caller, Sight.RESULTS_BY_ARM)


class AnalysisListView(TrialView):
    """The trial's analyses."""

    required_permission = {"GET": Permission.ANALYSIS_VIEW, "POST": Permission.ANALYSIS_RUN}

    @extend_schema(operation_id="analysis_list", responses=shapes.AnalysisListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the analyses, those of the plan first."""
        hidden = {
            str(one.id)
            for one in self.trial.analyses.all()
            if not _shown(self.trial, caller_of(request), one)
        }
        rows = [row for row in analyses_document(self.trial) if str(row["id"]) not in hidden]
        return HttpResponse(shapes.AnalysisListSerializer({"results": rows}).data)

    @extend_schema(
        operation_id="analysis_run",
        request=shapes.AnalysisRequestSerializer,
        responses={202: shapes.AnalysisSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Queue an analysis; the trial's own readings are analysed after unblinding only."""
        data = validated(shapes.AnalysisRequestSerializer, request)
        table = None
        if data.get("external_table") is not None:
            table = self.trial.external_tables.filter(id=data["external_table"]).first()
            if table is None:
                raise NotFoundError("There is no such imported table.")
        analysis = analysis_request(
            self.trial,
            name=data["name"],
            options=data["options"],
            external_table=table,
            actor=actor_of(request),
        )
        return HttpResponse(
            shapes.AnalysisSerializer(analysis_document(analysis)).data, status=status.HTTP_202_ACCEPTED
        )


class AnalysisFileView(TrialView):
    """A figure or table of an analysis."""

    required_permission = Permission.ANALYSIS_VIEW

    @extend_schema(
        operation_id="analysis_file", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, trial_id: UUID, analysis_id: UUID, path: str) -> HttpResponseBase:
        """Return one file of an analysis."""
        analysis = self.trial.analyses.filter(id=analysis_id).first()
        if analysis is None or not analysis.files_key or not _shown(self.trial, caller_of(request), analysis):
            raise NotFoundError("There is no such file.")
        if path not in _file_names(analysis):
            raise NotFoundError("There is no such file.")
        with default_store().open(analysis.files_key) as stored, zipfile.ZipFile(stored) as bundle:
            content = bundle.read(path)
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        body = PlainResponse(content, content_type=kind)
        body["Content-Disposition"] = f'inline; filename="{analysis.name}-{path.rpartition("/")[2]}"'
        return body


def _file_names(analysis: Analysis) -> set[str]:
    names = {"results.json"}
    names |= {f"tables/{name}.csv" for name in analysis.results.get("tables", {})}
    for name in analysis.results.get("figures", {}):
        names |= {f"figures/{name}.{suffix}" for suffix in ("svg", "png", "pdf", "csv")}
    return names


class ExternalTableListView(TrialView):
    """Tables of readings collected elsewhere."""

    required_permission = {"GET": Permission.ANALYSIS_VIEW, "POST": Permission.ANALYSIS_RUN}
    parser_classes = [MultiPartParser]

    @extend_schema(operation_id="external_table_list", responses=shapes.ExternalTableListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the imported tables with what was surfaced in each."""
        return HttpResponse(
            shapes.ExternalTableListSerializer({"results": external_tables_document(self.trial)}).data
        )

    @extend_schema(
        operation_id="external_table_import",
        request={"multipart/form-data": shapes.ExternalTableImportSerializer},
        responses={201: shapes.ExternalTableSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Import a tidy table; wrong cells are named by row and column, and nothing is stored then."""
        data = validated(shapes.ExternalTableImportSerializer, request)
        file = data["file"]
        if file.size > MAX_TABLE_BYTES:
            raise TooLargeError(f"The table has {file.size} bytes; {MAX_TABLE_BYTES} fit in one upload.")
        rule = {name: data[name] for name in ("both", "neither")}
        if data["algorithm_mark"] or data["other_mark"]:
            if not (data["algorithm_mark"] and data["other_mark"]):
                raise ValidationFailedError.of_fields({"/other_mark": "Name both mark columns or neither."})
            rule |= {name: data[name] for name in ("algorithm_mark", "other_mark")}
        table = external_table_import(
            self.trial,
            content=file.read(),
            file_name=str(file.name),
            rule=rule,
            columns={"group": data["group_column"]} if data["group_column"] else {},
            actor=actor_of(request),
        )
        return HttpResponse(
            shapes.ExternalTableSerializer(external_table_document(table)).data,
            status=status.HTTP_201_CREATED,
        )


class ExportView(TrialView):
    """The readings of a trial as a file."""

    required_permission = Permission.EXPORT_CREATE

    @extend_schema(
        operation_id="readings_export",
        parameters=[
            OpenApiParameter(
                "name",
                OpenApiTypes.STR,
                OpenApiParameter.PATH,
                enum=["readings.csv", "readings.json", "tables.xlsx"],
            )
        ],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, trial_id: UUID, name: str) -> HttpResponseBase:
        """Return the tidy table. Before unblinding it holds no answer: progress, times and flags alone."""
        if self.trial.state in ("draft", "locked"):
            raise StateConflictError(
                f"The trial is {self.trial.state}; there are no readings to export.",
                data={"state": self.trial.state, "allowed": []},
            )
        body: HttpResponseBase
        if name == "readings.csv":
            body = StreamingHttpResponse(readings_csv(self.trial), content_type="text/csv; charset=utf-8")
        elif name == "readings.json":
            body = StreamingHttpResponse(readings_json(self.trial), content_type="application/json")
        elif name == "tables.xlsx":
            body = PlainResponse(tables_workbook(self.trial), content_type=XLSX)
        else:
            raise NotFoundError("There are readings.csv, readings.json and tables.xlsx.")
        body["Content-Disposition"] = f'attachment; filename="{self.trial.slug}-{name}"'
        export_record(self.trial, AuditKind.EXPORT_DOWNLOADED, name=name, actor=actor_of(request))
        return body
