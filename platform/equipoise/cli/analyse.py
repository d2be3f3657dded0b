"""`equipoise analyse`: one analysis on tidy tables collected anywhere."""

from pathlib import Path
from typing import Annotated, Any

import typer

from equipoise.cli.problems import BadInputError, refuse

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

_TABLE_HELP = "CSV, XLSX or Parquet."


@app.command()
def analyse(
    name: Annotated[str, typer.Argument(help="Which analysis; `equipoise analyse list` prints them.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder for results.json, tables/ and figures/; made if absent.")
    ] = None,
    readings: Annotated[
        Path | None, typer.Option(help=f"The analysis's main table (mostly readings). {_TABLE_HELP}")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help=f"Reference standard per case or item. {_TABLE_HELP}")
    ] = None,
    segmentations: Annotated[Path | None, typer.Option(help=f"Pairs of segmentations. {_TABLE_HELP}")] = None,
    survival: Annotated[
        Path | None, typer.Option(help=f"Time, event and measurements. {_TABLE_HELP}")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            help="YAML with role, confidence_level, seed, parameters and columns, or a list of analyses."
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", help="Parameter of the analysis, NAME=VALUE; may be repeated."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of the main table under another name, KNOWN=NAME IN FILE; may be repeated."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of resampling; overrides the plan's.")] = None,
    figures: Annotated[bool, typer.Option(help="Draw the figures (their data are written anyway).")] = True,
    formats: Annotated[
        str, typer.Option("--formats", help="Of svg, png, pdf; separated by commas.")
    ] = "svg,png",
) -> None:
    """Run one analysis and write results.json, tables as CSV and figures. Prints the findings."""
    from equipoise.analysis.errors import AnalysisInputError
    from equipoise.analysis.registry import ANALYSIS_NAMES

    if name == "list":
        typer.echo("\n".join(ANALYSIS_NAMES))
        return
    if output is None:
        raise BadInputError("Name the folder for the results: --output DIR.")
    wanted = wanted_formats(formats) if figures else ()
    tables = {"readings": readings, "truth": truth, "segmentations": segmentations, "survival": survival}
    try:
        result = _run(
            name,
            {table: path for table, path in tables.items() if path is not None},
            plan_path=plan,
            parameters=pairs_of(parameter, "--set"),
            columns=pairs_of(column, "--column"),
            seed=seed,
        )
    except AnalysisInputError as error:
        raise BadInputError(*error.problems) from error
    from equipoise.analysis.write import write_result

    with refuse(OSError):
        written = write_result(result, output, formats=wanted)
    for sentence in (*result.findings, *result.notes):
        typer.echo(sentence)
    typer.echo(f"{len(written)} files in {output}")


def _run(
    name: str,
    tables: dict[str, Path],
    *,
    plan_path: Path | None,
    parameters: dict[str, str],
    columns: dict[str, str],
    seed: int | None,
) -> Any:
    from dataclasses import replace

    from equipoise.analysis.plan import AnalysisPlan, build_options
    from equipoise.analysis.registry import analysis_method
    from equipoise.analysis.run import run_analysis

    method = analysis_method(name)
    plan = AnalysisPlan() if plan_path is None else AnalysisPlan.from_yaml(plan_path, name)
    plan = replace(plan, parameters={**plan.parameters, **parameters})
    main_table = next(iter(method.needs(build_options(method.options, plan.parameters))))
    if "readings" in tables and main_table not in tables:
        tables[main_table] = tables.pop("readings")
    if columns:
        of_main = {**plan.columns.get(main_table, {}), **columns}
        plan = replace(plan, columns={**plan.columns, main_table: of_main})
    return run_analysis(name, tables, plan=plan, rng_seed=seed)


def pairs_of(given: list[str] | None, option: str) -> dict[str, str]:
    """Return what an option gives as NAME=VALUE, or refuse."""
    pairs = {}
    for text in given or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise BadInputError(f"{option} {text}: write NAME=VALUE.")
        pairs[key.strip()] = value.strip()
    return pairs


def wanted_formats(text: str) -> tuple[str, ...]:
    """Return the formats of figures named in an option, or refuse."""
    from equipoise.analysis.write import FORMATS

    wanted = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in wanted if part not in FORMATS]
    if unknown:
        raise BadInputError(f"--formats: '{unknown[0]}' is not one of {', '.join(FORMATS)}.")
    return wanted
