"""The environment: defaults, secrets from files, every bad value named at once."""

import stat
from pathlib import Path

import pytest

from equipoise.config import env
from equipoise.config.settings.integrations import cache_settings, email_settings


def test_unset_means_embedded():
    environment = env.read_environment({})
    assert environment.problems == ()
    assert environment["DATA_DIR"] == Path.cwd() / "var"
    assert environment["DATABASE_URL"] is None
    assert environment["BROKER_URL"] == "filesystem://"
    assert environment["PUBLIC_URL"] == "http://localhost:8000"
    assert environment["QUEUES"] == ("default", "ingest", "analysis", "inference")


def test_every_bad_value_is_named_at_once_and_its_default_stands_in():
    environment = env.read_environment(
        {
            "EQUIPOISE_DATABASE_URL": "mysql://x/y",
            "EQUIPOISE_BROKER_URL": "kafka://x",
            "EQUIPOISE_THREADS": "many",
            "EQUIPOISE_PUBLIC_URL": "http://hospital.example",
            "EQUIPOISE_ROLE": "boss",
            "EQUIPOISE_SECRET_KEY": "short",
            "EQUIPOISE_TYPO": "1",
        }
    )
    assert environment.problems == (
        "EQUIPOISE_SECRET_KEY must have at least 32 characters, it has 5.",
        "EQUIPOISE_DATABASE_URL must start with postgresql:// or sqlite:///, not mysql:.",
        "EQUIPOISE_BROKER_URL must be an address starting with one of filesystem:, redis:, rediss:, amqp:, amqps:.",
        (
            "EQUIPOISE_PUBLIC_URL must be https outside localhost (cookies and passkeys need it), "
            "not 'http://hospital.example'."
        ),
        "EQUIPOISE_ROLE must be one of all, web, worker, frames, not 'boss'.",
        "EQUIPOISE_THREADS must be a whole number from 1 to 256, not 'many'.",
        "EQUIPOISE_TYPO is not a variable of Equipoise; see the manual's table.",
    )
    assert environment["THREADS"] == 8


def test_value_may_come_from_a_file(tmp_path):
    secret = tmp_path / "key"
    secret.write_text("s" * 40 + "\n")
    environment = env.read_environment({"EQUIPOISE_SECRET_KEY_FILE": str(secret)})
    assert (environment["SECRET_KEY"], environment.problems) == ("s" * 40, ())


def test_absent_file_and_both_forms_are_problems(tmp_path):
    environment = env.read_environment(
        {
            "EQUIPOISE_SECRET_KEY_FILE": str(tmp_path / "absent"),
            "EQUIPOISE_ROLE": "web",
            "EQUIPOISE_ROLE_FILE": str(tmp_path / "absent"),
        }
    )
    assert len(environment.problems) == 2
    assert environment.problems[0].endswith("which cannot be read (FileNotFoundError).")
    assert environment.problems[1] == "EQUIPOISE_ROLE and EQUIPOISE_ROLE_FILE are both set; set one."


def test_check_lists_every_problem(settings):
    from equipoise.config.checks import environment_check, require_valid_environment

    assert environment_check() == []
    settings.ENVIRONMENT_PROBLEMS = ("One is bad.", "Two is bad.")
    assert [error.msg for error in environment_check()] == ["One is bad.", "Two is bad."]
    with pytest.raises(SystemExit, match="One is bad"):
        require_valid_environment()


def test_sqlite_has_the_settings_without_which_writers_fail():
    settings = env.sqlite_settings(Path("/data/db.sqlite3"))
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert settings["OPTIONS"]["timeout"] == 20
    assert settings["OPTIONS"]["init_command"].split("; ") == [
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA recursive_triggers=ON;",
    ]
    assert settings["ATOMIC_REQUESTS"] is False


def test_database_addresses():
    settings = env.database_settings("postgresql://me:p%40ss@db.example:5433/trials?sslmode=require")
    assert {k: settings[k] for k in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")} == {
        "NAME": "trials",
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": 3, "sslmode": "require"},
    }
    assert settings["ENGINE"] == "equipoise.config.postgresql"
    assert env.database_settings("sqlite:////data/x.sqlite3")["NAME"] == "/data/x.sqlite3"
    assert env.database_settings("sqlite:///x.sqlite3")["NAME"] == "x.sqlite3"
    with pytest.raises(ValueError, match="must name a database"):
        env.database_settings("postgresql://host")


