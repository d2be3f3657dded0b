"""`equipoise ingest`: a folder, or studies of an archive that the site names, into a trial's cases."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equipoise.archive.dicomweb.pacs import PullBy
    from equipoise.archive.quality import QualityLimits
    from trials.models import Trial
    from trials.services.acts import Actor
    from trials.services.ingest import IngestReport
    from trials.services.pull import PullPlan

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _rule(text: str, *, applies_to: str) -> dict[str, str]:
    from equipoise.cli.problems import BadInputError

    source, separator, pattern = text.partition("=")
    if not separator or not source.strip() or not pattern.strip():
        option = "--roi" if applies_to == "region" else "--mask"
        raise BadInputError(f"{option} {text!r}: write SOURCE=PATTERN, for example expert=GTV-1.")
    return {"source": source.strip(), "pattern": pattern.strip(), "applies_to": applies_to}


def _limits(
    planned: "QualityLimits", *, modality: list[str], kernel: list[str], min_slices: int | None
) -> "QualityLimits":
    """Return the protocol's limits, with those of the command line in their place where given."""
    from equipoise.archive.quality import Range

    return replace(
        planned,
        modalities=tuple(modality) or planned.modalities,
        kernels=tuple(kernel) or planned.kernels,
        slices=planned.slices if min_slices is None else Range(min_slices),
    )


