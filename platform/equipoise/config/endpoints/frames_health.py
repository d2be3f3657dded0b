"""Health, readiness and counts of the frame server, which has no views of Django's."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from prometheus_client import CONTENT_TYPE_LATEST

from equipoise.archive.frame_server import Receive, Scope, Send
from equipoise.config import metrics
from equipoise.config.endpoints.health import may_see_metrics, readiness_problem

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
ROUTE = "frames/<str:token>/<int:number>"
_TEXT = "text/plain; charset=utf-8"


def with_health(application: Application) -> Application:
    """Return the application with ``/healthz``, ``/readyz`` and ``/metrics`` before it; what it answers is counted."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            known = await _health(scope)
            if known is not None:
                await _send(send, *known)
                return
        await _counted(application, scope, receive, send)

    return answer


async def _health(scope: Scope) -> tuple[int, str, bytes] | None:
    if scope["path"] == "/healthz":
        return 200, _TEXT, b"ok"
    if scope["path"] == "/readyz":
        problem = await sync_to_async(_readiness)()
        return (503 if problem else 200), _TEXT, (problem or "ok").encode()
    if scope["path"] == "/metrics":
        headers = {name.lower(): value for name, value in scope.get("headers", ())}
        client = scope.get("client") or ("", 0)
        if may_see_metrics(
            authorization=headers.get(b"authorization", b"").decode("latin-1"),
            address=str(client[0]),
            forwarded=b"x-forwarded-for" in headers or b"forwarded" in headers,
        ):
            return 200, CONTENT_TYPE_LATEST, metrics.process_text()
    return None


def _readiness() -> str:
    close_old_connections()
    try:
        return readiness_problem()
    finally:
        close_old_connections()


async def _send(send: Send, status: int, kind: str, body: bytes) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _counted(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        await application(scope, receive, send)
        return
    started = time.perf_counter()

    async def counting(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            metrics.request_count(
                method=scope["method"],
                route=ROUTE,
                status=message["status"],
                seconds=time.perf_counter() - started,
            )
        await send(message)

    await application(scope, receive, counting)
