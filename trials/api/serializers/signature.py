"""Electronic signatures."""

from rest_framework import serializers

from equipoise.accounts.api.serializers import CredentialField
from trials.api.serializers.shape import Shape
from trials.domain.signatures import Meaning

MEANINGS = [one.value for one in Meaning]


class SigningProofSerializer(Shape):
    """What a person gives to sign: the password, and a second factor if they have one."""

    password = serializers.CharField(
        max_length=1024, required=False, allow_blank=True, default="", trim_whitespace=False
    )
    code = serializers.CharField(
        max_length=64,
        required=False,
        allow_blank=True,
        default="",
        help_text="Of the authenticator app, or a recovery code.",
    )
    credential = CredentialField(required=False, help_text="A key's answer.")


class SignatureWriteSerializer(SigningProofSerializer):
    """A signature on a record that is there."""

    meaning = serializers.ChoiceField(MEANINGS)
    record_sha256 = serializers.RegexField(
        r"^[0-9a-f]{64}$", help_text="Of what the signer looked at, as the list of signatures has it."
    )


class SignatureSerializer(Shape):
    """A signature as it is shown: who, when, with what meaning, on what."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(read_only=True)
    meaning = serializers.ChoiceField(MEANINGS, read_only=True)
    words = serializers.CharField(read_only=True)
    record = serializers.CharField(read_only=True)
    record_sha256 = serializers.CharField(read_only=True)
    signed_at = serializers.DateTimeField(read_only=True)
    current = serializers.BooleanField(read_only=True, help_text="False once a newer record took its place.")
    sha256 = serializers.CharField(read_only=True)


class SignableSerializer(Shape):
    """Something the caller may sign."""

    meaning = serializers.ChoiceField(MEANINGS, read_only=True)
    words = serializers.CharField(read_only=True)
    record = serializers.CharField(read_only=True)
    record_sha256 = serializers.CharField(read_only=True)


class SignatureListSerializer(Shape):
    """The signatures of a trial, and what the caller may sign now."""

    results = SignatureSerializer(many=True, read_only=True)
    signable = SignableSerializer(many=True, read_only=True)
