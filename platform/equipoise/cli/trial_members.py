"""`equipoise trial`: who holds which role, and the end of one."""

from typing import Annotated

import typer

from equipoise.cli import trial_shared
from equipoise.cli.trial_shared import As, Reason, Slug

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("members")
def members(slug: Slug, account: As) -> None:
    """List the trial's team: role, address, and since when; readers are participants."""
    trial_shared.start()
    from equipoise.common.permissions import Permission
    from trials.selectors.members import members_document

    trial, _ = trial_shared.trial_named(account, slug, Permission.PARTICIPANT_INVITE)
    for row in members_document(trial):
        ended = f", ended {row['ended_at']:%Y-%m-%d}" if row["ended_at"] else ""
        typer.echo(f"{row['role']} {row['email']} since {row['created_at']:%Y-%m-%d}{ended}")


@app.command("revoke")
def revoke(
    slug: Slug,
    account: As,
    reason: Reason,
    member: Annotated[str, typer.Option("--member", help="E-mail address of whose role ends.")],
    role: Annotated[str, typer.Option("--role", help="Which: data_manager, reader, ...")],
) -> None:
    """End a person's role at once; a reader leaves as by withdrawal, and what was submitted stays."""
    trial_shared.start()
    from equipoise.audit.kinds import Origin
    from equipoise.common.errors import NotFoundError
    from equipoise.common.permissions import Permission
    from trials.services.acts import Actor
    from trials.services.membership import membership_revoke

    trial, person = trial_shared.trial_named(account, slug, Permission.PARTICIPANT_INVITE)
    held = trial.memberships.filter(account__email__iexact=member.strip(), role=role, ended_at=None).first()
    if held is None:
        raise NotFoundError(f"{member} does not hold the role {role} in this trial.")
    membership_revoke(held, reason=reason, actor=Actor(account_id=person.id, origin=Origin.CLI))
    typer.echo(f"The role {role} of {member} has ended.")


@app.command("exclude-data")
def exclude_data(
    slug: Slug,
    account: As,
    reason: Reason,
    reader: Annotated[str, typer.Option("--reader", help="The code of a reader who has left, such as R-03.")],
) -> None:
    """Use no reading of a reader who asks for it: every answered one is voided, before data lock, for good."""
    trial_shared.start()
    from equipoise.audit.kinds import Origin
    from equipoise.common.errors import NotFoundError
    from equipoise.common.permissions import Permission
    from trials.services.acts import Actor
    from trials.services.participant import participant_exclude_data

    trial, person = trial_shared.trial_named(account, slug, Permission.PARTICIPANT_WITHDRAW)
    found = trial.participants.filter(code=reader.strip(), kind="reader").first()
    if found is None:
        raise NotFoundError(f"Trial {slug} has no reader {reader}.")
    actor = Actor(account_id=person.id, origin=Origin.CLI)
    count = participant_exclude_data(found, reason=reason, actor=actor)
    typer.echo(f"{count} readings of {found.code} are left out. The reason is in the audit trail.")
