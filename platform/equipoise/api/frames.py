"""The seam between the frame server and whoever knows which frame a token stands for."""

from dataclasses import dataclass
from typing import Protocol

from equipoise.api.etags import etag_of


@dataclass(frozen=True)
class Frame:
    """One frame as stored: gzip-compressed little-endian pixels."""

    gzip_body: bytes


class FrameResolver(Protocol):
    """Returns the frame, or None if the token is unknown, dead, of another session, or the number not permitted."""

    def __call__(self, *, token: str, number: int, session_key: str) -> Frame | None: ...


_resolvers: list[FrameResolver] = []


def register_frame_resolver(resolver: FrameResolver) -> None:
    """Name the resolver."""
    _resolvers[:] = [resolver]


def frame_find(*, token: str, number: int, session_key: str) -> Frame | None:
    """Return the frame a token and number stand for in a session, or None."""
    if not _resolvers or not session_key:
        return None
    return _resolvers[0](token=token, number=number, session_key=session_key)


def frame_headers(token: str, number: int, length: int) -> dict[str, str]:
    """Return the headers of a frame. Nothing in them depends on the content but its length."""
    return {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "gzip",
        "Content-Length": str(length),
        "Cache-Control": "private, max-age=43200, immutable",
        "ETag": etag_of("frame", token, number),
        "Vary": "Cookie",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
