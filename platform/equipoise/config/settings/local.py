"""A developer's machine: Django's own error pages, loopback only."""

from equipoise.config.settings.base import *  # noqa: F403 - a settings module is its base plus the differences

DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
