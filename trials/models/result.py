"""What algorithms sent: a participant's model version, and its result or failure for each case.

An algorithm is a participant like any other in storage; it has no slot and no readings of its own. Results are
never changed: another one for the same case needs another model version or another repeat.
"""

from django.db import models
from django.db.models import Q

from equipoise.common.ids import new_id
from trials.domain.results import FailureCode, ResultTask, UsedInTraining
from trials.models.case import Case, Contour
from trials.models.participant import Participant
from trials.models.trial import Trial


class AlgorithmVersion(models.Model):
    """The model version that a participant of the kind ``algorithm`` is."""

    participant = models.OneToOneField(
        Participant, on_delete=models.PROTECT, primary_key=True, related_name="algorithm_version"
    )
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="algorithm_versions")
    source = models.CharField(max_length=80)
    """As the protocol names it."""
    name = models.CharField(max_length=300)
    version = models.CharField(max_length=40)
    weights_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trial", "source", "name", "version", "weights_sha256"],
                name="algorithm_version_unique",
            )
        ]


class AlgorithmResult(models.Model):
    """One result, or one failure, of a model version on a case. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="algorithm_results")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="algorithm_results")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="algorithm_results")
    task = models.CharField(max_length=20, choices=[(task.value, task.value) for task in ResultTask])
    repeat = models.PositiveSmallIntegerField(default=1)
    attempt = models.PositiveSmallIntegerField(default=1)
    """A run that failed may be tried again: the failure stays, the last attempt counts."""
    key_sha256 = models.CharField(max_length=64)
    """Of the sender's key: a program may name its keys after files, and files after people."""
    content_sha256 = models.CharField(max_length=64)
    contour = models.ForeignKey(Contour, on_delete=models.PROTECT, null=True, related_name="results")
    """The candidate that the result became; for a preference task alone."""
    mask = models.ForeignKey(
        "archive.StoredMask", on_delete=models.PROTECT, null=True, related_name="algorithm_results"
    )
    probability = models.FloatField(null=True)
    rating = models.FloatField(null=True)
    run_s = models.FloatField(null=True)
    """Wall time from input read to result stored, model loaded."""
    cold_start_s = models.FloatField(null=True)
    hardware = models.CharField(max_length=120, blank=True)
    device = models.CharField(max_length=40, blank=True)
    failure_code = models.CharField(
        max_length=30, blank=True, choices=[(code.value, code.value) for code in FailureCode]
    )
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trial", "key_sha256"], name="algorithm_result_key_unique"),
            models.UniqueConstraint(
                fields=["participant", "case", "task", "repeat", "attempt"], name="algorithm_result_once"
            ),
            models.CheckConstraint(
                condition=Q(probability__isnull=True) | Q(probability__gte=0, probability__lte=1),
                name="algorithm_result_probability",
            ),
            models.CheckConstraint(
                condition=Q(rating__isnull=True) | Q(rating__gte=0, rating__lte=100),
                name="algorithm_result_rating",
            ),
            models.CheckConstraint(
                condition=Q(run_s__isnull=True) | Q(run_s__gte=0), name="algorithm_result_run_time"
            ),
            models.CheckConstraint(
                condition=(
                    Q(failure_code="")
                    & (Q(mask__isnull=False) | Q(probability__isnull=False) | Q(rating__isnull=False))
                )
                | (
                    ~Q(failure_code="")
                    & Q(mask__isnull=True, contour__isnull=True)
                    & Q(probability__isnull=True, rating__isnull=True)
                ),
                name="algorithm_result_or_failure",
            ),
        ]


class AlgorithmResultNote(models.Model):
    """The sender's own words about a failure. They may name anything, so they stand apart and can be erased."""

    result = models.OneToOneField(
        AlgorithmResult, on_delete=models.PROTECT, primary_key=True, related_name="note"
    )
    text = models.CharField(max_length=500)


class AlgorithmPipeline(models.Model):
    """That the site's own workers run a model version, and by which pipeline."""

    participant = models.OneToOneField(
        Participant, on_delete=models.PROTECT, primary_key=True, related_name="pipeline"
    )
    pipeline = models.CharField(max_length=40)
    threshold = models.FloatField()
    """Operating threshold, from the model's card, as it was when the version was enrolled."""
    enrolled_at = models.DateTimeField()


class AlgorithmRun(models.Model):
    """One pass of an enrolled model version over the trial's cases. The job that works on it stands beside it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="algorithm_runs")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="runs")
    task = models.CharField(max_length=20, choices=[(task.value, task.value) for task in ResultTask])
    repeat = models.PositiveSmallIntegerField(default=1)
    job_id = models.UUIDField(null=True)
    """The newest job; it is made again where cases came in since."""
    requested_by_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["participant", "task", "repeat"], name="algorithm_run_once")
        ]


class AlgorithmHeatMap(models.Model):
    """The heat map of a result, on its case's image, with how it was made. Append-only."""

    result = models.OneToOneField(
        AlgorithmResult, on_delete=models.PROTECT, primary_key=True, related_name="heat_map"
    )
    stored = models.ForeignKey(
        "archive.StoredHeatMap", on_delete=models.PROTECT, related_name="algorithm_heat_maps"
    )
    method = models.CharField(max_length=80)
    layer = models.CharField(max_length=120, blank=True)
    target_class = models.CharField(max_length=120, blank=True)


class AlgorithmCaseUse(models.Model):
    """Whether a case was used to make a model version."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="case_uses")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="algorithm_uses")
    used_in_training = models.CharField(
        max_length=10, choices=[(use.value, use.value) for use in UsedInTraining]
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["participant", "case"], name="algorithm_case_use_once")
        ]
