"""One real server and one browser per test worker; every test's data by services, flushed after it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.e2e.world import LAUNCH_ARGUMENTS, WITHOUT_3D, Visit, shown_by, visiting
from tests.faults.real_server import RealServer

FAILED = pytest.StashKey[bool]()
VISITS = pytest.StashKey[list[Visit]]()


def browser_path() -> str | None:
    """Return the browser that `make test` found or installed, else the machine's own, else Playwright's."""
    return os.environ.get("TEST_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    # Playwright's own event loop waits in this thread while the test runs; Django takes that for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as running:
        yield running
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    running = playwright.chromium.launch(executable_path=browser_path(), args=[*LAUNCH_ARGUMENTS])
    yield running
    running.close()


@pytest.fixture
def browser_without_3d(playwright: Playwright) -> Iterator[Browser]:
    """A browser as on a machine without any 3D interface."""
    running = playwright.chromium.launch(executable_path=browser_path(), args=[*LAUNCH_ARGUMENTS, WITHOUT_3D])
    yield running
    running.close()


@pytest.fixture(scope="session")
def server(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealServer]:
    """The whole site over the test's database."""
    with django_db_blocker.unblock():
        running = RealServer(log=tmp_path_factory.mktemp("server") / "server.log")
    running.wait()
    yield running
    running.kill()


@pytest.fixture
def site(flushing_db: None, server: RealServer) -> RealServer:
    """The server, and a database that is empty again after the test."""
    if server.process is None or server.process.poll() is not None:
        server.start()
        server.wait()
    return server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Put what the pages show into the report of a test that failed."""
    report = yield
    if report.when == "call" and report.failed:
        item.stash[FAILED] = True
        for visit in item.stash.get(VISITS, []):
            report.sections.append(("pages", shown_by(visit)))
    return report


@pytest.fixture
def visit(
    request: pytest.FixtureRequest, browser: Browser, site: RealServer
) -> Iterator[Callable[..., Visit]]:
    """Open browser contexts; at the end nothing unexpected may have gone wrong in any of them."""
    visits: list[Visit] = []
    request.node.stash[VISITS] = visits
    with ExitStack() as open_visits:

        def open_one(*, in_browser: Browser | None = None, **options) -> Visit:
            visits.append(open_visits.enter_context(visiting(in_browser or browser, site.url, **options)))
            return visits[-1]

        yield open_one
        if not request.node.stash.get(FAILED, False):
            assert [fault for one in visits for fault in one.watch.unexpected()] == []
