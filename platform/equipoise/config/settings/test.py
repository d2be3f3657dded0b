"""The test suite: an own SQLite file, or PostgreSQL through ``EQUIPOISE_DATABASE_URL``; nothing under ``./var``."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "EQUIPOISE_DATA_DIR" not in os.environ:
    # Also read by the workers and servers that tests start, which therefore see the same folder.
    os.environ["EQUIPOISE_DATA_DIR"] = str(Path(tempfile.gettempdir()) / f"equipoise-test-{os.getpid()}")
    atexit.register(shutil.rmtree, os.environ["EQUIPOISE_DATA_DIR"], ignore_errors=True)
if not os.environ["EQUIPOISE_DATA_DIR"].endswith(os.environ.get("PYTEST_XDIST_WORKER", "")):
    # Tests that run side by side have a folder each, and so have the servers they start.
    os.environ["EQUIPOISE_DATA_DIR"] += "-" + os.environ["PYTEST_XDIST_WORKER"]
    atexit.register(shutil.rmtree, os.environ["EQUIPOISE_DATA_DIR"], ignore_errors=True)

from equipoise.config.settings.base import *  # noqa: F403 - the folder above must be known first
from equipoise.config.settings.base import DATA_DIR, DATABASES, ENVIRONMENT

SECRET_KEY = "a key for tests, of no use to anybody else"  # noqa: S105 - not a secret
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if ENVIRONMENT["DATABASE_URL"] is None:
    # A file, not memory: threads, workers and servers of a test share it.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR.with_name(f"{DATA_DIR.name}.sqlite3"))}
DATABASES["default"]["CONN_MAX_AGE"] = 0
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
SECURE_SSL_REDIRECT = False
SIGN_IN_ATTEMPTS = 3
JOB_LEASE_S = 3.0
JOB_TICK_S = 0.5
JOB_TERMINATE_AFTER_S = 2.0
