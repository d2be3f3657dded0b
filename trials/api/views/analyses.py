"""Analyses, imported tables and exports."""

import csv
import io
import mimetypes
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import BinaryIO
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

from equipoise.analysis.write import POINTS
from equipoise.archive.storage import default_store
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import (
    NotFoundError,
    PermissionDeniedError,
    StateConflictError,
    TooLargeError,
    ValidationFailedError,
)
from equipoise.common.permissions import Permission
from equipoise.common.safe_cells import safe_cell
from trials.api.serializers import analysis as shapes
from trials.api.views.acting import actor_of, caller_of, require_person_or_program, validated
from trials.api.views.trial_view import TrialView
from trials.domain.blinding import Sight
from trials.domain.bundle import REPORT
from trials.domain.states import TrialState
from trials.models import Analysis, PublicBundle, StoredBundle, Trial
from trials.reports.columnar import readings_parquet
from trials.reports.contours import contours_zip
from trials.reports.exports import (
    csv_line,
    environments_csv,
    imported_workbook,
    labels_csv,
    readings_csv,
    readings_json,
    segmentations_csv,
    tables_workbook,
    truth_csv,
)
from trials.reports.report import report_signed
from trials.reports.table_files import table_latex, table_workbook
from trials.selectors.access import Caller
from trials.selectors.allocation import caller_may_see
from trials.selectors.analysis import (
    analyses_listed,
    analysis_document,
)
from trials.selectors.bundle import (
    bundle_blocks,
    bundle_document,
    bundle_file_blocks,
    bundle_file_text,
    bundle_has,
    bundle_table_lines,
    imported_bundle,
    public_bundle,
    public_bundle_document,
    results_are_reported,
    stored_bundle,
)
from trials.selectors.external import (
    external_declarations,
    external_table_document,
    external_tables_document,
    is_concealed,
)
from trials.selectors.labels import consensus_of
from trials.selectors.parts import parts_of
from trials.selectors.segmentations import has_contours, has_segmentations
from trials.selectors.tables import EXTERNAL
from trials.services.acts import export_record
from trials.services.analysis import analyses_looked_at, analysis_request
from trials.services.bundle import bundle_request, require_unblinded
from trials.services.external import external_table_import
from trials.services.public_bundle import public_bundle_request

MAX_TABLE_BYTES = 64 * 1024 * 1024
IMPORTED_TABLES = frozenset(
    {
        "readings.csv",
        "readings.json",
        "readings.parquet",
        "tables.xlsx",
        "environments.csv",
        "reference-standard.csv",
        "labels.csv",
        "segmentations.csv",
    }
)
FROM_OUTSIDE = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The policy of a file that may have been made elsewhere: opened by itself, it runs nothing and asks nobody."""
PARQUET = "application/vnd.apache.parquet"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILE_RESPONSES = {
    (
        200,
        "image/svg+xml",
        "image/png",
        "application/pdf",
        "text/csv",
        "application/octet-stream",
    ): OpenApiTypes.BINARY,
    (200, "application/json"): OpenApiTypes.OBJECT,
}
EXPORT_RESPONSES = {
    (200, "text/csv", XLSX, "application/zip", "text/html"): OpenApiTypes.BINARY,
    (200, "application/json"): {"type": "array", "items": {"type": "object", "additionalProperties": {}}},
}


def _shown(trial: Trial, caller: Caller, analysis: Analysis) -> bool:
    """Results are shown to whoever may see results by arm; of imported tables that nothing conceals, at any time."""
    if caller_may_see(trial, caller, Sight.RESULTS_BY_ARM):
        return True
    table = trial.external_tables.filter(id=analysis.options.get(EXTERNAL)).first()
    return table is not None and not is_concealed(trial, table)


class AnalysisListView(TrialView):
    """The trial's analyses."""

    shows = (AuditKind.ANALYSIS_VIEWED, "analyses")
    required_permission = {"GET": Permission.ANALYSIS_VIEW, "POST": Permission.ANALYSIS_RUN}

    @extend_schema(operation_id="analysis_list", responses=shapes.AnalysisListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the analyses, those of the plan first; reading results before data lock is recorded as a look."""
        caller = caller_of(request)
        shown = [one for one in analyses_listed(self.trial) if _shown(self.trial, caller, one)]
        analyses_looked_at(self.trial, shown, actor=actor_of(request))
        rows = [analysis_document(one) for one in shown]
        sees_all = caller_may_see(self.trial, caller, Sight.RESULTS_BY_ARM)
        parts = parts_of(self.trial) if sees_all else []
        return HttpResponse(shapes.AnalysisListSerializer({"results": rows, "parts": parts}).data)

    @extend_schema(
        operation_id="analysis_run",
        request=shapes.AnalysisRequestSerializer,
        responses={202: shapes.AnalysisSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Queue an analysis; the trial's own readings and planned external data are analysed after unblinding only."""
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
            analysis_set=data.get("analysis_set"),
            where=data["where"],
            actor=actor_of(request),
        )
        return HttpResponse(
            shapes.AnalysisSerializer(analysis_document(analysis)).data, status=status.HTTP_202_ACCEPTED
        )


