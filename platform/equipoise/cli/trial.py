"""`equipoise trial`: a trial from one YAML file, from start to tables, by the rights of a named account."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli import trial_members, trial_protocol, trial_review, trial_signatures
from equipoise.cli.trial_shared import As, Reason, Sign, Slug, signed_shown, signer_asked
from equipoise.cli.trial_shared import account_named as _account
from equipoise.cli.trial_shared import start as _start
from equipoise.cli.trial_shared import trial_named as _trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from equipoise.accounts.models import Account
    from trials.models import Trial

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def trial() -> None:
    """Create, check, lock, open, close, unblind, export and archive a trial."""


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


@app.command("import")
def import_(
    bundle: Annotated[Path, typer.Argument(exists=True, help="A bundle: its folder, or the .zip file.")],
    account: As,
    slug: Annotated[
        str, typer.Option("--slug", help="Short name that the trial takes here; default: the one it had.")
    ] = "",
) -> None:
    """Bring in a trial that was run elsewhere, from its bundle, as an archived one."""
    _start()
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.errors import PermissionDeniedError
    from trials.services.acts import Actor
    from trials.services.bundle_import import bundle_import

    importer = _account(account)
    if not importer.is_site_administrator:
        raise PermissionDeniedError(f"{account} is no site administrator and cannot import trials.")
    if importer.institute is None:
        raise BadInputError(f"{account} belongs to no institute; a trial belongs to one.")
    made = bundle_import(
        bundle,
        institute=importer.institute,
        importer=importer,
        slug=slug or None,
        actor=Actor(account_id=importer.id, origin=Origin.CLI),
    )
    kept = made.stored_bundle
    typer.echo(
        f"Trial {made.slug} is archived, imported from a bundle of {kept.made_at.date().isoformat()}; its hash is "
        f"{kept.manifest_sha256}."
    )


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


@app.command("references")
def references(
    slug: Slug,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="CSV with the columns case, truth, status, source, date, labellers, and covariates.",
        ),
    ],
    account: As,
) -> None:
    """Bring in the reference standard and covariates of the cases, whole or not at all."""
    _start()
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.errors import ValidationFailedError
    from equipoise.common.permissions import Permission
    from trials.services.acts import Actor
    from trials.services.reference import references_import

    trial, person = _trial(account, slug, Permission.CASE_INGEST)
    try:
        done = references_import(
            trial, content=file.read_bytes(), actor=Actor(account_id=person.id, origin=Origin.CLI)
        )
    except ValidationFailedError as error:
        raise BadInputError(f"{file.name}: {error.message}") from None
    typer.echo(
        f"{done.references} reference standards and {done.covariates} cases' covariates are new; "
        f"{done.unchanged} rows said what was known."
    )


@app.command("import-table")
def import_table(
    slug: Slug,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, XLSX or Parquet.")],
    account: As,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="Which of the external data of the protocol it is, or a name of its own: lower case, digits.",
        ),
    ],
    table: Annotated[
        str,
        typer.Option("--table", help="readings, segmentations or survival; the protocol's where it says."),
    ] = "readings",
    patients: Annotated[
        str,
        typer.Option(
            "--patients",
            help="trial where the cases are the trial's, by their codes; other. The protocol's where it says.",
        ),
    ] = "other",
    column: Annotated[
        list[str] | None,
        typer.Option(help="Column under another name, KNOWN=NAME IN FILE; may be repeated."),
    ] = None,
) -> None:
    """Bring in a table that was collected elsewhere, whole or not at all; the same table again changes nothing."""
    _start()
    import re

    from equipoise.audit.kinds import Origin
    from equipoise.cli.analyse import pairs_of
    from equipoise.cli.problems import BadInputError, refuse
    from equipoise.common.errors import DomainError
    from equipoise.common.permissions import Permission
    from trials.services.acts import Actor
    from trials.services.external import external_table_import

    if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", data) is None:
        raise BadInputError(f"--data {data}: a name is lower-case letters, digits and underscores.")
    if patients not in ("trial", "other"):
        raise BadInputError(f"--patients {patients}: it is trial or other.")
    trial, person = _trial(account, slug, Permission.ANALYSIS_RUN)
    with refuse(DomainError):
        kept = external_table_import(
            trial,
            content=file.read_bytes(),
            file_name=file.name,
            key=data,
            kind=table,
            patients=patients,
            columns=pairs_of(column, "--column"),
            actor=Actor(account_id=person.id, origin=Origin.CLI),
        )
    typer.echo(
        f"{kept.row_count} rows of {kept.kind} are kept as '{kept.key}', version {kept.version}; file SHA-256 "
        f"{kept.file_sha256}."
    )
    for row in kept.surfaced:
        typer.echo(f"  row {row['row']} marks {row['problem']}")


def _step(action: str, slug: str, account: str, reason: str, waiver: str = "", *, sign: bool = False) -> None:
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
    seen = signed_shown(trial, transition.action, person) if sign else None
    moved = trial_transition(
        trial,
        transition.action,
        reason=reason,
        waiver=waiver,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
        signer=signer_asked(person) if sign else None,
        revision=seen.revision if seen else None,
        seen_sha256=seen.sha256 if seen else "",
    )
    typer.echo(f"Trial {slug} is {moved.state}.")


@app.command("rehearse")
def rehearse(
    slug: Slug,
    account: As,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="Of everything simulated.")] = 1,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", exists=True, dir_okay=False, help="What simulated readers are set to (YAML or JSON)."
        ),
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats",
            min=0,
            max=5000,
            help="Instead of one run, so many simulated trials with the effect and as many without it: data alone.",
        ),
    ] = 0,
    processes: Annotated[
        int, typer.Option("--processes", min=0, help="Of a repeated rehearsal; 0 takes every processor.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Let simulated readers do the whole trial in a copy of it, and analyse. Exits 1 if anything is missing.

    With --repeats 200 the primary analysis of many simulated trials is held to what was set: bias, coverage, type I
    error and power, each with its Monte-Carlo error. Exits 1 if it errs otherwise than its method is known to.
    """
    _start()
    import json
    import os

    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import refuse
    from equipoise.cli.progress import progress_line
    from equipoise.common.errors import DomainError
    from equipoise.common.permissions import Permission
    from trials.domain.rehearsal import RehearsalKind, plan_of_text
    from trials.rehearsal.requested import gate_found, rehearsal_found
    from trials.services.acts import Actor
    from trials.services.rehearsal import rehearsal_fail, rehearsal_request, rehearsal_store

    trial, person = _trial(account, slug, Permission.PROTOCOL_EDIT)
    with refuse(DomainError, about=plan.name if plan is not None else ""):
        settings = plan_of_text(plan.read_text(encoding="utf-8") if plan is not None else "")
    actor = Actor(account_id=person.id, origin=Origin.CLI)
    rehearsal = rehearsal_request(
        trial,
        kind=RehearsalKind.REPEATED if repeats else RehearsalKind.SINGLE,
        repeats=repeats or 1,
        seed=seed,
        plan=settings,
        actor=actor,
        with_job=False,
    )
    try:
        with progress_line() as say:
            found = (
                gate_found(rehearsal, processes=processes or os.cpu_count() or 1, say=say)
                if repeats
                else rehearsal_found(rehearsal, say=say)
            )
    except BaseException as error:
        rehearsal_fail(rehearsal.id, str(error), cancelled=isinstance(error, KeyboardInterrupt))
        raise
    rehearsal_store(rehearsal, found, actor=actor)
    if as_json:
        typer.echo(json.dumps(found.report, indent=1, ensure_ascii=False))
    else:
        for line in found.lines:
            typer.echo(line)
    if not found.passed:
        typer.echo("The rehearsal did NOT go through.", err=True)
        raise typer.Exit(1)
    typer.echo("The rehearsal went through; protocol lock can lean on it.", err=as_json)


