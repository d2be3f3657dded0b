"""Pages, API and static files, for gunicorn's threads (``gunicorn equipoise.config.wsgi -k gthread``)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "equipoise.config.settings.production")

application = get_wsgi_application()

from equipoise.config.checks import require_valid_environment  # noqa: E402 - the settings must be loaded first
from equipoise.config.postgresql.base import limit_web_process  # noqa: E402 - as above

require_valid_environment()
limit_web_process()
