"""Shapes of the session resource."""

from typing import Any

from rest_framework import serializers


class SessionAccountSerializer(serializers.Serializer[Any]):
    """The signed-in person, to that person. The row id stays here: it would tell the account's age to a reader."""

    email = serializers.EmailField(read_only=True)
    display_name = serializers.CharField(read_only=True)
    is_site_administrator = serializers.BooleanField(read_only=True)


class SessionSerializer(serializers.Serializer[Any]):
    """Who is signed in, and the token that unsafe requests send back as ``X-CSRFToken``."""

    signed_in = serializers.BooleanField(read_only=True)
    account = SessionAccountSerializer(read_only=True, allow_null=True)
    csrf_token = serializers.CharField(read_only=True)


class SessionSignInSerializer(serializers.Serializer[Any]):
    """E-mail address and password."""

    email = serializers.EmailField()
    password = serializers.CharField(trim_whitespace=False, max_length=1024)


class SessionConfirmSerializer(serializers.Serializer[Any]):
    """The password again."""

    password = serializers.CharField(trim_whitespace=False, max_length=1024)
