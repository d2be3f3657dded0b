"""`equipoise admin`: accounts and institutes, from the machine the site runs on."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file", exists=True, dir_okay=False, help="File with the password; else it is asked for."
    ),
]
AccountEmail = Annotated[str, typer.Argument(help="E-mail address of the account.")]
AuditedReason = Annotated[str, typer.Option(help="Why; kept in the audit trail.")]


@app.callback()
def admin() -> None:
    """Look after accounts, organisations and the database."""


def _password(file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _start() -> None:
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()


@app.command("create-account")
def create_account(
    email: Annotated[str, typer.Argument(help="E-mail address to sign in with.")],
    name: Annotated[str, typer.Option(help="Name that colleagues see.")] = "",
    institute: Annotated[str, typer.Option(help="Institute; made if there is none of this name.")] = "",
    site_administrator: Annotated[
        bool, typer.Option("--site-administrator", help="May create trials and accounts; sees no results.")
    ] = False,
    password_file: PasswordFile = None,
) -> None:
    """Make an account; the password is read from a file, a pipe or the terminal, never from the command line."""
    _start()
    from equipoise.accounts.models import Institute
    from equipoise.accounts.services import account_create, institute_create
    from equipoise.audit.kinds import Origin

    home = None
    if institute:
        home = Institute.objects.filter(name__iexact=institute.strip()).first()
        home = home or institute_create(name=institute, origin=Origin.CLI)
    account = account_create(
        email=email,
        password=_password(password_file),
        display_name=name,
        institute=home,
        is_site_administrator=site_administrator,
        origin=Origin.CLI,
    )
    typer.echo(f"Account {account.email} was made.")


@app.command("recover")
def recover(
    email: AccountEmail,
    reason: AuditedReason,
    password_file: PasswordFile = None,
) -> None:
    """Let a locked-out site administrator in again: new password, active, site administrator. Audits itself."""
    _start()
    from equipoise.accounts.services import account_recover

    account = account_recover(email=email, password=_password(password_file), reason=reason)
    typer.echo(f"Account {account.email} is active, a site administrator, and has the new password.")


@app.command("second-factors-reset")
def second_factors_reset_command(
    email: AccountEmail,
    reason: Annotated[str, typer.Option(help="Why, and how you know who asks; kept in the audit trail.")],
) -> None:
    """Forget authenticator app, keys and recovery codes of a person who lost them, and end their sessions."""
    _start()
    from equipoise.accounts.services import second_factors_reset

    account = second_factors_reset(email=email, reason=reason)
    typer.echo(f"Account {account.email} has no second factor now; the password is as it was.")


@app.command("deactivate-account")
def deactivate_account(
    email: AccountEmail,
    reason: AuditedReason,
) -> None:
    """Close an account of somebody who has left: no sign-in and no token of theirs any more; what they did stays."""
    _start()
    from equipoise.accounts.services import account_deactivate

    account = account_deactivate(email=email, reason=reason)
    typer.echo(f"Account {account.email} is closed; its sessions have ended, and the tokens it made.")


@app.command("erase")
def erase(
    email: Annotated[str, typer.Argument(help="E-mail address of the person.")],
    reason: Annotated[str, typer.Option(help="Why, without naming the person; kept in the audit trail.")],
) -> None:
    """Erase what names a person: account, invitations, texts with address or name. What they read stays."""
    _start()
    from trials.services.erasure import person_erase

    erased = person_erase(email=email, reason=reason)
    typer.echo(
        f"Erased: accounts {erased.accounts}, invitations {erased.invitations}, texts {erased.words}. "
        "Backups made before hold them still."
    )
    if erased.bundled:
        typer.echo(f"Kept bundles hold the printed name of a signature still: {', '.join(erased.bundled)}.")


@app.command("clean-up")
def clean_up(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and remove nothing.")] = False,
) -> None:
    """Remove what is past the days of EQUIPOISE_RETENTION; workers do the same once a day."""
    _start()
    from equipoise.audit.kinds import Origin
    from equipoise.audit.retention import retention_apply, retention_due

    counts = retention_due() if dry_run else retention_apply(origin=Origin.CLI)
    for name, count in counts.items():
        typer.echo(f"{name}: {count}")


@app.command("migrate")
def migrate() -> None:
    """Bring the database to its newest form and put the guards of immutable rows in place."""
    _start()
    typer.echo("The database is up to date.")


@app.command("grant")
def grant(
    role: Annotated[
        str, typer.Argument(help="PostgreSQL role that web and worker sign in as; it must exist.")
    ],
) -> None:
    """Let a PostgreSQL role use the site without owning it (run as the owner, after every migration)."""
    _start()
    from django.db import connection, transaction

    from equipoise.audit.guards import application_grants
    from equipoise.cli.problems import BadInputError

    if connection.vendor != "postgresql":
        raise BadInputError("Only PostgreSQL has roles; on SQLite the file's owner owns everything.")
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in application_grants(role):
            cursor.execute(statement)
    typer.echo(f"Role {role} may use the site; rows of the audit trail it may only read and add.")
