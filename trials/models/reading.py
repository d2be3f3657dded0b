"""The reading, the central row, with its events, drafts and responses.

Stored readings outlive the code: fields of ``Response.answer`` and ``ReadingEvent.data`` are only ever added.
"""

from django.db import models

from equipoise.common.ids import new_id
from trials.domain.states import ReadingState
from trials.models.case import Contour, Item
from trials.models.participant import AllocationRow, Participant
from trials.models.trial import ProtocolVersion, Trial


class Realm(models.TextChoices):
    """Live rows are guarded for good; rehearsal rows may be deleted whole."""

    LIVE = "live"
    REHEARSAL = "rehearsal"


class Reading(models.Model):
    """Participant x item x condition x repeat."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="readings")
    realm = models.CharField(max_length=10, choices=Realm.choices, default=Realm.LIVE)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="readings")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="readings")
    allocation_row = models.ForeignKey(AllocationRow, on_delete=models.PROTECT, related_name="readings")
    protocol = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="readings")
    task = models.CharField(max_length=40)
    phase = models.CharField(max_length=20)
    condition = models.CharField(max_length=40, blank=True)
    repeat = models.PositiveSmallIntegerField(default=1)
    position = models.PositiveIntegerField()
    session = models.PositiveIntegerField(null=True)
    period = models.PositiveSmallIntegerField(default=1)
    stage = models.PositiveSmallIntegerField(default=0)
    """Of a sequential pair: 1 is committed before 2 is shown; 0 is a reading by itself."""
    min_days = models.PositiveIntegerField(default=0)
    """Days from the reader's last exposure to the case before this reading may be opened."""
    left = models.ForeignKey(Contour, on_delete=models.PROTECT, null=True, related_name="+")
    right = models.ForeignKey(Contour, on_delete=models.PROTECT, null=True, related_name="+")
    aid_result = models.ForeignKey(
        "trials.AlgorithmResult", on_delete=models.PROTECT, null=True, related_name="+"
    )
    """What its aid shows, as it was when the reading was first opened; null where there was nothing to show."""
    aid_fixed_at = models.DateTimeField(null=True)
    """When that was fixed. An algorithm that runs again later changes nothing in this reading."""
    state = models.CharField(
        max_length=20, choices=[(s.value, s.value) for s in ReadingState], default=ReadingState.PLANNED
    )
    token = models.CharField(max_length=40, null=True, unique=True)  # noqa: DJ001 null: never opened; many rows
    lease = models.PositiveIntegerField(default=0)
    first_opened_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    """When the present lease was given."""
    painted_at = models.DateTimeField(null=True)
    """Server time at which the first paint was reported; from then on the reading is only ever resumed."""
    submitted_at = models.DateTimeField(null=True)
    environment = models.JSONField(default=dict)
    flags = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["participant", "allocation_row"], name="reading_row_unique"),
            models.UniqueConstraint(
                fields=["participant", "item", "condition", "repeat", "phase"], name="reading_cell_unique"
            ),
            models.UniqueConstraint(
                fields=["participant"], condition=models.Q(state="open"), name="reading_open_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(aid_result__isnull=True) | models.Q(aid_fixed_at__isnull=False),
                name="reading_aid_fixed",
            ),
        ]
        indexes = [models.Index(fields=["participant", "position"]), models.Index(fields=["trial", "state"])]
        ordering = ["position"]


class ReadingEvent(models.Model):
    """One time-stamped fact inside a reading. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="events")
    realm = models.CharField(max_length=10, choices=Realm.choices, default=Realm.LIVE)
    lease = models.PositiveIntegerField()
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=30)
    clock_id = models.CharField(max_length=40)
    t_ms = models.FloatField()
    """The page's monotonic clock, in milliseconds."""
    wall_ms = models.FloatField()
    """The reader's machine's wall clock, Unix milliseconds."""
    received_at = models.DateTimeField()
    data = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reading", "lease", "sequence"], name="event_sequence_unique")
        ]
        ordering = ["lease", "sequence"]


