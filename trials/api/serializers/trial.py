"""Trials, their protocol and their people, as administrators see them."""

from rest_framework import serializers

from equipoise.common.permissions import Role
from trials.api.serializers.shape import Shape
from trials.api.serializers.signature import SigningProofSerializer
from trials.domain.state_acts import StateAct
from trials.domain.states import TrialAction, TrialState
from trials.services.participant import WITHDRAWAL_REASONS

STATES = [state.value for state in TrialState]
INVITATION_STATES = ["pending", "accepted", "expired", "revoked"]


class CountsSerializer(Shape):
    """How many of each there are."""

    cases = serializers.IntegerField(read_only=True)
    items = serializers.IntegerField(read_only=True)
    participants = serializers.IntegerField(read_only=True)
    readings_submitted = serializers.IntegerField(read_only=True)
    readings_total = serializers.IntegerField(read_only=True)


class ImportedSerializer(Shape):
    """That a trial was run elsewhere, and the bundle it was brought as."""

    made_at = serializers.DateTimeField(read_only=True)
    imported_at = serializers.DateTimeField(read_only=True)
    manifest_sha256 = serializers.CharField(read_only=True)
    slug = serializers.CharField(read_only=True)
    """Its short name where it was run."""


class TrialRowSerializer(Shape):
    """One trial in a list."""

    id = serializers.UUIDField(read_only=True)
    slug = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(choices=STATES, read_only=True)
    roles = serializers.ListField(child=serializers.CharField(), read_only=True)
    counts = CountsSerializer(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    imported = ImportedSerializer(read_only=True, allow_null=True)


class TrialListSerializer(Shape):
    """The caller's trials."""

    results = TrialRowSerializer(many=True, read_only=True)


class TrialImportSerializer(Shape):
    """A bundle, and the short name its trial takes here if not its own."""

    file = serializers.FileField()
    slug = serializers.RegexField(
        r"^[a-z0-9][a-z0-9-]{1,58}[a-z0-9]$", required=False, allow_blank=True, default=""
    )


class TrialCreateSerializer(Shape):
    """A new trial, from a shipped template or from a protocol's text."""

    slug = serializers.RegexField(r"^[a-z0-9][a-z0-9-]{1,58}[a-z0-9]$")
    title = serializers.CharField(max_length=200)
    template = serializers.CharField(max_length=60, required=False, allow_null=True)
    protocol_text = serializers.CharField(
        max_length=400_000, required=False, allow_null=True, trim_whitespace=False
    )


class TrialCopySerializer(Shape):
    """A new trial with another one's protocol: which version, the newest if left out."""

    slug = serializers.RegexField(r"^[a-z0-9][a-z0-9-]{1,58}[a-z0-9]$")
    title = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    version = serializers.IntegerField(min_value=1, required=False, allow_null=True, default=None)


class MissingSerializer(Shape):
    """Something that an action still needs, and where it is mended."""

    code = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)
    link = serializers.CharField(read_only=True)


