"""`equipoise audit`: verify and export the audit trail."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Row = dict[str, Any]
Chain = Annotated[str, typer.Option("--chain", help="One chain: a trial's id, or `site`; default: all.")]


@app.callback()
def audit() -> None:
    """Verify and export the audit trail."""


@app.command("verify")
def verify(chain: Chain = "") -> None:
    """Recompute every hash from the first entry on, and what was signed; exit 1 if anything was changed."""
    from equipoise.config.start import django_start

    django_start()
    from equipoise.audit.guards import guards_differences
    from equipoise.audit.selectors import chain_names, chain_verify
    from trials.selectors.signatures import signature_problems, trials_signed

    problems = guards_differences()
    for name in [chain] if chain else chain_names():
        report = chain_verify(name)
        problems += report.problems
        verdict = "intact" if report.is_intact else f"{len(report.problems)} problems"
        typer.echo(f"{name}: {report.entries} entries, {verdict}, head {report.head_hash}")
    for trial in trials_signed(chain):
        found = signature_problems(trial)
        problems += found
        typer.echo(f"{trial.slug}: {trial.signatures.count()} signatures, {len(found)} problems")
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(code=1)


@app.command("export")
def export(
    output: Annotated[
        Path,
        typer.Argument(
            help="File to write: .csv, .json, or with any other name one JSON object per line with every hash."
        ),
    ],
    chain: Chain = "",
    what: Annotated[
        str, typer.Option("--what", help="Of .csv and .json: a kind, or the part before its colon.")
    ] = "",
    since: Annotated[datetime | None, typer.Option("--since", help="Of .csv and .json, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option("--until", help="Likewise; itself too late.")] = None,
) -> None:
    """Write entries to a file, with the hashes by which anyone can check them."""
    from equipoise.cli.problems import BadInputError
    from equipoise.config.start import django_start

    tidy = output.suffix in (".csv", ".json")
    if not tidy and (what or since or until):
        raise BadInputError("--what, --since and --until are for .csv and .json files.")
    django_start()
    import json

    from equipoise.audit.selectors import chain_export, chain_names

    chains = [chain] if chain else chain_names()
    count = 0

    def counted(rows: Iterable[Row]) -> Iterator[Row]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    with output.open("w", encoding="utf-8", newline="") as stream:
        if tidy:
            from trials.reports.audit_files import audit_csv, audit_json
            from trials.selectors.audit import AuditFilter, audit_rows

            asked = AuditFilter(what=what, since=_utc(since), until=_utc(until))
            rows = counted(row for name in chains for row in audit_rows(name, asked))
            stream.writelines(audit_csv(rows) if output.suffix == ".csv" else audit_json(rows))
        else:
            entries = counted(entry for name in chains for entry in chain_export(name))
            stream.writelines(
                json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n" for entry in entries
            )
    typer.echo(f"{count} entries were written to {output}.")


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None else None