class ReadingAttempt(models.Model):
    """An attempt at a reading that was left and begun anew; its events are those of its leases. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="attempts")
    realm = models.CharField(max_length=10, choices=Realm.choices, default=Realm.LIVE)
    number = models.PositiveSmallIntegerField()
    first_lease = models.PositiveIntegerField()
    last_lease = models.PositiveIntegerField()
    began_at = models.DateTimeField()
    left_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    """When the next attempt began."""
    timing = models.JSONField(default=dict)
    flags = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reading", "number"], name="attempt_number_unique")]
        ordering = ["number"]


class AttemptDraft(models.Model):
    """The unfinished answer of an earlier attempt, apart from the immutable row so that its words can be erased."""

    attempt = models.OneToOneField(
        ReadingAttempt, on_delete=models.CASCADE, primary_key=True, related_name="draft"
    )
    lease = models.PositiveIntegerField()
    body = models.JSONField()
    saved_at = models.DateTimeField()


class ResponseFile(models.Model):
    """A part of an answer that is too large for a row (a mask), kept in the store and named here. Immutable."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    response = models.ForeignKey("trials.Response", on_delete=models.PROTECT, null=True, related_name="files")
    late_submission = models.ForeignKey(
        "trials.LateSubmission", on_delete=models.PROTECT, null=True, related_name="files"
    )
    realm = models.CharField(max_length=10, choices=Realm.choices, default=Realm.LIVE)
    name = models.CharField(max_length=40)
    """As the task calls it; its hash stands under the same name in the answer."""
    key = models.CharField(max_length=200, unique=True)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["response", "name"], name="response_file_unique"),
            models.CheckConstraint(
                condition=models.Q(response__isnull=False, late_submission__isnull=True)
                | models.Q(response__isnull=True, late_submission__isnull=False),
                name="response_file_of_one_answer",
            ),
        ]


class Draft(models.Model):
    """The unfinished answer, latest wins per lease."""

    reading = models.OneToOneField(Reading, on_delete=models.CASCADE, primary_key=True, related_name="draft")
    lease = models.PositiveIntegerField()
    body = models.JSONField()
    saved_at = models.DateTimeField()


class Response(models.Model):
    """What was answered. Immutable; corrected only by a further row with a reason."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.PROTECT, related_name="responses")
    realm = models.CharField(max_length=10, choices=Realm.choices, default=Realm.LIVE)
    number = models.PositiveSmallIntegerField(default=1)
    answer = models.JSONField()
    timing = models.JSONField(default=dict)
    """Derived durations in seconds; null where not measured."""
    flags = models.JSONField(default=list)
    events_sha256 = models.CharField(max_length=64, blank=True)
    """Over the reading's events up to this answer; the audit entry of the submit carries it too."""
    idempotency_key = models.UUIDField(unique=True)
    body_sha256 = models.CharField(max_length=64)
    lease = models.PositiveIntegerField()
    reason = models.CharField(max_length=40, blank=True)
    submitted_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reading", "number"], name="response_number_unique")]
        ordering = ["number"]


class ResponseComment(models.Model):
    """A reader's free text, apart from the immutable row so that it can be erased."""

    response = models.OneToOneField(
        Response, on_delete=models.CASCADE, primary_key=True, related_name="comment"
    )
    text = models.TextField()
    answers = models.JSONField(default=dict)
    """What was written in answer to questions of a form, by question."""


class LateSubmission(models.Model):
    """An answer of an older window that came after the reading was answered. Kept, flagged, never a response."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.PROTECT, related_name="late_submissions")
    realm = models.CharField(max_length=10, choices=Realm.choices, default=Realm.LIVE)
    answer = models.JSONField()
    idempotency_key = models.UUIDField(unique=True)
    body_sha256 = models.CharField(max_length=64)
    lease = models.PositiveIntegerField()
    received_at = models.DateTimeField()
