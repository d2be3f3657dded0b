"""The frame server alone: no middleware, no handler, one path and those of its health.

Run as ``uvicorn equipoise.config.asgi:application``.

Everything else is served by ``config/wsgi.py``: under ASGI every request would open a database connection.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "equipoise.config.settings.production")
django.setup()

from equipoise.archive.frame_server import frames_asgi_app  # noqa: E402 - Django must be set up first
from equipoise.config.checks import require_valid_environment  # noqa: E402 - as above
from equipoise.config.endpoints.frames_health import with_health  # noqa: E402 - as above
from equipoise.config.postgresql.base import limit_web_process  # noqa: E402 - as above

require_valid_environment()
limit_web_process()

application = with_health(frames_asgi_app)
