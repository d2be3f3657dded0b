"""`equipoise train`: train a narrow network on a folder of cases or on phantoms."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.problems import BadInputError, refuse
from equipoise.cli.progress import with_progress

if TYPE_CHECKING:
    from equipoise.inference.training.loop import Recipe, Task
    from equipoise.inference.training.sources import Source

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Train a network: Adam, cosine annealing, the best epoch by validation; seeded, and resumable.",
)

Output = Annotated[
    Path, typer.Option(help="Folder of the run: cases, checkpoint, curves, weights with card.")
]
Data = Annotated[Path | None, typer.Option(help="Folder of cases; see docs/training.md for its form.")]
Phantoms = Annotated[int, typer.Option(min=0, help="Train on so many phantoms instead of a folder.")]
Seed = Annotated[int, typer.Option(min=0, help="Of phantoms, split, first weights and everything drawn.")]
Epochs = Annotated[int, typer.Option(min=1)]
LearningRate = Annotated[float, typer.Option(help="At first; half a cosine takes it to a hundredth.")]
Width = Annotated[int, typer.Option(min=1, help="Channels of the first block; 64 as published.")]
Validation = Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of the cases to validate on.")]
Precision = Annotated[str, typer.Option(help="fp32, or bf16 for about half the time.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads; 0 for as many as cores are free.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")]
Name = Annotated[str, typer.Option(help="Name of the model in its card.")]
Version = Annotated[str, typer.Option(help="Version of the model in its card.")]


@app.command()
def nsclc(
    output: Output,
    data: Data = None,
    phantoms: Phantoms = 0,
    seed: Seed = 1,
    epochs: Epochs = 20,
    learning_rate: LearningRate = 1e-3,
    width: Width = 8,
    steps: Annotated[int, typer.Option(min=1, help="Batches per epoch, of two to eight crops each.")] = 200,
    tumour_share: Annotated[float, typer.Option(help="Share of the crops around a tumour.")] = 0.6,
    dense_share: Annotated[
        float, typer.Option(help="Share of the crops around other dense tissue, such as the liver.")
    ] = 0.25,
    start_from: Annotated[
        Path | None, typer.Option(help="Weights (.safetensors, card beside them) to go on from.")
    ] = None,
    validation: Validation = 0.2,
    precision: Precision = "fp32",
    threads: Threads = 0,
    resume: Resume = False,
    name: Name = "nsclc-narrow",
    version: Version = "1",
) -> None:
    """Train the lung-tumour U-Net: Dice and cross-entropy, Dice privileged in the first epochs."""
    _torch(threads)
    from equipoise.common.errors import DomainError
    from equipoise.inference.shapes import UNetShape
    from equipoise.inference.training.loop import Recipe
    from equipoise.inference.training.segmentation import SegmentationTask
    from equipoise.inference.training.sources import Source, parted, segmentation_cases
    from equipoise.inference.weight_files import read_state

    with refuse(DomainError, OSError, ValueError):
        recipe = Recipe(epochs, learning_rate, seed, precision, warm_up=0.03, longest_gradient=1.0)
        source = Source(phantoms=phantoms, seed=seed, folder=data)
        cases = segmentation_cases(source, output / "cases", progress=_watched)
        training, held = parted(cases, share=validation, seed=seed)
        shape, start = UNetShape(width=width, activation="elu", scale=1 / 45), None
        if start_from is not None:
            start, card = read_state(start_from)
            if card.shape != shape.as_json():
                raise BadInputError(f"{start_from.name} has the shape {card.shape}, not {shape.as_json()}.")
        task = SegmentationTask(
            shape,
            training,
            held,
            seed=seed,
            steps=steps,
            shares=(tumour_share, dense_share),
            start=start,
            data=source.in_words("nsclc"),
        )
    _run("nsclc", task, recipe, source, output=output, resume=resume, name=name, version=version)


@app.command("bone-scan")
def bone_scan(
    output: Output,
    data: Data = None,
    phantoms: Phantoms = 0,
    seed: Seed = 1,
    epochs: Epochs = 40,
    learning_rate: LearningRate = 5e-4,
    width: Width = 8,
    validation: Validation = 0.2,
    precision: Precision = "fp32",
    threads: Threads = 0,
    resume: Resume = False,
    name: Name = "bone-scan-narrow",
    version: Version = "1",
) -> None:
    """Train the bone-scan network: as many negatives as positives in every epoch, drawn anew; views flipped."""
    _torch(threads)
    from equipoise.common.errors import DomainError
    from equipoise.inference.shapes import VggShape
    from equipoise.inference.training.classification import ClassificationTask
    from equipoise.inference.training.loop import Recipe
    from equipoise.inference.training.sources import Source, classification_cases, parted

    with refuse(DomainError, OSError, ValueError):
        recipe = Recipe(epochs, learning_rate, seed, precision)
        source = Source(phantoms=phantoms, seed=seed, folder=data)
        cases = classification_cases(source, output / "cases", progress=_watched)
        training, held = parted(cases, share=validation, seed=seed)
        task = ClassificationTask(
            VggShape(width=width), training, held, seed=seed, data=source.in_words("bone-scan")
        )
    _run("bone-scan", task, recipe, source, output=output, resume=resume, name=name, version=version)


def _torch(threads: int) -> None:
    try:
        import torch
    except ImportError as error:
        raise BadInputError("Training needs torch: install equipoise[inference].") from error
    if threads:
        torch.set_num_threads(threads)


def _watched(names: Sequence[str]) -> Any:
    return with_progress(names, label="preparing cases")


def _run(
    pipeline: str,
    task: "Task",
    recipe: "Recipe",
    source: "Source",
    *,
    output: Path,
    resume: bool,
    name: str,
    version: str,
) -> None:
    from equipoise.common.errors import DomainError
    from equipoise.inference.training.finish import write_model
    from equipoise.inference.training.loop import train

    def report(line: str) -> None:
        if line.endswith("\n"):
            typer.echo(line, nl=False)
        elif sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    with refuse(DomainError, OSError, ValueError):
        best, progress = train(task, recipe, output, resume=resume, report=report)
        card = write_model(
            task, best, progress, recipe, output, pipeline=pipeline, source=source, name=name, version=version
        )
    typer.echo(
        f"{output / 'model.safetensors'}: {card.model_id}, epoch {progress.best_epoch + 1} of {recipe.epochs}"
    )
