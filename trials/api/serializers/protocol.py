"""A trial's protocol: draft, versions, amendments, and in what versions differ."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape
from trials.api.serializers.signature import SigningProofSerializer
from trials.domain.protocol.difference import ChangeKind

CHANGE_KINDS = [kind.value for kind in ChangeKind]


class ProtocolProblemSerializer(Shape):
    """Something wrong in a protocol, and where."""

    pointer = serializers.CharField(read_only=True)
    line = serializers.IntegerField(read_only=True, allow_null=True)
    column = serializers.IntegerField(read_only=True, allow_null=True)
    code = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)


class ProtocolVersionSerializer(Shape):
    """One version of a protocol."""

    version = serializers.IntegerField(read_only=True)
    sha256 = serializers.CharField(read_only=True)
    locked_at = serializers.DateTimeField(read_only=True, allow_null=True)
    reason = serializers.CharField(read_only=True)


class ProtocolSerializer(Shape):
    """The protocol: as text, as document, and what is wrong with it."""

    version = serializers.IntegerField(read_only=True)
    revision = serializers.IntegerField(read_only=True)
    locked = serializers.BooleanField(read_only=True)
    sha256 = serializers.CharField(read_only=True, allow_null=True)
    text = serializers.CharField(read_only=True)
    document = serializers.DictField(child=serializers.JSONField(allow_null=True), read_only=True)
    problems = ProtocolProblemSerializer(many=True, read_only=True)
    lock_problems = ProtocolProblemSerializer(many=True, read_only=True)
    versions = ProtocolVersionSerializer(many=True, read_only=True)


class ProtocolCheckedSerializer(Shape):
    """What a check found; nothing was stored."""

    text = serializers.CharField(read_only=True)
    document = serializers.DictField(
        child=serializers.JSONField(allow_null=True), read_only=True, allow_null=True
    )
    problems = ProtocolProblemSerializer(many=True, read_only=True)
    lock_problems = ProtocolProblemSerializer(many=True, read_only=True)


class ProtocolWriteSerializer(Shape):
    """A protocol, as text or as document."""

    text = serializers.CharField(max_length=400_000, required=False, allow_null=True, trim_whitespace=False)
    document = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, allow_null=True
    )

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """Exactly one of the two forms."""
        if (attrs.get("text") is None) == (attrs.get("document") is None):
            raise serializers.ValidationError("Send either text or document.")
        return attrs


class ProtocolVersionDetailSerializer(ProtocolVersionSerializer):
    """One version of a protocol with its words, to be kept elsewhere or to begin another trial with."""

    text = serializers.CharField(read_only=True)
    document = serializers.DictField(child=serializers.JSONField(allow_null=True), read_only=True)


class ProtocolChangeSerializer(Shape):
    """One part in which a protocol differs from another version."""

    pointer = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(choices=CHANGE_KINDS, read_only=True)
    words = serializers.CharField(read_only=True)
    before = serializers.JSONField(read_only=True, allow_null=True)
    after = serializers.JSONField(read_only=True, allow_null=True)


class ProtocolChangesSerializer(Shape):
    """In what two versions of a protocol differ."""

    older = serializers.IntegerField(read_only=True)
    newer = serializers.IntegerField(read_only=True)
    changes = ProtocolChangeSerializer(many=True, read_only=True)


class RefusedChangeSerializer(Shape):
    """A change that cannot be made any more, and why."""

    pointer = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)


class AmendmentCheckedSerializer(Shape):
    """What an amendment would change, and what speaks against it; nothing was stored."""

    version = serializers.IntegerField(read_only=True)
    """The locked version that it would amend."""
    allowed = serializers.BooleanField(read_only=True)
    changes = ProtocolChangeSerializer(many=True, read_only=True)
    refusals = RefusedChangeSerializer(many=True, read_only=True)
    problems = ProtocolProblemSerializer(many=True, read_only=True)
    text = serializers.CharField(read_only=True)


class AmendmentWriteSerializer(ProtocolWriteSerializer, SigningProofSerializer):
    """The protocol as it shall be, why, and what whoever amends it signs with."""

    reason = serializers.CharField(max_length=2000)