@app.command("lock")
def lock(
    slug: Slug,
    account: As,
    reason: Reason,
    waiver: Annotated[
        str,
        typer.Option(
            "--waiver",
            "--rehearsal-waived-because",
            help="Why this version is locked without a rehearsal; kept in the audit trail.",
        ),
    ] = "",
    sign: Sign = False,
) -> None:
    """Protocol lock: freeze the protocol, seal the seed, generate the allocation, print the balance."""
    _step("lock", slug, account, reason, waiver, sign=sign)
    from trials.models import Trial
    from trials.selectors.allocation import balance_sentences

    locked = Trial.objects.select_related("sealed_seed").get(slug=slug)
    typer.echo(f"Commitment to the seed (SHA-256): {locked.sealed_seed.commitment_sha256}")
    for sentence in balance_sentences(locked):
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
def data_lock(slug: Slug, account: As, reason: Reason, sign: Sign = False) -> None:
    """Data lock: end the blind review and freeze the data by their hash."""
    _step("data-lock", slug, account, reason, sign=sign)


@app.command("unblind")
def unblind(slug: Slug, account: As, reason: Reason, sign: Sign = False) -> None:
    """Unblind: from here on results by arm may be seen."""
    _step("unblind", slug, account, reason, sign=sign)


@app.command("archive")
def archive(slug: Slug, account: As, reason: Reason) -> None:
    """Make the bundle of an unblinded trial, keep it with its hash, and archive the trial."""
    _start()
    from equipoise.audit.kinds import AuditKind, Origin
    from equipoise.common.permissions import Permission
    from trials.domain.states import TrialAction, TrialState, transition_for
    from trials.reports.bundle import bundle_make
    from trials.selectors.bundle import bundle_is_current
    from trials.services.acts import Actor, export_record

    trial, person = _trial(account, slug, Permission.TRIAL_ARCHIVE)
    transition_for(TrialState(trial.state), TrialAction.ARCHIVE)
    if not bundle_is_current(trial):
        actor = Actor(account_id=person.id, origin=Origin.CLI)
        export_record(trial, AuditKind.EXPORT_CREATED, name="bundle", actor=actor, reason=reason)
        made = bundle_make(trial)
        try:
            made.keep()
        except BaseException:
            made.discard()
            raise
        _say_not_computed(made.not_computed)
    _step("archive", slug, account, reason)
    trial.refresh_from_db()
    typer.echo(f"The bundle is kept; its hash is {trial.stored_bundle.manifest_sha256}.")


