"""`equipoise plan`: power, and the readers and cases that a planned trial needs, before its protocol is locked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.problems import BadInputError, refuse
from equipoise.cli.progress import progress_line

if TYPE_CHECKING:
    from equipoise.analysis.planning.plans import Plan
    from equipoise.analysis.planning.studies import PlannedTest

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True
)

EXIT_INTERRUPTED = 130
MOST_READERS, MOST_CASES = 200, 5000
"""Beyond these nothing is looked for."""

Readers = Annotated[int | None, typer.Option("--readers", help="Readers; left out: the fewest that do.")]
Cases = Annotated[int | None, typer.Option("--cases", help="Cases; left out: the fewest that do.")]
Target = Annotated[float, typer.Option("--power", help="Power to be reached.")]
Alpha = Annotated[float, typer.Option(help="Type I error of the test.")]
OneSided = Annotated[bool, typer.Option("--one-sided", help="Test one-sided at alpha.")]
Margin = Annotated[
    float | None,
    typer.Option(help="Non-inferiority with this margin: one-sided at alpha / 2 (--one-sided: alpha)."),
]
LowerIsBetter = Annotated[bool, typer.Option("--lower-is-better", help="For distances and errors.")]
Fixed = Annotated[
    str | None, typer.Option("--fixed", help="readers or cases: conclusions about exactly these.")
]
Output = Annotated[
    Path | None, typer.Option(help="Folder for power.csv, the figure and plan.json; made if absent.")
]
Simulate = Annotated[int, typer.Option(min=0, help="Simulated trials; 0 for none.")]
NullToo = Annotated[bool, typer.Option("--type-1", help="Simulate the type I error too.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the simulation; printed with its result.")]
Workers = Annotated[
    int, typer.Option(min=1, help="Processes of the simulation; the result does not depend on it.")
]
Formats = Annotated[str, typer.Option("--formats", help="Of svg, png, pdf; separated by commas.")]

DEFAULT_SEED = 20_220_616


@app.command()
def auc(
    difference: Annotated[float, typer.Option(help="True difference, new minus comparator.")],
    pilot: Annotated[
        Path | None, typer.Option(help="results.json of `equipoise analyse mrmc` on a fully crossed pilot.")
    ] = None,
    pilot_cases: Annotated[int | None, typer.Option(help="Cases the components below hold for.")] = None,
    var_interaction: Annotated[float | None, typer.Option(help="Reader x condition variance.")] = None,
    var_error: Annotated[float | None, typer.Option(help="Error variance.")] = None,
    cov1: Annotated[float | None, typer.Option(help="Same reader, different condition.")] = None,
    cov2: Annotated[float | None, typer.Option(help="Different reader, same condition.")] = None,
    cov3: Annotated[float | None, typer.Option(help="Both different.")] = None,
    readers: Readers = None,
    cases: Cases = None,
    power: Target = 0.8,
    alpha: Alpha = 0.05,
    one_sided: OneSided = False,
    margin: Margin = None,
    fixed: Fixed = None,
    output: Output = None,
    formats: Formats = "svg,png",
) -> None:
    """Plan a comparison of two conditions by Obuchowski-Rockette: AUC, sensitivity or another metric of a pilot."""
    from equipoise.analysis.planning.plans import AUCPlan, read_pilot
    from equipoise.stats import VarianceComponents

    given = {
        "var_interaction": var_interaction,
        "var_error": var_error,
        "cov1": cov1,
        "cov2": cov2,
        "cov3": cov3,
        "pilot_cases": pilot_cases,
    }
    absent = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is None]
    metric = "auc"
    if pilot is not None:
        if len(absent) < len(given):
            raise BadInputError("Give --pilot or the components, not both.")
        with refuse(OSError):
            components, n_pilot, metric = read_pilot(pilot)
    elif absent:
        raise BadInputError(f"Without --pilot, also give {', '.join(absent)}.")
    else:
        n_pilot = int(given.pop("pilot_cases") or 0)
        values: dict[str, Any] = given
        components = VarianceComponents(var_reader=float("nan"), **values)
    effects = _effects(fixed)
    plan = AUCPlan(difference, components, n_pilot, metric, *effects, _test(alpha, one_sided, margin))
    _run(plan, readers, cases, target=power, output=output, formats=formats)


@app.command()
def preference(
    share: Annotated[float, typer.Option(help="True share preferring the algorithm, for example 0.58.")],
    reader_sd: Annotated[float, typer.Option(help="How readers differ, logits.")] = 0.4,
    case_sd: Annotated[float, typer.Option(help="How cases differ, logits.")] = 0.5,
    item_sd: Annotated[float, typer.Option(help="How items of a case differ, logits.")] = 0.0,
    items_per_case: Annotated[int, typer.Option(help="Items that each case has.")] = 1,
    side_logit: Annotated[float, typer.Option(help="Pull to the left side, logits.")] = 0.0,
    readers: Readers = None,
    cases: Cases = None,
    power: Target = 0.8,
    alpha: Alpha = 0.05,
    one_sided: OneSided = False,
    simulate: Simulate = 200,
    type_1: NullToo = False,
    seed: Seed = DEFAULT_SEED,
    workers: Workers = 1,
    output: Output = None,
    formats: Formats = "svg,png",
) -> None:
    """Plan a preference trial against 50 %: quick approximation, then simulated readers and the planned model."""
    from equipoise.analysis.planning.plans import PreferencePlan

    test = _test(alpha, one_sided, None)
    plan = PreferencePlan(share, reader_sd, case_sd, item_sd, items_per_case, side_logit, test)
    _run(
        plan, readers, cases, target=power, output=output, formats=formats,
        simulate=simulate, type_1=type_1, seed=seed, workers=workers,
    )  # fmt: skip


@app.command()
def dsc(
    difference: Annotated[float, typer.Option(help="True mean difference, new minus comparator.")],
    reader_sd: Annotated[float, typer.Option(help="How readers differ in the difference.")],
    case_sd: Annotated[float, typer.Option(help="How cases differ in the difference.")],
    residual_sd: Annotated[float, typer.Option(help="What is left of single differences.")],
    readers: Readers = None,
    cases: Cases = None,
    power: Target = 0.8,
    alpha: Alpha = 0.05,
    one_sided: OneSided = False,
    margin: Margin = None,
    lower_is_better: LowerIsBetter = False,
    fixed: Fixed = None,
    simulate: Simulate = 200,
    type_1: NullToo = False,
    seed: Seed = DEFAULT_SEED,
    workers: Workers = 1,
    output: Output = None,
    formats: Formats = "svg,png",
) -> None:
    """Plan a paired comparison of Dice (DSC) or another measurement of contours."""
    from equipoise.analysis.planning.plans import DifferencePlan

    test = _test(alpha, one_sided, margin, higher_is_better=not lower_is_better)
    name = "the measurement" if lower_is_better else "DSC"
    plan = DifferencePlan(name, difference, reader_sd, case_sd, residual_sd, *_effects(fixed), test)
    _run(
        plan, readers, cases, target=power, output=output, formats=formats,
        simulate=simulate, type_1=type_1, seed=seed, workers=workers,
    )  # fmt: skip


@app.command()
def time(
    ratio: Annotated[
        float, typer.Option(help="True ratio of times, new over comparator: 0.8 is a fifth faster.")
    ],
    residual_sd: Annotated[float, typer.Option(help="What is left of single log ratios.")],
    reader_sd: Annotated[float, typer.Option(help="How readers differ in the log ratio.")] = 0.0,
    case_sd: Annotated[float, typer.Option(help="How cases differ in the log ratio.")] = 0.0,
    readers: Readers = None,
    cases: Cases = None,
    power: Target = 0.8,
    alpha: Alpha = 0.05,
    one_sided: OneSided = False,
    margin: Annotated[
        float | None,
        typer.Option(help="Non-inferiority: a ratio above 1, such as 1.1 for at most 10 % slower."),
    ] = None,
    simulate: Simulate = 200,
    type_1: NullToo = False,
    seed: Seed = DEFAULT_SEED,
    workers: Workers = 1,
    output: Output = None,
    formats: Formats = "svg,png",
) -> None:
    """Plan a comparison of reading times, as a ratio of geometric means."""
    from math import inf, log

    from equipoise.analysis.planning.plans import TimePlan

    if not 0.0 < ratio < inf:
        raise BadInputError(f"--ratio must be positive, but {ratio} was given.")
    if margin is not None and not 1.0 < margin < inf:
        raise BadInputError(f"--margin is a ratio of times above 1, but {margin} was given.")
    test = _test(alpha, one_sided, None if margin is None else log(margin), higher_is_better=False)
    plan = TimePlan(ratio, reader_sd, case_sd, residual_sd, test)
    _run(
        plan, readers, cases, target=power, output=output, formats=formats,
        simulate=simulate, type_1=type_1, seed=seed, workers=workers,
    )  # fmt: skip


def _test(
    alpha: float, one_sided: bool, margin: float | None, *, higher_is_better: bool = True
) -> "PlannedTest":
    from equipoise.analysis.planning.studies import PlannedTest

    return PlannedTest(alpha, 1 if one_sided else 2, margin, higher_is_better)


def _effects(fixed: str | None) -> tuple[str, str]:
    if fixed not in (None, "readers", "cases"):
        raise BadInputError(f"--fixed is readers or cases, but '{fixed}' was given.")
    return "fixed" if fixed == "readers" else "random", "fixed" if fixed == "cases" else "random"


def _run(
    plan: "Plan",
    n_readers: int | None,
    n_cases: int | None,
    *,
    target: float,
    output: Path | None,
    formats: str,
    simulate: int = 0,
    type_1: bool = False,
    seed: int = DEFAULT_SEED,
    workers: int = 1,
) -> None:
    from equipoise.cli.analyse import wanted_formats

    wanted = wanted_formats(formats)
    if n_readers is None and n_cases is None:
        raise BadInputError("Give --readers, --cases or both.")
    if simulate == 1:
        raise BadInputError("--simulate must be 0 or at least 2.")
    if type_1 and simulate == 0:
        raise BadInputError("--type-1 simulates: give --simulate too.")
    try:
        with refuse(ValueError), progress_line() as show:
            document, lines = _report(
                plan, n_readers, n_cases, target=target, simulate=simulate, type_1=type_1, seed=seed, workers=workers,
                show=show,
            )  # fmt: skip
            written = _write(plan, document, output, wanted, show) if output is not None else 0
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing was written.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    for line in lines:
        typer.echo(line)
    if output is not None:
        typer.echo(f"{written} files in {output}")


def _report(
    plan: "Plan",
    n_readers: int | None,
    n_cases: int | None,
    *,
    target: float,
    simulate: int,
    type_1: bool,
    seed: int,
    workers: int,
    show: Any,
) -> tuple[dict[str, Any], list[str]]:
    """Return what is filed and what is printed; sizes that were left open are searched for."""
    from equipoise.analysis.planning import simulate_power
    from equipoise.stats import smallest_number

    cases_for = readers_for = None
    if n_readers is not None:
        readers_given = n_readers
        least = 1 if plan.cases == "fixed" else 2
        cases_for = smallest_number(
            lambda n: plan.power_at(readers_given, n), target, lowest=least, highest=MOST_CASES
        )
    if n_cases is not None:
        cases_given = n_cases
        least = 1 if plan.readers == "fixed" else 2
        readers_for = smallest_number(
            lambda n: plan.power_at(n, cases_given), target, lowest=least, highest=MOST_READERS
        )
    r = n_readers if n_readers is not None else readers_for
    c = n_cases if n_cases is not None else cases_for
    if c is None:
        raise BadInputError(
            f"With {n_readers} readers not even {MOST_CASES} cases reach a power of {target:g}: plan more readers."
        )
    if r is None:
        raise BadInputError(
            f"With {n_cases} cases not even {MOST_READERS} readers reach a power of {target:g}: plan more cases."
        )
    found = plan.power_at(r, c)
    lines = [
        f"Power {found.power:.3f} to {plan.aim}, with {r} readers and {c} cases ({_test_words(plan.test)})."
    ]
    if cases_for is not None:
        lines.append(f"With {r} readers, {cases_for} cases are the fewest for a power of {target:g}.")
    elif n_readers is not None:
        lines.append(f"With {r} readers, not even {MOST_CASES} cases reach a power of {target:g}.")
    if readers_for is not None:
        lines.append(f"With {c} cases, {readers_for} readers are the fewest for a power of {target:g}.")
    elif n_cases is not None:
        lines.append(f"With {c} cases, not even {MOST_READERS} readers reach a power of {target:g}.")
    lines.append(f"Assumed: {', '.join(f'{name} {_plain(value)}' for name, value in plan.inputs.items())}.")
    df = "normal" if found.df == float("inf") else f"{found.df:.1f} degrees of freedom"
    lines.append(f"Standard error {found.standard_error:.4g}, {df}; {found.method}.")
    lines += plan.notes
    document: dict[str, Any] = {
        "schema": "equipoise-plan/1",
        "aim": plan.aim,
        "inputs": dict(plan.inputs),
        "alpha": plan.test.alpha,
        "sides": plan.test.sides,
        "margin": plan.test.margin,
        "n_readers": r,
        "n_cases": c,
        "power": found.power,
        "standard_error": found.standard_error,
        "df": None if found.df == float("inf") else found.df,
        "noncentrality": found.noncentrality,
        "method": found.method,
        "notes": list(plan.notes),
        "target_power": target,
        "fewest_cases_for_these_readers": cases_for,
        "fewest_readers_for_these_cases": readers_for,
    }
    runs = [
        ("simulated_power", "Simulated power", False),
        ("simulated_type_1_error", "Simulated type I error", True),
    ]
    for key, words, null in runs[: 2 if type_1 else 1]:
        study = plan.study(r, c, null=null) if simulate else None
        if study is None:
            continue
        result = simulate_power(
            study, n_replicates=simulate, seed=seed, n_workers=workers,
            progress=lambda done, of, words=words: show(words, done, of),  # type: ignore[misc]
        )  # fmt: skip
        undefined = f", {result.n_undefined} without a test" if result.n_undefined else ""
        lines.append(
            f"{words} {result.power:.3f}, Monte-Carlo error {result.monte_carlo_error:.3f} "
            f"({result.n_replicates} trials{undefined}, seed {result.seed})."
        )
        document[key] = {
            "value": result.power,
            "monte_carlo_error": result.monte_carlo_error,
            "n_trials": result.n_replicates,
            "n_undefined": result.n_undefined,
            "seed": result.seed,
        }
    return document, lines


def _write(plan: "Plan", document: dict[str, Any], output: Path, formats: tuple[str, ...], show: Any) -> int:
    """Write grid, figure and plan; nothing is written before everything is computed."""
    import json

    from equipoise.analysis.drawing import draw_figure
    from equipoise.analysis.planning.trade_off import grid_around, trade_off

    least_readers = 1 if plan.readers == "fixed" else 2
    grid = trade_off(
        plan.power_at,
        grid_around(document["n_readers"], lowest=least_readers),
        grid_around(document["n_cases"], lowest=5),
        progress=lambda done, of: show("grid", done, of),
    )
    figure = grid.figure(
        title=f"Power to {plan.aim}",
        caption=f"{document['method']}; {_test_words(plan.test)}. Cross: the plan.",
        target=document["target_power"],
        chosen=(document["n_readers"], document["n_cases"]),
    )
    with refuse(OSError):
        output.mkdir(parents=True, exist_ok=True)
        (output / "power.csv").write_text(grid.table.to_csv(), encoding="utf-8", newline="\n")
        (output / "plan.json").write_text(
            json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
        return 2 + len(draw_figure(figure, output, formats=formats))


def _test_words(test: "PlannedTest") -> str:
    if test.margin is not None:
        return f"non-inferiority, one-sided alpha {test.alpha / test.sides:g}"
    return f"{'two' if test.sides == 2 else 'one'}-sided alpha {test.alpha:g}"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
