"""`equipoise restore`: a backup into an empty site."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `equipoise backup` wrote.", exists=True, dir_okay=False)],
) -> None:
    """Restore a backup into an empty site, verify rows, audit trail and files; exit 1 if anything is not as it was."""
    from equipoise.config.start import django_start

    django_start()
    from equipoise.archive.storage import StoreUnavailableError
    from equipoise.cli.problems import refuse
    from equipoise.cli.progress import progress_line
    from equipoise.config.backup.manifest import BackupRefusedError
    from equipoise.config.backup.restore import backup_restore

    with refuse(BackupRefusedError, StoreUnavailableError), progress_line() as show:
        restored = backup_restore(file, progress=show)
    manifest = restored.manifest
    typer.echo(
        f"The site of {manifest.created_at} is back: {manifest.rows} rows of {len(manifest.tables)} tables compared, "
        f"{restored.entries} audit entries recomputed, {restored.files_checked} files checked."
    )
    stopped = restored.stopped
    if stopped.webhooks or stopped.plans or stopped.jobs:
        typer.echo(
            f"Stopped, for this site may stand beside another: {stopped.webhooks} webhooks, {stopped.plans} plans of "
            f"reminders, {stopped.jobs} reminders that waited."
        )
    if not restored.same_key:
        typer.echo(
            "EQUIPOISE_SECRET_KEY is not that of the site that was backed up: the audit trail stays valid, but from "
            "here on names people by other pseudonyms.",
            err=True,
        )
    for problem in restored.problems:
        typer.echo(problem, err=True)
    if restored.problems:
        raise typer.Exit(code=1)
