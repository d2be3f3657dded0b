"""`equipoise infer`: one pipeline on image files, no server."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.problems import BadInputError, refuse
from equipoise.cli.progress import with_progress

if TYPE_CHECKING:
    from equipoise.inference.files import Result
    from equipoise.inference.runtime import Runtime

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

MODALITY_OF = {"nsclc": "CT", "nsclc-published": "CT", "bone-scan": "NM"}
"""Pipeline -> what a volume file without a modality is taken for."""


@app.command()
def infer(
    pipeline: Annotated[str, typer.Argument(help="nsclc, nsclc-published or bone-scan.")],
    inputs: Annotated[list[Path], typer.Argument(help="Image files, DICOM folders or archives.")],
    output: Annotated[Path, typer.Option(help="Folder for the results; one folder per input is made in it.")],
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Safetensors file with its model card (.json) beside it; without it, the demonstration model."
        ),
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="openvino, onnx, torch, or auto for the fastest that is installed.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="fp32, bf16, or auto for bf16 where processor and runtime have it.")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0 for as many as cores are free.")] = 0,
) -> None:
    """Run a pipeline and write masks or heat maps with a report per input. Exits 1 if any input has none."""
    _check(pipeline, inputs)
    model = _load(pipeline, weights, runtime=runtime, device=device, precision=precision, threads=threads)
    names = _folder_names(inputs)
    failed = 0
    reports = []
    for path in with_progress(inputs, label="images"):
        report = _run_one(pipeline, path, output / names[path], model)
        failed += "error" in report
        reports.append({"input": str(path), "folder": names[path], **report})
        typer.echo(_line(path, report), err="error" in report)
    with refuse(OSError):
        output.mkdir(parents=True, exist_ok=True)
        (output / "summary.json").write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    if failed:
        raise typer.Exit(1)


def _check(pipeline: str, inputs: list[Path]) -> None:
    problems = [f"{path} does not exist." for path in inputs if not path.exists()]
    if pipeline not in MODALITY_OF:
        problems.append(f"There is no pipeline {pipeline!r}; there are {', '.join(MODALITY_OF)}.")
    if problems:
        raise BadInputError(*problems)


def _load(
    pipeline: str, weights: Path | None, *, runtime: str, device: str, precision: str, threads: int
) -> "Runtime":
    from equipoise.inference.cards import PIPELINES, read_card
    from equipoise.inference.errors import InferenceError
    from equipoise.inference.shipped import shipped_model

    with refuse(InferenceError, OSError):
        weights = weights or shipped_model(pipeline)
        card = read_card(weights)
    if card.architecture != PIPELINES[pipeline]:
        raise BadInputError(
            f"{weights.name} is a {card.architecture} model; the pipeline {pipeline} runs a {PIPELINES[pipeline]}."
        )
    from equipoise.inference.runtime import Runtime

    with refuse(InferenceError, ValueError, OSError):
        return Runtime.load(weights, runtime=runtime, device=device, precision=precision, threads=threads)


def _folder_names(inputs: list[Path]) -> dict[Path, str]:
    """Name each input's folder after it, numbered where two have one name."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in inputs:
        stem = path.name.split(".")[0] or "image"
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        names[path] = name
    return names


def _run_one(pipeline: str, path: Path, folder: Path, runtime: "Runtime") -> dict[str, Any]:
    """Run one input; what cannot be used is a reason in its report and does not stop the others."""
    from time import perf_counter

    from equipoise.common.errors import DomainError
    from equipoise.inference.files import load_as_stored, write_report, write_result
    from equipoise.inference.run import run_classification, run_segmentation

    started = perf_counter()
    try:
        volume = load_as_stored(path, modality=MODALITY_OF[pipeline])
        read_seconds = perf_counter() - started
        result: Result
        if pipeline == "bone-scan":
            result = run_classification(volume, runtime, read_seconds=read_seconds)
        else:
            result = run_segmentation(volume, runtime, pipeline=pipeline, read_seconds=read_seconds)
    except (DomainError, OSError) as error:
        report = {"pipeline": pipeline, "error": {"kind": type(error).__name__, "sentence": str(error)}}
        write_report(report, folder)
        return report
    written = perf_counter()
    files = write_result(result, volume.grid, folder, code=folder.name)
    result.report["seconds"]["write"] = perf_counter() - written
    result.report["files"] = files
    write_report(result.report, folder)
    return result.report


def _line(path: Path, report: dict[str, Any]) -> str:
    if "error" in report:
        return f"{path.name}: no result. {report['error']['sentence']}"
    remarks = "".join(f" {remark['sentence']}" for remark in report["warnings"])
    took = f"{report['seconds']['total']:.1f} s"
    if "lesions" not in report:
        score = report["probabilities"]["metastases"]
        return f"{path.name}: probability of metastases {score:.3f} ({took}).{remarks}"
    volumes = [f"{lesion['name']} {lesion['volume_ml']:.1f} ml" for lesion in report["lesions"]]
    return f"{path.name}: {', '.join(volumes) or 'no lesion'} ({took}).{remarks}"
