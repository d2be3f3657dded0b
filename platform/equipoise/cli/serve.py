"""`equipoise serve`: the whole site in one command, or the part that EQUIPOISE_ROLE names."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; a proxy stands before any other than loopback.")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of pages and API.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Web processes; more than one needs PostgreSQL.")] = 1,
    migrate: Annotated[bool, typer.Option(help="Bring the database to its newest form first.")] = True,
) -> None:
    """Migrate the database, then serve pages, API and frames and do jobs, restarting whatever dies."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    if migrate:
        database_prepare()

    from django.conf import settings

    from equipoise.config import supervisor

    role = settings.ENVIRONMENT["ROLE"]
    children = []
    if role in ("all", "web"):
        children.append(
            supervisor.web_child(
                host=host,
                port=port,
                threads=settings.THREADS,
                workers=workers,
                metrics_folder=settings.DATA_DIR / "metrics",
            )
        )
    if role in ("all", "worker"):
        children.append(supervisor.worker_child())
    if role == "frames":
        children.append(supervisor.frames_child(host=host, port=port))
    typer.echo(
        f"Equipoise serves {settings.PUBLIC_URL} (listening on {host}:{port}). Ctrl+C stops it.", err=True
    )
    supervisor.Supervisor(children).run()
