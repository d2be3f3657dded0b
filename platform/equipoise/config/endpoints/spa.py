"""The page that loads the frontend, for every address that is not the API's."""

import functools
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from equipoise.api.errors import json_problem
from equipoise.common.errors import ErrorCode
from equipoise.config.middleware import csp_nonce

NONCE_PLACEHOLDER = "__CSP_NONCE__"
"""Vite's ``html.cspNonce``: it stands in the built page wherever a nonce belongs."""


@functools.lru_cache(maxsize=4)
def _page(path: Path, modified_ns: int) -> str:
    return path.read_text(encoding="utf-8")


@never_cache
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Serve the frontend's page with this answer's nonce in it."""
    path = Path(settings.FRONTEND_DIST) / "index.html"
    try:
        page = _page(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return HttpResponse(
            "The frontend is not built; run `make install`.", status=503, content_type="text/plain"
        )
    return HttpResponse(page.replace(NONCE_PLACEHOLDER, csp_nonce(request)))


@csrf_exempt
def api_not_found(request: HttpRequest) -> JsonResponse:
    """Answer for addresses below ``/api/`` that nothing serves."""
    return json_problem(ErrorCode.NOT_FOUND, "There is no such address.", 404)
