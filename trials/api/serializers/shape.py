"""The base of every shape."""

from typing import Any

from rest_framework import serializers

from trials.domain.storable import storable


class Shape(serializers.Serializer[Any]):
    """A request's or an answer's fields."""


class StorableDictField(serializers.DictField):
    """A JSON object; characters and numbers that cannot be stored are replaced, never a reason to refuse."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object as it can be stored."""
        try:
            clean: dict[str, Any] = storable(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None
        return clean