class ActionSerializer(Shape):
    """What can be done to the trial now."""

    action = serializers.ChoiceField(choices=[action.value for action in TrialAction], read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    allowed = serializers.BooleanField(read_only=True)
    needs_password = serializers.BooleanField(read_only=True)
    signs = serializers.CharField(
        read_only=True, allow_null=True, help_text="What the signature on the act means, if it is signed."
    )
    needs_reason = serializers.BooleanField(read_only=True)
    needs_waiver = serializers.BooleanField(read_only=True)
    rehearsal_lacking = serializers.CharField(read_only=True, allow_null=True)
    missing = MissingSerializer(many=True, read_only=True)


class TrialSerializer(Shape):
    """A trial's overview."""

    id = serializers.UUIDField(read_only=True)
    slug = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(choices=STATES, read_only=True)
    roles = serializers.ListField(child=serializers.CharField(), read_only=True)
    permissions = serializers.ListField(child=serializers.CharField(), read_only=True)
    open_to = serializers.ListField(
        child=serializers.ChoiceField(choices=[one.value for one in StateAct]),
        read_only=True,
        help_text="What the state takes, whoever asks.",
    )
    protocol_version = serializers.IntegerField(read_only=True)
    protocol_sha256 = serializers.CharField(read_only=True, allow_null=True)
    seed_commitment = serializers.CharField(read_only=True, allow_null=True)
    actions = ActionSerializer(many=True, read_only=True)
    primary_action = serializers.CharField(read_only=True, allow_null=True)
    counts = CountsSerializer(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    imported = ImportedSerializer(read_only=True, allow_null=True)


class TransitionSerializer(SigningProofSerializer):
    """Reason and, where asked for, password of an action; protocol lock, data lock and unblinding are signed by it."""

    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    waiver = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    record_sha256 = serializers.RegexField(
        r"^[0-9a-f]{64}\Z",
        required=False,
        allow_blank=True,
        default="",
        help_text="Of data lock and unblinding: the hash of what was looked at; refused where it is another by now.",
    )


class ForeseenRecordSerializer(Shape):
    """What data lock would freeze, or unblinding release, as it is stored now."""

    record = serializers.CharField(read_only=True)
    record_sha256 = serializers.CharField(read_only=True)


class TemplateSerializer(Shape):
    """A protocol that ships with the platform."""

    name = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    summary = serializers.CharField(read_only=True)
    text = serializers.CharField(read_only=True)


class TemplateListSerializer(Shape):
    """The shipped protocols."""

    results = TemplateSerializer(many=True, read_only=True)


class InvitationSerializer(Shape):
    """An invitation. Its link is shown once, when it is made."""

    id = serializers.UUIDField(read_only=True)
    email = serializers.CharField(read_only=True)
    role = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(choices=INVITATION_STATES, read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)


class InvitationListSerializer(Shape):
    """A trial's invitations."""

    results = InvitationSerializer(many=True, read_only=True)


class InvitationCreateSerializer(Shape):
    """Whom to invite as what."""

    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=[role.value for role in Role if role != Role.SITE_ADMINISTRATOR])


class InvitationCreatedSerializer(InvitationSerializer):
    """A new invitation with its link, which is not shown again."""

    link = serializers.CharField(read_only=True)


class InvitationViewSerializer(Shape):
    """What the invited person sees first."""

    trial_title = serializers.CharField(read_only=True)
    role = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)
    account_exists = serializers.BooleanField(read_only=True)


class InvitationAcceptSerializer(Shape):
    """A new account's name and password; left out by whoever is signed in already."""

    display_name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    password = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="", trim_whitespace=False
    )


class InvitationAcceptedSerializer(Shape):
    """Where the accepted invitation leads."""

    role = serializers.CharField(read_only=True)
    trial = serializers.CharField(read_only=True)


class ParticipantSerializer(Shape):
    """A participant with counts; no name."""

    id = serializers.UUIDField(read_only=True)
    code = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(choices=["reader", "algorithm"], read_only=True)
    group = serializers.CharField(read_only=True)
    stratum = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True)
    slot = serializers.IntegerField(read_only=True, allow_null=True)
    joined_at = serializers.DateTimeField(read_only=True)
    last_activity_at = serializers.DateTimeField(read_only=True, allow_null=True)
    planned = serializers.IntegerField(read_only=True)
    submitted = serializers.IntegerField(read_only=True)
    not_assessable = serializers.IntegerField(read_only=True)


class ParticipantListSerializer(Shape):
    """A trial's participants."""

    results = ParticipantSerializer(many=True, read_only=True)


class WithdrawSerializer(Shape):
    """Why a reader leaves."""

    reason_code = serializers.ChoiceField(choices=list(WITHDRAWAL_REASONS))
    reason = serializers.CharField(max_length=2000)


class DataExclusionSerializer(Shape):
    """Why a reader's readings are not used."""

    reason = serializers.CharField(max_length=2000)


class SlotSerializer(Shape):
    """One place in the allocation."""

    number = serializers.IntegerField(read_only=True)
    stratum = serializers.CharField(read_only=True)
    reserve = serializers.BooleanField(read_only=True)
    state = serializers.CharField(read_only=True)
    participant = serializers.CharField(read_only=True, allow_null=True)


class SideCountSerializer(Shape):
    """How often candidate b stands on either side."""

    key = serializers.CharField(read_only=True)
    left = serializers.IntegerField(read_only=True)
    right = serializers.IntegerField(read_only=True)


