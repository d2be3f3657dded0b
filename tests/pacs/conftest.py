"""One Orthanc for all tests of this folder, empty for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pacs.orthanc import PASSWORD, USER, Orthanc


@pytest.fixture(scope="session")
def running_orthanc(tmp_path_factory) -> Iterator[Orthanc]:
    server = Orthanc(tmp_path_factory.mktemp("orthanc"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture
def orthanc(running_orthanc: Orthanc, settings) -> Orthanc:
    """An empty Orthanc that the site names ``hospital``."""
    running_orthanc.empty()
    settings.PACS = {"hospital": running_orthanc.dicomweb_url}
    settings.PACS_CREDENTIALS = {"hospital": (USER, PASSWORD)}
    return running_orthanc


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, settings) -> None:
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"
