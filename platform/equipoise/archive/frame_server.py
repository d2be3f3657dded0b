"""Frames to the browser: ``GET`` or ``HEAD /frames/<token>/<n>`` and nothing else.

One function decides (:class:`FrameServer`); two thin doors stand before it, a bare ASGI application for
production and a Django view for the embedded site. A frame is one compressed piece of a pack, sent as it lies
there.

Everything that is not an open token of this very session, unexpired, with ``n`` inside its window, is the
same 404.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from threading import Lock
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from equipoise.archive.selectors import (
    AssetWindow,
    FrameLocation,
    asset_window,
    frame_etag,
    locate_in_window,
)
from equipoise.archive.storage import PackStore, StoredFileDamagedError, StoreUnavailableError, default_store

CACHE_SECONDS = 5.0
"""How long a process may go on believing in a token that was closed elsewhere."""

MAX_CACHED_TOKENS = 4096
MAX_AGE_S = 3600
"""How long a browser may keep a frame: the same for all, so that it tells nothing."""

_PATH = re.compile(r"/frames/(?P<token>[A-Za-z0-9_-]{8,43})/(?P<number>0|[1-9][0-9]{0,6})")

_METHODS = ("GET", "HEAD")

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """A complete HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


NOT_FOUND = FrameAnswer(404, (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")), b"")
"""The one refusal."""

UNAVAILABLE = FrameAnswer(503, (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")), b"")
"""The token is good, but the store does not answer: to be asked again."""


class WindowCache:
    """Open tokens that were looked up less than :data:`CACHE_SECONDS` ago. Unknown ones are never kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._windows: OrderedDict[str, tuple[float, AssetWindow]] = OrderedDict()

    def get(self, token: str) -> AssetWindow | None:
        """Return a token's window if it is fresh."""
        with self._lock:
            entry = self._windows.get(token)
            if entry is None or self._clock() - entry[0] >= CACHE_SECONDS:
                self._windows.pop(token, None)
                return None
            return entry[1]

    def put(self, window: AssetWindow) -> None:
        """Keep a window, forgetting the oldest beyond the limit."""
        with self._lock:
            self._windows[window.token] = (self._clock(), window)
            self._windows.move_to_end(window.token)
            while len(self._windows) > MAX_CACHED_TOKENS:
                self._windows.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._windows.clear()


class FrameServer:
    """Decides on requests for frames. One per process."""

    def __init__(self, cache: WindowCache | None = None) -> None:
        self.cache = cache or WindowCache()

    def answer(
        self, *, path: str, session_key: str, if_none_match: str = "", head: bool = False
    ) -> FrameAnswer:
        """Answer one GET, or one HEAD."""
        wanted = parse_path(path)
        if wanted is None or not session_key:
            return NOT_FOUND
        token, number = wanted
        return self.answer_from(
            self.window(token), number, session_key=session_key, if_none_match=if_none_match, head=head
        )

    def window(self, token: str) -> AssetWindow | None:
        """Return a token's window from memory or the database."""
        window = self.cache.get(token)
        if window is None:
            window = asset_window(token)
            if window is not None:
                self.cache.put(window)
        return window

    def answer_from(
        self,
        window: AssetWindow | None,
        number: int,
        *,
        session_key: str,
        if_none_match: str = "",
        head: bool = False,
    ) -> FrameAnswer:
        """Answer from a token's window: reads files, never the database."""
        if window is None:
            return NOT_FOUND
        store = default_store()
        try:
            location = locate_in_window(
                window, number, session_key=session_key, now=timezone.now(), store=store
            )
            if location is None:
                return NOT_FOUND
            return _found(location, store, if_none_match, head=head)
        except StoredFileDamagedError:
            return NOT_FOUND
        except StoreUnavailableError:
            return UNAVAILABLE


def parse_path(path: str) -> tuple[str, int] | None:
    """Return token and number of a frame's path, or None for any other path."""
    found = _PATH.fullmatch(path)
    return (found["token"], int(found["number"])) if found else None


def _found(location: FrameLocation, store: PackStore, if_none_match: str, *, head: bool) -> FrameAnswer:
    etag = f'"{location.etag}"'
    headers = (
        ("Cache-Control", f"private, max-age={MAX_AGE_S}, immutable"),
        ("ETag", etag),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    )
    if etag in (tag.strip() for tag in if_none_match.split(",")):
        return FrameAnswer(304, headers, b"")
    body = b"" if head else store.read_range(location.key, location.offset, location.length)
    content = (
        ("Content-Type", "application/octet-stream"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", str(location.length)),
    )
    return FrameAnswer(200, (*content, *headers), body)


_SERVER = FrameServer()


def frame_view(request: HttpRequest, token: str, number: int) -> HttpResponse:
    """Answer from Django (embedded site). Mount at ``frames/<str:token>/<int:number>``."""
    answer = NOT_FOUND
    if request.method in _METHODS:
        answer = _SERVER.answer(
            path=f"/frames/{token}/{number}",
            session_key=request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""),
            if_none_match=request.headers.get("If-None-Match", ""),
            head=request.method == "HEAD",
        )
    response = HttpResponse(answer.body, status=answer.status)
    del response.headers["Content-Type"]
    for name, value in answer.headers:
        response.headers[name] = value
    return response


async def frames_asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as a bare ASGI application (production): no middleware, no Django handler."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        return
    answer = NOT_FOUND
    headers = {name.lower(): value for name, value in scope.get("headers", ())}
    session_key = _session_key(headers)
    wanted = parse_path(scope["path"])
    if scope["method"] in _METHODS and wanted is not None and session_key:
        token, number = wanted
        window = _SERVER.cache.get(token) or await sync_to_async(_window_from_database)(token)
        answer = await asyncio.to_thread(
            _SERVER.answer_from,
            window,
            number,
            session_key=session_key,
            if_none_match=headers.get(b"if-none-match", b"").decode("latin-1"),
            head=scope["method"] == "HEAD",
        )
    length = (("Content-Length", "0"),) if answer.status not in (200, 304) else ()
    start_headers = [(n.lower().encode(), v.encode()) for n, v in (*answer.headers, *length)]
    await send({"type": "http.response.start", "status": answer.status, "headers": start_headers})
    await send({"type": "http.response.body", "body": answer.body})


def _window_from_database(token: str) -> AssetWindow | None:
    _close_stale_connection()
    try:
        return _SERVER.window(token)
    finally:
        _close_stale_connection()


def _close_stale_connection() -> None:
    """Do what Django does around a request, which there is none of here; never inside somebody's transaction."""
    if not connection.in_atomic_block:
        close_old_connections()


def _session_key(headers: Mapping[bytes, bytes]) -> str:
    try:
        cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    morsel = cookies.get(settings.SESSION_COOKIE_NAME)
    return morsel.value if morsel else ""


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


__all__ = ["FrameAnswer", "FrameServer", "frame_etag", "frame_view", "frames_asgi_app"]
