"""The `equipoise` command: one table of subcommands, each in its own module, loaded only when it is called.

A subcommand `name` is the module ``equipoise.cli.<name>`` with a Typer application called ``app``: one
command for a plain subcommand, several for a group. The modules import heavy libraries (numpy, Django,
SimpleITK) inside the functions, so that `equipoise --help` stays quick. A row of :data:`COMMANDS` whose
module is absent is not offered.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from equipoise.cli.problems import EXIT_BAD_INPUT, problems_of

COMMANDS: dict[str, str] = {
    "metrics": "Compare masks with a reference: overlap, surface distances, path length, volumes.",
    "analyse": "Run one analysis on a tidy table collected anywhere, no server needed.",
    "plan": "Plan a trial: power, and the readers and cases it needs, before protocol lock.",
    "infer": "Run one pipeline on image files, no server needed.",
    "train": "Train a narrow network on a folder of cases or on phantoms.",
    "weights": "Convert, look at and check model weights.",
    "trial": "Create, check, rehearse, lock, open, close, unblind and export a trial.",
    "ingest": "Bring images, structure sets and masks into a trial's cases.",
    "archive": "Look after stored images and their files.",
    "audit": "Verify and export the audit trail.",
    "admin": "Look after accounts, organisations and the database.",
    "backup": "Write the whole site, database and files, into one file.",
    "restore": "Restore a backup into an empty site and verify it.",
    "serve": "Start the web server.",
    "worker": "Start a worker for queued jobs.",
    "demo": "Set up a small demonstration trial.",
    "verify": "Run reference cases through the installed statistics and metrics.",
}
"""Subcommand -> the line `equipoise --help` prints for it, in the order printed."""

PACKAGE = "equipoise.cli"


class LazyGroup(TyperGroup):
    """A group that knows its subcommands by name and imports a module only when its command is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Typer's
        """Return the subcommands whose module is installed, in the table's order."""
        return [name for name in COMMANDS if importlib.util.find_spec(f"{PACKAGE}.{name}") is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return one subcommand, or None where there is no such one."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{PACKAGE}.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of subcommands from the table, importing none of them."""
        rows = [(name, COMMANDS[name]) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"equipoise {version('equipoise')}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


@app.callback()
def equipoise(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Blinded reader studies and in-silico trials of medical-imaging AI."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 on success, 2 on bad input with one sentence per problem on stderr."""
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="equipoise")
    except Exception as error:
        problems = problems_of(error)
        if not problems:
            raise
        for problem in problems:
            typer.echo(problem, err=True)
        raise SystemExit(EXIT_BAD_INPUT) from None


if __name__ == "__main__":
    main()