def test_embedded_key_is_made_once_and_is_its_owners_alone(tmp_path):
    first = env.embedded_secret_key(tmp_path / "var")
    assert env.embedded_secret_key(tmp_path / "var") == first
    assert len(first) >= 64
    path = tmp_path / "var" / "secret-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["secret-key"]


def test_mail_and_cache_addresses(tmp_path):
    mail = email_settings("smtp+tls://me:secret@mail.example:2525", tmp_path, "https://trials.example")
    assert (mail["EMAIL_HOST"], mail["EMAIL_PORT"], mail["EMAIL_USE_TLS"]) == ("mail.example", 2525, True)
    assert (mail["EMAIL_HOST_USER"], mail["EMAIL_HOST_PASSWORD"]) == ("me", "secret")
    assert mail["DEFAULT_FROM_EMAIL"] == "equipoise@trials.example"
    printed = email_settings("console://?from=trials@hospital.example", tmp_path, "https://trials.example")
    assert printed["EMAIL_BACKEND"].endswith("console.EmailBackend")
    assert printed["DEFAULT_FROM_EMAIL"] == "trials@hospital.example"
    assert cache_settings("redis://localhost/1")["LOCATION"] == "redis://localhost/1"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "smtp://mail.example?from=a@example.org&from=b@example.org",
            "must name one sender: it has more than one from=.",
        ),
        ("smtp://mail.example:smtp", "must name a port up to 65535, or none."),
    ],
)
def test_mail_address_that_cannot_be_used_is_a_sentence_and_no_crash(url, words):
    environment = env.read_environment({"EQUIPOISE_EMAIL_URL": url})
    assert environment.problems == (f"EQUIPOISE_EMAIL_URL {words}",)
    assert environment["EMAIL_URL"] == "console://"


def test_proxies_are_addresses_or_networks():
    environment = env.read_environment({"EQUIPOISE_TRUSTED_PROXIES": "10.0.0.5, 172.20.0.0/16"})
    assert [str(one) for one in environment["TRUSTED_PROXIES"]] == ["10.0.0.5/32", "172.20.0.0/16"]
    problems = env.read_environment({"EQUIPOISE_TRUSTED_PROXIES": "nginx"}).problems
    assert problems == (
        "EQUIPOISE_TRUSTED_PROXIES must be addresses or networks such as 10.0.0.5 or 172.20.0.0/16; 'nginx' is none.",
    )


def test_archives_are_named_with_their_addresses_and_passwords():
    environment = env.read_environment(
        {
            "EQUIPOISE_PACS": "hospital=https://pacs.example.org/dicom-web/ lab=http://localhost:8042/dicom-web",
            "EQUIPOISE_PACS_CREDENTIALS": "hospital=eq%40uipoise:pass%20word lab=:a-token",
        }
    )
    assert environment.problems == ()
    assert environment["PACS"] == {
        "hospital": "https://pacs.example.org/dicom-web",
        "lab": "http://localhost:8042/dicom-web",
    }
    assert environment["PACS_CREDENTIALS"] == {
        "hospital": ("eq@uipoise", "pass word"),
        "lab": ("", "a-token"),
    }


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PACS": "https://pacs.example.org"}, "must be name=value pairs"),
        ({"PACS": "a=ftp://pacs.example.org"}, "must give a as http(s)://host[:port]/path"),
        ({"PACS": "a=file:///etc/passwd"}, "must give a as http(s)://host[:port]/path"),
        ({"PACS": "a=https://user:secret@pacs.example.org"}, "must not hold a password"),
        ({"PACS": "a=https://one.example a=https://two.example"}, "number 2 is not one"),
        ({"PACS": "a=https://x.example", "PACS_CREDENTIALS": "a=token"}, "as user:password, or as :token"),
        ({"PACS_CREDENTIALS": "a=user:secret"}, "names 'a', which EQUIPOISE_PACS does not"),
        ({"PACS": "a=http://x.example", "PACS_CREDENTIALS": "a=user:secret"}, "would travel in the open"),
    ],
)
def test_archive_that_cannot_be_used_is_named_without_its_secret(variables, words):
    problems = env.read_environment({f"EQUIPOISE_{k}": v for k, v in variables.items()}).problems
    assert len(problems) >= 1
    assert words in problems[0]
    assert "secret" not in " ".join(problems)
