"""Settings of every installation; what differs between them comes from ``equipoise.config.env`` alone."""

import importlib.util
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from equipoise.common.network import IpNetwork
from equipoise.config import env, logs
from equipoise.config.settings.integrations import cache_settings, email_settings

ENVIRONMENT = env.read_environment()
ENVIRONMENT_PROBLEMS = ENVIRONMENT.problems

DATA_DIR: Path = ENVIRONMENT["DATA_DIR"]
PUBLIC_URL: str = ENVIRONMENT["PUBLIC_URL"]
_PUBLIC = urlsplit(PUBLIC_URL)
IS_LOCAL = _PUBLIC.hostname in env.LOCAL_HOSTS

DEBUG = False
SECRET_KEY: str = ENVIRONMENT["SECRET_KEY"] or env.embedded_secret_key(DATA_DIR)
ALLOWED_HOSTS: list[str] = [_PUBLIC.hostname or "localhost", *ENVIRONMENT["ALLOWED_HOSTS"]]
if IS_LOCAL:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "equipoise.config.apps.ConfigConfig",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "equipoise.api.apps.ApiConfig",
    "equipoise.jobs.apps.JobsConfig",
    "equipoise.audit.apps.AuditConfig",
    "equipoise.accounts.apps.AccountsConfig",
    "equipoise.archive.apps.ArchiveConfig",
    "trials.apps.TrialsConfig",
]

MIDDLEWARE = [
    "equipoise.config.middleware.RequestIdMiddleware",
    "equipoise.api.addresses.RequestAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "equipoise.config.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "equipoise.accounts.middleware.SessionExpiryMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "equipoise.config.urls"
WSGI_APPLICATION = "equipoise.config.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
APPEND_SLASH = False

# --- data -------------------------------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": ENVIRONMENT["DATABASE_URL"] or env.sqlite_settings(DATA_DIR / "db.sqlite3")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": cache_settings(ENVIRONMENT["CACHE_URL"])}
STORAGE_URL: str = ENVIRONMENT["STORAGE_URL"] or f"file:{DATA_DIR / 'store'}"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
"""A contouring draft may have 16 MiB; files come in pieces."""
DATA_UPLOAD_MAX_NUMBER_FILES = 500
"""As many as the interface of uploads takes in one request; a CT series alone has more than Django's 100."""

# --- accounts and sessions --------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.Account"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_ENGINE = "equipoise.accounts.session_store"
SESSION_COOKIE_NAME = "equipoise_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not IS_LOCAL
SESSION_COOKIE_AGE: int = ENVIRONMENT["SESSION_HOURS"] * 60 * 60
"""From signing in, however much a session is used."""
SESSION_IDLE_SECONDS: int = ENVIRONMENT["SESSION_IDLE_MINUTES"] * 60
"""Without a request."""
CSRF_COOKIE_NAME = "equipoise_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = not IS_LOCAL
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
CSRF_FAILURE_VIEW = "equipoise.api.errors.csrf_failure"
CONFIRMATION_SECONDS: int = ENVIRONMENT["CONFIRM_MINUTES"] * 60
"""How long having signed in, or a repeated password, counts as fresh for acts that ask for it."""
SECOND_FACTOR_ROLES: tuple[str, ...] = ENVIRONMENT["SECOND_FACTOR_ROLES"]
OIDC_ISSUER: str = ENVIRONMENT["OIDC_ISSUER"]
OIDC_CLIENT_ID: str = ENVIRONMENT["OIDC_CLIENT_ID"]
OIDC_CLIENT_SECRET: str = ENVIRONMENT["OIDC_CLIENT_SECRET"]
OIDC_NAME: str = ENVIRONMENT["OIDC_NAME"]
SIGN_IN_ATTEMPTS = 5
SIGN_IN_LOCK_SECONDS = 300
"""After so many wrong passwords, an e-mail address (and, tenfold, a network address) waits so long."""

# --- transport security -----------------------------------------------------------------------------------------
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _PUBLIC.scheme == "https" else None
SECURE_SSL_REDIRECT = not IS_LOCAL
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 0 if IS_LOCAL else 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = not IS_LOCAL
SECURE_HSTS_PRELOAD = False
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W021"]
"""Preload lists are the domain owner's decision, not ours."""


# --- pages and static files -------------------------------------------------------------------------------------
def _frontend_dist() -> Path:
    """Return the built frontend: beside the source in a checkout, in the package of a wheel."""
    spec = importlib.util.find_spec("equipoise")
    package = Path(next(iter(spec.submodule_search_locations or ["."]))) if spec else Path()
    packaged = package / "frontend"
    return packaged if packaged.is_dir() else package.parents[1] / "frontend" / "dist"


FRONTEND_DIST = _frontend_dist()
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ROOT = str(FRONTEND_DIST) if FRONTEND_DIST.is_dir() else None
WHITENOISE_INDEX_FILE = False
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/assets/.+-[A-Za-z0-9_-]{8}\.[a-z0-9]+$"
"""The build names its files by content, so browsers may keep them for ever."""
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- API --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "equipoise.accounts.authentication.SessionAuthentication",
        "equipoise.accounts.authentication.ServiceTokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["equipoise.api.permissions.DenyAll"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "equipoise.api.pagination.CursorPagination",
    "DEFAULT_SCHEMA_CLASS": "equipoise.api.schema.Schema",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "equipoise.api.negotiation.JsonNegotiation",
    "EXCEPTION_HANDLER": "equipoise.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "COERCE_DECIMAL_TO_STRING": True,
    "DATETIME_FORMAT": "iso-8601",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Equipoise",
    "DESCRIPTION": "Blinded reader studies and in-silico trials of medical-imaging AI.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "equipoise.api.schema_lists.whole_lists_describe",
    ],
    "SERVE_PERMISSIONS": [],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": True,
    "ENUM_NAME_OVERRIDES": {
        "SecondFactorEnum": "equipoise.accounts.api.serializers.FACTORS",
        "TrialStateEnum": "trials.api.serializers.trial.STATES",
        "JobStateEnum": "equipoise.jobs.models.JobState",
        "IngestStateEnum": "equipoise.archive.models.IngestState",
        "AnalysisStateEnum": "trials.models.analysis.AnalysisState",
        "InvitationStateEnum": "trials.api.serializers.trial.INVITATION_STATES",
        "CodeEnum": "trials.api.serializers.results.ERROR_CODES",
        "FailureCodeEnum": "trials.api.serializers.results.FAILURE_CODES",
        "ResultOutcomeEnum": "trials.api.serializers.results.OUTCOMES",
        "MarkRuleEnum": "trials.api.serializers.analysis.RULES",
        "JobItemStateEnum": "equipoise.jobs.models.JobItemState",
        "QuestionKindEnum": "trials.reading_tasks.rating_form.setup.QUESTION_KINDS",
        "RehearsalKindEnum": "trials.api.serializers.rehearsals.KINDS",
        "RehearsalStateEnum": "trials.models.rehearsal.RehearsalState",
        "EventKindEnum": "trials.api.serializers.notifications.EVENT_KINDS",
        "ReviewKindEnum": "trials.api.serializers.review.KINDS",
        "ReviewStateEnum": "trials.api.serializers.review.STATES",
        "ChangeKindEnum": "trials.api.serializers.protocol.CHANGE_KINDS",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "AUTHENTICATION_WHITELIST": [
        "equipoise.accounts.authentication.SessionAuthentication",
        "equipoise.accounts.authentication.ServiceTokenAuthentication",
    ],
}

