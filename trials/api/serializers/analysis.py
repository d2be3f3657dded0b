"""Analyses, imported tables and exports."""

from rest_framework import serializers

from equipoise.analysis.plan import ANALYSIS_SETS
from equipoise.analysis.registry import ANALYSIS_NAMES
from trials.api.serializers.shape import Shape
from trials.models import AnalysisState

TABLES = ["readings", "segmentations", "survival"]
PATIENTS = ["trial", "other"]
RULES = ["exclude", "algorithm", "against", "tie"]


class FigureSerializer(Shape):
    """A figure and its files."""

    name = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    caption = serializers.CharField(read_only=True)
    svg_url = serializers.CharField(read_only=True)
    png_url = serializers.CharField(read_only=True)
    pdf_url = serializers.CharField(read_only=True)
    csv_url = serializers.CharField(read_only=True)
    points_url = serializers.CharField(
        read_only=True,
        help_text="Places on the picture and words for each; 404 for an analysis without them.",
    )


class TableSerializer(Shape):
    """A table and its file."""

    name = serializers.CharField(read_only=True)
    columns = serializers.ListField(child=serializers.CharField(), read_only=True)
    rows = serializers.ListField(
        child=serializers.ListField(child=serializers.JSONField(allow_null=True)), read_only=True
    )
    csv_url = serializers.CharField(read_only=True)
    xlsx_url = serializers.CharField(read_only=True)
    latex_url = serializers.CharField(read_only=True)


class AnalysisSerializer(Shape):
    """One analysis: the finding, the figures, the tables, every number."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    method = serializers.CharField(read_only=True)
    exploratory = serializers.BooleanField(read_only=True)
    analysis_set = serializers.ChoiceField(choices=ANALYSIS_SETS, read_only=True, allow_null=True)
    """Which readings entered; null until it is computed."""
    where = serializers.DictField(child=serializers.CharField(), read_only=True)
    """The part of them, column to value; empty for the whole."""
    external_table = serializers.UUIDField(read_only=True, allow_null=True)
    data_key = serializers.CharField(read_only=True, allow_null=True)
    """Of the external data it is computed from."""
    state = serializers.ChoiceField(choices=AnalysisState.choices, read_only=True)
    job_id = serializers.UUIDField(read_only=True, allow_null=True)
    message = serializers.CharField(read_only=True, allow_null=True)
    findings = serializers.ListField(child=serializers.CharField(), read_only=True)
    notes = serializers.ListField(child=serializers.CharField(), read_only=True)
    figures = FigureSerializer(many=True, read_only=True)
    tables = TableSerializer(many=True, read_only=True)
    numbers = serializers.ListField(child=serializers.JSONField(), read_only=True)
    data_sha256 = serializers.CharField(read_only=True, allow_null=True)
    results_url = serializers.CharField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)


class PartSerializer(Shape):
    """What the readings can be parted by."""

    column = serializers.CharField(read_only=True)
    values = serializers.ListField(child=serializers.CharField(), read_only=True)


class AnalysisListSerializer(Shape):
    """A trial's analyses, and the parts of the readings that can be analysed by themselves."""

    results = AnalysisSerializer(many=True, read_only=True)
    parts = PartSerializer(many=True, read_only=True)


class AnalysisRequestSerializer(Shape):
    """Which analysis to run, on the trial's own readings or an imported table."""

    name = serializers.ChoiceField(choices=list(ANALYSIS_NAMES))
    options = serializers.DictField(child=serializers.JSONField(allow_null=True), default=dict)
    analysis_set = serializers.ChoiceField(choices=ANALYSIS_SETS, required=False, allow_null=True)
    """The planned set where none is named."""
    where = serializers.DictField(child=serializers.CharField(max_length=200), default=dict)
    """A part of the readings, column to value; such an analysis is exploratory."""
    external_table = serializers.UUIDField(required=False, allow_null=True)


class SurfacedSerializer(Shape):
    """A row that marks both candidates or neither."""

    row = serializers.IntegerField(read_only=True)
    problem = serializers.ChoiceField(choices=["both", "neither"], read_only=True)


