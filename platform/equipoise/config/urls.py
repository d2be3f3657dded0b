"""Every address of the site."""

import importlib.util

from django.apps import apps
from django.urls import URLPattern, URLResolver, include, path, re_path

from equipoise.archive.frame_server import frame_view
from equipoise.config.endpoints import docs, health, jobs, spa

api: list[URLPattern | URLResolver] = [
    path("", include("equipoise.accounts.urls")),
    path("", include(jobs.urlpatterns)),
    path("schema/", docs.SchemaView.as_view(), name="schema"),
    path("docs/", docs.DocsView.as_view(url_name="schema"), name="docs"),
]
if apps.is_installed("trials") and importlib.util.find_spec("trials.api.urls"):
    # First: most calls are a reader's, and addresses are tried in order.
    api.insert(0, path("", include("trials.api.urls")))

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api)),
    re_path(r"^api/.*$", spa.api_not_found),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics_view),
    path("frames/<str:token>/<int:number>", frame_view),
    re_path(r"^(?!api/|frames/|static/|assets/).*$", spa.index),
]

handler400 = "equipoise.api.errors.bad_request"
handler404 = "equipoise.api.errors.page_not_found"
handler500 = "equipoise.api.errors.server_error"
