"""Is the process alive, can it do its work, and how does it do?"""

import hmac
import ipaddress
import os

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from equipoise.config import metrics


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer while the process lives."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers and the data folder can be written to.

    The broker is not asked: without it jobs are late and nothing else.
    """
    problem = readiness_problem()
    return JsonResponse({"status": problem or "ok"}, status=503 if problem else 200)


def readiness_problem() -> str:
    """Return what keeps the process from its work, in a few words; nothing if nothing does."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "database unavailable"
    if not os.access(settings.DATA_DIR, os.W_OK | os.X_OK):
        return "data folder unavailable"
    return ""


@never_cache
@require_safe
def metrics_view(request: HttpRequest) -> HttpResponse:
    """Tell a monitoring system what it may know; for everybody else there is no such address."""
    if not may_see_metrics(
        authorization=request.headers.get("Authorization", ""),
        address=str(request.META.get("REMOTE_ADDR", "")),
        forwarded="X-Forwarded-For" in request.headers or "Forwarded" in request.headers,
    ):
        raise Http404
    return HttpResponse(metrics.process_text() + metrics.site_text(), content_type=CONTENT_TYPE_LATEST)


def may_see_metrics(*, authorization: str, address: str, forwarded: bool) -> bool:
    """Let in who has the token; without one set, who asks from the machine itself and through no proxy."""
    token: str | None = settings.METRICS_TOKEN
    if token:
        return hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())
    try:
        return ipaddress.ip_address(address).is_loopback and not forwarded
    except ValueError:
        return False