@app.command("export")
def export(
    slug: Slug,
    account: As,
    reason: Reason,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            help="Folder, made if absent; after unblinding an empty one, or a file that ends in .zip.",
        ),
    ],
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="The form in which the bundle is made public: other reader codes, no words, groups of five or more.",
        ),
    ] = False,
    comments_reviewed: Annotated[
        bool,
        typer.Option(
            "--comments-reviewed",
            help="With --public: somebody has read all comments and free-text answers, and they may be public.",
        ),
    ] = False,
) -> None:
    """Write the trial's bundle once it is unblinded; until then its tables, which hold no answer."""
    _start()
    from equipoise.audit.kinds import AuditKind, Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.domain.blinding import Sight
    from trials.selectors.allocation import caller_may_see
    from trials.services.acts import Actor, export_record

    trial, person = _trial(account, slug, Permission.EXPORT_CREATE)
    if trial.state in ("draft", "locked"):
        raise BadInputError(f"Trial {slug} is {trial.state}; there are no readings to export.")
    sights = (Sight.RESULTS_BY_ARM, Sight.REFERENCE_STANDARD)
    whole = all(caller_may_see(trial, person, sight) for sight in sights)
    if not whole and output.suffix == ".zip":
        raise BadInputError(
            f"--output {output}: only a bundle is one file. It is made after unblinding, for whoever may see results; "
            f"the trial is {trial.state}. Name a folder for the tables."
        )
    if output.is_file() or (whole and output.is_dir() and any(output.iterdir())):
        raise BadInputError(f"--output {output} is there already; name an empty folder or a new file.")
    if comments_reviewed and not public:
        raise BadInputError("--comments-reviewed goes with --public; the bundle holds comments in any case.")
    if public:
        if not whole:
            raise BadInputError(
                f"--public: the public form is made after unblinding, by whoever may see results; the trial is "
                f"{trial.state}."
            )
        _export_public(trial, person, output, reason=reason, comments_reviewed=comments_reviewed)
        return
    name = "bundle" if whole else "folder"
    actor = Actor(account_id=person.id, origin=Origin.CLI)
    # Recorded before anything leaves, so that the audit trail in the bundle names the bundle too.
    export_record(trial, AuditKind.EXPORT_CREATED, name=name, actor=actor, reason=reason)
    if whole:
        _export_bundle(trial, output)
    else:
        _export_tables(trial, output, with_truth=caller_may_see(trial, person, Sight.REFERENCE_STANDARD))


