"""Frames served by the web process of an embedded site; the frame server (``config/asgi.py``) answers the same."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from equipoise.api.errors import json_problem
from equipoise.api.frames import frame_find, frame_headers
from equipoise.common.errors import ErrorCode


@require_safe
def frame(request: HttpRequest, token: str, number: int) -> HttpResponse:
    """Serve one frame to the session its token belongs to."""
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    found = frame_find(token=token, number=number, session_key=session_key)
    if found is None:
        return json_problem(ErrorCode.NOT_FOUND, "There is no such frame.", 404)
    return HttpResponse(found.gzip_body, headers=frame_headers(token, number, len(found.gzip_body)))