class AnalysisFileView(TrialView):
    """A figure or table of an analysis."""

    shows = (AuditKind.ANALYSIS_VIEWED, "analysis")
    required_permission = Permission.ANALYSIS_VIEW

    @extend_schema(operation_id="analysis_file", responses=FILE_RESPONSES)
    def get(self, request: Request, trial_id: UUID, analysis_id: UUID, path: str) -> HttpResponseBase:
        """Return one file of an analysis."""
        analysis = self.trial.analyses.filter(id=analysis_id).first()
        if analysis is None or not analysis.files_key or not _shown(self.trial, caller_of(request), analysis):
            raise NotFoundError("There is no such file.")
        if path not in _file_names(analysis):
            raise NotFoundError("There is no such file.")
        analyses_looked_at(self.trial, [analysis], actor=actor_of(request))
        if path.endswith((".xlsx", ".tex")):
            return _table_file(analysis, path)
        with default_store().open(analysis.files_key) as stored, zipfile.ZipFile(stored) as bundle:
            if path not in bundle.namelist():
                raise NotFoundError("There is no such file.")
            content = bundle.read(path)
        if path.endswith(".csv"):
            content = _safe_csv(content)
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        body = PlainResponse(content, content_type=kind, headers={"Content-Security-Policy": FROM_OUTSIDE})
        body["Content-Disposition"] = f'inline; filename="{analysis.name}-{path.rpartition("/")[2]}"'
        return body


def _table_file(analysis: Analysis, path: str) -> PlainResponse:
    """Return one table as a workbook or as LaTeX; these are made from the result when they are asked for."""
    name, _, kind = path.removeprefix("tables/").rpartition(".")
    table = analysis.results["tables"][name]
    body = (
        PlainResponse(table_workbook(name, table), content_type=XLSX)
        if kind == "xlsx"
        else PlainResponse(table_latex(table), content_type="application/x-tex; charset=utf-8")
    )
    body["Content-Disposition"] = f'attachment; filename="{analysis.name}-{name}.{kind}"'
    return body


def _workbook(write: Callable[[BinaryIO], None]) -> PlainResponse:
    out = io.BytesIO()
    write(out)
    return PlainResponse(out.getvalue(), content_type=XLSX)


def _safe_csv(content: bytes) -> bytes:
    rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    return "".join(csv_line(map(safe_cell, row)) for row in rows).encode()


def _file_names(analysis: Analysis) -> set[str]:
    names = {"results.json"}
    for name in analysis.results.get("tables", {}):
        names |= {f"tables/{name}.{suffix}" for suffix in ("csv", "xlsx", "tex")}
    for name in analysis.results.get("figures", {}):
        names |= {f"figures/{name}.{suffix}" for suffix in ("svg", "png", "pdf", "csv", POINTS)}
    return names


