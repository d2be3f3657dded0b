"""The one place that reads ``EQUIPOISE_*`` variables. Unset means embedded: one machine, SQLite, files under ``./var``.

Every variable may also be given as ``EQUIPOISE_<NAME>_FILE``, the path of a file that holds the value (container
secrets). A bad value never stops the import of the settings; it is collected, the default stands in, and
``manage.py check`` lists every bad one at once. The servers and the worker refuse to start while there are any.
"""

import importlib.util
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from equipoise.common.network import IpNetwork
from equipoise.common.permissions import Role

PREFIX = "EQUIPOISE_"
ROLES = ("all", "web", "worker", "frames")
QUEUES = ("default", "ingest", "analysis", "inference")
INFERENCE_QUEUES = ("inference", "inference-gpu")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
STORAGE_SCHEMES = ("file", "s3")
BROKER_SCHEMES = ("filesystem", "redis", "rediss", "amqp", "amqps")
CACHE_SCHEMES = ("memory", "redis", "rediss")
EMAIL_SCHEMES = ("console", "file", "smtp", "smtp+tls", "smtps")
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "::1")
MIN_SECRET_LENGTH = 32


@dataclass(frozen=True)
class Variable:
    """One documented variable: the table in the manual is made from these."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any]


@dataclass(frozen=True)
class Environment:
    """What the environment says, parsed; ``problems`` holds one sentence per value that is not usable."""

    values: Mapping[str, Any]
    problems: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def _one_of(allowed: tuple[str, ...], *, upper: bool = False) -> Callable[[str], str]:
    def parse(text: str) -> str:
        value = text.strip().upper() if upper else text.strip()
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}, not {text!r}")
        return value

    return parse


def _url_of(schemes: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        scheme = text.split(":", 1)[0]
        if ":" not in text or scheme not in schemes:
            raise ValueError(f"must be an address starting with one of {', '.join(s + ':' for s in schemes)}")
        return text

    return parse


def _storage_url(text: str) -> str:
    _url_of(STORAGE_SCHEMES)(text)
    if text.startswith("s3:") and not urlsplit(text).netloc:
        raise ValueError(f"must name a bucket: s3://bucket/prefix?endpoint=https://host, not {text!r}")
    return text


def _email_url(text: str) -> str:
    _url_of(EMAIL_SCHEMES)(text)
    parts = urlsplit(text)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("must name a port up to 65535, or none") from None
    if len(parse_qs(parts.query).get("from", [])) > 1:
        raise ValueError("must name one sender: it has more than one from=")
    return text


def _optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _secret(text: str) -> str:
    if len(text) < MIN_SECRET_LENGTH:
        raise ValueError(f"must have at least {MIN_SECRET_LENGTH} characters, it has {len(text)}")
    return text


def _token(text: str) -> str:
    if len(text) < MIN_SECRET_LENGTH or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"must have at least {MIN_SECRET_LENGTH} printable ASCII characters and no space")
    return text


def _sentry_dsn(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.username or not parts.path.strip("/"):
        raise ValueError("must be https://key@host/project")
    if importlib.util.find_spec("sentry_sdk") is None:
        raise ValueError("needs sentry-sdk: install equipoise[sentry]")
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {text!r}")
        return int(text)

    return parse


def _networks(text: str) -> tuple[IpNetwork, ...]:
    networks = []
    for word in _words(text):
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError:
            raise ValueError(
                f"must be addresses or networks such as 10.0.0.5 or 172.20.0.0/16; {word!r} is none"
            ) from None
    return tuple(networks)


def _roles(text: str) -> tuple[str, ...]:
    known = [role.value for role in Role if role is not Role.ALGORITHM]
    roles = _words(text)
    if wrong := [role for role in roles if role not in known]:
        raise ValueError(f"must name roles out of {', '.join(known)}; {wrong[0]!r} is none")
    return roles


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    if not text:
        return text
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"must be the provider's issuer, https://host/path, not {text!r}")
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        raise ValueError("must be https outside localhost: who signs in is told by it")
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(f"must be http(s)://host[:port] without a path, not {text!r}")
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        raise ValueError(f"must be https outside localhost (cookies and passkeys need it), not {text!r}")
    return f"{parts.scheme}://{parts.netloc}"


_PACS_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def _named(text: str) -> dict[str, str]:
    """Read ``name=value`` pairs with white space between them."""
    named: dict[str, str] = {}
    for number, pair in enumerate(text.split(), start=1):
        name, separator, value = pair.partition("=")
        if not separator or not value or not _PACS_NAME.fullmatch(name) or name in named:
            raise ValueError(f"must be name=value pairs with spaces between them; number {number} is not one")
        named[name] = value
    return named


RETENTION_DAYS = {
    "addresses": 365,
    "drafts": 365,
    "ingest-logs": 365,
    "invitations": 90,
    "jobs": 365,
    "notifications": 30,
    "refusals": 90,
    "tokens": 365,
}
"""What is removed by itself, and after how many days; 0 is never."""
MAX_RETENTION_DAYS = 36_500


def retention_days(text: str) -> dict[str, int]:
    """Return the days by kind, those that the text leaves out as they are by default."""
    days = dict(RETENTION_DAYS)
    for name, value in _named(text).items():
        if name not in days:
            raise ValueError(f"must name kinds out of {', '.join(days)}; {name!r} is none")
        if not value.isdigit() or int(value) > MAX_RETENTION_DAYS:
            raise ValueError(f"must give {name} as whole days, or 0 for never")
        days[name] = int(value)
    return days


def pacs_addresses(text: str) -> dict[str, str]:
    """Return the DICOMweb addresses of the archives that cases may be fetched from, by name."""
    addresses = {}
    for name, url in _named(text).items():
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"must give {name} as http(s)://host[:port]/path")
        if parts.username or parts.password:
            raise ValueError(f"must not hold a password; give that of {name} as {PREFIX}PACS_CREDENTIALS")
        addresses[name] = url.rstrip("/")
    return addresses


def pacs_credentials(text: str) -> dict[str, tuple[str, str]]:
    """Return user and password by archive; without a user it is a bearer token."""
    credentials = {}
    for name, value in _named(text).items():
        user, separator, secret = value.partition(":")
        if not separator or not secret:
            raise ValueError(f"must give {name} as user:password, or as :token")
        credentials[name] = (unquote(user), unquote(secret))
    return credentials


def database_settings(url: str) -> dict[str, Any]:
    """Return Django's description of the database that a ``sqlite:`` or ``postgresql:`` address names."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        if not parts.path.strip("/"):
            raise ValueError("must be sqlite:///path/to/file")
        return sqlite_settings(Path(unquote(parts.path[1:])))
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError(f"must start with postgresql:// or sqlite:///, not {parts.scheme}:")
    if not parts.path.strip("/"):
        raise ValueError("must name a database: postgresql://user:password@host:port/name")
    return {
        "ENGINE": "equipoise.config.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        # A statement that a connection sends for the third time is planned once and for all: it halves the database's
        # processor time for a reading.
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": 3} | dict(parse_qsl(parts.query)),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }


def sqlite_settings(path: Path) -> dict[str, Any]:
    """Return the settings without which two writers fail at once, or a replaced row escapes its guard."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": 600,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                "PRAGMA foreign_keys=ON; PRAGMA recursive_triggers=ON;"
            ),
        },
    }


VARIABLES: tuple[Variable, ...] = (
    Variable("DATA_DIR", "./var", "folder of everything the site stores; must be a local disk", _path),
    Variable(
        "SECRET_KEY", "", "signing key; embedded: made once, mode 0600, in DATA_DIR", _optional(_secret)
    ),
    Variable(
        "BACKUP_KEY", "", "key under which backups are encrypted; kept apart from them", _optional(_secret)
    ),
    Variable(
        "DATABASE_URL", "", "postgresql://...; default: sqlite in DATA_DIR", _optional(database_settings)
    ),
    Variable(
        "BROKER_URL",
        "filesystem://",
        "amqp://, redis:// or filesystem:// (in DATA_DIR)",
        _url_of(BROKER_SCHEMES),
    ),
    Variable("CACHE_URL", "memory://", "redis://; default: in each process", _url_of(CACHE_SCHEMES)),
    Variable(
        "STORAGE_URL",
        "",
        "file:/path or s3://bucket/prefix?endpoint=https://host&region=name; default: DATA_DIR/store",
        _optional(_storage_url),
    ),
    Variable(
        "PUBLIC_URL",
        "http://localhost:8000",
        "the address people type; invitations, CSRF, passkeys",
        _public_url,
    ),
    Variable(
        "ALLOWED_HOSTS", "", "further host names, comma-separated; PUBLIC_URL's is always allowed", _words
    ),
    Variable(
        "EMAIL_URL",
        "console://",
        "smtp+tls://user:password@host:587?from=me@host; console://",
        _email_url,
    ),
    Variable(
        "PACS",
        "",
        "archives to fetch cases from: name=https://host/dicom-web, spaces between",
        pacs_addresses,
    ),
    Variable(
        "PACS_CREDENTIALS",
        "",
        "name=user:password or name=:token, percent-encoded, spaces between",
        pacs_credentials,
    ),
    Variable(
        "OUTBOUND_HOSTS",
        "",
        "hosts inside the site's own network that notifications may be sent to, comma-separated",
        _words,
    ),
    Variable(
        "TRUSTED_PROXIES",
        "",
        "addresses or networks of the site's own proxies, whose X-Forwarded-For is believed, comma-separated",
        _networks,
    ),
    Variable(
        "SECOND_FACTOR_ROLES",
        "",
        "roles that must sign in with a second factor, comma-separated: administrator, reader, ...",
        _roles,
    ),
    Variable(
        "RETENTION",
        "",
        "after how many days what is removed, spaces between, 0 for never: "
        + " ".join(f"{name}={days}" for name, days in RETENTION_DAYS.items()),
        retention_days,
    ),
    Variable("SESSION_HOURS", "12", "a session ends so long after signing in", _whole(1, 168)),
    Variable(
        "SESSION_IDLE_MINUTES", "120", "a session ends when nothing was asked for so long", _whole(5, 1440)
    ),
    Variable(
        "CONFIRM_MINUTES",
        "10",
        "so long after signing in, or after the password again, one may lock, unblind, sign and export",
        _whole(1, 60),
    ),
    Variable("OIDC_ISSUER", "", "single sign-on: the OpenID Connect provider's issuer, https://...", _issuer),
    Variable("OIDC_CLIENT_ID", "", "single sign-on: what the provider calls this site", str),
    Variable("OIDC_CLIENT_SECRET", "", "single sign-on: the secret, if the provider gave one", str),
    Variable("OIDC_NAME", "", "single sign-on: what the button says one signs in with", str),
    Variable("ROLE", "all", "what this process does: all, web, worker or frames", _one_of(ROLES)),
    Variable("QUEUES", ",".join(QUEUES), "queues the worker listens to, comma-separated", _words),
    Variable(
        "INFERENCE_QUEUE",
        "inference",
        "where runs of models are queued: inference, or inference-gpu if workers with a GPU listen there",
        _one_of(INFERENCE_QUEUES),
    ),
    Variable("THREADS", "8", "threads of a web process; threads a computation may use", _whole(1, 256)),
    Variable(
        "METRICS_TOKEN",
        "",
        "bearer token for /metrics; default: this machine only, and through no proxy",
        _optional(_token),
    ),
    Variable(
        "SENTRY_DSN",
        "",
        "https://key@host/project: where faults are reported, without values",
        _optional(_sentry_dsn),
    ),
    Variable("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", _one_of(LOG_LEVELS, upper=True)),
)


def _raw(environ: Mapping[str, str], name: str) -> tuple[str | None, str | None]:
    """Return the text of a variable (or None) and a problem (or None)."""
    direct, file_name = environ.get(PREFIX + name), environ.get(f"{PREFIX}{name}_FILE")
    if direct is not None and file_name is not None:
        return None, f"{PREFIX}{name} and {PREFIX}{name}_FILE are both set; set one."
    if file_name is None:
        return direct, None
    try:
        return Path(file_name).read_text(encoding="utf-8").strip(), None
    except (OSError, UnicodeDecodeError) as error:
        return (
            None,
            f"{PREFIX}{name}_FILE names {file_name!r}, which cannot be read ({type(error).__name__}).",
        )


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {PREFIX + v.name for v in VARIABLES} | {f"{PREFIX}{v.name}_FILE" for v in VARIABLES}
    known |= {f"{PREFIX}ACCOUNT"}  # read by the command line: who types
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def read_environment(environ: Mapping[str, str] | None = None) -> Environment:
    """Parse every variable; a value that is not usable becomes a sentence, and its default stands in."""
    source = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable in VARIABLES:
        text, problem = _raw(source, variable.name)
        values[variable.name] = variable.parse(variable.default)
        if problem:
            problems.append(problem)
        elif text:
            try:
                values[variable.name] = variable.parse(text)
            except ValueError as error:
                problems.append(f"{PREFIX}{variable.name} {error}.")
    problems += _pacs_problems(values)
    if values["OIDC_ISSUER"] and not values["OIDC_CLIENT_ID"]:
        problems.append(f"{PREFIX}OIDC_ISSUER needs {PREFIX}OIDC_CLIENT_ID.")
    problems += [
        f"{name} is not a variable of Equipoise; see the manual's table." for name in _unknown(source)
    ]
    return Environment(values=values, problems=tuple(problems))


def _pacs_problems(values: Mapping[str, Any]) -> list[str]:
    problems = []
    for name in values["PACS_CREDENTIALS"]:
        parts = urlsplit(values["PACS"].get(name, ""))
        if not parts.hostname:
            problems.append(f"{PREFIX}PACS_CREDENTIALS names {name!r}, which {PREFIX}PACS does not.")
        elif parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
            problems.append(
                f"{PREFIX}PACS must give {name!r} as https: its password would travel in the open."
            )
    return problems


def embedded_secret_key(data_dir: Path) -> str:
    """Return the embedded site's signing key, making it on first use (mode 0600)."""
    path = data_dir / "secret-key"
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        data_dir.mkdir(parents=True, exist_ok=True)
    part = data_dir / f".secret-key.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(secrets.token_urlsafe(64))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(part, path)  # atomic, and never over a key that another process has just made
    except FileExistsError:
        pass
    finally:
        part.unlink()
    return path.read_text(encoding="utf-8").strip()
