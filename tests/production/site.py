"""A production site as plain processes: the commands of docker/compose.yaml, the nginx of docker/nginx, other ports."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.conftest import REPOSITORY
from tests.faults.real_server import free_port

DOCKER = REPOSITORY / "docker"
START_S = 90.0


class ProductionSite:
    """Web, frames, two workers and nginx on one database and one broker; everything ends with the block."""

    def __init__(self, *, database: str, owner: str, broker: str, folder: Path, data: Path, key: str) -> None:
        self.folder, self.owner = folder, owner
        self.web, self.frames, self.public, plain = (free_port() for _ in range(4))
        self.url = f"https://localhost:{self.public}"
        self.token = "a-token-of-the-monitoring-system-0123"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EQUIPOISE_")}
        secrets = {
            "DATABASE_URL": database,
            "BROKER_URL": broker,
            "SECRET_KEY": key,
            "METRICS_TOKEN": self.token,
        }
        self.environment = {
            **kept,
            "DJANGO_SETTINGS_MODULE": "equipoise.config.settings.production",
            "EQUIPOISE_DATA_DIR": str(data),
            "EQUIPOISE_PUBLIC_URL": self.url,
        }
        for name, value in secrets.items():
            file = folder / name.lower()
            file.write_text(value + "\n")
            self.environment[f"EQUIPOISE_{name}_FILE"] = str(file)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._plain = plain

    def __enter__(self) -> "ProductionSite":
        self.command("admin", "migrate", as_owner=True)
        self.start("web", "serve", "--no-migrate", "--port", self.web, "--workers", 2, role="web")
        self.start("frames", "serve", "--no-migrate", "--port", self.frames, role="frames")
        self.start("ingest", "worker", "--queues", "ingest,default", role="worker")
        self.start("analysis", "worker", "--queues", "analysis", role="worker")
        self.start_nginx()
        self.wait(lambda: self.probe(self.web) and self.probe(self.frames), "the start")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def command(self, *arguments: object, as_owner: bool = False) -> str:
        """Run one command of the site and return what it says."""
        environment = dict(self.environment)
        if as_owner:
            del environment["EQUIPOISE_DATABASE_URL_FILE"]
            environment["EQUIPOISE_DATABASE_URL"] = self.owner
        command = [sys.executable, "-m", "equipoise.cli.main", *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str, *arguments: object, role: str) -> None:
        """Start one process of the site in a group of its own."""
        with self.log(name).open("ab") as stream:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "equipoise.cli.main", *map(str, arguments)],
                env={**self.environment, "EQUIPOISE_ROLE": role},
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def start_nginx(self) -> None:
        """Start nginx with the configuration of the images, at other ports and with a certificate of its own."""
        program = shutil.which("nginx")
        if program is None:
            self.url = f"http://localhost:{self.web}"
            return
        config = nginx_config(
            self.folder, plain=self._plain, public=self.public, web=self.web, frames=self.frames
        )
        subprocess.run([program, "-t", "-c", config, "-p", self.folder], check=True, capture_output=True)
        with self.log("nginx").open("ab") as stream:
            self.processes["nginx"] = subprocess.Popen(
                [program, "-c", config, "-p", self.folder],
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.folder / f"{name}.log"

    def probe(self, port: int) -> bool:
        """Ask a server as its container's health check does."""
        done = subprocess.run(
            [sys.executable, "-m", "equipoise.config.probe", "/readyz", str(port)],
            env=self.environment,
            check=False,
        )
        return done.returncode == 0

    def wait(self, condition, what: str, seconds: float = START_S) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            told = "\n".join(f"{name}: {self.log(name).read_text()[-1500:]}" for name in self.processes)
            assert not ended, f"{ended} ended.\n{told}"
            assert time.monotonic() < deadline, f"{what} did not happen.\n{told}"
            time.sleep(0.2)

    def browser(self) -> httpx.Client:
        """Return a client that speaks to the public address, as a page of it does."""
        return httpx.Client(base_url=self.url, verify=False, timeout=60, headers={"Origin": self.url})


def nginx_config(folder: Path, *, plain: int, public: int, web: int, frames: int) -> str:
    """Write docker/nginx/equipoise.conf with other places than a container's; return the main file's path."""
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([*made.split(), *files], check=True, capture_output=True)
    text = (DOCKER / "nginx" / "equipoise.conf").read_text()
    places = {
        r"listen 8080": f"listen 127.0.0.1:{plain}",
        r"listen 8443": f"listen 127.0.0.1:{public}",
        r"server web:8000": f"server 127.0.0.1:{web}",
        r"server frames:8000": f"server 127.0.0.1:{frames}",
        r"/run/secrets/tls_certificate": str(folder / "certificate.pem"),
        r"/run/secrets/tls_key": str(folder / "key.pem"),
    }
    for old, new in places.items():
        text, count = re.subn(old, new, text)
        assert count == 1, old
    (folder / "site.conf").write_text(text)
    main = folder / "nginx.conf"
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # or its workers could not write where the test may
    main.write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-errors.log;"
        f"events {{ worker_connections 512; }} http {{ {temporary} include {folder}/site.conf; }}\n"
    )
    return str(main)