def _say_not_computed(reasons: "Mapping[str, str]") -> None:
    for name, why in reasons.items():
        typer.echo(f"The analysis {name} could not be computed: {why}", err=True)


def _export_bundle(trial: "Trial", output: Path) -> None:
    import tempfile

    from trials.reports.bundle import write_bundle, zip_bundle

    if output.suffix == ".zip":
        with tempfile.TemporaryDirectory() as folder:
            bundle = write_bundle(trial, Path(folder))
            zip_bundle(bundle.folder, output)
    else:
        bundle = write_bundle(trial, output)
    _say_not_computed(bundle.not_computed)
    typer.echo(f"The bundle of {trial.slug}, {bundle.files} files, is in {output}.")


def _export_public(
    trial: "Trial", person: "Account", output: Path, *, reason: str, comments_reviewed: bool
) -> None:
    """Make the public form of the kept bundle, or of one that is made for it where none is up to date."""
    import tempfile

    from equipoise.audit.kinds import Origin
    from trials.reports.bundle import write_bundle, zip_bundle
    from trials.reports.public_bundle import is_public_source, write_public_bundle
    from trials.selectors.bundle import bundle_unpack, publishable_bundle
    from trials.services.acts import Actor
    from trials.services.public_bundle import public_export_record, reader_names

    public_export_record(
        trial,
        comments_reviewed=comments_reviewed,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
        reason=reason,
    )
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "bundle"
        if (kept := publishable_bundle(trial)) is not None:
            bundle_unpack(kept, source, wanted=is_public_source)
        else:
            write_bundle(trial, source)
        made = write_public_bundle(
            source,
            Path(scratch) / "public" if output.suffix == ".zip" else output,
            secret=bytes(trial.patient_key_secret),
            comments_reviewed=comments_reviewed,
            names=reader_names(trial),
        )
        if output.suffix == ".zip":
            zip_bundle(made.folder, output)
    _say_not_computed(made.not_computed)
    typer.echo(f"The public form of the bundle of {trial.slug}, {made.files} files, is in {output}.")


def _export_tables(trial: "Trial", output: Path, *, with_truth: bool) -> None:
    from trials.reports.columnar import readings_parquet
    from trials.reports.exports import (
        environments_csv,
        readings_csv,
        readings_json,
        tables_workbook,
        truth_csv,
    )

    output.mkdir(parents=True, exist_ok=True)
    tables = [
        ("readings.csv", readings_csv(trial)),
        ("readings.json", readings_json(trial)),
        ("environments.csv", environments_csv(trial)),
    ]
    if with_truth and trial.cases.exclude(reference_standards=None).exists():
        tables.append(("truth.csv", truth_csv(trial)))
    for name, lines in tables:
        with (output / name).open("w", encoding="utf-8", newline="") as sink:
            sink.writelines(lines)
    with (output / "readings.parquet").open("wb") as sink:
        sink.writelines(readings_parquet(trial))
    with (output / "tables.xlsx").open("wb") as sink:
        tables_workbook(trial, sink)
    names = ", ".join(name for name, _ in tables)
    typer.echo(
        f"{names}, readings.parquet and tables.xlsx are in {output}. The bundle is for whoever may see results, after "
        f"unblinding; the trial is {trial.state}."
    )