class BalanceSerializer(Shape):
    """The balance of sides, per reader and per item, and its worst in words."""

    sentences = serializers.ListField(child=serializers.CharField(), read_only=True)
    balanced = serializers.BooleanField(read_only=True)
    per_reader = SideCountSerializer(many=True, read_only=True)
    per_item = SideCountSerializer(many=True, read_only=True)


class ConditionCountSerializer(Shape):
    """How often a reader or an item has each condition in one period."""

    key = serializers.CharField(read_only=True)
    period = serializers.IntegerField(read_only=True)
    counts = serializers.ListField(child=serializers.IntegerField(), read_only=True)


class ConditionBalanceSerializer(Shape):
    """The balance of conditions, per reader and per item in every period."""

    conditions = serializers.ListField(child=serializers.CharField(), read_only=True)
    sentences = serializers.ListField(child=serializers.CharField(), read_only=True)
    balanced = serializers.BooleanField(read_only=True)
    per_reader = ConditionCountSerializer(many=True, read_only=True)
    per_item = ConditionCountSerializer(many=True, read_only=True)


class SetCountSerializer(Shape):
    """How many readers of a stratum an item has, or how many items a reader has."""

    key = serializers.CharField(read_only=True)
    stratum = serializers.CharField(read_only=True)
    count = serializers.IntegerField(read_only=True)


class SetBalanceSerializer(Shape):
    """Who reads what, where not every reader reads every case."""

    sentences = serializers.ListField(child=serializers.CharField(), read_only=True)
    balanced = serializers.BooleanField(read_only=True)
    per_reader = SetCountSerializer(many=True, read_only=True)
    per_item = SetCountSerializer(many=True, read_only=True)


class AllocationSerializer(Shape):
    """The allocation: commitment, slots and balance; the seed only once unblinded."""

    commitment = serializers.CharField(read_only=True, allow_null=True)
    algorithm = serializers.CharField(read_only=True, allow_null=True)
    sha256 = serializers.CharField(read_only=True, allow_null=True)
    seed = serializers.CharField(read_only=True, allow_null=True)
    slots = SlotSerializer(many=True, read_only=True)
    allocated = BalanceSerializer(read_only=True, allow_null=True)
    read = BalanceSerializer(read_only=True, allow_null=True)
    conditions_allocated = ConditionBalanceSerializer(read_only=True, allow_null=True)
    conditions_read = ConditionBalanceSerializer(read_only=True, allow_null=True)
    sets_allocated = SetBalanceSerializer(read_only=True, allow_null=True)
    sets_read = SetBalanceSerializer(read_only=True, allow_null=True)
    positions_allocated = serializers.ListField(child=serializers.CharField(), read_only=True)
    """When in their readers' readings items and sides come, the worst named, in words."""


class AuditEntrySerializer(Shape):
    """One row of the audit trail."""

    sequence = serializers.IntegerField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    kind = serializers.CharField(read_only=True)
    actor = serializers.CharField(read_only=True)
    origin = serializers.CharField(read_only=True)
    address = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="Where the request came from; null if erased, or no request.",
    )
    subject = serializers.CharField(read_only=True)
    reason = serializers.CharField(read_only=True, allow_null=True)
    before = serializers.JSONField(read_only=True, allow_null=True)
    after = serializers.JSONField(read_only=True, allow_null=True)


class AuditListSerializer(Shape):
    """A page of the audit trail, newest first; ``next`` is the sequence number to continue before."""

    results = AuditEntrySerializer(many=True, read_only=True)
    next = serializers.IntegerField(read_only=True, allow_null=True)
    people = serializers.ListField(child=serializers.CharField(), read_only=True)
    kinds = serializers.ListField(child=serializers.CharField(), read_only=True)


class AuditFilterSerializer(Shape):
    """Which entries of the audit trail are asked for."""

    who = serializers.CharField(
        required=False, max_length=64, help_text="A code as the list names people, or `system`."
    )
    what = serializers.CharField(
        required=False, max_length=64, help_text="A kind, or the part before its colon."
    )
    since = serializers.DateTimeField(required=False, help_text="The first moment.")
    until = serializers.DateTimeField(required=False, help_text="The first moment that is too late.")


class AuditQuerySerializer(AuditFilterSerializer):
    """Which page of them."""

    before = serializers.IntegerField(
        required=False, min_value=1, max_value=2**62, help_text="Entries below this sequence number."
    )