class ExternalTableListView(TrialView):
    """Tables that were collected elsewhere."""

    shows = (AuditKind.ANALYSIS_VIEWED, "external-tables")
    required_permission = {"GET": Permission.ANALYSIS_VIEW, "POST": Permission.ANALYSIS_RUN}
    parser_classes = [MultiPartParser]

    @extend_schema(operation_id="external_table_list", responses=shapes.ExternalTableListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the imported tables with what was surfaced in each, and what the protocol declares."""
        document = {
            "results": external_tables_document(self.trial),
            "declared": external_declarations(self.trial),
        }
        return HttpResponse(shapes.ExternalTableListSerializer(document).data)

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
            key=data["key"],
            kind=data["table"],
            patients=data["patients"],
            rule=rule,
            columns=_renamed(data["columns"], data["group_column"]),
            actor=actor_of(request),
        )
        return HttpResponse(
            shapes.ExternalTableSerializer(external_table_document(table)).data,
            status=status.HTTP_201_CREATED,
        )


def _renamed(given: list[str], group_column: str) -> dict[str, str]:
    """Return known column -> its name in the file, from ``known=name in the file``."""
    columns = {"group": group_column} if group_column else {}
    for text in given:
        known, equals, name = text.partition("=")
        if not equals or not known.strip() or not name.strip():
            raise ValidationFailedError.of_fields(
                {"/columns": f"{text!r} is not written as COLUMN=NAME IN FILE."}
            )
        columns[known.strip()] = name.strip()
    return columns


BUNDLES: Mapping[str, Callable[[Trial], StoredBundle | PublicBundle | None]] = {
    "bundle.zip": stored_bundle,
    "public-bundle.zip": public_bundle,
}


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
                enum=[
                    "readings.csv",
                    "readings.json",
                    "readings.parquet",
                    "tables.xlsx",
                    "environments.csv",
                    "truth.csv",
                    "labels.csv",
                    "segmentations.csv",
                    "contours.zip",
                    "bundle.zip",
                    "public-bundle.zip",
                    "report.html",
                ],
            )
        ],
        responses=EXPORT_RESPONSES,
    )
    def get(self, request: Request, trial_id: UUID, name: str) -> HttpResponseBase:
        """Return a file, to a person who was there just now. Before unblinding it holds progress, times and flags."""
        if name != "truth.csv" and self.trial.state in ("draft", "locked"):
            raise StateConflictError(
                f"The trial is {self.trial.state}; there are no readings to export.",
                data={"state": self.trial.state, "allowed": []},
            )
        body: HttpResponseBase
        imported = imported_bundle(self.trial)
        if name == REPORT:
            return self._report(request)
        require_person_or_program(request)
        if name in BUNDLES:
            body = _bundle_file(self.trial, caller_of(request), BUNDLES[name](self.trial))
        elif imported is not None:
            body = _imported_file(self.trial, imported, name, caller_of(request))
        elif name == "readings.csv":
            body = StreamingHttpResponse(readings_csv(self.trial), content_type="text/csv; charset=utf-8")
        elif name == "readings.json":
            body = StreamingHttpResponse(readings_json(self.trial), content_type="application/json")
        elif name == "readings.parquet":
            body = StreamingHttpResponse(readings_parquet(self.trial), content_type=PARQUET)
        elif name == "environments.csv":
            body = StreamingHttpResponse(environments_csv(self.trial), content_type="text/csv; charset=utf-8")
        elif name == "tables.xlsx":
            body = _workbook(partial(tables_workbook, self.trial))
        elif name == "truth.csv" and caller_may_see(self.trial, caller_of(request), Sight.REFERENCE_STANDARD):
            body = StreamingHttpResponse(truth_csv(self.trial), content_type="text/csv; charset=utf-8")
        elif name == "segmentations.csv" and has_segmentations(self.trial):
            body = StreamingHttpResponse(
                segmentations_csv(self.trial), content_type="text/csv; charset=utf-8"
            )
        elif name == "contours.zip" and has_contours(self.trial):
            body = PlainResponse(contours_zip(self.trial), content_type="application/zip")
        elif name == "labels.csv" and consensus_of(self.trial) is not None:
            body = StreamingHttpResponse(labels_csv(self.trial), content_type="text/csv; charset=utf-8")
        else:
            raise NotFoundError(
                "There are readings.csv, readings.json, readings.parquet, tables.xlsx, environments.csv, truth.csv; of "
                "contouring trials segmentations.csv and contours.zip; of contour reviews contours.zip; of labelling "
                "trials labels.csv."
            )
        body["Content-Disposition"] = f'attachment; filename="{self.trial.slug}-{name}"'
        export_record(self.trial, AuditKind.EXPORT_DOWNLOADED, name=name, actor=actor_of(request))
        return body

    def _report(self, request: Request) -> HttpResponseBase:
        """Show the report of the kept bundle, with the signatures made since: computing one takes a worker.

        None may run anything, wherever it was made.
        """
        require_bundle(self.trial, caller_of(request))
        kept = _reported_bundle(self.trial)
        page = bundle_file_text(kept, REPORT)
        body = PlainResponse(
            page if kept.imported_at is not None else report_signed(self.trial, page),
            content_type="text/html; charset=utf-8",
            headers={
                "Content-Security-Policy": FROM_OUTSIDE,
                "Content-Disposition": f'inline; filename="{self.trial.slug}-{REPORT}"',
            },
        )
        export_record(self.trial, AuditKind.EXPORT_DOWNLOADED, name=REPORT, actor=actor_of(request))
        return body


def _reported_bundle(trial: Trial) -> StoredBundle:
    """Return the kept bundle with its report; an archived trial's for good, else while no newer analysis has ended."""
    kept = stored_bundle(trial)
    if kept is None:
        raise NotFoundError("The report is made with the bundle; make the bundle first.")
    if trial.state != TrialState.ARCHIVED and not results_are_reported(trial):
        raise StateConflictError(
            "An analysis has ended since the bundle was made; make the bundle again to read the report.",
            data={"state": trial.state, "allowed": []},
        )
    if not bundle_has(kept, REPORT):
        raise NotFoundError("The bundle of this trial holds no report.")
    return kept


def _imported_file(trial: Trial, bundle: StoredBundle, name: str, caller: Caller) -> HttpResponseBase:
    """Return a table of an imported trial from its bundle; cells are quoted as in our own exports."""
    if name == "truth.csv" and not caller_may_see(trial, caller, Sight.REFERENCE_STANDARD):
        raise NotFoundError("There is no such table, or your role may not see it.")
    path = "reference-standard.csv" if name == "truth.csv" else name
    if path not in IMPORTED_TABLES or not bundle_has(bundle, path):
        raise NotFoundError(
            "The bundle that this trial was imported from holds no such table; see bundle.zip."
        )
    if path == "tables.xlsx":
        return _workbook(partial(imported_workbook, trial, bundle))
    if path.endswith(".csv"):
        lines = (csv_line(map(safe_cell, row)) for row in bundle_table_lines(bundle, path))
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    kind = PARQUET if path.endswith(".parquet") else "application/json"
    return StreamingHttpResponse(bundle_file_blocks(bundle, path), content_type=kind)


def _bundle_file(
    trial: Trial, caller: Caller, kept: StoredBundle | PublicBundle | None
) -> StreamingHttpResponse:
    require_bundle(trial, caller)
    if kept is None:
        raise NotFoundError("The bundle of this trial was not made yet; make it first.")
    return StreamingHttpResponse(
        bundle_blocks(kept), content_type="application/zip", headers={"Content-Length": str(kept.size_bytes)}
    )


def require_bundle(trial: Trial, caller: Caller) -> None:
    """Refuse a bundle before unblinding, and to whoever may not see all that it holds."""
    require_unblinded(trial)
    sights = (Sight.RESULTS_BY_ARM, Sight.REFERENCE_STANDARD)
    if not all(caller_may_see(trial, caller, sight) for sight in sights):
        raise PermissionDeniedError("The bundle is for whoever may see results by arm.")


class BundleView(TrialView):
    """The trial's bundle: what is kept, and the making of it."""

    required_permission = Permission.EXPORT_CREATE

    @extend_schema(operation_id="bundle_detail", responses=shapes.BundleSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Say what bundle is kept, and which job makes one."""
        require_bundle(self.trial, caller_of(request))
        return HttpResponse(shapes.BundleSerializer(bundle_document(self.trial)).data)

    @extend_schema(
        operation_id="bundle_make",
        request=shapes.BundleRequestSerializer,
        responses={202: shapes.BundleSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Queue the making of the bundle of an unblinded trial."""
        data = validated(shapes.BundleRequestSerializer, request)
        require_bundle(self.trial, caller_of(request))
        require_person_or_program(request)
        bundle_request(self.trial, reason=data["reason"], actor=actor_of(request))
        document = shapes.BundleSerializer(bundle_document(self.trial)).data
        return HttpResponse(document, status=status.HTTP_202_ACCEPTED)


class PublicBundleView(TrialView):
    """The public form of the trial's bundle: what is kept, and the making of it."""

    required_permission = Permission.EXPORT_CREATE

    @extend_schema(operation_id="public_bundle_detail", responses=shapes.PublicBundleSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Say what public form is kept, and which job makes one."""
        require_bundle(self.trial, caller_of(request))
        return HttpResponse(shapes.PublicBundleSerializer(public_bundle_document(self.trial)).data)

    @extend_schema(
        operation_id="public_bundle_make",
        request=shapes.PublicBundleRequestSerializer,
        responses={202: shapes.PublicBundleSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Queue the making of the public form of the kept bundle."""
        data = validated(shapes.PublicBundleRequestSerializer, request)
        require_bundle(self.trial, caller_of(request))
        require_person_or_program(request)
        public_bundle_request(
            self.trial,
            reason=data["reason"],
            comments_reviewed=data["comments_reviewed"],
            actor=actor_of(request),
        )
        document = shapes.PublicBundleSerializer(public_bundle_document(self.trial)).data
        return HttpResponse(document, status=status.HTTP_202_ACCEPTED)
