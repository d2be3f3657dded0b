"""Shapes of what the site's administrators do about people."""

from rest_framework import serializers

from trials.api.serializers.shape import Shape


class PersonEraseSerializer(Shape):
    """Who is erased, and why; the reason stays and must not name the person."""

    email = serializers.CharField(max_length=254)
    reason = serializers.CharField(max_length=2000)


class PersonErasedSerializer(Shape):
    """What was erased, by count, and the trials whose kept bundle holds a printed name still."""

    accounts = serializers.IntegerField(read_only=True)
    invitations = serializers.IntegerField(read_only=True)
    words = serializers.IntegerField(read_only=True)
    bundled = serializers.ListField(child=serializers.CharField(), read_only=True)