class ExternalTableSerializer(Shape):
    """An imported table."""

    id = serializers.UUIDField(read_only=True)
    key = serializers.CharField(read_only=True, allow_null=True)
    table = serializers.ChoiceField(choices=TABLES, read_only=True)
    version = serializers.IntegerField(read_only=True)
    planned = serializers.BooleanField(read_only=True)
    patients = serializers.ChoiceField(choices=PATIENTS, read_only=True)
    file_name = serializers.CharField(read_only=True, allow_null=True)
    file_sha256 = serializers.CharField(read_only=True, allow_null=True)
    imported = serializers.IntegerField(read_only=True)
    columns = serializers.ListField(child=serializers.CharField(), read_only=True)
    surfaced = SurfacedSerializer(many=True, read_only=True)
    rule = serializers.DictField(child=serializers.CharField(), read_only=True)
    sha256 = serializers.CharField(read_only=True)
    imported_at = serializers.DateTimeField(read_only=True)


class DeclaredDataSerializer(Shape):
    """Data that the locked protocol says are collected elsewhere."""

    key = serializers.CharField(read_only=True)
    table = serializers.ChoiceField(choices=TABLES, read_only=True)
    patients = serializers.ChoiceField(choices=PATIENTS, read_only=True)
    collected = serializers.CharField(read_only=True)
    imported = serializers.BooleanField(read_only=True)


class ExternalTableListSerializer(Shape):
    """A trial's imported tables, and those that its protocol waits for."""

    results = ExternalTableSerializer(many=True, read_only=True)
    declared = DeclaredDataSerializer(many=True, read_only=True)


class ExternalTableImportSerializer(Shape):
    """A table collected elsewhere, and the rule for rows that mark both candidates or neither."""

    file = serializers.FileField()
    key = serializers.RegexField(
        r"^[a-z][a-z0-9_]{0,39}$", max_length=40, required=False, allow_blank=True, default=""
    )
    """Of data that the protocol declares, or a name of one's own. Without one the table stays out of the bundle."""
    table = serializers.ChoiceField(choices=TABLES, default="readings")
    patients = serializers.ChoiceField(choices=PATIENTS, default="other")
    columns = serializers.ListField(child=serializers.CharField(max_length=160), required=False, default=list)
    """``known=name in the file``, one each."""
    algorithm_mark = serializers.CharField(max_length=80, required=False, allow_blank=True, default="")
    other_mark = serializers.CharField(max_length=80, required=False, allow_blank=True, default="")
    group_column = serializers.CharField(max_length=80, required=False, allow_blank=True, default="")
    both = serializers.ChoiceField(choices=RULES, default="exclude")
    neither = serializers.ChoiceField(choices=RULES, default="exclude")


class NotComputedSerializer(Shape):
    """An analysis that a bundle lacks, and why."""

    name = serializers.CharField(read_only=True)
    why = serializers.CharField(read_only=True)


class BundleSerializer(Shape):
    """The bundle that is kept of a trial, and the newest job that makes one."""

    made_at = serializers.DateTimeField(read_only=True, allow_null=True)
    manifest_sha256 = serializers.CharField(read_only=True, allow_null=True)
    file_sha256 = serializers.CharField(read_only=True, allow_null=True)
    size_bytes = serializers.IntegerField(read_only=True, allow_null=True)
    file_count = serializers.IntegerField(read_only=True, allow_null=True)
    not_computed = NotComputedSerializer(many=True, read_only=True)
    current = serializers.BooleanField(read_only=True)
    report_current = serializers.BooleanField(read_only=True)
    """Whether no analysis has ended since."""
    job_id = serializers.UUIDField(read_only=True, allow_null=True)


class BundleRequestSerializer(Shape):
    """Why a bundle is made."""

    reason = serializers.CharField(max_length=2000, min_length=3)


class PublicBundleSerializer(Shape):
    """The public form of the bundle that is kept of a trial, and the newest job that makes one."""

    made_at = serializers.DateTimeField(read_only=True, allow_null=True)
    manifest_sha256 = serializers.CharField(read_only=True, allow_null=True)
    size_bytes = serializers.IntegerField(read_only=True, allow_null=True)
    file_count = serializers.IntegerField(read_only=True, allow_null=True)
    has_words = serializers.BooleanField(read_only=True, allow_null=True)
    """Whether comments are in it, which its maker said to have reviewed."""
    not_computed = NotComputedSerializer(many=True, read_only=True)
    current = serializers.BooleanField(read_only=True)
    """Whether it is of the bundle that is kept."""
    can_be_made = serializers.BooleanField(read_only=True)
    """Whether a bundle is kept that is up to date, or the trial is archived."""
    job_id = serializers.UUIDField(read_only=True, allow_null=True)


class PublicBundleRequestSerializer(Shape):
    """Why a public form is made, and whether all comments and free-text answers were reviewed and may be in it."""

    reason = serializers.CharField(max_length=2000, min_length=3)
    comments_reviewed = serializers.BooleanField(required=False, default=False)
