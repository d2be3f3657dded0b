"""What every test may use: where the reference material lies, and that it must be there when CI says so."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Return the folder of reference fixtures and real patients, or skip: it is not part of the project."""
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI is set, but the reference material is not at {SHARED.name}/ beside the project.")
        pytest.skip("The reference material is not beside the project.")
    return SHARED


@pytest.fixture(scope="session")
def fixtures_folder(shared_folder: Path) -> Path:
    """Return the folder of reference results (R and other trusted tools)."""
    return shared_folder / "fixtures"


@pytest.fixture(scope="session")
def patients_folder(shared_folder: Path) -> Path:
    """Return the folder of the two real patients."""
    return shared_folder / "data"


@pytest.fixture
def flushing_db(transactional_db: None) -> Iterator[None]:
    """Give a database that is really written to (threads, workers, servers see it) and flushed at the end.

    Guarded rows cannot be deleted, not even by the flush: the guards are lifted for it, and stand again after it
    (the flush ends with ``post_migrate``).
    """
    from equipoise.audit.guards import guards_remove

    yield
    guards_remove()
