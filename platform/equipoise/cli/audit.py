"""`equipoise audit`: verify and export the audit trail."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Chain = Annotated[str, typer.Option("--chain", help="One chain: a trial's id, or `site`; default: all.")]


@app.callback()
def audit() -> None:
    """Verify and export the audit trail."""


@app.command("verify")
def verify(chain: Chain = "") -> None:
    """Recompute every hash from the first entry on; exit 1 if anything was altered, cut or added."""
    from equipoise.config.start import django_start

    django_start()
    from equipoise.audit.guards import guards_differences
    from equipoise.audit.selectors import chain_names, chain_verify

    problems = guards_differences()
    for name in [chain] if chain else chain_names():
        report = chain_verify(name)
        problems += report.problems
        verdict = "intact" if report.is_intact else f"{len(report.problems)} problems"
        typer.echo(f"{name}: {report.entries} entries, {verdict}, head {report.head_hash}")
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(code=1)


@app.command("export")
def export(
    output: Annotated[Path, typer.Argument(help="File to write: one JSON object per line.")],
    chain: Chain = "",
) -> None:
    """Write entries as JSON lines, with the hashes by which anyone can check them."""
    from equipoise.config.start import django_start

    django_start()
    import json

    from equipoise.audit.selectors import chain_export, chain_names

    count = 0
    with output.open("w", encoding="utf-8") as stream:
        for name in [chain] if chain else chain_names():
            for entry in chain_export(name):
                stream.write(json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n")
                count += 1
    typer.echo(f"{count} entries were written to {output}.")
