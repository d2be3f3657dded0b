"""What the archive tidies by itself: tokens and uploads that have had their time, tokens of sessions that ended."""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from equipoise.archive.new_files import new_files_sweep
from equipoise.archive.services import asset_tokens_close_session, asset_tokens_sweep
from equipoise.archive.storage import default_store, incoming_sweep
from equipoise.jobs.tick import register_periodic

HOUR_S = 3600.0


def close_frames_of_session(*, request: HttpRequest | None, **_: Any) -> None:
    """End the frames of a session that is being signed out, while its key is still known."""
    session_key = getattr(getattr(request, "session", None), "session_key", None)
    if session_key:
        asset_tokens_close_session(session_key)


def start() -> None:
    """Register the periodic work and listen for sign-outs."""
    register_periodic("archive.asset_tokens", HOUR_S, asset_tokens_sweep)
    register_periodic("archive.incoming", HOUR_S, incoming_sweep)
    register_periodic("archive.new_files", HOUR_S, lambda: new_files_sweep(default_store()))
    user_logged_out.connect(close_frames_of_session, dispatch_uid="archive.frames_of_session")