def _check(folder: Path, limits: "QualityLimits") -> None:
    """Print what each file would become and how each series meets the limits; exit 1 if anything is amiss."""
    from equipoise.archive.check import folder_check

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
    folder: Annotated[
        Path | None, typer.Argument(exists=True, help="A folder, or a zip or tar archive.")
    ] = None,
    *,
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
        bool,
        typer.Option(
            "--check-only",
            help="Read the folder, check it against the protocol's limits, store nothing; exit 1 if amiss.",
        ),
    ] = False,
    modality: Annotated[
        list[str] | None,
        typer.Option(
            "--modality",
            help="With --check-only, instead of the protocol's: an accepted modality. With --from-pacs: "
            "fetch series of this modality only. Repeat it.",
        ),
    ] = None,
    kernel: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel",
            help="With --check-only, instead of the protocol's: an accepted kernel, * and ? allowed. Repeat it.",
        ),
    ] = None,
    min_slices: Annotated[
        int | None,
        typer.Option(
            "--min-slices", min=1, help="With --check-only, instead of the protocol's: fewest slices."
        ),
    ] = None,
    from_pacs: Annotated[
        str | None,
        typer.Option("--from-pacs", help="Fetch from the archive of this name (EQUIPOISE_PACS) instead."),
    ] = None,
    studies: Annotated[
        Path | None,
        typer.Option(
            "--studies",
            exists=True,
            dir_okay=False,
            help="With --from-pacs: one column headed StudyInstanceUID, PatientID or AccessionNumber.",
        ),
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
    from trials.selectors.quality import protocol_quality, quality_limits
    from trials.services.acts import Actor
    from trials.services.ingest import rule_of, trial_ingest_folder
    from trials.services.pull import PullPlan

    person = Account.objects.filter(email__iexact=account.strip(), is_active=True).first()
    if person is None:
        raise BadInputError(f"There is no active account {account}.")
    rules = [_rule(text, applies_to="region") for text in roi or ()]
    rules += [_rule(text, applies_to="file") for text in mask or ()]
    target = access_trial_by_slug(person, trial, Permission.CASE_INGEST)
    if (folder is None) == (from_pacs is None) or (from_pacs is None) != (studies is None):
        raise BadInputError("Name a folder, or an archive by --from-pacs with its list by --studies.")
    if check_only and from_pacs:
        raise BadInputError("--check-only checks a folder; leave --from-pacs out.")
    limits = {"--modality": modality, "--kernel": kernel, "--min-slices": min_slices}
    if check_only and folder is not None:
        planned = quality_limits(protocol_quality(target))
        _check(folder, _limits(planned, modality=modality or [], kernel=kernel or [], min_slices=min_slices))
        return
    given = [name for name, value in limits.items() if value and not (from_pacs and name == "--modality")]
    if given:
        raise BadInputError(f"{given[0]} is a limit of --check-only; add it, or leave the limit out.")

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[KPatients: {done} of {total}")
            sys.stderr.flush()

    purpose = CasePurpose.PRACTICE if practice else CasePurpose.TRIAL
    actor = Actor(account_id=person.id, origin=Origin.CLI)
    chosen = [rule_of(rule) for rule in rules]
    if folder is None:
        assert from_pacs is not None
        assert studies is not None
        by, values = _listed(studies)
        plan = PullPlan(from_pacs, by, frozenset(modality or ()), chosen, purpose)
        _pull(target, plan, values, actor=actor)
        return
    report = trial_ingest_folder(
        target, folder, rules=chosen, purpose=purpose, actor=actor, progress=progress
    )
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    _print(report)
    if report.problems:
        raise typer.Exit(2)


def _print(report: "IngestReport") -> None:
    """Print what became of each file and case, and what was refused."""
    for file in report.outcome.reports:
        sentence = f": {file.sentence}" if file.sentence else ""
        typer.echo(f"{file.outcome:8} {file.path}{sentence}")
    for case in report.cases:
        state = "new" if case.is_new else "known"
        typer.echo(f"case {case.code} ({state}): contours added: {', '.join(case.contours) or 'none'}")
    run = report.outcome.run
    for one in report.outcome.patients:
        if one.to_review:
            typer.echo(f"to be looked at before protocol lock: {', '.join(one.to_review)}", err=True)
    typer.echo(f"{run.used} files used, {run.ignored} ignored, {run.failed} failed; ingest {run.id}.")
    for problem in report.problems:
        typer.echo(problem, err=True)


def _listed(path: Path) -> "tuple[PullBy, list[str]]":
    """Read a list of studies: its one column's name says by what they are named."""
    import csv

    from equipoise.archive.dicomweb.pacs import PullBy
    from equipoise.cli.problems import BadInputError
    from trials.services.pull import identifier_problems

    with path.open(encoding="utf-8-sig", newline="") as source:
        rows = [row for row in csv.reader(source) if any(cell.strip() for cell in row)]
    header = rows[0][0].strip() if rows else ""
    if header not in set(PullBy) or any(len(row) != 1 for row in rows):
        raise BadInputError(
            f"{path}: write one column, headed {', '.join(by.value for by in PullBy)}, one study a line."
        )
    by, values = PullBy(header), [row[0].strip() for row in rows[1:]]
    problems = identifier_problems(by, values)
    if problems or not values:
        sentences = [f"{path}: study {number + 1} {words}." for number, words in problems.items()]
        raise BadInputError(*(sentences or [f"{path} names no study."]))
    return by, values


def _pull(trial: "Trial", plan: "PullPlan", values: list[str], *, actor: "Actor") -> None:
    """Fetch and ingest each study of a list; one that fails stops none of the others."""
    from equipoise.archive.dicomweb.pacs import PacsConnection, pacs_named
    from equipoise.common.errors import DomainError
    from trials.services.pull import study_pull

    failed = 0

    def steps(done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[KInstances: {done} of {total}")
            sys.stderr.flush()

    with PacsConnection(pacs_named(plan.pacs)) as connection:
        for number, value in enumerate(values, start=1):
            typer.echo(f"study {number} of {len(values)}")
            try:
                report = study_pull(trial, plan, value, connection=connection, actor=actor, steps=steps)
            except DomainError as error:
                typer.echo(f"study {number}: {error.message}", err=True)
                failed += 1
                continue
            _print(report)
            failed += bool(report.problems)
    if failed:
        raise typer.Exit(2)
