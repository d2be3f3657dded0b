"""Every address declares who may call it."""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from equipoise.api.views import ApiView
from equipoise.common.permissions import Permission

NO_API = {
    "equipoise.config.endpoints.health.healthz",
    "equipoise.config.endpoints.health.readyz",
    "equipoise.config.endpoints.health.metrics_view",
    "equipoise.config.endpoints.spa.index",
    "equipoise.config.endpoints.spa.api_not_found",
    "equipoise.archive.frame_server.frame_view",
}
"""Plain views: they serve no data of trials (the frame server and the metrics check their own tokens)."""

MAY_BE_PUBLIC = {
    "SessionView", "SecondFactorView", "SessionPasskeyView", "SingleSignOnView", "SingleSignOnCallbackView",
    "SchemaView", "DocsView", "ReminderStopView",
}  # fmt: skip
METHODS = ("get", "post", "put", "patch", "delete")


def views(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, object]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), pattern.callback


ALL_VIEWS = dict(views(get_resolver()))


@pytest.mark.parametrize("route", ALL_VIEWS)
def test_address_declares_its_permission(route):
    callback = ALL_VIEWS[route]
    view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    if view is None:
        name = f"{callback.__module__}.{callback.__qualname__}"
        assert name in NO_API, f"{name} is neither an ApiView nor a known plain view."
        return
    assert issubclass(view, ApiView), f"{view.__qualname__} must derive from equipoise.api.views.ApiView."
    declared = getattr(view, "required_permission", None)
    assert declared is not None, f"{view.__qualname__} must declare required_permission."
    methods = {method.upper() for method in METHODS if hasattr(view, method)}
    if not isinstance(declared, Permission):
        assert set(declared) == methods, f"{view.__qualname__}: one permission per method."
        assert all(isinstance(permission, Permission) for permission in declared.values())


def test_only_known_views_are_public():
    public = set()
    for callback in ALL_VIEWS.values():
        view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
        declared = getattr(view, "required_permission", None)
        permissions = [declared] if isinstance(declared, Permission) else list((declared or {}).values())
        if Permission.PUBLIC in permissions:
            public.add(view.__name__)
    assert {name for name in public if "Invitation" not in name} == MAY_BE_PUBLIC


def test_view_that_needs_a_trials_permission_authorizes_itself():
    """ApiView.authorize grants the site administrator's own permissions only; the rest must override it."""
    from equipoise.api.views import _SITE_PERMISSIONS

    free = {Permission.PUBLIC, Permission.SELF, *_SITE_PERMISSIONS}
    missing = []
    for callback in ALL_VIEWS.values():
        view = getattr(callback, "view_class", None)
        if view is None or not issubclass(view, ApiView):
            continue
        declared = view.required_permission
        permissions = {declared} if isinstance(declared, Permission) else set(declared.values())
        if permissions - free and view.authorize is ApiView.authorize:
            missing.append(view.__qualname__)
    assert missing == []
