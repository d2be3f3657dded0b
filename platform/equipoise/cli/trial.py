"""`equipoise trial`: a trial from one YAML file, from start to tables, by the rights of a named account."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equipoise.accounts.models import Account
    from equipoise.common.permissions import Permission
    from trials.models import Trial

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

As = Annotated[
    str,
    typer.Option("--as", envvar="EQUIPOISE_ACCOUNT", help="E-mail address of the account that acts."),
]
Slug = Annotated[str, typer.Argument(help="The trial's short name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]


@app.callback()
def trial() -> None:
    """Create, check, lock, open, close, unblind and export a trial."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The protocol (YAML).")],
) -> None:
    """Say everything that is wrong with a protocol at once, by line. Needs no server."""
    from trials.domain.protocol.document import check_text

    outcome = check_text(file.read_text(encoding="utf-8"))
    for problem in (*outcome.problems, *outcome.lock_problems):
        place = f"{file.name}:{problem.line}: " if problem.line is not None else f"{file.name}: "
        typer.echo(f"{place}{problem.message}", err=True)
    if outcome.problems:
        raise typer.Exit(2)
    if outcome.lock_problems:
        typer.echo("The protocol is valid as a draft; protocol lock needs what is named above.", err=True)
        raise typer.Exit(1)
    typer.echo("The protocol is complete: it can be locked.")


def _start() -> None:
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()


def _account(email: str) -> "Account":
    from equipoise.accounts.models import Account
    from equipoise.cli.problems import BadInputError

    account = Account.objects.filter(email__iexact=email.strip(), is_active=True).first()
    if account is None:
        raise BadInputError(
            f"There is no active account {email}. Make one with: equipoise admin create-account."
        )
    return account


def _trial(email: str, slug: str, permission: "Permission") -> "tuple[Trial, Account]":
    from trials.selectors.access import access_trial_by_slug

    account = _account(email)
    return access_trial_by_slug(account, slug, permission), account


@app.command("create")
def create(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The protocol (YAML).")],
    account: As,
    slug: Annotated[str, typer.Option("--slug", help="Short name in addresses: letters, digits, hyphens.")],
) -> None:
    """Begin a trial as a draft from a protocol file."""
    _start()
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.errors import PermissionDeniedError
    from trials.domain.protocol.document import check_text
    from trials.services.acts import Actor
    from trials.services.trial import trial_create

    creator = _account(account)
    if not creator.is_site_administrator:
        raise PermissionDeniedError(f"{account} is no site administrator and cannot create trials.")
    if creator.institute is None:
        raise BadInputError(f"{account} belongs to no institute; a trial belongs to one.")
    text = file.read_text(encoding="utf-8")
    outcome = check_text(text)
    if outcome.problems:
        raise BadInputError(*(f"{file.name}:{one.line or 1}: {one.message}" for one in outcome.problems))
    title = outcome.protocol.title if outcome.protocol is not None else None
    made = trial_create(
        slug=slug,
        title=title or slug,
        protocol_text=text,
        institute=creator.institute,
        creator=creator,
        actor=Actor(account_id=creator.id, origin=Origin.CLI),
    )
    typer.echo(f"Trial {made.slug} was made as a draft.")


@app.command("draw")
def draw(slug: Slug, account: As) -> None:
    """Draw the items from the cases by the protocol's rule and seed."""
    _start()
    from equipoise.audit.kinds import Origin
    from equipoise.common.permissions import Permission
    from trials.services.acts import Actor
    from trials.services.items import items_draw

    trial, person = _trial(account, slug, Permission.PROTOCOL_EDIT)
    kept = items_draw(trial, actor=Actor(account_id=person.id, origin=Origin.CLI))
    main = trial.items.filter(practice=False).count()
    typer.echo(f"{main} of {kept.requested} items were drawn; {kept.qualifying} slices qualified.")
    for reason in kept.not_qualifying:
        typer.echo(f"  {reason['count']} slices: {reason['message']}")