# --- jobs -------------------------------------------------------------------------------------------------------
BROKER_URL: str = ENVIRONMENT["BROKER_URL"]
BROKER_DIR = DATA_DIR / "broker"
JOB_QUEUES: tuple[str, ...] = ENVIRONMENT["QUEUES"]
JOB_QUEUE_INSTEAD = {"inference": ENVIRONMENT["INFERENCE_QUEUE"]}
"""Queues of handlers that this site has under another name."""
JOB_LEASE_S = 60.0
"""A worker renews its lease on an item three times within this; afterwards anyone may claim the item."""
JOB_TICK_S = 15.0
JOB_TERMINATE_AFTER_S = 30.0
"""How long a cancelled item may take to notice before its process is ended."""
JOB_STALLED_AFTER_S = 90.0

# --- archives to fetch from -------------------------------------------------------------------------------------
PACS: dict[str, str] = ENVIRONMENT["PACS"]
PACS_CREDENTIALS: dict[str, tuple[str, str]] = ENVIRONMENT["PACS_CREDENTIALS"]

BACKUP_KEY: str | None = ENVIRONMENT["BACKUP_KEY"]
"""Backups are encrypted under it; None is not at all."""

RETENTION_DAYS: dict[str, int] = ENVIRONMENT["RETENTION"]
"""After how many days ``equipoise.audit.retention`` removes what; 0 is never."""

TRUSTED_PROXIES: tuple[IpNetwork, ...] = ENVIRONMENT["TRUSTED_PROXIES"]
"""Whose ``X-Forwarded-For`` says who asks."""

OUTBOUND_HOSTS: tuple[str, ...] = ENVIRONMENT["OUTBOUND_HOSTS"]
"""What ``equipoise.common.outbound`` lets pass though it is not public."""

# --- mail, logs -------------------------------------------------------------------------------------------------
locals().update(email_settings(ENVIRONMENT["EMAIL_URL"], DATA_DIR, ENVIRONMENT["PUBLIC_URL"]))
LOGGING = logs.logging_settings(ENVIRONMENT["LOG_LEVEL"])
METRICS_TOKEN: str | None = ENVIRONMENT["METRICS_TOKEN"]
SENTRY_DSN: str | None = ENVIRONMENT["SENTRY_DSN"]
THREADS: int = ENVIRONMENT["THREADS"]
os.environ.setdefault("OMP_NUM_THREADS", str(min(THREADS, os.cpu_count() or 1)))
