"""`equipoise ingest`: a folder of images, structure sets and masks into a trial's cases."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _rule(text: str, *, applies_to: str) -> dict[str, str]:
    from equipoise.cli.problems import BadInputError

    source, separator, pattern = text.partition("=")
    if not separator or not source.strip() or not pattern.strip():
        option = "--roi" if applies_to == "region" else "--mask"
        raise BadInputError(f"{option} {text!r}: write SOURCE=PATTERN, for example expert=GTV-1.")
    return {"source": source.strip(), "pattern": pattern.strip(), "applies_to": applies_to}


def _check(folder: Path, *, modality: list[str], kernel: list[str], min_slices: int | None) -> None:
    """Print what each file would become and how each series meets the limits; exit 1 if anything is amiss."""
    from equipoise.archive.check import folder_check
    from equipoise.archive.quality import QualityLimits, Range

    limits = QualityLimits(
        modalities=tuple(modality),
        kernels=tuple(kernel),
        slices=None if min_slices is None else Range(min_slices),
    )
    found = folder_check(folder, limits=limits)
    for file in found.reports:
        sentence = f": {file.sentence}" if file.sentence else ""
        typer.echo(f"{file.outcome:8} {file.path}{sentence}")
    for number, series in enumerate(found.series, start=1):
        typer.echo(f"series {number}: {series.summary}")
        for check in series.checks:
            typer.echo(f"  {check.outcome:10} {check.sentence}")
    objections = sum(len(series.objections) for series in found.series)
    typer.echo(f"{found.failures} files failed, {objections} checks did not pass. Nothing was stored.")
    if not found.accepted:
        raise typer.Exit(1)


@app.command()
def ingest(
    trial: Annotated[str, typer.Argument(help="The trial's short name.")],
    folder: Annotated[Path, typer.Argument(exists=True, help="A folder, or a zip or tar archive.")],
    account: Annotated[
        str, typer.Option("--as", envvar="EQUIPOISE_ACCOUNT", help="E-mail address of the account that acts.")
    ],
    roi: Annotated[
        list[str] | None,
        typer.Option(
            "--roi", help="SOURCE=PATTERN: whose contour a region of a structure set is. Repeat it."
        ),
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option("--mask", help="SOURCE=PATTERN: whose contour a mask file is, by its name. Repeat it."),
    ] = None,
    practice: Annotated[bool, typer.Option("--practice", help="The cases are for practice.")] = False,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Read and check the folder, store nothing; exit 1 if amiss.")
    ] = False,
    modality: Annotated[
        list[str] | None,
        typer.Option("--modality", help="With --check-only: an accepted modality. Repeat it."),
    ] = None,
    kernel: Annotated[
        list[str] | None,
        typer.Option("--kernel", help="With --check-only: an accepted kernel, * and ? allowed. Repeat it."),
    ] = None,
    min_slices: Annotated[
        int | None, typer.Option("--min-slices", min=1, help="With --check-only: fewest slices of a volume.")
    ] = None,
) -> None:
    """Bring images, structure sets and masks into a trial's cases, with a report per file."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()
    from equipoise.accounts.models import Account
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.models import CasePurpose
    from trials.selectors.access import access_trial_by_slug
    from trials.services.acts import Actor
    from trials.services.ingest import rule_of, trial_ingest_folder

    person = Account.objects.filter(email__iexact=account.strip(), is_active=True).first()
    if person is None:
        raise BadInputError(f"There is no active account {account}.")
    rules = [_rule(text, applies_to="region") for text in roi or ()]
    rules += [_rule(text, applies_to="file") for text in mask or ()]
    target = access_trial_by_slug(person, trial, Permission.CASE_INGEST)
    limits = {"--modality": modality, "--kernel": kernel, "--min-slices": min_slices}
    if check_only:
        _check(folder, modality=modality or [], kernel=kernel or [], min_slices=min_slices)
        return
    given = [name for name, value in limits.items() if value]
    if given:
        raise BadInputError(f"{given[0]} is a limit of --check-only; add it, or leave the limit out.")

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[KPatients: {done} of {total}")
            sys.stderr.flush()

    report = trial_ingest_folder(
        target,
        folder,
        rules=[rule_of(rule) for rule in rules],
        purpose=CasePurpose.PRACTICE if practice else CasePurpose.TRIAL,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
        progress=progress,
    )
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    for file in report.outcome.reports:
        sentence = f": {file.sentence}" if file.sentence else ""
        typer.echo(f"{file.outcome:8} {file.path}{sentence}")
    for case in report.cases:
        state = "new" if case.is_new else "known"
        typer.echo(f"case {case.code} ({state}): contours added: {', '.join(case.contours) or 'none'}")
    run = report.outcome.run
    typer.echo(f"{run.used} files used, {run.ignored} ignored, {run.failed} failed.")
    for problem in report.problems:
        typer.echo(problem, err=True)
    if report.problems:
        raise typer.Exit(2)
