"""What `equipoise serve`, gunicorn, uvicorn and the worker run with; everything else comes from the environment."""

from equipoise.config.settings.base import *  # noqa: F403 - a settings module is its base plus the differences

DEBUG = False
WHITENOISE_AUTOREFRESH = False