class ProgressRowSerializer(Shape):
    """The states of one participant's readings in their order."""

    participant = serializers.CharField(read_only=True)
    states = serializers.ListField(child=serializers.CharField(), read_only=True)


class FlagSerializer(Shape):
    """Something worth a look, and how often."""

    code = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)
    count = serializers.IntegerField(read_only=True)


class PaceRowSerializer(Shape):
    """One reader's pace."""

    participant = serializers.CharField(read_only=True)
    submitted = serializers.IntegerField(read_only=True)
    planned = serializers.IntegerField(read_only=True)
    missing = serializers.IntegerField(read_only=True)
    median_wall_s = serializers.FloatField(read_only=True, allow_null=True)
    quartiles_wall_s = serializers.ListField(child=serializers.FloatField(), read_only=True, allow_null=True)
    readings_last_week = serializers.IntegerField(read_only=True)
    sessions = serializers.IntegerField(read_only=True)
    on_break_since = serializers.DateTimeField(read_only=True, allow_null=True)
    last_break_at = serializers.DateTimeField(read_only=True, allow_null=True)
    last_activity_at = serializers.DateTimeField(read_only=True, allow_null=True)
    flags = FlagSerializer(many=True, read_only=True)
    expected_finish = serializers.DateField(read_only=True, allow_null=True)


class EnvironmentRowSerializer(Shape):
    """What one reader sat at in one session: window, display, zoom, renderer, and the grey-step test."""

    participant = serializers.CharField(read_only=True)
    session = serializers.IntegerField(read_only=True)
    display = serializers.CharField(read_only=True, allow_null=True)
    readings = serializers.IntegerField(read_only=True)
    window_width_px_min = serializers.FloatField(read_only=True, allow_null=True)
    window_height_px_min = serializers.FloatField(read_only=True, allow_null=True)
    window_width_px_max = serializers.FloatField(read_only=True, allow_null=True)
    window_height_px_max = serializers.FloatField(read_only=True, allow_null=True)
    screen_width_px = serializers.FloatField(read_only=True, allow_null=True)
    screen_height_px = serializers.FloatField(read_only=True, allow_null=True)
    device_pixel_ratio = serializers.FloatField(read_only=True, allow_null=True)
    zoom_percent = serializers.FloatField(read_only=True, allow_null=True)
    colour_depth_bits = serializers.FloatField(read_only=True, allow_null=True)
    renderer = serializers.CharField(read_only=True, allow_null=True)
    changes_during_readings = serializers.IntegerField(read_only=True)
    grey_steps = serializers.CharField(read_only=True, allow_null=True)
    grey_steps_tries = serializers.IntegerField(read_only=True)
    dark_found = serializers.IntegerField(read_only=True, allow_null=True)
    bright_found = serializers.IntegerField(read_only=True, allow_null=True)
    simulated = serializers.BooleanField(read_only=True)


class FlowSerializer(Shape):
    """The numbers of the flow diagram."""

    cases = serializers.IntegerField(read_only=True)
    practice_cases = serializers.IntegerField(read_only=True)
    slices_qualifying = serializers.IntegerField(read_only=True)
    items = serializers.IntegerField(read_only=True)
    slots = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    participants = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    readings = serializers.DictField(child=serializers.IntegerField(), read_only=True)


class LeftReadingSerializer(Shape):
    """A reading that was left open for too long and blocked; what it shows is not told."""

    reading = serializers.UUIDField(read_only=True)
    participant = serializers.CharField(read_only=True)
    n = serializers.IntegerField(read_only=True)
    opened_at = serializers.DateTimeField(read_only=True)
    state = serializers.ChoiceField(choices=["blocked", "released"], read_only=True)
    releasable = serializers.BooleanField(read_only=True)
    refusal = serializers.CharField(read_only=True, allow_null=True)
    """Why a blocked one cannot be released now."""


class ReadingReleaseSerializer(Shape):
    """Why a blocked reading is released."""

    reason = serializers.CharField(max_length=2000)


class MonitorSerializer(Shape):
    """Progress, pace, flow and reading environments; nothing by arm."""

    progress = ProgressRowSerializer(many=True, read_only=True)
    pace = PaceRowSerializer(many=True, read_only=True)
    flow = FlowSerializer(read_only=True)
    environments = EnvironmentRowSerializer(many=True, read_only=True)
    left = LeftReadingSerializer(many=True, read_only=True)
