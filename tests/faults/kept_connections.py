"""The settings of the tests with connections kept from request to request, as a site has them."""

from equipoise.config.settings.test import *  # noqa: F403 - a settings module is its base plus the differences
from equipoise.config.settings.test import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = 600
