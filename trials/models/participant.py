"""Who reads, what they agreed to and said of themselves, and the slots of the allocation they are bound to."""

from django.db import models

from equipoise.common.ids import new_id
from trials.models.case import Contour, Item
from trials.models.trial import Membership, Trial


class ParticipantKind(models.TextChoices):
    """A person or a model version."""

    READER = "reader"
    ALGORITHM = "algorithm"


class ParticipantState(models.TextChoices):
    """Where a participant stands."""

    ENROLLED = "enrolled"
    READING = "reading"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class SlotState(models.TextChoices):
    """A slot is free, bound to one participant for good, or closed by a withdrawal."""

    FREE = "free"
    BOUND = "bound"
    CLOSED = "closed"


class Participant(models.Model):
    """Whoever reads. Names and addresses stand with the account, never here."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="participants")
    code = models.CharField(max_length=12)
    kind = models.CharField(max_length=10, choices=ParticipantKind.choices, default=ParticipantKind.READER)
    membership = models.OneToOneField(
        Membership, on_delete=models.PROTECT, null=True, related_name="participant"
    )
    state = models.CharField(
        max_length=10, choices=ParticipantState.choices, default=ParticipantState.ENROLLED
    )
    group = models.CharField(max_length=80, blank=True)
    """Speciality, as the questionnaire's grouping question was answered."""
    experience_years = models.DecimalField(max_digits=4, decimal_places=1, null=True)
    stratum = models.CharField(max_length=80, blank=True)
    instructions_read_at = models.DateTimeField(null=True)
    closing_answers = models.JSONField(null=True)
    on_break_since = models.DateTimeField(null=True)
    last_break_at = models.DateTimeField(null=True)
    """When the last break ended."""
    withdrawn_at = models.DateTimeField(null=True)
    withdrawal_reason_code = models.CharField(max_length=40, blank=True)
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")
    joined_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "code"], name="participant_code_unique")]
        ordering = ["code"]

    def become(self, row: "Participant") -> None:
        """Take over everything of another copy of this row, the related objects it came with included."""
        vars(self).clear()
        vars(self).update(vars(row))


class Consent(models.Model):
    """That a reader agreed, to which words, when. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="consents")
    version = models.CharField(max_length=40)
    text_sha256 = models.CharField(max_length=64)
    text = models.TextField()
    given_at = models.DateTimeField()


class Questionnaire(models.Model):
    """What a reader said of themselves before reading. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    participant = models.OneToOneField(Participant, on_delete=models.PROTECT, related_name="questionnaire")
    answers = models.JSONField()
    answered_at = models.DateTimeField()


class Slot(models.Model):
    """One place for a reader in the allocation, made at protocol lock."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="slots")
    stratum = models.CharField(max_length=80, blank=True)
    number = models.PositiveIntegerField()
    reserve = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=SlotState.choices, default=SlotState.FREE)
    participant = models.OneToOneField(Participant, on_delete=models.PROTECT, null=True, related_name="slot")
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="replacements")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trial", "stratum", "number"], name="slot_number_unique")
        ]
        ordering = ["stratum", "number"]


class AllocationRow(models.Model):
    """One reading to come: position, item, repeat and side, fixed at protocol lock."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slot = models.ForeignKey(Slot, on_delete=models.CASCADE, related_name="rows")
    phase = models.CharField(max_length=20)
    position = models.PositiveIntegerField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="allocation_rows")
    repeat = models.PositiveSmallIntegerField(default=1)
    condition = models.CharField(max_length=40, blank=True)
    period = models.PositiveSmallIntegerField(default=1)
    """Of a design with several; within a period no case comes back except as a hidden repeat."""
    stage = models.PositiveSmallIntegerField(default=0)
    """Of a sequential pair: 1 is committed before 2 is shown; 0 is a reading by itself."""
    min_days = models.PositiveIntegerField(default=0)
    """Days from the reader's last exposure to the case before this reading may be opened."""
    left = models.ForeignKey(Contour, on_delete=models.PROTECT, null=True, related_name="+")
    right = models.ForeignKey(Contour, on_delete=models.PROTECT, null=True, related_name="+")
    """The contours shown; ``left`` alone where one is; null where the task shows none."""
    aid_item = models.ForeignKey(Item, on_delete=models.PROTECT, null=True, related_name="+")
    """The item whose result a sham aid shows in place of this item's own."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slot", "position"], name="allocation_position_unique")
        ]
        ordering = ["position"]
