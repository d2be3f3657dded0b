"""The base of every shape."""

from typing import Any

from rest_framework import serializers


class Shape(serializers.Serializer[Any]):
    """A request's or an answer's fields."""
