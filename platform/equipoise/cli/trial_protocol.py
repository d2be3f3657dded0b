"""`equipoise trial`: the protocol as one document: written out, revised, compared, amended, copied."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli import trial_shared
from equipoise.cli.trial_shared import As, Reason, Slug

if TYPE_CHECKING:
    from trials.domain.protocol.difference import Change
    from trials.domain.protocol.problems import Problem

app = typer.Typer(add_completion=False, rich_markup_mode=None)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The protocol (YAML).")]
Version = Annotated[int | None, typer.Option("--version", min=1, help="Its number; default: the newest.")]


@app.command("protocol")
def protocol(
    slug: Slug,
    account: As,
    version: Version = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write; default: standard output.")
    ] = None,
) -> None:
    """Write a trial's protocol as the YAML file that it can be made from again."""
    trial_shared.start()
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.selectors.protocol import protocol_current, protocol_numbered

    trial, _ = trial_shared.trial_named(account, slug, Permission.PROTOCOL_VIEW)
    found = protocol_current(trial) if version is None else protocol_numbered(trial, version)
    if output is None:
        typer.echo(found.text, nl=False)
        return
    if output.exists():
        raise BadInputError(f"--output {output} is there already; name a new file.")
    output.write_text(found.text, encoding="utf-8", newline="\n")
    typer.echo(f"Version {found.version} of the protocol of {slug} is in {output}.")


@app.command("revise")
def revise(slug: Slug, file: File, account: As) -> None:
    """Store a file as the protocol of a draft trial."""
    trial_shared.start()
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.domain.protocol.document import check_text
    from trials.services.acts import Actor
    from trials.services.protocol import protocol_save

    trial, person = trial_shared.trial_named(account, slug, Permission.PROTOCOL_EDIT)
    text = file.read_text(encoding="utf-8")
    outcome = check_text(text)
    if outcome.problems:
        raise BadInputError(*_sentences(file, outcome.problems))
    version, outcome = protocol_save(
        trial,
        text=text,
        document=None,
        revision=None,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    for sentence in _sentences(file, outcome.lock_problems):
        typer.echo(sentence, err=True)
    typer.echo(f"The draft of {slug} is as {file.name} says (revision {version.revision}).")


@app.command("diff")
def diff(
    slug: Slug,
    account: As,
    older: Annotated[int | None, typer.Option("--from", min=1, help="A version; default: one back.")] = None,
    newer: Annotated[int | None, typer.Option("--to", min=1, help="A version; default: the newest.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", exists=True, dir_okay=False, help="A protocol file to compare with, instead of --to."
        ),
    ] = None,
) -> None:
    """Say in what two versions of a protocol differ, part by part. Exits 1 if they do."""
    trial_shared.start()
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.domain.protocol.difference import protocol_changes
    from trials.domain.protocol.document import check_text
    from trials.selectors.protocol import protocol_current, protocol_numbered

    trial, _ = trial_shared.trial_named(account, slug, Permission.PROTOCOL_VIEW)
    newest = protocol_current(trial).version
    if file is not None and newer is not None:
        raise BadInputError("Give either --to or --file, not both.")
    if file is not None:
        before = protocol_numbered(trial, older or newest)
        outcome = check_text(file.read_text(encoding="utf-8"))
        if outcome.protocol is None or outcome.document is None:
            raise BadInputError(*_sentences(file, outcome.problems))
        changes = protocol_changes(before.document, outcome.document)
        names = f"version {before.version} and {file.name}"
    else:
        after = protocol_numbered(trial, newer or newest)
        before = protocol_numbered(trial, older or max(1, after.version - 1))
        changes = protocol_changes(before.document, after.document)
        names = f"versions {before.version} and {after.version}"
    if not changes:
        typer.echo(f"There is no difference between {names}.")
        return
    _print(changes)
    raise typer.Exit(1)


@app.command("amend")
def amend(slug: Slug, file: File, account: As, reason: Reason) -> None:
    """Amend a locked protocol: only where no reading that was given or handed out is touched."""
    trial_shared.start()
    from equipoise.audit.kinds import Origin
    from equipoise.common.permissions import Permission
    from trials.selectors.protocol import protocol_locked
    from trials.services.acts import Actor
    from trials.services.protocol import protocol_amend

    trial, person = trial_shared.trial_named(account, slug, Permission.TRIAL_LOCK)
    version, made = protocol_amend(
        trial,
        text=file.read_text(encoding="utf-8"),
        document=None,
        reason=reason,
        amends=protocol_locked(trial).version,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    _print(made.changes)
    typer.echo(
        f"Version {version.version} of the protocol of {slug} is locked; its hash is {version.sha256}."
    )


@app.command("copy")
def copy(
    slug: Slug,
    account: As,
    to: Annotated[str, typer.Option("--slug", help="Short name of the new trial.")],
    title: Annotated[str, typer.Option("--title", help="Of the new trial; default: the other one's.")] = "",
    version: Version = None,
) -> None:
    """Begin a draft trial with the protocol of another one. No case, person, allocation or reading comes with it."""
    trial_shared.start()
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.errors import PermissionDeniedError
    from equipoise.common.permissions import Permission
    from trials.selectors.protocol import protocol_current, protocol_numbered
    from trials.services.acts import Actor
    from trials.services.trial import trial_copy

    trial, person = trial_shared.trial_named(account, slug, Permission.PROTOCOL_VIEW)
    if not person.is_site_administrator:
        raise PermissionDeniedError(f"{account} is no site administrator and cannot create trials.")
    if person.institute is None:
        raise BadInputError(f"{account} belongs to no institute; a trial belongs to one.")
    found = protocol_current(trial) if version is None else protocol_numbered(trial, version)
    made = trial_copy(
        found,
        slug=to,
        title=title,
        institute=person.institute,
        creator=person,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    typer.echo(
        f"Trial {made.slug} was made as a draft with version {found.version} of the protocol of {slug}."
    )


def _print(changes: "Iterable[Change]") -> None:
    for change in changes:
        typer.echo(f"{change.pointer}: {change.words}")


def _sentences(file: Path, problems: "Iterable[Problem]") -> list[str]:
    return [f"{file.name}:{one.line or 1}: {one.message}" for one in problems]
