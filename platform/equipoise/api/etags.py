"""Entity tags: cheap polling (If-None-Match) and edits that do not overwrite each other (If-Match)."""

import hashlib

from rest_framework.request import Request
from rest_framework.response import Response

from equipoise.common.errors import VersionConflictError


def etag_of(*parts: object) -> str:
    """Return a strong entity tag for what the parts identify."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
    return f'"{digest[:32]}"'


def _tags(header: str | None) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in (header or "").split(",") if tag.strip()}


def not_modified(request: Request, etag: str) -> Response | None:
    """Return a 304 if the caller has this version already."""
    tags = _tags(request.headers.get("If-None-Match"))
    return Response(status=304, headers={"ETag": etag}) if etag in tags or "*" in tags else None


def require_match(request: Request, etag: str) -> None:
    """Raise unless ``If-Match`` names the stored version."""
    tags = _tags(request.headers.get("If-Match"))
    if etag in tags:
        return
    wish = (
        "Send the ETag of the version you edited as If-Match."
        if not tags
        else "Load it again and repeat your change."
    )
    raise VersionConflictError(f"This is not an edit of the stored version. {wish}", data={"current": etag})
