"""Kills an ingest at each of its steps, and looks at what is left: run as a module by the test beside it.

A step is a statement to the database or a file touched below the data folder. For each, a forked process ingests the
folder and kills itself (SIGKILL) just before it.
"""

import itertools
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

FILE_EVENTS = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "shutil.copyfile"}
)
LATER = timedelta(hours=25)


class Steps:
    """Counts steps; kills the process before one of them."""

    def __init__(self, below: Path) -> None:
        self._below, self.done, self.fatal = str(below), 0, -1
        sys.addaudithook(self._file_event)

    def _file_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in FILE_EVENTS and str(arguments[0]).startswith(self._below):
            self.take()

    def statement(self, execute: Any, *arguments: Any) -> Any:
        """Count a statement to the database."""
        self.take()
        return execute(*arguments)

    def take(self) -> None:
        """Count a step."""
        if self.done == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1


def main(sent: Path, data: Path, every: int) -> None:
    """Kill at every so many steps; print what was seen."""
    os.environ["EQUIPOISE_DATA_DIR"] = str(data)
    os.environ["EQUIPOISE_LOG_LEVEL"] = "ERROR"
    os.environ["DJANGO_SETTINGS_MODULE"] = "equipoise.config.settings.production"
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()
    from django.db import connection

    steps = Steps(data)
    left, seen = 0, []
    for fatal in itertools.count(0, every):
        connection.close()
        child = os.fork()
        if child == 0:
            steps.done, steps.fatal = 0, fatal
            with connection.execute_wrapper(steps.statement):
                ingest(sent)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:  # it has no such step any more
            break
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            seen.append(f"step {fatal}: ended with {status}")
        files, complaints = look(sent)
        left += files
        seen += [f"step {fatal}: {words}" for words in complaints]
        tidy()
    print(json.dumps({"steps": fatal, "files_left": left, "complaints": seen}))  # noqa: T201


def ingest(sent: Path) -> Any:
    """Bring the folder in."""
    import uuid

    from equipoise.archive.deidentification import DeidentificationPolicy
    from equipoise.archive.ingest import ingest_folder
    from equipoise.archive.roi_rules import RoiRule

    return ingest_folder(
        trial_id=uuid.UUID(int=7),
        institute_id=uuid.UUID(int=8),
        folder=sent,
        policy=DeidentificationPolicy(patient_secret=bytes(16)),
        roi_rules=(RoiRule(source="expert", pattern="GTV-1"),),
    )


def look(sent: Path) -> tuple[int, list[str]]:
    """Return how many files the killed process left, and whatever is wrong after it, the sweep and a second try."""
    from django.utils import timezone

    from equipoise.archive.models import IngestRun, IngestState, PendingKey, StoredMask, StoredVolume
    from equipoise.archive.new_files import new_files_sweep
    from equipoise.archive.storage import default_store, incoming_folder, incoming_sweep
    from equipoise.archive.verify import verify

    complaints, store = [], default_store()
    pending = set(PendingKey.objects.values_list("key", flat=True))
    report = verify()
    unknown = set(report.files_without_rows) - pending
    if report.rows_without_files or report.altered_files or unknown:
        complaints.append(f"before the sweep: {report}")
    if StoredVolume.objects.count() != StoredMask.objects.count():
        complaints.append("half a patient")
    if new_files_sweep(store) or not pending <= set(PendingKey.objects.values_list("key", flat=True)):
        complaints.append("swept what may still be at work")
    new_files_sweep(store, now=timezone.now() + LATER)
    incoming_sweep(now=timezone.now() + LATER)
    if not verify().sound or PendingKey.objects.exists() or list(incoming_folder().iterdir()):
        complaints.append(f"after the sweep: {verify()}, {list(incoming_folder().iterdir())}")
    if IngestRun.objects.filter(state=IngestState.RUNNING).exists():
        complaints.append("a run goes on for ever")
    again = ingest(sent)
    if again.problems or len(again.patients) != 1 or not verify().sound:
        complaints.append(f"the second try: {again.problems}")
    return len(set(report.files_without_rows)), complaints


def tidy() -> None:
    """Empty the archive."""
    from equipoise.archive.models import IngestRun, StoredVolume
    from equipoise.archive.services import volume_delete
    from equipoise.archive.storage import default_store

    for volume in StoredVolume.objects.all():
        volume_delete(volume)
    IngestRun.objects.all().delete()
    for key in list(default_store().keys()):
        default_store().delete(key)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
