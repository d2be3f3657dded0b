"""A copy of a trial that nothing leaves: a database and a store of its own, thrown away when the rehearsal ends.

In the thread of a rehearsal the site's database connection is replaced by one to a new, empty database in a file, and
the store by one whose new files go elsewhere, so that every service runs as it always does and touches nothing of the
site: no reading, no allocation, no audit entry of a rehearsal ever stands among live ones, and no list, export or
count has to leave any out. Images and masks of the trial are read where they lie.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend
from django.utils import timezone

from equipoise.accounts.models import Account, Institute
from equipoise.archive.models import StoredMask, StoredVolume
from equipoise.archive.storage import (
    LocalPackStore,
    OverlayStore,
    default_store,
    incoming_folder,
    store_instead,
)
from equipoise.audit.kinds import Origin
from trials.domain.states import TrialState
from trials.models import (
    AlgorithmCaseUse,
    AlgorithmPipeline,
    AlgorithmVersion,
    Case,
    CaseImage,
    Contour,
    Item,
    ItemDraw,
    Participant,
    ParticipantKind,
    ProtocolVersion,
    ReferenceStandard,
    Trial,
)
from trials.selectors.protocol import protocol_current
from trials.services.acts import Actor

EMAIL = "rehearsal@invalid.example"
"""Of the one who does everything in a sandbox that a person would do."""
_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON; "
    "PRAGMA recursive_triggers=ON;",
}
"""As the site's own, but for the disk: what is lost with the process is not missed."""


class Sandbox:
    """The copy, and the way out of it for a moment."""

    def __init__(self, trial: Trial, administrator: Account, live: BaseDatabaseWrapper) -> None:
        self.trial = trial
        self.administrator = administrator
        self._live = live

    @property
    def actor(self) -> Actor:
        """Who acts in the copy."""
        return Actor(account_id=self.administrator.id, origin=Origin.WORKER)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Use the site's own database for a moment: to say how far the rehearsal is, and whether it shall go on."""
        inside = connections[DEFAULT_DB_ALIAS]
        connections[DEFAULT_DB_ALIAS] = self._live
        try:
            yield
        finally:
            connections[DEFAULT_DB_ALIAS] = inside


@contextmanager
def sandbox(trial: Trial) -> Iterator[Sandbox]:
    """Copy a trial's protocol and material as a draft into a database of its own; it is gone when the block is left."""
    rows = list(_rows(trial))
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-", dir=incoming_folder()))
    live, store = connections[DEFAULT_DB_ALIAS], default_store()
    inside: BaseDatabaseWrapper | None = None
    try:
        inside = _new_database(folder / "rehearsal.sqlite3")
        own = OverlayStore(LocalPackStore(folder / "store", folder / "part"), store, folder / "part")
        connections[DEFAULT_DB_ALIAS] = inside
        with store_instead(own):
            copy, administrator = _copy(trial, rows)
            yield Sandbox(copy, administrator, live)
    finally:
        connections[DEFAULT_DB_ALIAS] = live
        if inside is not None:
            inside.close()
        shutil.rmtree(folder, ignore_errors=True)


def _new_database(path: Path) -> BaseDatabaseWrapper:
    path.write_bytes(_empty_database())
    return _database_at(path)


def _database_at(path: Path) -> BaseDatabaseWrapper:
    configured = {
        **connections.settings[DEFAULT_DB_ALIAS],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": _SQLITE_OPTIONS,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,
        "ATOMIC_REQUESTS": False,
    }
    wrapper: BaseDatabaseWrapper = load_backend(configured["ENGINE"]).DatabaseWrapper(
        configured, DEFAULT_DB_ALIAS
    )
    return wrapper


@cache
def _empty_database() -> bytes:
    """Return a database with every table and guard and no row; made once per process, for it takes seconds."""
    live = connections[DEFAULT_DB_ALIAS]
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=incoming_folder()) as folder:
        path = Path(folder) / "empty.sqlite3"
        made = _database_at(path)
        connections[DEFAULT_DB_ALIAS] = made
        try:
            call_command("migrate", verbosity=0, interactive=False)
        finally:
            connections[DEFAULT_DB_ALIAS] = live
            made.close()
        return path.read_bytes()


def _rows(trial: Trial) -> Iterator[Sequence[models.Model]]:
    """Yield what the copy begins with, table after table, so that every row finds the rows it names.

    No result of an algorithm is among it, and no answer: what a rehearsal finds is read before data lock. Contours
    are, for items are drawn by them; ``contours_simulate`` takes their place before anything is read.
    """
    yield [Institute.objects.get(id=trial.institute_id)]
    volumes = StoredVolume.objects.filter(trial_id=trial.id)
    yield list(volumes)
    yield list(StoredMask.objects.filter(volume__in=volumes, contour__isnull=False))
    yield list(Case.objects.filter(trial=trial))
    yield list(CaseImage.objects.filter(case__trial=trial))
    yield list(ReferenceStandard.objects.filter(case__trial=trial))
    yield list(Contour.objects.filter(case__trial=trial))
    yield list(Item.objects.filter(trial=trial))
    yield list(ItemDraw.objects.filter(trial=trial))
    yield list(Participant.objects.filter(trial=trial, kind=ParticipantKind.ALGORITHM))
    yield list(AlgorithmVersion.objects.filter(trial=trial))
    yield list(AlgorithmPipeline.objects.filter(participant__trial=trial))
    yield list(AlgorithmCaseUse.objects.filter(participant__trial=trial))
    yield [protocol_current(trial)]


_AS_BEFORE_LOCK: dict[type[models.Model], dict[str, Any]] = {
    StoredVolume: {"run_id": None},
    Item: {"stratum": "", "first_frame": 0, "last_frame": 0, "outlines_a": b"", "outlines_b": b""},
    ProtocolVersion: {"version": 1, "sha256": "", "locked_at": None},
}
"""What protocol lock will write anew."""


def _copy(trial: Trial, tables: Sequence[Sequence[models.Model]]) -> tuple[Trial, Account]:
    [[institute], *rest] = tables
    institute.save(force_insert=True)
    administrator = Account(email=EMAIL, institute_id=institute.pk, is_site_administrator=True)
    administrator.set_unusable_password()
    administrator.save(force_insert=True)
    copy = Trial(
        id=trial.id,
        institute_id=trial.institute_id,
        slug=trial.slug,
        title=trial.title,
        state=TrialState.DRAFT,
        patient_key_secret=bytes(trial.patient_key_secret),
        created_by=administrator,
        created_at=timezone.now(),
    )
    copy.save(force_insert=True)
    for rows in rest:
        if not rows:
            continue
        changes = _AS_BEFORE_LOCK.get(type(rows[0]), {})
        for row in rows:
            for name, value in changes.items():
                setattr(row, name, value)
        type(rows[0])._default_manager.bulk_create(rows, batch_size=200)
    return Trial.objects.get(id=copy.id), administrator
