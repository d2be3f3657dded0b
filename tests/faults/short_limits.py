"""The site with shorter limits on the database, so that tests need not wait for the real ones."""

from equipoise.config.postgresql import base

base.WEB_STATEMENT_S, base.WEB_ANSWER_S, base.USABLE_S = 2, 3.0, 1.0
base._CLIENT["connect_timeout"] = 2

from equipoise.config.wsgi import application  # noqa: E402, F401 - gunicorn takes it from here
