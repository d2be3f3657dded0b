"""What the commands of `equipoise trial` share: who acts, on which trial, and by which right."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equipoise.accounts.models import Account
    from equipoise.accounts.signing import Signer
    from equipoise.common.permissions import Permission
    from trials.domain.states import TrialAction
    from trials.models import Trial

As = Annotated[
    str,
    typer.Option("--as", envvar="EQUIPOISE_ACCOUNT", help="E-mail address of the account that acts."),
]
Slug = Annotated[str, typer.Argument(help="The trial's short name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]


Sign = Annotated[
    bool,
    typer.Option(
        "--sign",
        help="Sign what is frozen or released; password and second factor are asked for, or piped in.",
    ),
]


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


@dataclass(frozen=True)
class Seen:
    """What was shown before it was signed: the act is refused where it is another by then."""

    revision: int | None = None
    sha256: str = ""


def signed_shown(trial: "Trial", action: "TrialAction", person: "Account") -> Seen:
    """Say who signs what with which meaning, before password and code are asked for."""
    from trials.domain.signatures import SIGNED_ACTIONS
    from trials.domain.states import TrialAction
    from trials.selectors.protocol import protocol_current
    from trials.selectors.signatures import record_foreseen

    if action == TrialAction.LOCK:
        draft = protocol_current(trial)
        seen = Seen(revision=draft.revision)
        what = f"version {draft.version} of the protocol, revision {draft.revision}; its SHA-256 is made by the lock"
    else:
        foreseen = record_foreseen(trial, action)
        seen, what = Seen(sha256=foreseen.sha256), f"{foreseen.name}, SHA-256 {foreseen.sha256}"
    typer.echo(f"{person.display_name or person.email} {SIGNED_ACTIONS[action].words}: {what}")
    return seen


def signer_asked(account: "Account") -> "Signer":
    """Ask for the password, and for a code where the person has a second factor; piped in they are a line each."""
    from equipoise.accounts.second_factor import second_factors_of
    from equipoise.accounts.signing import SigningProof, signer_at_machine

    password = _secret("Password, to sign")
    code = _secret("Code of the authenticator app, or a recovery code") if second_factors_of(account) else ""
    return signer_at_machine(account, SigningProof(password=password, code=code))


def _secret(asked: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt(asked, hide_input=True))


def trial_named(email: str, slug: str, permission: "Permission") -> "tuple[Trial, Account]":
    """Return the trial of a short name, and who acts, if that account may do this to it."""
    from trials.selectors.access import access_trial_by_slug

    account = account_named(email)
    return access_trial_by_slug(account, slug, permission), account
