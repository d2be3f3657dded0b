"""`equipoise demo`: a demonstration site on phantom patients, ready to read in and to look at."""

import sys
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def demo(
    serve: Annotated[bool, typer.Option(help="Start the site when it is built.")] = True,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Build the demonstration (once), print its address and accounts, and serve it."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()
    from django.conf import settings

    from equipoise.cli.problems import BadInputError
    from trials.rehearsal.demo import address_lines, demo_build

    def say(text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}" if sys.stderr.isatty() else f"{text}\n")
        sys.stderr.flush()

    try:
        accounts = demo_build(say=say)
    except FileExistsError as error:
        raise BadInputError(str(error)) from error
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    for line in address_lines(accounts, f"http://{host}:{port}"):
        typer.echo(line)
    if not serve:
        return
    from equipoise.config import supervisor

    supervisor.Supervisor(
        [
            supervisor.web_child(host=host, port=port, threads=settings.THREADS, workers=1),
            supervisor.worker_child(),
        ]
    ).run()
