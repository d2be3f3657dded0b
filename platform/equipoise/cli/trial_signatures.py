"""`equipoise trial`: electronic signatures."""

from typing import Annotated

import typer

from equipoise.cli import trial_shared
from equipoise.cli.trial_shared import As, Slug

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("signatures")
def signatures(slug: Slug, account: As) -> None:
    """List who signed what, when and with what meaning, and what you may sign."""
    trial_shared.start()
    from equipoise.common.permissions import Permission
    from trials.selectors.signatures import signable, signature_documents

    trial, person = trial_shared.trial_named(account, slug, Permission.TRIAL_VIEW)
    for one in signature_documents(trial):
        replaced = "" if one["current"] else ", replaced since"
        typer.echo(
            f"{one['name']} {one['words']}, {one['signed_at']:%Y-%m-%d %H:%M:%S} UTC: {one['record']}{replaced}, "
            f"SHA-256 {one['record_sha256']}"
        )
    for one in signable(trial, person):
        typer.echo(f"You may sign {one['meaning']}: {one['words']} ({one['record']}).")


@app.command("sign")
def sign(
    slug: Slug,
    meaning: Annotated[
        str,
        typer.Argument(
            help="protocol_approved, data_approved, allocation_released or report_approved, as `signatures` lists them."
        ),
    ],
    account: As,
) -> None:
    """Sign a record that is there; password and second factor are asked for, or piped in, a line each."""
    trial_shared.start()
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.domain.signatures import Meaning
    from trials.selectors.access import access_trial_by_slug
    from trials.selectors.signatures import signable_record
    from trials.services.acts import Actor
    from trials.services.signature import record_sign

    if meaning not in set(Meaning):
        raise BadInputError(f"{meaning}: there are {', '.join(Meaning)}.")
    trial, person = trial_shared.trial_named(account, slug, Permission.TRIAL_VIEW)
    access_trial_by_slug(person, slug, Meaning(meaning).permission)
    found = signable_record(trial, Meaning(meaning))
    if found is None:
        raise BadInputError(f"Trial {slug} is {trial.state}; there is nothing to sign with this meaning now.")
    typer.echo(
        f"{person.display_name or person.email} {Meaning(meaning).words}: {found.name}, SHA-256 {found.sha256}"
    )
    made = record_sign(
        trial,
        found.meaning,
        sha256=found.sha256,
        signer=trial_shared.signer_asked(person),
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    typer.echo(f"Signed {made.signed_at:%Y-%m-%d %H:%M:%S} UTC.")
