"""What the commands of `equipoise trial` share: who acts, on which trial, and by which right."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equipoise.accounts.models import Account
    from equipoise.common.permissions import Permission
    from trials.models import Trial

As = Annotated[
    str,
    typer.Option("--as", envvar="EQUIPOISE_ACCOUNT", help="E-mail address of the account that acts."),
]
Slug = Annotated[str, typer.Argument(help="The trial's short name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]


def start() -> None:
    """Make the database ready for a command."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()


def account_named(email: str) -> "Account":
    """Return the active account of an address."""
    from equipoise.accounts.models import Account
    from equipoise.cli.problems import BadInputError

    account = Account.objects.filter(email__iexact=email.strip(), is_active=True).first()
    if account is None:
        raise BadInputError(
            f"There is no active account {email}. Make one with: equipoise admin create-account."
        )
    return account


def trial_named(email: str, slug: str, permission: "Permission") -> "tuple[Trial, Account]":
    """Return the trial of a short name, and who acts, if that account may do this to it."""
    from trials.selectors.access import access_trial_by_slug

    account = account_named(email)
    return access_trial_by_slug(account, slug, permission), account
