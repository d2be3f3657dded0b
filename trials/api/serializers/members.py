"""Shapes of the trial's team."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape


class MemberSerializer(Shape):
    """A role of a person in the trial; readers are listed as participants, by their codes."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True)
    role = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)


class MemberListSerializer(Shape):
    """The trial's team, ended roles last."""

    results = MemberSerializer(many=True, read_only=True)


class MemberRevokeSerializer(Shape):
    """Why a role ends."""

    reason = serializers.CharField(max_length=2000)
