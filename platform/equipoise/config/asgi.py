"""The frame server alone: no middleware, no handler, one path (``uvicorn equipoise.config.asgi:application``).

Everything else is served by ``config/wsgi.py``: under ASGI every request would open a database connection.
"""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http.cookies import CookieError, SimpleCookie
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "equipoise.config.settings.production")
django.setup()

from django.conf import settings  # noqa: E402 - Django must be set up first
from django.db import close_old_connections  # noqa: E402 - as above

from equipoise.api.errors import problem  # noqa: E402 - as above
from equipoise.api.frames import Frame, frame_find, frame_headers  # noqa: E402 - as above
from equipoise.common.errors import ErrorCode  # noqa: E402 - as above
from equipoise.config.checks import require_valid_environment  # noqa: E402 - as above

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

require_valid_environment()

_PATH = re.compile(r"/frames/([A-Za-z0-9_-]{1,64})/([0-9]{1,6})")
_MAX_COOKIE_BYTES = 16_384
_threads = ThreadPoolExecutor(max_workers=settings.THREADS, thread_name_prefix="frames")
"""Each thread keeps its database connection; a frame is one indexed row and one ``pread``."""


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Serve ``GET /frames/<token>/<n>`` and nothing else."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        return
    match = _PATH.fullmatch(scope["path"])
    found: Frame | None = None
    if match and scope["method"] in ("GET", "HEAD"):
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(_threads, _find, match[1], int(match[2]), _session_key(scope))
    if match and found:
        headers = frame_headers(match[1], int(match[2]), len(found.gzip_body))
        await _answer(send, 200, headers, b"" if scope["method"] == "HEAD" else found.gzip_body)
        return
    body = json.dumps(problem(ErrorCode.NOT_FOUND, "There is no such frame.")).encode()
    await _answer(send, 404, {"Content-Type": "application/json", "Content-Length": str(len(body))}, body)


def _find(token: str, number: int, session_key: str) -> Frame | None:
    close_old_connections()
    return frame_find(token=token, number=number, session_key=session_key)


def _session_key(scope: Message) -> str:
    for name, value in scope["headers"]:
        if name == b"cookie" and len(value) <= _MAX_COOKIE_BYTES:
            try:
                morsel = SimpleCookie(value.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
            except CookieError:
                return ""
            return morsel.value if morsel else ""
    return ""


async def _answer(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            _threads.shutdown(wait=False)
            await send({"type": "lifespan.shutdown.complete"})
            return
