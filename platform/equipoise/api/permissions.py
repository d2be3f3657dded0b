"""The framework's default: nobody may do anything. Views are :class:`equipoise.api.views.ApiView` and say who may."""

from typing import Any

from rest_framework.permissions import BasePermission


class DenyAll(BasePermission):
    """Refuses everybody: a view that is not an ApiView declares nothing and serves nobody."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Refuse."""
        return False