@app.command("report")
def report(
    slug: Slug,
    account: As,
    output: Annotated[Path, typer.Option("--output", help="The file to write, such as report.html.")],
) -> None:
    """Write the report of an unblinded trial: one page of HTML that needs nothing else."""
    _start()
    from equipoise.audit.kinds import AuditKind, Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.errors import PermissionDeniedError
    from equipoise.common.permissions import Permission
    from trials.domain.blinding import Sight
    from trials.domain.bundle import REPORT
    from trials.reports.report import report_html
    from trials.selectors.allocation import caller_may_see
    from trials.services.acts import Actor, export_record
    from trials.services.bundle import require_unblinded

    trial, person = _trial(account, slug, Permission.EXPORT_CREATE)
    require_unblinded(trial)
    sights = (Sight.RESULTS_BY_ARM, Sight.REFERENCE_STANDARD)
    if not all(caller_may_see(trial, person, sight) for sight in sights):
        raise PermissionDeniedError("The report is for whoever may see results by arm.")
    if output.exists():
        raise BadInputError(f"--output {output} is there already; name a new file.")
    text = report_html(trial)
    export_record(
        trial,
        AuditKind.EXPORT_CREATED,
        name=REPORT,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8", newline="\n")
    typer.echo(f"The report of {slug} is in {output}. To keep it as PDF, print it to a file in a browser.")


@app.command("verify-bundle")
def verify_bundle(
    bundle: Annotated[Path, typer.Argument(exists=True, help="A bundle: its folder, or the .zip file.")],
) -> None:
    """Check every file of a bundle against its manifest. Needs no server. Exits 1 if any differs."""
    import tempfile

    from equipoise.cli.problems import refuse
    from trials.domain.bundle import bundle_bring, bundle_problems, manifest_sha256

    with refuse(ValueError, OSError), tempfile.TemporaryDirectory() as scratch:
        folder = bundle if bundle.is_dir() else Path(scratch)
        if bundle.is_file():
            bundle_bring(bundle, folder)
        problems, own_hash = bundle_problems(folder), manifest_sha256(folder)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("Verdict: the bundle is whole; every file is as the manifest says.")
    typer.echo(f"Its hash, as the audit trail of an archived trial has it: {own_hash}")


@app.command("algorithms")
def algorithms(slug: Slug, account: As) -> None:
    """List the algorithms of a trial, how their runs stand, and the weights that can be enrolled."""
    _start()
    from equipoise.common.permissions import Permission
    from trials.selectors.algorithms import algorithms_document

    trial, _ = _trial(account, slug, Permission.CASE_VIEW_SOURCES)
    document = algorithms_document(trial)
    for row in document["results"]:
        pipeline = row["pipeline"] or "results by API"
        typer.echo(
            f"{row['code']}: {row['name']} {row['version']} ({row['source']}), {pipeline}, weights "
            f"{row['weights_sha256'][:12]}"
        )
        for run in row["runs"]:
            typer.echo(
                f"  {run['task']}, repeat {run['repeat']}: {run['job_state'] or 'not run'}, {run['stored']} stored, "
                f"{run['failed']} failed"
            )
        for failure in row["failures"]:
            typer.echo(f"  {failure['case']}: {failure['code']}. {failure['detail']}")
        for one in row["reproducibility"]:
            yes = "yes" if one["reproducible"] else "no"
            dice = f", lowest Dice {one['lowest_dice']:.4f}" if one["lowest_dice"] is not None else ""
            typer.echo(
                f"  repeat {one['repeat']} of {one['task']} reproducible: {yes} ({one['identical']} of "
                f"{one['pairs']} identical{dice})"
            )
    for known in document["weights"]:
        demonstration = ", demonstration model" if known["demonstration"] else ""
        typer.echo(
            f"weights {known['sha256']}: {known['name']} {known['version']} for {', '.join(known['pipelines'])}"
            f"{demonstration}"
        )


@app.command("enrol-algorithm")
def enrol_algorithm(
    slug: Slug,
    account: As,
    source: Annotated[str, typer.Option("--source", help="The algorithm's source in the protocol.")],
    pipeline: Annotated[str, typer.Option("--pipeline", help="nsclc, nsclc-published or bone-scan.")],
    weights: Annotated[str, typer.Option("--weights", help="SHA-256 of the weights, or how it begins.")],
) -> None:
    """Make a model version a participant that this site's workers run."""
    _start()
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.selectors.weights import weights_known
    from trials.services.acts import Actor
    from trials.services.algorithm import algorithm_enrol

    trial, person = _trial(account, slug, Permission.ALGORITHM_RUN)
    found = [one.card.sha256 for one in weights_known() if weights and one.card.sha256.startswith(weights)]
    if len(found) != 1:
        raise BadInputError(
            f"{len(found)} weights begin with {weights!r}; `equipoise trial algorithms {slug}` lists them."
        )
    enrolled = algorithm_enrol(
        trial,
        source=source,
        pipeline=pipeline,
        weights_sha256=found[0],
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    typer.echo(
        f"{enrolled.participant.code} is {source}, run by {pipeline} with the weights {found[0][:12]}."
    )


@app.command("run-algorithm")
def run_algorithm(
    slug: Slug,
    account: As,
    algorithm: Annotated[str, typer.Option("--algorithm", help="The algorithm's code, such as A-01.")],
    task: Annotated[
        str, typer.Option("--task", help="preference, contouring or classification; default: its first.")
    ] = "",
    repeat: Annotated[int, typer.Option("--repeat", min=1, max=99, help="The number of the repeat.")] = 1,
    here: Annotated[
        bool, typer.Option("--here", help="Do the cases in this process instead of leaving them to a worker.")
    ] = False,
) -> None:
    """Run an enrolled model version over every case without a result."""
    _start()
    from equipoise.audit.kinds import Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from equipoise.jobs.inline import job_run_inline
    from trials.domain.results import ResultTask
    from trials.models import AlgorithmPipeline
    from trials.selectors.weights import TASKS
    from trials.services.acts import Actor
    from trials.services.algorithm import algorithm_run

    trial, person = _trial(account, slug, Permission.ALGORITHM_RUN)
    enrolled = AlgorithmPipeline.objects.filter(participant__trial=trial, participant__code=algorithm).first()
    if enrolled is None:
        raise BadInputError(f"Trial {slug} has no enrolled algorithm {algorithm}.")
    tasks = TASKS[enrolled.pipeline]
    if task and task not in tasks:
        raise BadInputError(f"--task {task}: the pipeline {enrolled.pipeline} gives {', '.join(tasks)}.")
    run = algorithm_run(
        trial,
        enrolled.participant,
        task=ResultTask(task) if task else tasks[0],
        repeat=repeat,
        actor=Actor(account_id=person.id, origin=Origin.CLI),
    )
    if not here or run.job_id is None:
        typer.echo(f"The run is queued as job {run.job_id}.")
        return
    job = job_run_inline(run.job_id)
    typer.echo(f"{job.done - job.failed} of {job.total} cases are done, {job.failed} failed.")
    for item in job.items.filter(state="failed"):
        typer.echo(f"  {item.key}: {item.error_detail}", err=True)
    if job.failed:
        raise typer.Exit(1)


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


app.add_typer(trial_members.app)
app.add_typer(trial_protocol.app)
app.add_typer(trial_review.app)
app.add_typer(trial_signatures.app)
