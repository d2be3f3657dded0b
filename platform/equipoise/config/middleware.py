"""What every answer carries: an id to find it by, and the content security policy; and the access log."""

import logging
import re
import secrets
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from equipoise.config.logs import request_id
from equipoise.config.metrics import request_count

logger = logging.getLogger("equipoise.access")

Handler = Callable[[HttpRequest], HttpResponse]
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "connect-src 'self'; font-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; "
    "script-src 'self' 'wasm-unsafe-eval'; style-src 'self' {styles}"
)
"""No inline script anywhere. WebAssembly is what the volumetric viewer computes with."""
DOCS_PREFIX = "/api/v1/docs/"


class RequestIdMiddleware:
    """Names each request, and writes one line about it: template of the address, status, milliseconds. No values."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request under its id."""
        given = request.headers.get("X-Request-Id", "")
        token = request_id.set(given if _ID.fullmatch(given) else uuid.uuid4().hex)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response.headers["X-Request-Id"] = request_id.get()
            self._log(request, response, time.perf_counter() - started)
            return response
        finally:
            request_id.reset(token)

    @staticmethod
    def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        match = getattr(request, "resolver_match", None)
        route = match.route if match else ""
        request_count(method=request.method, route=route, status=response.status_code, seconds=seconds)
        facts = {
            "method": request.method,
            "route": route,
            "status": response.status_code,
            "duration_ms": round(seconds * 1000, 1),
        }
        logger.info("request", extra=facts)


def csp_nonce(request: HttpRequest) -> str:
    """Return this answer's nonce, making it on first use; styles that carry it are ours."""
    nonce: str | None = getattr(request, "_equipoise_nonce", None)
    if nonce is None:
        nonce = secrets.token_urlsafe(16)
        request._equipoise_nonce = nonce  # type: ignore[attr-defined] # kept for the header of the same answer
    return nonce


class ContentSecurityPolicyMiddleware:
    """Sets the policy. Styles need the page's nonce; only the API's own documentation may have inline ones."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request and set the header."""
        response = self.get_response(request)
        if request.path.startswith(DOCS_PREFIX):
            styles = "'unsafe-inline'"
        else:
            nonce = getattr(request, "_equipoise_nonce", None)
            styles = f"'nonce-{nonce}'" if nonce else ""
        response.headers.setdefault("Content-Security-Policy", POLICY.format(styles=styles).rstrip())
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response
