"""What every test may use: where the reference material lies, and that it must be there when CI says so."""

import os
import random
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(autouse=True)
def seeded_draws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let :mod:`secrets` draw from a stream of the test's own name, the same in every run.

    The platform draws its seeds, codes, names and tokens there. What simulated readers answer hangs on them through
    the allocation: a small trial would, once in a hundred runs, meet a degenerate table that nobody could bring back.
    ``EQUIPOISE_TEST_SEED`` gives other streams. Other processes (a server, a worker) are not touched.
    """
    stream = random.Random(f"{os.environ.get('EQUIPOISE_TEST_SEED', '0')}:{request.node.nodeid}")
    monkeypatch.setattr(secrets, "randbits", stream.getrandbits)
    monkeypatch.setattr(
        secrets, "token_bytes", lambda count=None: stream.randbytes(32 if count is None else count)
    )


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
