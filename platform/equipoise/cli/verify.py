"""`equipoise verify`: reference cases through the installed functions, with a record that a site can file."""

import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.problems import refuse
from equipoise.cli.progress import with_progress

if TYPE_CHECKING:
    from equipoise.analysis.verification import VerificationReport

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

RECORDED_PACKAGES = ("equipoise", "numpy", "scipy", "statsmodels", "pandas")
"""Packages whose versions decide the numbers."""


@app.command()
def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of families, each with cases.json and data/. Without it: the set that ships."
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Also write versions, file hashes and every verdict to this JSON file."),
    ] = None,
) -> None:
    """Run every reference case within its own tolerance. Exits 1 if any failed."""
    from equipoise.analysis.verification import own_cases_folder, verify_folder

    source = own_cases_folder() if folder is None else folder
    with refuse(ValueError, OSError):
        report = verify_folder(source, progress=_progress)
    for line in _lines(report):
        typer.echo(line)
    if record is not None:
        with refuse(OSError):
            record.write_text(json.dumps(_record(report, source), indent=2) + "\n", encoding="utf-8")
    if report.count("failed"):
        raise typer.Exit(1)


def _progress(cases: Iterable[Mapping[str, Any]], family: str, n_cases: int) -> Iterable[Mapping[str, Any]]:
    return with_progress(cases, label=family, total=n_cases)


def _lines(report: "VerificationReport") -> Iterable[str]:
    for family in report.families:
        superseded = family.count("superseded")
        tail = f", {superseded} superseded" if superseded else ""
        yield f"{family.family}: {family.count('passed')} passed, {family.count('failed')} failed{tail}"
        for outcome in family.outcomes:
            if outcome.state == "superseded":
                yield f"  superseded {outcome.case_id}: {outcome.rule}"
            elif outcome.state == "failed":
                more = f" (and {len(outcome.problems) - 1} more)" if len(outcome.problems) > 1 else ""
                yield f"  failed {outcome.case_id}: {outcome.problems[0]}{more}"
    yield f"{report.count('passed')} passed, {report.count('failed')} failed"


def _record(report: "VerificationReport", source: Path) -> dict[str, Any]:
    return {
        "made_at": datetime.now(UTC).isoformat(),  # noqa: TID251 - no Django here: the moment of the check itself
        "folder": str(source),
        "versions": {"python": platform.python_version(), "machine": platform.platform()}
        | {name: _version(name) for name in RECORDED_PACKAGES},
        "files_sha256": dict(report.files),
        "passed": report.count("passed"),
        "failed": report.count("failed"),
        "superseded": report.count("superseded"),
        "cases": [
            {
                "family": family.family,
                "id": outcome.case_id,
                "state": outcome.state,
                "values_compared": outcome.n_compared,
                "problems": list(outcome.problems),
                "rule": outcome.rule,
            }
            for family in report.families
            for outcome in family.outcomes
        ],
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