def _step(action: str, slug: str, account: str, reason: str, waiver: str = "") -> None:
    _start()
    from equipoise.audit.kinds import Origin
    from equipoise.common.permissions import Permission
    from trials.domain.states import TrialAction, TrialState, transition_for
    from trials.selectors.access import access_trial_by_slug
    from trials.services.acts import Actor
    from trials.services.trial import trial_transition

    trial, person = _trial(account, slug, Permission.TRIAL_VIEW)
    transition = transition_for(TrialState(trial.state), TrialAction(action))
    access_trial_by_slug(person, slug, transition.permission)
    moved = trial_transition(
        trial,
        transition.action,
        reason=reason,
        waiver=waiver,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    typer.echo(f"Trial {slug} is {moved.state}.")


@app.command("lock")
def lock(
    slug: Slug,
    account: As,
    reason: Reason,
    waiver: Annotated[
        str,
        typer.Option("--rehearsal-waived-because", help="Why this version is locked without a rehearsal."),
    ] = "",
) -> None:
    """Protocol lock: freeze the protocol, seal the seed, generate the allocation, print the balance."""
    _step("lock", slug, account, reason, waiver)
    from trials.models import Trial
    from trials.selectors.allocation import balance_allocated

    locked = Trial.objects.select_related("sealed_seed").get(slug=slug)
    typer.echo(f"Commitment to the seed (SHA-256): {locked.sealed_seed.commitment_sha256}")
    for sentence in balance_allocated(locked).sentences:
        typer.echo(sentence)


@app.command("open")
def open_(slug: Slug, account: As) -> None:
    """Open the trial for readers."""
    _step("open", slug, account, "")


@app.command("pause")
def pause(slug: Slug, account: As, reason: Reason) -> None:
    """Pause reading."""
    _step("pause", slug, account, reason)


@app.command("resume")
def resume(slug: Slug, account: As) -> None:
    """Go on after a pause."""
    _step("resume", slug, account, "")


@app.command("close")
def close(slug: Slug, account: As, reason: Reason) -> None:
    """End reading."""
    _step("close", slug, account, reason)


@app.command("data-lock")
def data_lock(slug: Slug, account: As, reason: Reason) -> None:
    """Data lock: sign the blind review and freeze the data by their hash."""
    _step("data-lock", slug, account, reason)


@app.command("unblind")
def unblind(slug: Slug, account: As, reason: Reason) -> None:
    """Unblind: from here on results by arm may be seen."""
    _step("unblind", slug, account, reason)


@app.command("export")
def export(
    slug: Slug,
    account: As,
    reason: Reason,
    output: Annotated[Path, typer.Option("--output", help="Folder for the tables; made if absent.")],
) -> None:
    """Write readings.csv, readings.json and tables.xlsx into a folder."""
    _start()
    from equipoise.audit.kinds import AuditKind, Origin
    from equipoise.common.permissions import Permission
    from trials.reports.exports import readings_csv, readings_json, tables_workbook
    from trials.services.acts import Actor, export_record

    trial, person = _trial(account, slug, Permission.EXPORT_CREATE)
    output.mkdir(parents=True, exist_ok=True)
    for name, lines in (("readings.csv", readings_csv(trial)), ("readings.json", readings_json(trial))):
        with (output / name).open("w", encoding="utf-8", newline="") as sink:
            sink.writelines(lines)
    (output / "tables.xlsx").write_bytes(tables_workbook(trial))
    actor = Actor(account_id=person.id, origin=Origin.CLI)
    export_record(trial, AuditKind.EXPORT_CREATED, name="folder", actor=actor, reason=reason)
    typer.echo(f"readings.csv, readings.json and tables.xlsx are in {output}.")


@app.command("allocation")
def allocation(
    slug: Slug,
    account: As,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Folder for allocation.csv and allocation.json; made if absent."),
    ] = None,
) -> None:
    """Make the allocation again from its seed and compare: for the statistician, and for all once unblinded."""
    _start()
    import json

    from equipoise.audit.kinds import AuditKind, Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.errors import PermissionDeniedError
    from equipoise.common.permissions import Permission
    from trials.domain.blinding import Sight
    from trials.reports.exports import allocation_csv
    from trials.selectors.allocation import allocation_proof, allocation_published, caller_may_see
    from trials.services.acts import Actor, export_record

    trial, person = _trial(account, slug, Permission.TRIAL_VIEW)
    if not hasattr(trial, "sealed_seed"):
        raise BadInputError(f"Trial {slug} is {trial.state}; the allocation is made at protocol lock.")
    if not caller_may_see(trial, person, Sight.ALLOCATION_SEED):
        raise PermissionDeniedError(
            f"Trial {slug} is {trial.state}: until unblinding its seed and rows are the unblinded statistician's alone."
        )
    proof = allocation_proof(trial)
    export_record(
        trial,
        AuditKind.EXPORT_CREATED,
        name="allocation",
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    typer.echo(f"Algorithm: {proof.algorithm}")
    typer.echo(f"Seed: {proof.seed_hex}")
    typer.echo(f"Commitment at protocol lock (SHA-256 of the seed): {proof.commitment_sha256}")
    typer.echo(f"Rows at protocol lock (SHA-256): {proof.sha256_at_lock}")
    typer.echo(f"Rows as stored (SHA-256): {proof.sha256_stored}")
    typer.echo(f"Rows made again from the seed (SHA-256): {proof.sha256_regenerated}")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        with (output / "allocation.csv").open("w", encoding="utf-8", newline="") as sink:
            sink.writelines(allocation_csv(trial))
        published = json.dumps(allocation_published(trial), indent=2, ensure_ascii=False)
        (output / "allocation.json").write_text(published + "\n", encoding="utf-8")
    if not proof.holds:
        typer.echo("Verdict: seed, commitment and rows do NOT belong together.", err=True)
        raise typer.Exit(1)
    typer.echo("Verdict: seed, commitment and rows belong together.")


@app.command("check-allocation")
def check_allocation(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="allocation.json, as it was published.")
    ],
) -> None:
    """Make an allocation again from what was published of it, and compare. Needs no server."""
    import json

    from equipoise.cli.problems import BadInputError
    from trials.domain.allocation import allocation_sha256
    from trials.domain.published_allocation import proof_problems, regenerated

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        problems = proof_problems(document)
        rows = regenerated(document).rows
    except (ValueError, AttributeError) as error:
        raise BadInputError(f"{file.name}: {error}") from None
    typer.echo(f"{len(rows)} rows made again from the seed (SHA-256): {allocation_sha256(rows)}")
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("Verdict: seed, commitment and rows belong together.")
