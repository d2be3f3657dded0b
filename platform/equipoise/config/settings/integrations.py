"""Addresses of outside services, turned into Django's settings for them."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def cache_settings(url: str) -> dict[str, Any]:
    """Return the cache that ``memory://`` or ``redis://`` names."""
    if url.startswith("memory:"):
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}


def email_settings(url: str, data_dir: Path, public_url: str) -> dict[str, Any]:
    """Return the mail settings that an address such as ``smtp+tls://user:password@host:587?from=a@host`` names.

    Without ``from`` the sender is ``equipoise`` at the site's own host.
    """
    parts = urlsplit(url)
    [sender] = parse_qs(parts.query).get("from", [f"equipoise@{urlsplit(public_url).hostname}"])
    from_us = {"DEFAULT_FROM_EMAIL": sender, "SERVER_EMAIL": sender}
    if parts.scheme == "console":
        return from_us | {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme == "file":
        return from_us | {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": parts.path or str(data_dir / "mail"),
        }
    return from_us | {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": 20,
    }
