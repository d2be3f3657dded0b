"""`equipoise backup`: the whole site in one file, while it is in use."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist.", dir_okay=False)],
) -> None:
    """Write the database, as it stands now, and every file that it names; exit 1 if files were missing or altered.

    The file holds everything of every trial, also what makes the allocation of an open one: keep it as the database is
    kept, or set EQUIPOISE_BACKUP_KEY, under which it is encrypted. The site's own secrets are not in it; keep them
    apart.
    """
    from equipoise.config.start import django_start

    django_start()
    from django.conf import settings

    from equipoise.archive.storage import StoreUnavailableError
    from equipoise.cli.problems import refuse
    from equipoise.cli.progress import progress_line
    from equipoise.config.backup.make import backup_make
    from equipoise.config.backup.manifest import KEPT_BY_THE_SITE, BackupRefusedError

    with refuse(BackupRefusedError, StoreUnavailableError), progress_line() as show:
        manifest = backup_make(file, progress=show)
    typer.echo(
        f"{file}: {manifest.rows} rows of {len(manifest.tables)} tables, {len(manifest.files)} files, "
        f"{len(manifest.weights)} weights; {file.stat().st_size} bytes{', encrypted' if settings.BACKUP_KEY else ''}."
    )
    typer.echo("Not in it, to be kept apart: " + "; ".join(KEPT_BY_THE_SITE) + ".")
    for words, keys in (("missing", manifest.missing), ("altered", manifest.altered)):
        for key in keys:
            typer.echo(f"{words}: {key}", err=True)
    if not manifest.sound:
        raise typer.Exit(code=1)
