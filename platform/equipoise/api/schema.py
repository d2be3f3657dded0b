"""The OpenAPI schema: every operation says which permission it needs and what an error looks like."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from equipoise.common.errors import ErrorCode


class ProblemSerializer(serializers.Serializer[Any]):
    """What every refusal and every error looks like."""

    code = serializers.ChoiceField(choices=[(code.value, code.value) for code in ErrorCode], read_only=True)
    detail = serializers.CharField(read_only=True)
    data = serializers.DictField(read_only=True)  # type: ignore[assignment] # a field of this name, not the attribute


class Schema(AutoSchema):
    """Adds the error answer, the permission, and the Idempotency-Key header."""

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        bodies = super()._get_response_bodies(direction=direction)
        if direction == "response":
            problem = self._get_response_for_code(ProblemSerializer, "default", ["application/json"])
            bodies.setdefault("default", problem)
        return bodies

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters that the view's code does not show by itself."""
        parameters: list[Any] = list(super().get_override_parameters())
        if getattr(getattr(self.view, self.method.lower(), None), "is_idempotent", False):
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key", str, OpenApiParameter.HEADER, description="Acts once per key."
                )
            )
        return parameters

    def get_extensions(self) -> dict[str, Any]:
        """Name the permission."""
        declared = getattr(self.view, "permission_for", None)
        return {"x-required-permission": declared(self.method).value} if declared else {}
