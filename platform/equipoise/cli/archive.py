"""`equipoise archive`: verify stored images and their files, and write cases out for other software."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from equipoise.common.permissions import Permission
    from trials.models import Trial
    from trials.services.acts import Actor

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

WRITING_LASTS = timedelta(hours=1)
"""A file younger than this may belong to somebody who is still at work."""

As = Annotated[
    str, typer.Option("--as", envvar="EQUIPOISE_ACCOUNT", help="E-mail address of the account that acts.")
]


@app.callback()
def archive() -> None:
    """Look after stored images and their files."""


@app.command("verify")
def verify() -> None:
    """Compare files and rows, and every file with its SHA-256; exit 1 if anything is missing, altered or left over."""
    from equipoise.config.start import django_start

    django_start()
    from django.utils import timezone

    from equipoise.archive.verify import verify as archive_verify
    from trials.selectors.files import trial_file_digests

    report = archive_verify(others=trial_file_digests(), settled_before=timezone.now() - WRITING_LASTS)
    for words, keys in (
        ("missing", report.rows_without_files),
        ("altered", report.altered_files),
        ("in no row", report.files_without_rows),
    ):
        for key in keys:
            typer.echo(f"{words}: {key}", err=True)
    verdict = "sound" if report.sound else "not sound"
    typer.echo(f"{report.checked} files are named by rows; the archive is {verdict}.")
    if not report.sound:
        raise typer.Exit(code=1)


@app.command("export")
def export(
    trial: Annotated[str, typer.Argument(help="The trial's short name.")],
    account: As,
    output: Annotated[
        Path, typer.Option("--output", help="Folder for the files; a folder per case is made in it.")
    ],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="nrrd (default), nifti, rtstruct, seg, or original where originals were kept. Repeat it.",
        ),
    ] = None,
    case: Annotated[
        list[str] | None, typer.Option("--case", help="A case's code; default: all. Repeat it.")
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why the images leave the trial; kept in the audit.")
    ] = "",
) -> None:
    """Write the images and contours of a trial's cases as NRRD, NIfTI, RTSTRUCT or SEG, or the kept originals."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()
    from equipoise.accounts.models import Account
    from equipoise.archive.export import ExportFormat, patient_export
    from equipoise.audit.kinds import AuditKind, Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.selectors.access import access_trial_by_slug
    from trials.services.acts import Actor, export_record

    unknown = sorted(set(formats or ()) - set(ExportFormat))
    if unknown:
        raise BadInputError(f"--format {unknown[0]}: choose from {', '.join(ExportFormat)}.")
    wanted = [ExportFormat(name) for name in formats or (ExportFormat.NRRD,)]
    person = Account.objects.filter(email__iexact=account.strip(), is_active=True).first()
    if person is None:
        raise BadInputError(f"There is no active account {account}.")
    access_trial_by_slug(person, trial, Permission.EXPORT_CREATE)
    target = access_trial_by_slug(person, trial, Permission.CASE_VIEW_SOURCES)
    cases = target.cases.order_by("code")
    absent = sorted(set(case or ()) - set(cases.values_list("code", flat=True)))
    if absent:
        raise BadInputError(f"Trial {trial} has no case {', '.join(absent)}.")
    chosen = list(cases.filter(code__in=case) if case else cases)
    there = [one.code for one in chosen if (output / one.code).exists()]
    if there:
        raise BadInputError(f"{output} holds {', '.join(there)} already; name another folder.")
    # the record comes first: what has left must never be missing from the audit
    export_record(
        target,
        AuditKind.EXPORT_CREATED,
        name="images",
        actor=Actor(account_id=person.id, origin=Origin.CLI),
        reason=reason,
    )
    for one in chosen:
        masks = {c.source: c.mask for c in one.contours.select_related("mask__volume").order_by("source")}
        for image in one.images.select_related("volume")[:1]:
            files = patient_export(image.volume, masks, output, code=one.code, formats=wanted)
            typer.echo(f"{one.code}: {len(files)} files")
    typer.echo(f"{len(chosen)} cases are in {output}.")


Run = Annotated[str, typer.Argument(help="The ingest's id, as `equipoise ingest` and the page show it.")]


@app.command("removed")
def removed(
    trial: Annotated[str, typer.Argument(help="The trial's short name.")],
    run: Run,
    account: As,
) -> None:
    """List which attributes the headers of an ingest held that were not kept, without their values."""
    import json

    from equipoise.common.permissions import Permission

    target, _ = _opened(trial, account, Permission.INGEST_LOG_VIEW)
    from trials.selectors.cases import removal_document

    document = removal_document(target, _run_id(run))
    typer.echo(json.dumps(document["deidentification"]), err=True)
    for entry in document["entries"]:
        typer.echo(
            f"{entry['action']}  {entry['tag']:24} {entry['vr']:2}  {entry['keyword'] or '(private or unknown)'}  "
            f"in {entry['files']} file(s), first in no. {entry['first_file']}"
        )
    if document["deleted"]:
        typer.echo("The list of this ingest was deleted.", err=True)


@app.command("forget-logs")
def forget_logs(
    trial: Annotated[str, typer.Argument(help="The trial's short name.")],
    run: Run,
    account: As,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")] = "",
) -> None:
    """Delete an ingest's log with file names and its list of what was removed."""
    from equipoise.common.permissions import Permission

    target, actor = _opened(trial, account, Permission.INGEST_LOG_VIEW)
    from trials.selectors.cases import ingest_run_of
    from trials.services.ingest import trial_ingest_logs_delete

    count = trial_ingest_logs_delete(ingest_run_of(target, _run_id(run)), actor=actor, reason=reason)
    typer.echo(f"{count} files were deleted.")


@app.command("reviewed")
def reviewed(
    trial: Annotated[str, typer.Argument(help="The trial's short name.")],
    case: Annotated[str, typer.Argument(help="The case's code.")],
    account: As,
    reason: Annotated[str, typer.Option("--reason", help="What was seen; kept in the audit.")],
) -> None:
    """Record that a flagged image was looked at and does not show who the patient is."""
    from equipoise.common.permissions import Permission

    target, actor = _opened(trial, account, Permission.CASE_INGEST)
    from equipoise.cli.problems import BadInputError
    from trials.services.ingest import case_pixels_reviewed

    found = target.cases.filter(code=case).first()
    if found is None:
        raise BadInputError(f"Trial {trial} has no case {case}.")
    case_pixels_reviewed(found, actor=actor, reason=reason)
    typer.echo(f"Case {case} was looked at.")


def _run_id(text: str) -> UUID:
    from equipoise.cli.problems import BadInputError

    try:
        return UUID(text)
    except ValueError as error:
        raise BadInputError(f"'{text}' is not the id of an ingest.") from error


def _opened(trial: str, account: str, permission: "Permission") -> tuple["Trial", "Actor"]:
    """Start Django and return the trial and who acts on it, if they may."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()
    from equipoise.accounts.models import Account
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from trials.selectors.access import access_trial_by_slug
    from trials.services.acts import Actor

    person = Account.objects.filter(email__iexact=account.strip(), is_active=True).first()
    if person is None:
        raise BadInputError(f"There is no active account {account}.")
    return access_trial_by_slug(person, trial, permission), Actor(account_id=person.id, origin=Origin.CLI)
