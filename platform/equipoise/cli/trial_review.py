"""`equipoise trial`: queries, protocol deviations, where readers disagree, reminders, and events."""

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli import trial_shared
from equipoise.cli.trial_shared import As, Slug

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("review")
def review(
    slug: Slug,
    account: As,
    kind: Annotated[str, typer.Option("--kind", help="query or deviation; default: both.")] = "",
    state: Annotated[str, typer.Option("--state", help="open, answered or closed; default: all.")] = "",
) -> None:
    """List queries and protocol deviations: what each is about, where it stands, and what was said."""
    trial_shared.start()
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.domain.review import ReviewKind, ReviewState
    from trials.selectors.review import review_document, review_records

    if kind and kind not in set(ReviewKind):
        raise BadInputError(f"--kind {kind}: there are {', '.join(ReviewKind)}.")
    if state and state not in set(ReviewState):
        raise BadInputError(f"--state {state}: there are {', '.join(ReviewState)}.")
    trial, _ = trial_shared.trial_named(account, slug, Permission.MONITOR_VIEW)
    records = review_records(
        trial,
        kind=ReviewKind(kind) if kind else None,
        state=ReviewState(state) if state else None,
    )
    for record in records:
        told = review_document(record)
        place = f"case {told['n']}" if told["n"] is not None else None
        about = ", ".join(one for one in (told["participant"], place, told["case"]) if one)
        effect = {None: "", True: ", out of the per-protocol set", False: ", stays in the per-protocol set"}
        decided = f", {told['severity']}{effect[told['excludes']]}" if told["severity"] else ""
        typer.echo(f"{told['code']} {told['state']}{decided}: {told['topic_words']} ({about or 'the trial'})")
        for step in told["steps"]:
            typer.echo(
                f"  {step['at']:%Y-%m-%d %H:%M} {step['act']} by {step['by']}: {step['text'] or '(erased)'}"
            )


@app.command("adjudication")
def adjudication(
    slug: Slug,
    account: As,
    output: Annotated[Path | None, typer.Option("--output", help="A CSV file to write.")] = None,
) -> None:
    """List the items on which readers disagree, once reading is closed; not what anybody answered."""
    trial_shared.start()
    import csv

    from equipoise.audit.kinds import AuditKind, Origin
    from equipoise.cli.problems import BadInputError
    from equipoise.common.permissions import Permission
    from trials.selectors.adjudication import ADJUDICATION_COLUMNS, trial_adjudication
    from trials.services.acts import Actor, export_record

    trial, person = trial_shared.trial_named(account, slug, Permission.MONITOR_VIEW)
    if output is not None and output.exists():
        raise BadInputError(f"--output {output} is there already; name a new file.")
    found = trial_adjudication(trial)
    for one in found.disagreements:
        typer.echo(f"{one.item} ({one.case}), {one.question}: {one.readers} readers, {one.minority} differ")
    typer.echo(f"Readers disagree on {len(found.disagreements)} of {found.compared} that can be compared.")
    if output is None:
        return
    actor = Actor(account_id=person.id, origin=Origin.CLI)
    export_record(trial, AuditKind.EXPORT_CREATED, name="adjudication.csv", actor=actor)
    with output.open("x", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(ADJUDICATION_COLUMNS)
        writer.writerows([getattr(one, name) for name in ADJUDICATION_COLUMNS] for one in found.disagreements)


@app.command("remind")
def remind(
    slug: Slug,
    account: As,
    readers: Annotated[
        list[str] | None, typer.Option("--reader", help="A reader's code; default: everybody who may be.")
    ] = None,
    after_days: Annotated[
        int | None,
        typer.Option(
            "--after-days", min=0, help="Instead: remind by itself after so many days; 0 stops that."
        ),
    ] = None,
) -> None:
    """Remind readers by e-mail that something is left to read."""
    trial_shared.start()
    from equipoise.audit.kinds import Origin
    from equipoise.common.permissions import Permission
    from trials.selectors.reminders import readers_of
    from trials.services.acts import Actor
    from trials.services.reminders import reminder_plan_set, reminders_ask

    trial, person = trial_shared.trial_named(account, slug, Permission.PARTICIPANT_INVITE)
    actor = Actor(account_id=person.id, origin=Origin.CLI)
    if after_days is not None:
        reminder_plan_set(trial, after_days=after_days or None, actor=actor)
        typer.echo(
            f"Readers are reminded after {after_days} days without a reading."
            if after_days
            else "Never by itself."
        )
        return
    asked = reminders_ask(trial, readers or [one.code for one in readers_of(trial)], actor=actor)
    for code, why in asked.not_reminded.items():
        typer.echo(f"{code} is not reminded. {why}")
    typer.echo(f"{len(asked.reminded)} reminders are queued for a worker to send.")


@app.command("events")
def events(
    slug: Slug,
    account: As,
    after: Annotated[int, typer.Option("--after", min=0, help="Only events behind this number.")] = 0,
) -> None:
    """Print what happened in a trial, an event a line as JSON: readings submitted, states changed, jobs finished."""
    trial_shared.start()
    import json

    from equipoise.common.permissions import Permission
    from trials.selectors.notifications import event_documents, event_entries

    trial, _ = trial_shared.trial_named(account, slug, Permission.MONITOR_VIEW)
    while entries := event_entries(trial, after=after, limit=500):
        for one in event_documents(entries):
            typer.echo(json.dumps(one | {"at": one["at"].isoformat()}, ensure_ascii=False))
        after = entries[-1].sequence
