"""Pages, API and static files, for gunicorn's threads (``gunicorn equipoise.config.wsgi -k gthread``)."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "equipoise.config.settings.production")

application = get_wsgi_application()

from equipoise.config.checks import require_valid_environment  # noqa: E402 - the settings must be loaded first
from equipoise.config.postgresql.base import limit_web_process  # noqa: E402 - as above
from equipoise.config.urls import urlpatterns  # noqa: E402, F401 - before the first request rather than with it

require_valid_environment()
limit_web_process()

gc.collect()
gc.freeze()
gc.set_threshold(700, 10, 1000)
"""What is loaded stays: a full collection would walk all of it, with every thread waiting. A fifth of a call's time."""
