"""`equipoise worker`: do queued jobs."""

from typing import Annotated

import typer

from equipoise.cli.problems import BadInputError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def worker(
    concurrency: Annotated[int, typer.Option(min=1, help="Items done at the same time.")] = 1,
    queues: Annotated[str, typer.Option(help="Queues, comma-separated; default: EQUIPOISE_QUEUES.")] = "",
) -> None:
    """Do queued jobs until told to stop (SIGTERM lets the items under way finish)."""
    from equipoise.config.start import django_start

    django_start()

    import os

    from django.conf import settings

    from equipoise.config.celery import app as celery_app
    from equipoise.config.postgresql.base import limit_worker_process
    from equipoise.jobs import worker as _worker  # noqa: F401 - importing starts the tick loop with the worker

    listened = queues or ",".join(settings.JOB_QUEUES)
    if concurrency > 1 and any(name.startswith("inference") for name in listened.split(",")):
        raise BadInputError(
            "The queue inference does one item at a time: a model and a volume fill the memory that is there. Start "
            "a worker of its own for it (--queues inference) and leave it out here (--queues default,ingest,analysis)."
        )
    # On the file system a name that changes with every start would leave a mailbox behind each time.
    name = "equipoise" if settings.BROKER_URL.startswith("filesystem:") else f"equipoise-{os.getpid()}"
    limit_worker_process()
    celery_app.worker_main(
        [
            "worker",
            "--pool=prefork",
            f"--concurrency={concurrency}",
            f"--queues={listened}",
            f"--hostname={name}@%h",
            f"--loglevel={settings.ENVIRONMENT['LOG_LEVEL']}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )
